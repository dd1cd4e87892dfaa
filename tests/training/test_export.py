"""The export publishes what it has verified, as the next version, or nothing at all."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from service.bundle import Bundle, GoldenHypothesis, mismatches, open_bundle
from service.decoding import DecodeRequest, Engine
from service.decoding.session import OnnxStepper
from service.translation import TranslateOptions, Translator
from tests.training.tiny import Trained
from training.config import Recipe
from training.evaluate import score
from training.export import Exported, ExportError, ParityError, export_bundle
from training.export.calibration import calibrate
from training.export.graphs import export_graphs
from training.export.publish import _spread
from training.models import Seq2Seq, make_model
from training.preparation import Prepared


def changed(prepared: Prepared, **sections: dict[str, Any]) -> Prepared:
    """The same preparation with a recipe that differs here and there."""
    parts = {
        name: dataclasses.replace(getattr(prepared.recipe, name), **changes)
        for name, changes in sections.items()
    }
    recipe: Recipe = dataclasses.replace(prepared.recipe, **parts)
    return dataclasses.replace(prepared, recipe=recipe)


def export(prepared: Prepared, model: Seq2Seq, root: Path) -> tuple[Exported, list[str]]:
    said: list[str] = []
    done = export_bundle(prepared, model, 0.1, root, threads=1, say=said.append)
    return done, said


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def exported(trained: Trained, root: Path) -> Exported:
    return export(trained.prepared, trained.model, root)[0]


@pytest.fixture(scope="module")
def bundle(exported: Exported) -> Bundle:
    return open_bundle(exported.path)


def answers(bundle: Bundle, *, crowded: bool, threads: int = 1) -> list[str]:
    """What is wrong when a server decodes the goldens again."""
    requests = [
        DecodeRequest(
            source=(*bundle.tokenizer.encode(g.source), bundle.manifest.special_ids.eos),
            beam=g.beam,
            n_best=len(g.hypotheses),
            length_normalisation=g.length_normalisation,
            length_penalty=g.length_penalty,
            coverage_penalty=g.coverage_penalty,
            min_length=g.min_length,
            max_length=g.max_length,
        )
        for g in bundle.goldens
    ]
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=threads))
    if crowded:
        results = engine.decode(requests)
    else:
        results = [engine.decode([request])[0] for request in requests]
    return [
        problem
        for golden, result in zip(bundle.goldens, results, strict=True)
        for problem in mismatches(
            golden,
            [
                GoldenHypothesis(
                    text=bundle.tokenizer.decode(h.tokens), tokens=h.tokens, score=h.score
                )
                for h in result.hypotheses
            ],
        )
    ]


# --- what is published --------------------------------------------------------------------------


def test_the_first_export_is_version_1(exported: Exported, root: Path) -> None:
    assert root / "shouting" / "1" == exported.path


def test_a_published_bundle_opens(bundle: Bundle) -> None:
    assert ("shouting", "transduction") == (bundle.manifest.name, bundle.manifest.task)


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_its_goldens_come_out_again(bundle: Bundle, crowded: bool, threads: int) -> None:
    assert [] == answers(bundle, crowded=crowded, threads=threads)


def test_goldens_are_greedy_and_beam_of_each_sentence(bundle: Bundle) -> None:
    widths = {golden.source: set[int]() for golden in bundle.goldens}
    for golden in bundle.goldens:
        widths[golden.source].add(golden.beam)

    assert {frozenset({1, 3})} == {frozenset(each) for each in widths.values()}
    assert 16 == len(widths)


def test_goldens_are_of_all_lengths(trained: Trained, bundle: Bundle) -> None:
    lengths = {len(entry.source) for entry in trained.prepared.dev}

    assert lengths == {len(golden.source) for golden in bundle.goldens}


def test_it_is_quantised_and_the_same_in_any_batch(bundle: Bundle) -> None:
    assert ("int8-static", True) == (
        bundle.manifest.quantisation.scheme,
        bundle.manifest.quantisation.batch_invariant,
    )


def test_its_limits_and_defaults_are_the_recipes(bundle: Bundle, trained: Trained) -> None:
    recipe, manifest = trained.prepared.recipe, bundle.manifest

    assert {recipe.data.max_tokens} == {
        manifest.limits.max_source_tokens,
        manifest.limits.max_target_tokens,
    }
    assert (recipe.evaluation.beam, "gnmt") == (
        manifest.decoding.beam,
        manifest.decoding.length_normalisation,
    )


def test_the_quality_it_states_is_what_a_server_reaches(bundle: Bundle, trained: Trained) -> None:
    translator = Translator(bundle, Engine(OnnxStepper.from_bundle(bundle, threads=1)))
    dev = trained.prepared.dev
    for quality in bundle.manifest.quality:
        options = TranslateOptions(beam=quality.beam)
        texts = [
            each.hypotheses[0].text
            for each in translator.translate_now([entry.source for entry in dev], options)
        ]
        reached = score("exact_match", texts, [entry.targets for entry in dev])

        assert quality.value == pytest.approx(reached.value, abs=0.01)
    assert {1, 3} == {quality.beam for quality in bundle.manifest.quality}


def test_it_says_where_it_comes_from(bundle: Bundle, trained: Trained) -> None:
    origin, prepared = bundle.manifest.provenance, trained.prepared

    assert (prepared.recipe_sha256, "recipe.toml", 4) == (
        origin.recipe_sha256,
        origin.recipe,
        origin.seed,
    )
    assert "unstated" == origin.licence


def test_the_model_card_names_quality_data_and_licence(
    exported: Exported, trained: Trained
) -> None:
    card = (exported.path / "README.md").read_text(encoding="utf-8")
    [first, *_] = exported.manifest.quality

    for fact in (
        f"| exact_match | {first.value:.2f} | shouting dev | 3 |",
        "int8-static",
        f"- data: train.tsv, {len(trained.prepared.train)} pairs",
        "- licence: unstated",
        "greedy decodes: ",
        trained.prepared.recipe_sha256,
    ):
        assert fact in card


def test_licence_and_attribution_of_the_recipe_reach_the_card(
    trained: Trained, tmp_path: Path
) -> None:
    licensed = changed(
        trained.prepared,
        data={"licence": "CC BY 2.0 FR", "attribution": "Pairs of tatoeba.org"},
        export={"quantisation": "none", "goldens": 2},
    )
    card = (export(licensed, trained.model, tmp_path)[0].path / "README.md").read_text()

    assert "- licence: CC BY 2.0 FR" in card
    assert "- attribution: Pairs of tatoeba.org" in card


def test_without_quantisation_the_floats_are_published(trained: Trained, tmp_path: Path) -> None:
    plain = changed(trained.prepared, export={"quantisation": "none", "goldens": 2})
    done, _ = export(plain, trained.model, tmp_path)

    assert "none" == open_bundle(done.path).manifest.quantisation.scheme


def test_the_next_export_is_the_next_version(trained: Trained, tmp_path: Path) -> None:
    quick = changed(trained.prepared, export={"quantisation": "none", "goldens": 2})
    (tmp_path / "shouting" / "7").mkdir(parents=True)
    first, second = (export(quick, trained.model, tmp_path)[0] for _ in range(2))

    assert ["8", "9"] == [first.path.name, second.path.name]
    assert [8, 9] == [open_bundle(done.path).manifest.version for done in (first, second)]


def test_what_is_done_is_said_on_the_way(trained: Trained, tmp_path: Path) -> None:
    _, said = export(trained.prepared, trained.model, tmp_path)
    text = "\n".join(said)

    assert "int8-static beam 3: exact_match" in text
    assert said[-1].startswith("published ")


# --- what is not --------------------------------------------------------------------------------


def nothing_in(root: Path) -> bool:
    return [] == [path for path in root.rglob("*") if path.is_file()]


def test_below_its_minimum_nothing_is_published(trained: Trained, tmp_path: Path) -> None:
    strict = changed(trained.prepared, evaluation={"minimum": 100.1})

    with pytest.raises(ExportError, match=r"exact_match is .*; evaluation\.minimum .* is 100\.1"):
        export(strict, trained.model, tmp_path)
    assert nothing_in(tmp_path)


def test_of_an_error_rate_nothing_above_its_maximum_is_published(
    trained: Trained, tmp_path: Path
) -> None:
    bounds = changed(trained.prepared, evaluation={"metric": "wer", "maximum": 50.0})
    fresh = make_model(bounds.recipe.model, bounds.tokenizer_spec.vocabulary_size, seed=5)

    with pytest.raises(ExportError, match=r"wer is 100\.00; evaluation\.maximum .* is 50\.0"):
        export(bounds, fresh, tmp_path)
    assert nothing_in(tmp_path)
    assert "wer" == export(bounds, trained.model, tmp_path)[0].manifest.quality[0].metric


def test_a_model_that_learnt_nothing_is_not_published(trained: Trained, tmp_path: Path) -> None:
    strict = changed(trained.prepared, evaluation={"minimum": 50.0})
    fresh = make_model(strict.recipe.model, strict.tokenizer_spec.vocabulary_size, seed=5)

    with pytest.raises(ExportError, match=r"exact_match is 0\.00"):
        export(strict, fresh, tmp_path)
    assert nothing_in(tmp_path)


def test_when_8_bits_cost_too_much_nothing_is_published(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scales a twentieth of what they should be: nearly every activation is cut off."""
    bounds = changed(trained.prepared, export={"max_quality_drop": 1.0})
    monkeypatch.setattr(
        "training.export.choice.calibrate",
        lambda model, examples, special: {
            place: dataclasses.replace(seen, low=seen.low / 20, high=seen.high / 20)
            for place, seen in calibrate(model, examples, special).items()
        },
    )

    with pytest.raises(ExportError, match=r"8 bits cost .* export\.max_quality_drop is 1\.0"):
        export(bounds, trained.model, tmp_path)
    assert nothing_in(tmp_path)


