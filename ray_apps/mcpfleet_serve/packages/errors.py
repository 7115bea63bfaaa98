"""The one error of this package; its reason is what a server's report shows."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a package cannot run."""

    PACKAGE_NOT_FOUND = "PackageNotFound"
    VERSION_NOT_FOUND = "VersionNotFound"
    INSTALL_FAILED = "InstallFailed"
    NO_ENTRY_POINT = "NoEntryPoint"
    AMBIGUOUS_ENTRY_POINT = "AmbiguousEntryPoint"
    NODE_MISSING = "NodeMissing"
    UV_MISSING = "UvMissing"
    OFFLINE = "Offline"
    INTEGRITY_ERROR = "IntegrityError"
    REGISTRY_DENIED = "RegistryDenied"
    CACHE_UNUSABLE = "CacheUnusable"


class PackageError(Exception):
    """A package cannot be installed or run; the message says what to do, and carries no credentials."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
