"""A shallower model begins with layers of a deeper one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.tiny import hybrid, lively_model, padded, some_sources, transformer
from training.checkpoint import CheckpointError
from training.config import ModelConfig
from training.shrinking import kept_layers, shrink_into


@given(st.integers(1, 24).flatmap(lambda deep: st.tuples(st.just(deep), st.integers(1, deep))))
def test_layers_that_stay_are_as_many_as_wanted_in_their_order_and_end_with_the_highest(
    depths: tuple[int, int],
) -> None:
    deep, shallow = depths
    kept = kept_layers(deep, shallow)

    assert len(kept) == shallow
    assert kept == sorted(set(kept))
    assert kept[-1] == deep - 1
    assert kept[0] == 0 or shallow == 1


def test_layers_that_are_evenly_spread() -> None:
    assert kept_layers(4, 2) == [0, 3]
    assert kept_layers(6, 3) == [0, 2, 5]
    assert kept_layers(12, 4) == [0, 4, 7, 11]
    assert kept_layers(3, 3) == [0, 1, 2]


def test_leaving_out_layers_that_do_nothing_changes_nothing() -> None:
    deeper = lively_model(transformer(encoder_layers=4, decoder_layers=3)).eval()
    with torch.no_grad():
        for name, parameter in deeper.named_parameters():
            if name.startswith(("encoder.blocks.1.", "encoder.blocks.2.", "decoder.layers.1.")):
                parameter.zero_()  # what such a layer adds to what it reads
    model = lively_model(transformer(encoder_layers=2, decoder_layers=2), seed=1).eval()
    source = padded(some_sources(3, 9))
    before = deeper.encode(*source)
    shrink_into(model, deeper)

    assert torch.equal(model.encode(*source).memory_BSM, before.memory_BSM)


def test_what_is_as_deep_is_taken_as_it_is() -> None:
    deeper, model = lively_model(hybrid()), lively_model(hybrid(), seed=1)
    shrink_into(model, deeper)

    for name, parameter in deeper.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name))


@pytest.mark.parametrize(
    "other",
    [
        hybrid(decoder_feed_forward=8),
        hybrid(encoder_layers=3),
        transformer(),
    ],
    ids=["narrower", "shallower", "of another kind"],
)
def test_models_that_differ_in_more_are_refused(other: ModelConfig) -> None:
    model = lively_model(hybrid(encoder_layers=4))

    with pytest.raises(CheckpointError, match="differ in more than that layers are left out"):
        shrink_into(model, lively_model(other))
