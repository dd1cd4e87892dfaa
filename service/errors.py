"""What can go wrong in Parley, in Parley's own words.

ParleyError
├── InvalidArgument     the caller asked for something impossible; names the field
├── NotFound            the caller named something that does not exist; lists what does
├── Overloaded          too much is asked at once; says when to come back
├── DeadlineExceeded    the caller's time ran out before the answer was ready
├── Cancelled           the caller went away
├── Unavailable         the service cannot answer now: draining, or no version is READY
├── ListenError         the server cannot open its address
├── SettingsError       the process was started wrongly; lists every problem
└── BundleError         (service.bundle.errors) a model directory cannot be trusted

Every message is written for the person who caused the error: it names the limit and the value.
Nothing here knows gRPC, HTTP or exit codes; `service.rpc.status` is the one translation to gRPC.
"""

from collections.abc import Iterable, Sequence

__all__ = [
    "Cancelled",
    "DeadlineExceeded",
    "InvalidArgument",
    "ListenError",
    "NotFound",
    "Overloaded",
    "ParleyError",
    "SettingsError",
    "Unavailable",
]


class ParleyError(Exception):
    """The root: whatever Parley raises on purpose. `message` is fit to be shown to the caller."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidArgument(ParleyError):
    """A request that can never succeed as it stands.

    `field` is the path to the culprit as the caller wrote it, such as `contents[3]` or
    `options.beam`; the message names the limit and the value.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class NotFound(ParleyError):
    """`what` (such as "model") called `name` does not exist; `available` are those that do."""

    def __init__(self, what: str, name: str, available: Iterable[str] = ()) -> None:
        self.what = what
        self.name = name
        self.available = tuple(sorted(available))
        listing = ", ".join(self.available) if self.available else "none"
        super().__init__(f"there is no {what} '{name}'; available: {listing}")


class Overloaded(ParleyError):
    """Refused at the door; the caller may try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ParleyError):
    """The deadline that the caller set has passed; the work was stopped."""

    def __init__(self, message: str = "the deadline passed before the answer was ready") -> None:
        super().__init__(message)


class Cancelled(ParleyError):
    """The caller gave up; the work was stopped."""

    def __init__(self, message: str = "the call was cancelled") -> None:
        super().__init__(message)


class Unavailable(ParleyError):
    """Nothing wrong with the request: the service cannot answer just now; another may."""


class ListenError(ParleyError):
    """The server could not open `address`; the message says why and what to do."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.address = address


class SettingsError(ParleyError):
    """The settings are wrong; `problems` holds one line for each thing to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
