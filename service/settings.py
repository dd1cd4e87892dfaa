"""What an operator may decide about `parley serve`, read once, into one frozen value.

Every option is declared exactly once, as a field of `Settings`; the flag (`--max-rows`), the
variable (`PARLEY_MAX_ROWS`), the help text and the check all come from that line. A flag wins over
a variable, a variable over the default. This is the only module that reads the environment.
"""

# ruff: noqa: RUF009 - `_option` is dataclasses.field with our metadata, and no mutable default

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from service.errors import SettingsError

PREFIX = "PARLEY_"

# As `service.bundle.names` has it, which stands on a higher floor.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

# For a Service called "parley-canary", Kubernetes puts PARLEY_CANARY_SERVICE_HOST,
# PARLEY_CANARY_PORT_50051_TCP_ADDR and their like into every pod of the namespace. They are not
# misspelt settings of ours, and refusing them would keep the server from starting at all.
_SERVICE_LINK = re.compile(
    r"PARLEY_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)"
    r"|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 asks the system for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (every interface).

    Raises ValueError with what was expected.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:50051")
    if ":" in host and not bracketed:
        raise ValueError("must have its IPv6 host in brackets, such as [::1]:50051")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 - ":PORT" asks for every interface


def _address_or_off(text: str) -> Address | None:
    return None if text == "off" else parse_address(text)


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("must be the path of a directory")
    return Path(text)


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,18}", text) and low <= int(text) <= high:
            return int(text)
        raise ValueError(f"must be a whole number from {low} to {high}")

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        # Plain decimals only: float() would also take "nan", "inf" and "1_0".
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) and low <= float(text) <= high:
            return float(text)
        raise ValueError(f"must be seconds from {low:g} to {high:g}, such as {low or 0.5:g}")

    return parse


def _name_or_nothing(text: str) -> str:
    if not text or _MODEL_NAME.fullmatch(text):
        return text
    raise ValueError("must be the name of a model without its version, such as tatoeba-de-en")


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in choices:
            return text
        raise ValueError(f"must be one of {', '.join(choices)}")

    return parse


def _option(default: str, parse: Callable[[str], Any], metavar: str, text: str) -> Any:
    return field(default=parse(default), metadata={"option": (default, parse, metavar, text)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The whole configuration of one server process."""

    models: Path = _option(
        "exported", _path, "DIR", "where published models are: DIR/<model>/<version>/"
    )
    default_model: str = _option(
        "",
        _name_or_nothing,
        "NAME",
        "answers requests that several models fit; without one they must name a model or languages",
    )
    listen: Address = _option(
        "127.0.0.1:50051", parse_address, "HOST:PORT", "gRPC address; :50051 = every interface"
    )
    http: Address | None = _option(
        "127.0.0.1:8080",
        _address_or_off,
        "HOST:PORT",
        "address of /metrics, /livez and /readyz, or off",
    )
    threads: int = _option(
        "0",
        _integer(0, 1024),
        "N",
        "threads of one model's arithmetic; 0 = as many as the CPU affinity and cgroup quota allow",
    )
    max_rows: int = _option(
        "320",
        _integer(1, 65536),
        "N",
        "hypotheses decoded together by one model (a sentence takes as many as its beam is wide)",
    )
    max_queue: int = _option(
        "2048",
        _integer(1, 10_000_000),
        "N",
        "sentences waiting for one model before more are refused with RESOURCE_EXHAUSTED",
    )
    max_text_chars: int = _option(
        "30000", _integer(1, 10_000_000), "N", "longest text accepted, in characters"
    )
    max_contents: int = _option("256", _integer(1, 100_000), "N", "most texts in one request")
    default_deadline_seconds: float = _option(
        "60", _seconds(0.001, 86400), "SECONDS", "time given to a call that sets no deadline"
    )
    drain_pause_seconds: float = _option(
        "3",
        _seconds(0, 600),
        "SECONDS",
        "after SIGTERM, how long to report NOT_SERVING and still accept calls, so that load "
        "balancers can look away first (Ctrl-C skips it)",
    )
    drain_seconds: float = _option(
        "20", _seconds(0, 3600), "SECONDS", "then how long running calls may take to finish"
    )
    max_connection_age_seconds: float = _option(
        "0",
        _seconds(0, 86400),
        "SECONDS",
        "close connections of this age, so that clients find new pods; 0 = never",
    )
    poll_seconds: float = _option(
        "1", _seconds(0.05, 86400), "SECONDS", "how often --models is looked at for new versions"
    )
    stuck_seconds: float = _option(
        "60",
        _seconds(1, 86400),
        "SECONDS",
        "a decoding thread with work and without a step for this long makes /livez fail",
    )
    log_level: str = _option(
        "info", _one_of("debug", "info", "warning", "error"), "LEVEL", "debug, info, warning, error"
    )
    log_format: str = _option(
        "text", _one_of("text", "json"), "FORMAT", "text (for people) or json (one object a line)"
    )


@dataclass(frozen=True, slots=True)
class Option:
    """One setting as an operator sees it."""

    name: str
    default: str
    parse: Callable[[str], Any]
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """The command-line flag, such as `--max-rows`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable, such as `PARLEY_MAX_ROWS`."""
        return PREFIX + self.name.upper()


def options() -> tuple[Option, ...]:
    """Every option, in the order of the help text."""
    return tuple(Option(item.name, *item.metadata["option"]) for item in fields(Settings))


def read_settings(
    flags: Mapping[str, str | None] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Combine flags, PARLEY_* variables and defaults.

    `flags` maps option names (`max_rows`) to the text given on the command line, or None.
    Raises SettingsError with every problem found, not only the first.
    """
    flags = flags or {}
    environ = os.environ if environ is None else environ
    known = {option.variable for option in options()}
    problems = [_unknown(name, known) for name in sorted(environ) if _is_stray(name, known)]
    values: dict[str, Any] = {}
    for option in options():
        flag, variable = flags.get(option.name), environ.get(option.variable)
        text = flag if flag is not None else variable
        if text is None:
            continue
        try:
            values[option.name] = option.parse(text)
        except ValueError as error:
            source = option.flag if flag is not None else option.variable
            problems.append(f"{source} {error}; given {_quoted(text)}")
    if not problems:
        settings = Settings(**values)
        problems = _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def colour_allowed(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the user's environment lets a terminal be coloured (no-color.org, TERM=dumb)."""
    environ = os.environ if environ is None else environ
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _is_stray(name: str, known: set[str]) -> bool:
    return name.startswith(PREFIX) and name not in known and not _SERVICE_LINK.fullmatch(name)


def _unknown(name: str, known: set[str]) -> str:
    # Compared without the prefix, which would make everything look alike.
    words = sorted(each.removeprefix(PREFIX) for each in known)
    near = difflib.get_close_matches(name.removeprefix(PREFIX), words, n=3, cutoff=0.6)
    listing = [PREFIX + each for each in near or words]
    hint = f"did you mean {' or '.join(listing)}?" if near else f"known: {', '.join(listing)}"
    return f"unknown variable {name}; {hint}"


def _quoted(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def _contradictions(settings: Settings) -> list[str]:
    if settings.http == settings.listen and settings.listen.port != 0:
        return [f"--listen and --http must differ; both are {settings.listen}"]
    return []
