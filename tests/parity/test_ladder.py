"""Every rung of the ladder takes the whole road: recipe, training, verified export, publication,
and a server's own loading, which decodes the goldens again.

A recipe that is put into ``training/recipes/ladder`` is tested without another word.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from service.decoding import EngineLimits
from service.metrics import Metrics
from service.registry.loader import BundleLoader
from service.translation import TranslateOptions
from training import stages
from training.config import load_recipe
from training.export import Exported
from training.preparation import Prepared, prepare

RECIPES = Path(__file__).resolve().parents[2] / "training" / "recipes" / "ladder"

# Small enough to take a second. The widths fit each other whatever the recipe combines.
SMALL: dict[str, dict[str, Any]] = {
    "data": {"train_pairs": 120, "dev_pairs": 12},
    "model": {"embedding": 16, "heads": 2, "decoder_hidden": 16, "attention_width": 12},
    "batches": {"target_tokens": 300},
    "optim": {"warmup_steps": 2},
    "training": {"epochs": 1},
    "evaluation": {"minimum": 0.0},
    "export": {"calibration_sentences": 30, "max_quality_drop": 100.0, "goldens": 4},
}


def shrunk(recipe: dict[str, Any]) -> dict[str, Any]:
    """The same rung with little data, narrow layers and one epoch."""
    small = {name: {**recipe.get(name, {}), **changes} for name, changes in SMALL.items()}
    both = small["model"].get("bidirectional", True)
    small["model"]["encoder_hidden"] = 8 if both else 16
    return {**recipe, **small}


def as_toml(recipe: dict[str, Any]) -> str:
    """Plain values are written alike in JSON and TOML."""
    top = {name: value for name, value in recipe.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in recipe.items() if isinstance(value, dict)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in top.items()]
    for table, values in tables.items():
        lines.append(f"[{table}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(lines)


@pytest.fixture(
    scope="module", params=sorted(RECIPES.glob("*.toml")), ids=lambda path: str(path.stem)
)
def rung(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A rung's recipe, shrunk, with its corpus."""
    directory = tmp_path_factory.mktemp(request.param.stem)
    path = directory / request.param.name
    path.write_text(as_toml(shrunk(tomllib.loads(request.param.read_text(encoding="utf-8")))))
    return prepare(path, directory, directory / "run")


@pytest.fixture(scope="module")
def published(rung: Prepared) -> Exported:
    stages.train(rung, None)
    return stages.export(rung, rung.run_dir.parent / "exported", lambda line: None)


def test_its_export_computes_what_was_trained(rung: Prepared, published: Exported) -> None:
    parity = published.parity

    assert parity.largest_difference < 1e-4
    assert parity.greedy_decodes == parity.greedy_identical > 0
    assert parity.beam_decodes == parity.beam_identical > 0


def test_a_server_loads_it_and_gives_its_goldens_again(rung: Prepared, published: Exported) -> None:
    """The loader refuses a version that answers one golden otherwise than its exporter did."""
    name = rung.recipe.name
    metrics = Metrics(CollectorRegistry()).engines
    loader = BundleLoader(threads=1, limits=EngineLimits(), metrics=metrics)
    loaded = loader.load(name, 1, published.path)
    try:
        sources = [entry.source for entry in rung.dev[:3]]
        [alone, *_] = loaded.translator.translate_now(sources[:1], TranslateOptions(beam=3))
        [crowded, *rest] = loaded.translator.translate_now(sources, TranslateOptions(beam=3))
    finally:
        loaded.close()

    assert (name, 1) == (loaded.manifest.name, loaded.manifest.version)
    assert (2, alone.hypotheses[0].score) == (len(rest), crowded.hypotheses[0].score)


def test_the_ladder_has_all_its_rungs() -> None:
    """Cells, directions and scores: each value of the recipe is somebody's."""
    models = [load_recipe(path)[0].model for path in RECIPES.glob("*.toml")]

    assert {"rnn", "lstm", "gru"} <= {model.cell for model in models}
    assert {"recurrent", "transformer"} <= {model.encoder for model in models}
    assert {"recurrent", "transformer", "next-symbol"} <= {model.decoder for model in models}
    assert {True, False} == {model.bidirectional for model in models}
    attentions = {model.attention for model in models}
    assert {"none", "dot", "general", "additive", "multihead"} <= attentions
    for switch in ("conditional", "cell_norm", "residual"):
        assert any(getattr(model, switch) for model in models), switch
    assert max(model.encoder_transitions for model in models) > 1
