"""Laws of the architectures: padding changes nothing, steps are the whole, and they can learn.

Shapes: B sentences, S source and T target positions, V vocabulary.
"""

import dataclasses
from typing import Any

import pytest
import torch

from tests.training.tiny import (
    DEEPER,
    HYBRIDS,
    NEXT_SYMBOL,
    SPECIAL,
    TRANSFORMERS,
    VOCABULARY,
    architecture,
    hybrid,
    lively_model,
    padded,
    some_sources,
)
from training.config import ModelConfig, OptimConfig
from training.decode import greedy_decode
from training.loss import smoothed_cross_entropy
from training.models import make_model
from training.optim import make_optimizer

ATTENTIONS = ["none", "dot", "general", "additive"]


def close(got: Any, wanted: Any) -> None:
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0.0)


ARCHITECTURES = (
    HYBRIDS
    | DEEPER
    | TRANSFORMERS
    | NEXT_SYMBOL
    | {
        f"{cell} {attention} {'both ways' if bidirectional else 'one way'}": architecture(
            cell=cell, attention=attention, bidirectional=bidirectional
        )
        for cell in ("rnn", "lstm", "gru")
        for attention in ATTENTIONS
        for bidirectional in (True, False)
    }
)


@pytest.fixture(params=ARCHITECTURES)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return ARCHITECTURES[request.param]


def test_a_padded_batch_is_each_sentence_alone(config: ModelConfig) -> None:
    model = lively_model(config)
    sources = some_sources(5, 9)
    source_BS, lengths_B = padded(sources, extra=3)
    target_BT = torch.randint(4, VOCABULARY, (5, 6), generator=torch.Generator().manual_seed(1))
    together_BTE = model(source_BS, lengths_B, target_BT)

    for b, source in enumerate(sources):
        alone_1TE = model(*padded([source]), target_BT[b : b + 1])
        close(together_BTE[b], alone_1TE[0])


def test_what_stands_behind_a_sentence_changes_nothing(config: ModelConfig) -> None:
    model = lively_model(config)
    source_BS, lengths_B = padded(some_sources(4, 7), extra=2)
    behind_BS = torch.arange(9) >= lengths_B.unsqueeze(1)
    target_BT = torch.full((4, 3), 5)

    close(
        model(source_BS, lengths_B, target_BT),
        model(source_BS.masked_fill(behind_BS, 17), lengths_B, target_BT),
    )


def test_steps_one_by_one_are_the_whole_target(config: ModelConfig) -> None:
    model = lively_model(config)
    encoded = model.encode(*padded(some_sources(4, 7)))
    target_BT = torch.randint(4, VOCABULARY, (4, 8), generator=torch.Generator().manual_seed(1))
    readout_BTE, end, weights_BTS = model.decoder(target_BT, model.initial_state(encoded), encoded)
    state = model.initial_state(encoded)
    for t in range(8):
        scores_BV, state, weights_BS = model.step(target_BT[:, t], state, encoded)
        close(scores_BV, model.output(readout_BTE[:, t]))
        if weights_BTS is not None:
            close(weights_BS, weights_BTS[:, t])

    for got, wanted in zip(state.layers, end.layers, strict=True):
        close(got, wanted)


def test_what_comes_later_in_the_target_changes_nothing_before_it(config: ModelConfig) -> None:
    model = lively_model(config)
    source_BS, lengths_B = padded(some_sources(3, 6))
    target_BT = torch.randint(4, VOCABULARY, (3, 8), generator=torch.Generator().manual_seed(1))
    other_BT = torch.cat([target_BT[:, :5], target_BT[:, 5:].flip(1) % 19 + 4], dim=1)

    readouts = [model(source_BS, lengths_B, each)[:, :5] for each in (target_BT, other_BT)]

    assert not torch.equal(target_BT, other_BT)
    close(*readouts)


def test_attention_sums_to_one_over_the_sentence(config: ModelConfig) -> None:
    model = lively_model(config)
    source_BS, lengths_B = padded(some_sources(4, 7), extra=1)
    encoded = model.encode(source_BS, lengths_B)
    _, _, weights_BS = model.step(torch.full((4,), 5), model.initial_state(encoded), encoded)

    if weights_BS is None:
        assert not model.decoder.attends
    else:
        assert model.decoder.attends
        torch.testing.assert_close(weights_BS.sum(-1), torch.ones(4))
        assert 0 == weights_BS[~encoded.mask_BS].abs().max()


