"""Values of secrets reach their server and nothing else."""

import json

import psutil
import pytest
import pytest_asyncio

from mcpfleet_api.serve import ServerState

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

SECRET = "s3cr3t-0f-the-fleet"
TOKEN = {"name": "TOKEN", "secretKeyRef": {"name": "vault", "key": "token"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet, odd_server, tmp_path_factory):
    mounted = tmp_path_factory.mktemp("secrets")
    (mounted / "mounted").mkdir()
    (mounted / "mounted" / "token").write_text(f"{SECRET}\n{SECRET}\n")
    env_file = tmp_path_factory.mktemp("env") / ".env"
    env_file.write_text(f"VAULT_TOKEN='{SECRET}'\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCPFLEET_ENV_FILE", str(env_file))
        patch.setenv("MCPFLEET_SECRETS", str(mounted))
        patch.setenv("OF_THE_HOST", "not for children")
        await fleet.apply(
            odd_server("minimal", name="trusted", env=[TOKEN, {"name": "REGION", "value": "eu"}]),
            odd_server("minimal", name="other"),
            odd_server("indiscreet", env=[TOKEN]),
            {
                "name": "remote",
                "remote": {
                    "url": f"{fleet.url}/servers/nobody/mcp",
                    "headersFrom": [{"name": "Authorization", "secretKeyRef": TOKEN["secretKeyRef"]}],
                },
            },
            {
                "name": "line-break",
                "remote": {
                    "url": f"{fleet.url}/servers/other/mcp",
                    "headersFrom": [
                        {"name": "Authorization", "secretKeyRef": {"name": "mounted", "key": "token"}}
                    ],
                },
            },
        )
        await fleet.ready("trusted", "other")
        for name in ("indiscreet", "remote", "line-break"):
            await fleet.until(name, lambda report: report.state is ServerState.FAILED)
        yield


async def test_a_server_gets_its_variables_and_no_others(fleet):
    assert await fleet.call("trusted", "variable", name="TOKEN") == SECRET
    assert await fleet.call("trusted", "variable", name="REGION") == "eu"
    for name in ("TOKEN", "VAULT_TOKEN", "OF_THE_HOST", "MCPFLEET_ENV_FILE"):
        assert await fleet.call("other", "variable", name=name) == "<none>"
    assert await fleet.call("other", "variable", name="PATH") != "<none>"


@pytest.mark.parametrize("path", ["/", "/-/fleet", "/-/logs/trusted", "/-/logs/indiscreet", "/-/logs/line-break"])
async def test_no_page_shows_a_secret(fleet, path):
    await fleet.call("trusted", "complain", text=f"using {SECRET} now")
    await fleet.logged("trusted", "using •••• now")
    for accept in ("application/json", "text/html"):
        response = await fleet.http.get(path, headers={"accept": accept})
        assert response.status_code == 200
        assert SECRET not in response.text


async def test_an_indiscreet_server_is_quoted_without_its_secret(fleet):
    report = await fleet.report("indiscreet")
    assert (report.reason, report.message) == (
        "HandshakeFailed",
        "the server refused the handshake: the token •••• is not accepted",
    )
    assert "connecting with ••••" in await fleet.logs("indiscreet")
    for method in ("tools/list", "server/discover"):
        response = await fleet.modern("indiscreet", method)
        assert "is not accepted" in response.text
        assert SECRET not in response.text


async def test_a_server_that_dies_is_quoted_without_its_secret(fleet):
    await fleet.call("trusted", "complain", text=f"last words: {SECRET}")
    response = await fleet.modern("trusted", "tools/call", {"name": "die", "arguments": {}})
    assert "last words: ••••" in response.json()["error"]["message"]
    assert SECRET not in response.text


async def test_a_client_is_not_told_a_secret_by_an_error_of_the_remote_server(fleet):
    assert SECRET not in json.dumps((await fleet.modern("remote", "tools/list")).json())


async def test_a_header_that_cannot_be_sent_is_quoted_without_its_secret(fleet):
    report = await fleet.report("line-break")
    assert "header" in report.message
    assert SECRET not in report.message


async def test_no_argument_of_a_process_holds_a_secret(fleet):
    await fleet.until("trusted", lambda report: report.state is ServerState.READY)
    children = psutil.Process().children(recursive=True)
    assert children
    assert not [child for child in children if SECRET in " ".join(child.cmdline())]
