"""What each measurement of the lab must find where the answer is known."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from service.bundle import load_tokenizer
from tests.training.tiny import SPECIAL, Ids, architecture, hybrid, lively_model, transformer
from training.config import BatchConfig, ModelConfig, TokenizerConfig
from training.data.batches import Batch, BatchSampler, Example
from training.data.corpus import Pair
from training.data.fitting import fit_tokenizer
from training.lab import cli
from training.lab.findings import findings, judge
from training.lab.maps import attention_map
from training.lab.plan import PARTS, sizes_for
from training.lab.published import published_maps
from training.lab.reach import layer_reach, source_reach
from training.lab.rungs import LADDER, all_rungs, ladder
from training.lab.strings import accuracy_by_length
from training.lab.texts import length_buckets

Tests = dict[int, tuple[list[Ids], list[Ids]]]


@pytest.mark.parametrize("factor", [1.0, 0.5, 1.25])
def test_the_gradient_of_a_linear_recurrence_changes_by_its_factor_at_each_step(
    factor: float,
) -> None:
    def recurrence(x_TBD: Tensor) -> tuple[Tensor, None]:
        state_BD, outputs = torch.zeros_like(x_TBD[0]), []
        for x_BD in x_TBD:
            state_BD = factor * state_BD + x_BD
            outputs.append(state_BD)
        return torch.stack(outputs), None

    torch.manual_seed(0)
    norms = layer_reach(recurrence, torch.randn(8, 3, 5), nn.Linear(5, 4), torch.tensor([0, 1, 3]))

    assert [pytest.approx(norms[0] * factor**k, rel=1e-4) for k in range(8)] == norms


@pytest.mark.parametrize(
    "config",
    [
        architecture(cell="rnn", attention="none"),
        architecture(),
        hybrid(),
        transformer(),
        architecture(encoder="shared", decoder="next-symbol"),
    ],
    ids=["fixed vector", "attention", "hybrid", "transformer", "next symbol"],
)
def test_the_gradient_of_the_source_is_measured_for_each_symbol_but_the_end(
    config: ModelConfig,
) -> None:
    norms = source_reach(lively_model(config), some_batch())

    assert 4 == len(norms)
    assert all(math.isfinite(norm) and norm > 0 for norm in norms)


def test_what_a_model_does_not_read_has_no_gradient() -> None:
    """A decoder that was cut off from the one vector it has of the source."""
    model = lively_model(architecture(decoder_layers=1, attention="none"))
    with torch.no_grad():
        model.decoder.bridge.weight.zero_()  # type: ignore[union-attr, operator]  # a recurrent decoder
        model.decoder.readout.weight[:, 13:].zero_()  # type: ignore[union-attr, index]  # a recurrent decoder

    assert [0.0] * 4 == source_reach(model, some_batch())


def test_a_perfect_copier_has_everything_right() -> None:
    measured = accuracy_by_length(
        lambda sources: [source[:-1].tolist() for source in sources], copies()
    )

    assert [100.0, 100.0, 100.0] == measured["exact"] == measured["symbols"]
    assert [2, 3, 4] == measured["lengths"]


@pytest.mark.parametrize(
    ("change", "symbols"),
    [
        (lambda ids: ids[:-1], [50, 200 / 3, 75]),  # what is missing is wrong
        (lambda ids: [*ids, 4], [200 / 3, 75, 80]),  # and so is what is too much
        (lambda ids: [99, *ids[1:]], [50, 200 / 3, 75]),
    ],
    ids=["too short", "too long", "one wrong"],
)
def test_one_wrong_symbol_spoils_the_string_and_costs_its_share(
    change: Any, symbols: list[float]
) -> None:
    measured = accuracy_by_length(
        lambda sources: [change(source[:-1].tolist()) for source in sources], copies()
    )

    assert [0.0, 0.0, 0.0] == measured["exact"]
    assert pytest.approx(symbols) == measured["symbols"]


@pytest.mark.parametrize(
    "config", [architecture(attention="additive"), architecture(attention="dot"), transformer()]
)
def test_attention_is_shared_out_whole_at_each_step(config: ModelConfig) -> None:
    spec, file = fit_tokenizer(TokenizerConfig(kind="characters"), [Pair("abcdefg", "abc")], 0)
    tokenizer = load_tokenizer(spec, SPECIAL, file)
    source = np.array([*tokenizer.encode("gab"), SPECIAL.eos])

    drawn = attention_map(
        lively_model(config, vocabulary=spec.vocabulary_size), source, tokenizer, SPECIAL, 6
    )

    assert ["g", "a", "b", "</s>"] == drawn["source"]
    assert "</s>" == drawn["target"][-1]
    assert (len(drawn["target"]), 4) == np.shape(drawn["weights"])
    assert pytest.approx(np.ones(len(drawn["target"])), abs=1e-3) == np.sum(
        drawn["weights"], axis=1
    )


def test_a_published_model_shares_out_its_attention_too(repository: Path) -> None:
    shipped = max(
        (repository / "exported" / "tatoeba-de-en").iterdir(), key=lambda path: int(path.name)
    )

    published = published_maps(shipped)

    assert f"tatoeba-de-en/{shipped.name}" == published["model"]
    assert 3 == len(published["maps"])
    for drawn in published["maps"]:
        assert (len(drawn["target"]), len(drawn["source"])) == np.shape(drawn["weights"])
        assert pytest.approx(np.ones(len(drawn["target"])), abs=1e-2) == np.sum(
            drawn["weights"], axis=1
        )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 7))
def test_each_length_belongs_to_one_bucket(lengths: list[int], count: int) -> None:
    buckets = length_buckets(lengths, count)

    assert len(buckets) <= count
    for length in lengths:
        assert 1 == sum(low <= length <= high for low, high in buckets)
    assert (min(lengths), max(lengths)) == (buckets[0][0], buckets[-1][1])


def test_a_verdict_turns_with_the_numbers() -> None:
    assert "as the textbook says" == judge(50, 40, by=3)
    assert "against the textbook" == judge(40, 50, by=3)
    assert "no difference seen" == judge(40, 42, by=3)
    assert "no difference seen" == judge(42, 40, times=1.15)


def test_conclusions_follow_the_numbers_and_not_the_textbook() -> None:
    """Measured the other way round, every verdict is the other one."""
    usual = {
        finding.claim: finding.verdict for finding in findings(made_up(80, 20), ladder(LADDER))
    }
    turned = {
        finding.claim: finding.verdict for finding in findings(made_up(20, 80), ladder(LADDER))
    }

    compared = {
        claim for claim in usual if claim.startswith(("Attention keeps", "Attention trans"))
    }
    assert {"as the textbook says"} == {usual[claim] for claim in compared}
    assert {"against the textbook"} == {turned[claim] for claim in compared}
    assert 2 == len(compared)


def test_nothing_is_concluded_where_nothing_was_learnt() -> None:
    found = findings({"strings": made_up(9, 2)["strings"]}, ladder(LADDER))

    assert {"undecided"} == {finding.verdict for finding in found}


def test_more_minutes_are_more_steps_of_the_same_measurement() -> None:
    short, long = sizes_for(5), sizes_for(10)

    assert 2 * short.string_steps == long.string_steps
    assert short.longest == long.longest


def test_the_command_and_the_plan_know_the_same_parts() -> None:
    assert PARTS == cli._PARTS


def test_every_recipe_of_the_ladder_has_its_costs_measured() -> None:
    names = [rung.name for rung in all_rungs()]

    assert list(LADDER) == names[: len(LADDER)]
    assert {"conditional", "residual", "layer-norm"} <= set(names)


def copies() -> Tests:
    """Two strings of each length, to be copied."""
    made = {n: [np.array([*range(5, 5 + n), SPECIAL.eos])] * 2 for n in (2, 3, 4)}
    return {length: (strings, strings) for length, strings in made.items()}


def some_batch() -> Batch:
    rows = [np.array([5, 6, 7, 8, SPECIAL.eos]), np.array([9, 8, 8, 6, SPECIAL.eos])]
    sampler = BatchSampler([Example(row, row) for row in rows], SPECIAL, BatchConfig(), 0)
    return next(sampler.epoch(0))


def made_up(attention: float, fixed: float) -> dict[str, Any]:
    """Results as the parts have them: these shares are right everywhere."""

    def rung(name: str) -> dict[str, Any]:
        share = fixed if name in {"elman", "lstm", "gru", "bidirectional"} else attention
        return {"lengths": [*range(2, 13)], "symbols": [share] * 11, "exact": [share] * 11}

    rungs = {name: rung(name) for name in LADDER}
    return {
        "strings": {"longest": 8, "beyond": 12, "tasks": {"copy": rungs, "reversal": rungs}},
        "texts": {
            "about": {
                "corpus": "some",
                "metric": "bleu",
                "unit": "words",
                "buckets": [(1, 4), (5, 9)],
            },
            "rungs": {
                "bidirectional": {"all": fixed, "by_length": [fixed, fixed]},
                "attention-additive": {"all": attention, "by_length": [attention, attention]},
            },
        },
    }