def test_every_weight_has_a_part_in_the_answer(config: ModelConfig) -> None:
    """No parameter is declared and forgotten: each gets a gradient."""
    model = lively_model(config).train()
    readout_BTE = model(*padded(some_sources(4, 7)), torch.full((4, 3), 5))
    model.output(readout_BTE).square().sum().backward()

    assert [] == [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    ]


def test_a_fixed_context_is_the_same_whatever_is_asked() -> None:
    """Without attention the decoder knows of the source only its summary."""
    model = lively_model(architecture(attention="none"))
    encoded = model.encode(*padded(some_sources(3, 7)))
    blind = encoded._replace(memory_BSM=torch.zeros_like(encoded.memory_BSM))
    state, tokens_B = model.initial_state(encoded), torch.full((3,), 5)

    assert torch.equal(
        model.step(tokens_B, state, encoded)[0], model.step(tokens_B, state, blind)[0]
    )


def test_tied_embeddings_are_one_parameter() -> None:
    model = make_model(architecture(tied_embeddings=True), VOCABULARY, seed=1)

    assert model.encoder.embedding.weight is model.decoder.embedding.weight
    assert model.encoder.embedding.weight is model.output.weight
    assert 1 == sum(p.shape == (VOCABULARY, 11) for p in model.parameters())


def test_embeddings_that_are_not_tied_are_three() -> None:
    model = make_model(architecture(tied_embeddings=False), VOCABULARY, seed=1)

    assert 3 == sum(p.shape == (VOCABULARY, 11) for p in model.parameters())


def test_a_seed_decides_the_weights() -> None:
    one, same, other = (make_model(architecture(), VOCABULARY, seed) for seed in (1, 1, 2))

    assert torch.equal(one.decoder.bridge.weight, same.decoder.bridge.weight)
    assert not torch.equal(one.decoder.bridge.weight, other.decoder.bridge.weight)


def test_dropout_acts_in_training_only() -> None:
    model = make_model(architecture(dropout=0.5, output_dropout=0.5), VOCABULARY, seed=1)
    batch = (*padded(some_sources(3, 5)), torch.full((3, 4), 5))

    assert torch.equal(model.eval()(*batch), model(*batch))
    assert not torch.equal(model.train()(*batch), model(*batch))


LEARNING = {
    f"{cell} {attention}": architecture(
        cell=cell, attention=attention, encoder_layers=1, decoder_layers=1, encoder_hidden=20
    )
    for cell, attention in (("lstm", "general"), ("gru", "additive"), ("gru", "dot"))
} | {"hybrid": hybrid(encoder_layers=1, decoder_layers=1, decoder_cell="lstm", conditional=True)}


@pytest.mark.parametrize("name", LEARNING)
def test_a_small_model_learns_to_copy_a_few_sentences(name: str) -> None:
    config = dataclasses.replace(
        LEARNING[name],
        embedding=24,
        dropout=0.0,
        output_dropout=0.0,
    )
    torch.manual_seed(2)
    model = make_model(config, VOCABULARY, seed=2).train()
    optimizer = make_optimizer(model, OptimConfig(rate=2e-2))
    sources = some_sources(12, 6)
    source_BS, lengths_B = padded(sources)
    started_BT = torch.nn.functional.pad(source_BS[:, :-1], (1, 0), value=SPECIAL.bos)
    for _ in range(120):
        optimizer.zero_grad()
        loss, _ = smoothed_cross_entropy(
            model(source_BS, lengths_B, started_BT).flatten(0, 1),
            model.output.weight,
            model.output.bias,
            source_BS.flatten(),
            smoothing=0.0,
            ignore=SPECIAL.pad,
        )
        loss.backward()
        optimizer.step()

    wanted = [source[:-1].tolist() for source in sources]
    assert wanted == greedy_decode(model.eval(), sources, SPECIAL, [10] * 12)
