"""`parley serve`: the server process."""

import argparse
import asyncio
import signal
import sys

from service import logs
from service.errors import ParleyError, SettingsError
from service.settings import Settings, colour_allowed, options, read_settings

_DESCRIPTION = """\
Serve every model under --models over gRPC, and metrics and probes over HTTP.

The newest good version of each model answers. A new one published into the directory of a
running server is loaded beside the old one, proven on its goldens, and then takes over without a
failed request; a bad one is refused, with the reason in the log and in `parley models`."""

_EPILOG = """\
Every option is also an environment variable: --max-rows 64 is PARLEY_MAX_ROWS=64. A flag wins
over a variable, a variable over the default; a PARLEY_ variable that is no option is an error.

signals:  SIGTERM or Ctrl-C drains (health turns NOT_SERVING, running calls finish) and exits 0;
          a second one ends at once.
exit:     0 drained, 1 failed (such as an address in use), 2 used wrongly.

examples:
  parley serve
  parley serve --models /srv/models --listen :50051 --http :8080 --log-format json
  PARLEY_THREADS=4 parley serve
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `serve` to the subcommands of `parley`."""
    parser = subparsers.add_parser(
        "serve",
        help="serve models over gRPC",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for option in options():
        parser.add_argument(
            option.flag,
            dest=option.name,
            metavar=option.metavar,
            help=f"{option.help} (default: {option.default or 'none'})".replace("%", "%%"),
        )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit code."""
    try:
        settings = read_settings({each.name: getattr(args, each.name) for each in options()})
        return _serve(settings)
    except SettingsError as error:
        for problem in error.problems:
            _complain(problem)
        return 2
    except ParleyError as error:
        _complain(error.message)
        return 1


def _serve(settings: Settings) -> int:
    logs.configure(
        level=settings.log_level,
        style=settings.log_format,
        stream=sys.stderr,
        colour=colour_allowed(),
    )
    # Process 1 of a container ignores a signal that nobody handles; until the server does:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    import uvloop

    from service import app  # onnxruntime and grpc: not before the settings are known to be good

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(app.serve(settings))


def _complain(problem: str) -> None:
    print(f"parley serve: {problem}", file=sys.stderr)
