"""The one error that a person can mend: something is not there. Tests skip with its text."""


class Missing(Exception):
    """What is missing, and what to do."""

    def __str__(self) -> str:
        return f"missing: {self.args[0]}"
