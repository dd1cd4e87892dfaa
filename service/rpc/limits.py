"""What one call may ask for."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of the gRPC door, and how it keeps its connections.

    A request above `max_request_bytes` is refused with a message that says so; above eight times
    that, gRPC refuses it before reading, to protect the memory of the process.
    """

    max_contents: int = 256
    max_text_chars: int = 30_000
    max_request_bytes: int = 4 * 1024 * 1024
    default_deadline_seconds: float = 60.0
    # 0 = connections may grow as old as they like.
    max_connection_age_seconds: float = 0.0
