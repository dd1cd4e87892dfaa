"""`parley models`, against a server."""

import json

from service.cli import main
from tests.unit.rpc.fakes import FakeVersion


def test_a_table_shows_state_languages_and_quality(door, capsys):
    door.models.versions += [
        FakeVersion(name="m", version=2, state="failed", serving=False, manifest=None)
    ]
    door.models.versions[-1].reason = "decoder.onnx: its SHA-256 is wrong"

    assert 0 == main(["models", "--server", door.address])
    assert [
        "MODEL  VERSION  STATE   LANGUAGES  QUALITY",
        "m      2        failed",
        "    decoder.onnx: its SHA-256 is wrong",
        "m      1 *      ready   de -> en   exact match 100",
    ] == capsys.readouterr().out.splitlines()


def test_json_is_for_programs(door, capsys):
    assert 0 == main(["models", "--json", "--server", door.address])
    (model,) = json.loads(capsys.readouterr().out)

    assert ("m", 1, "MODEL_STATE_READY", True) == (
        model["name"],
        model["version"],
        model["state"],
        model["serving"],
    )


def test_a_server_without_models_says_so(door, capsys):
    door.models.versions.clear()

    assert 0 == main(["models", "--server", door.address])
    assert "the server has no models" in capsys.readouterr().out


def test_no_server_is_an_error(capsys):
    assert 1 == main(["models", "--server", "127.0.0.1:1"])
    assert "parley models: no Parley server answers at 127.0.0.1:1" in capsys.readouterr().err