def test_a_shortlist_is_published_with_the_quality_that_it_leaves(
    trained: Trained, tmp_path: Path
) -> None:
    asked = changed(trained.prepared, export={"shortlist": 2, "shortlist_frequent": 4})
    done, _ = export(asked, trained.model, tmp_path)
    bundle = open_bundle(done.path)

    assert bundle.manifest.has_shortlist
    assert bundle.shortlist is not None
    assert trained.prepared.special.eos in bundle.shortlist.always_A
    assert all("int8-static with a shortlist" in each.note for each in bundle.manifest.quality)
    OnnxStepper.from_bundle(bundle, threads=1)


def test_a_shortlist_of_float32_products_is_refused_by_the_recipe(trained: Trained) -> None:
    config = dataclasses.replace(trained.prepared.recipe.export, quantisation="none", shortlist=3)

    assert ["shortlist needs quantisation 'int8-static'"] == [
        problem.partition(":")[0] for problem in config.validate()
    ]


def test_graphs_that_compute_something_else_are_not_published(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_model(
        trained.prepared.recipe.model, trained.prepared.tokenizer_spec.vocabulary_size, seed=9
    )
    monkeypatch.setattr(
        "training.export.candidates.export_graphs",
        lambda model, arithmetic: export_graphs(other, arithmetic),
    )

    with pytest.raises(ParityError):
        export(trained.prepared, trained.model, tmp_path)
    assert nothing_in(tmp_path)


def test_the_manifest_is_plain_json(exported: Exported) -> None:
    assert "shouting" == json.loads((exported.path / "manifest.json").read_text())["name"]


def test_sources_for_goldens_are_spread_over_the_lengths(trained: Trained) -> None:
    chosen = _spread(trained.prepared, 4)

    assert 4 == len(set(chosen))
    assert sorted(chosen, key=len) == chosen
    assert [2, 5] == [len(chosen[0]), len(chosen[-1])]
