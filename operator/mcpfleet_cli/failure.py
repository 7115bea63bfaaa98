"""How a verb ends when it cannot do what was asked."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees. Documented in docs/cli.md."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NO_FLEET = 3
    MACHINE = 4


class Failure(Exception):
    """Ends the program with one sentence on stderr that says what to do, and an exit code.

    `details` are lines that come before it, such as every mistake of a file.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details
