"""One run of `mcpfleet up`, from the engine's start to the last process's end."""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx2
from watchfiles import awatch

from mcpfleet_api.serve import FleetReport
from mcpfleet_cli import processes, runs
from mcpfleet_cli.display import Display, is_settled
from mcpfleet_cli.engine import Engine
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_url import is_loopback
from mcpfleet_cli.local_fleet import InvalidFile, LocalFleet, read

# All of the end takes less than 15 seconds: these two, and a second for what is around them.
STOP_SECONDS: Final = 9.5
END_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.3
QUIET_POLL_SECONDS: Final = 1.0
# A path of a socket has room for 107 bytes on Linux, 103 on macOS; Ray's own part takes about 75 of them.
LONGEST_FOLDER: Final = 24


class Session:
    """Starts the engine, shows what happens, follows the file, ends everything."""

    def __init__(self, local: LocalFleet, display: Display, *, watch: bool, env_file: Path | None) -> None:
        self._local = local
        self._display = display
        self._watch = watch
        self._env_file = env_file
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._settled = False
        self._failure: Failure | None = None

    async def run(self) -> int:
        """Run until a signal asks for the end; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop)
        self._run = self._register()
        engine = None
        try:
            self._display.stage("starting Ray")
            engine = await Engine.start(self._run.id, Path(self._run.folder), self._env_file)
            self._run = replace(self._run, engine=processes.identify(engine.pid))
            runs.save(self._run)
            await engine.deploy(self._local.config)
            await self._until_the_end(engine)
        finally:
            await self._end(engine, self._run)
        if self._failure:
            raise self._failure
        return ExitCode.OK

    def _register(self) -> runs.Run:
        run_id = secrets.token_hex(6)
        base = tempfile.gettempdir()
        folder = tempfile.mkdtemp(prefix="mcpf-", dir=base if len(base) <= LONGEST_FOLDER - 14 else "/tmp")  # noqa: S108
        run = runs.Run(
            id=run_id,
            fleet=self._local.name,
            url=self._local.url,
            file=str(self._local.file.resolve()),
            folder=folder,
            cli=processes.identify(os.getpid()),
            servers=self._local.server_names,
        )
        runs.save(run)
        return run

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _until_the_end(self, engine: Engine) -> None:
        work = [self._follow_engine(engine), self._follow_fleet()]
        if self._watch:
            work.append(self._follow_file(engine))
        tasks = [asyncio.create_task(part) for part in (*work, _finish(self._stop.wait))]
        # Each of these goes on until the end; whichever finishes first brings it.
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()

    async def _follow_engine(self, engine: Engine) -> None:
        async for event in engine.events():
            match event:
                case {"event": "stage", "text": text}:
                    self._display.stage(text)
                case {"event": "application", "status": "DEPLOY_FAILED", "message": message} if not self._settled:
                    self._failure = self._failed(f"the host does not start: {_last_line(message)}", message)
                    return
                case {"event": "application", "status": "UNHEALTHY" | "DEPLOY_FAILED", "message": message}:
                    self._display.notice(
                        f"the host is in trouble, Ray Serve starts it anew: {_last_line(message)}"
                    )
                case {"event": "lost", "message": message}:
                    self._failure = self._failed(f"{message}; start the fleet again")
                    return
                case _:
                    pass
        self._failure = self._failed("Ray ended by itself, or did not start")

    async def _follow_fleet(self) -> None:
        async with httpx2.AsyncClient(timeout=5.0, trust_env=not is_loopback(self._local.url)) as client:
            while True:
                report = await _report(client, self._local.url)
                if report:
                    self._display.servers(report)
                    if not self._settled and report.servers and is_settled(report):
                        self._settled = True
                        self._display.ready(self._local.url, report)
                await asyncio.sleep(QUIET_POLL_SECONDS if self._settled else POLL_SECONDS)

    async def _follow_file(self, engine: Engine) -> None:
        file = self._local.file.resolve()
        # Editors replace files, so its folder is watched; what else changes there is passed over.
        async for _ in awatch(
            file.parent,
            watch_filter=lambda _, path: Path(path) == file,
            debounce=200,
            step=50,
            recursive=False,
        ):
            await self._apply_edit(engine)

    async def _apply_edit(self, engine: Engine) -> None:
        try:
            edited = replace(self._local, fleet=read(self._local.file))
            edited.make_folders()
        except InvalidFile as invalid:
            self._display.findings(invalid.details)
            self._display.notice(invalid.message)
            return
        except Failure as failure:
            self._display.notice(failure.message)
            return
        if edited.fleet.spec == self._local.fleet.spec and edited.name == self._local.name:
            return
        if edited.args != self._local.args:
            self._display.notice("the fleet's name and its gateway take effect at the next `mcpfleet up`")
            edited = replace(
                edited,
                fleet=self._local.fleet.model_copy(
                    update={
                        "spec": edited.fleet.spec.model_copy(update={"gateway": self._local.fleet.spec.gateway})
                    }
                ),
            )
        self._local = edited
        self._run = replace(self._run, servers=edited.server_names)
        runs.save(self._run)
        self._display.notice(f"{self._local.file} changed; applying it")
        await engine.deploy(edited.config)

    async def _end(self, engine: Engine | None, run: runs.Run) -> None:
        """End the engine in its own way, then whatever is left of the run, in any case."""
        self._last_word("ending the fleet")
        known = await asyncio.to_thread(processes.of_run, run)
        if engine:
            stopping = asyncio.create_task(engine.stop(STOP_SECONDS if self._settled else STOP_SECONDS / 3))
            hurry = asyncio.create_task(self._hurry.wait())
            await asyncio.wait([stopping, hurry], return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()
            if not stopping.done():
                engine.kill()
            await asyncio.gather(stopping, hurry, return_exceptions=True)
        patience = 0.3 if self._hurry.is_set() else END_SECONDS
        left = await asyncio.to_thread(processes.end, run, patience=patience, extra=known)
        if left:
            numbers = ", ".join(str(process.pid) for process in left)
            raise Failure(f"these processes do not end; end them yourself: kill -9 {numbers}")
        shutil.rmtree(run.folder, ignore_errors=True)
        runs.forget(run)
        self._last_word("nothing of it is left")

    def _last_word(self, text: str) -> None:
        with suppress(OSError):  # the terminal may be gone, or the reader of a pipe
            self._display.close()
            self._display.notice(text)

    def _failed(self, sentence: str, details: str = "") -> Failure:
        """A failure whose details outlive the run's own folder."""
        kept = runs.folder().parent / "last-failure.log"
        with suppress(OSError):
            log = (Path(self._run.folder) / "engine.log").read_text(encoding="utf-8", errors="replace")
            kept.write_text(f"{sentence}\n\n{details}\n\n{log}", encoding="utf-8")
        return Failure(f"{sentence} (details are in {kept})")


async def _finish(wait: Callable[[], Awaitable[Any]]) -> None:
    await wait()


def _last_line(message: str) -> str:
    """What Python ends a traceback with: the error itself."""
    return next((line.strip() for line in reversed(message.splitlines()) if line.strip()), "no reason was given")


async def _report(client: httpx2.AsyncClient, url: str) -> FleetReport | None:
    with suppress(httpx2.TransportError, ValueError):
        answer = await client.get(f"{url}/-/fleet")
        if answer.is_success:
            return FleetReport.model_validate_json(answer.content)
    return None
