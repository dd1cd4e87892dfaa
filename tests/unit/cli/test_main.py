"""`parley` itself."""

import subprocess
import sys

import pytest

from service import __version__
from service.cli import main


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


@pytest.mark.parametrize(
    "command", [(), ("serve",), ("translate",), ("models",), ("bench",), ("inspect",)]
)
def test_every_command_explains_itself(command, capsys):
    assert 0 == exit_code(*command, "--help")
    assert "usage: parley" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert 0 == exit_code("--version")
    assert f"parley {__version__}\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("inspect",),
        ("translate", "--beam", "many"),
        ("translate", "--timeout", "0"),
        ("models", "--colour"),
    ],
)
def test_wrong_use_exits_with_2(arguments, capsys):
    assert 2 == exit_code(*arguments)
    assert "usage: parley" in capsys.readouterr().err


def test_help_needs_neither_grpc_nor_onnxruntime():
    """It should appear at once."""
    code = (
        "import sys\nfrom service.cli import main\ntry:\n    main(['--help'])\nfinally:\n"
        "    assert not {'grpc', 'onnxruntime', 'numpy'} & set(sys.modules)"
    )

    assert (
        0
        == subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
    )
