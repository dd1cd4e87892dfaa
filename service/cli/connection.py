"""What the commands that call a server have in common."""

import argparse

from service.errors import ParleyError

__all__ = ["CommandFailed", "add_server_options"]


class CommandFailed(ParleyError):
    """A command that ends here; exit code 1 (failed) or 2 (used wrongly)."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add --server and --timeout."""
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        default="127.0.0.1:50051",
        help="the server to ask (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=60.0,
        help="how long one call may take (default: 60)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 86400, not {text!r}")
    return seconds
