"""`parley`: serve, translate, models, bench, inspect.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted; errors are one clear line on stderr.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from service import __version__
from service.cli import bench, inspect, models, serve, translate
from service.cli.connection import CommandFailed
from service.errors import ParleyError

__all__ = ["main"]

_DESCRIPTION = "Parley translates text with attention seq2seq models, over gRPC."

_EPILOG = """\
examples:
  parley serve                                        a server on the models in exported/
  echo "Wo ist der Bahnhof?" | parley translate       ask it
  parley models                                       what it has loaded
  parley bench                                        how much it can take
  parley inspect exported/tatoeba-de-en/5             what a published model says about itself

`parley COMMAND --help` tells more.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = _parser().parse_args(arguments)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except ParleyError as error:
        print(f"parley {args.command}: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, CommandFailed) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`). Python would complain about it once more
        # while it flushes stdout at exit, so stdout now leads nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parley",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"parley {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (serve, translate, models, bench, inspect):
        command.add_parser(commands)
    return parser
