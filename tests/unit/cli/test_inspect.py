"""`parley inspect`: what a bundle says about itself, and all that is wrong with it."""

import json
import shutil

import pytest

from service.cli import main
from tests.unit.translation.fakes import FROZEN


@pytest.fixture
def bundle(tmp_path):
    return shutil.copytree(FROZEN, tmp_path / "reverse" / "1")


def test_a_whole_bundle_is_shown(bundle, capsys):
    assert 0 == main(["inspect", str(bundle)])
    out = capsys.readouterr().out

    assert out.startswith("model          reverse/1\n")
    assert "verdict        whole" in out


def test_json_holds_the_manifest(bundle, capsys):
    assert 0 == main(["inspect", "--json", str(bundle)])
    told = json.loads(capsys.readouterr().out)

    assert ([], "reverse") == (told["problems"], told["manifest"]["name"])


def test_everything_that_is_wrong_is_listed(bundle, capsys):
    with (bundle / "decoder.onnx").open("r+b") as graph:
        graph.write(b"x")
    (bundle / "README.md").unlink()
    (bundle / "stray").touch()

    assert 1 == main(["inspect", str(bundle)])
    err = capsys.readouterr().err
    assert all(name in err for name in ("decoder.onnx", "README.md", "stray"))

    assert 1 == main(["inspect", "--json", str(bundle)])
    assert 3 == len(json.loads(capsys.readouterr().out)["problems"])


def test_a_model_in_place_of_a_version_gets_a_hint(bundle, capsys):
    assert 1 == main(["inspect", str(bundle.parent)])
    assert f"did you mean {bundle}?" in capsys.readouterr().err


def test_a_path_that_is_nowhere_is_said_so(tmp_path, capsys):
    assert 1 == main(["inspect", str(tmp_path / "nowhere")])
    assert capsys.readouterr().err.startswith("parley inspect: ")
