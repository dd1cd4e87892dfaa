"""Models that are small and arbitrary, and a small one that has been trained.

What is drawn at random here is drawn from fixed seeds.
"""

import random
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import SpecialIds
from training.checkpoint import load_weights
from training.config import ModelConfig
from training.data.batches import pad_rows
from training.data.fitting import SPECIAL_IDS
from training.models import Seq2Seq, make_model
from training.preparation import Prepared, prepare
from training.stages import train

SPECIAL: SpecialIds = SPECIAL_IDS
VOCABULARY = 23

Ids = NDArray[np.int64]

DATES = """
name = "tiny-dates"
source_language = "en"
target_language = "und"
task = "transduction"
seed = 3

[data]
kind = "dates"
train_pairs = 600
dev_pairs = 20
max_tokens = 40
licence = "CC0-1.0"
attribution = "Generated."

[tokenizer]
kind = "characters"

[model]
cell = "gru"
embedding = 16
encoder_hidden = 16
encoder_layers = 1
decoder_hidden = 24
decoder_layers = 1

[batches]
target_tokens = 1000

[optim]
rate = 1e-2
warmup_steps = 10

[training]
epochs = 1
precision = "fp32"

[evaluation]
metric = "exact_match"
beam = 2
max_length_ratio = 1.0
max_length_offset = 4

[export]
goldens = 4
calibration_sentences = 64
max_quality_drop = 100
"""

# Learnt from eight of eight seeds; this one has every answer right after three epochs.
SHOUTING = """
name = "shouting"
source_language = "en"
target_language = "en"
task = "transduction"
seed = 4

[data]
kind = "tsv"
train = "train.tsv"
dev = "dev.tsv"
max_tokens = 20

[tokenizer]
kind = "characters"

[model]
cell = "gru"
embedding = 24
encoder_hidden = 32
encoder_layers = 1
decoder_hidden = 48
decoder_layers = 1
dropout = 0.0
output_dropout = 0.0

[batches]
target_tokens = 250

[optim]
rate = 7e-3
warmup_steps = 30
label_smoothing = 0.0
ema_decay = 0.95

[training]
epochs = 5
precision = "fp32"

[evaluation]
metric = "exact_match"
beam = 3
"""


class Trained(NamedTuple):
    """A run that has ended, ready to be exported."""

    prepared: Prepared
    model: Seq2Seq


def architecture(**changes: Any) -> ModelConfig:
    """A small architecture; widths are odd on purpose, so that no kernel's multiple hides a rest.

    With attention ``dot`` the decoder gets the width that it needs.
    """
    chosen: dict[str, Any] = {
        "embedding": 11,
        "encoder_hidden": 9,
        "encoder_layers": 2,
        "decoder_hidden": 13,
        "decoder_layers": 2,
        "attention_width": 7,
        **changes,
    }
    if chosen.get("attention") == "dot":
        sides = 2 if chosen.get("bidirectional", True) else 1
        chosen["decoder_hidden"] = chosen["encoder_hidden"] * sides
    return ModelConfig(**chosen)


def hybrid(**changes: Any) -> ModelConfig:
    """A small Transformer encoder with a hybrid decoder."""
    chosen: dict[str, Any] = {
        "encoder": "transformer",
        "decoder": "hybrid",
        "embedding": 12,
        "heads": 3,
        "encoder_layers": 2,
        "encoder_feed_forward": 17,
        "decoder_layers": 2,
        "decoder_feed_forward": 19,
        **changes,
    }
    return ModelConfig(**chosen)


def transformer(**changes: Any) -> ModelConfig:
    """A small Transformer; a head is 8 wide at least."""
    return hybrid(**{"decoder": "transformer", "embedding": 24, **changes})


# Every cell once with the second recurrence and once without; each part with the other's kind.
HYBRIDS: dict[str, ModelConfig] = {
    f"hybrid {cell}{' conditional' if conditional else ''}": hybrid(
        decoder_cell=cell, conditional=conditional
    )
    for cell in ("lstm", "gru", "ssru")
    for conditional in (False, True)
} | {
    "transformer encoder, recurrent decoder": hybrid(decoder="recurrent", decoder_hidden=13),
    "recurrent encoder, hybrid decoder": hybrid(encoder="recurrent", encoder_hidden=6),
}


# What makes a recurrent layer deeper, each by itself and all together.
DEEPER: dict[str, ModelConfig] = {
    "deep transition lstm": architecture(encoder_transitions=2, decoder_transitions=3),
    "deep transition gru": architecture(cell="gru", encoder_transitions=3, decoder_transitions=2),
    "normed rnn": architecture(cell="rnn", cell_norm=True, attention="none"),
    "normed lstm": architecture(cell_norm=True, attention="additive"),
    "normed gru one way": architecture(cell="gru", cell_norm=True, bidirectional=False),
    "residual": architecture(encoder_layers=3, decoder_layers=3, residual=True),
    "conditional rnn": architecture(cell="rnn", conditional=True, decoder_layers=1),
    "conditional lstm": architecture(conditional=True, attention="dot"),
    "conditional gru": architecture(cell="gru", conditional=True, attention="additive"),
    "multihead": architecture(attention="multihead", attention_width=12),
    "multihead one head": architecture(cell="gru", attention="multihead", heads=1),
    "all of it": architecture(
        conditional=True,
        attention="multihead",
        attention_width=12,
        heads=3,
        cell_norm=True,
        residual=True,
        encoder_transitions=2,
        decoder_transitions=3,
    ),
}

TRANSFORMERS: dict[str, ModelConfig] = {
    "transformer": transformer(),
    "transformer of one head and layer": transformer(heads=1, decoder_layers=1, embedding=8),
    "recurrent encoder, transformer decoder": transformer(encoder="recurrent", encoder_hidden=12),
}


# One network that reads and writes.
NEXT_SYMBOL: dict[str, ModelConfig] = {
    f"next symbol {name}": architecture(encoder="shared", decoder="next-symbol", **changes)
    for name, changes in {
        "rnn": {"cell": "rnn", "decoder_layers": 1},
        "lstm": {"cell": "lstm"},
        "gru normed": {"cell": "gru", "cell_norm": True, "decoder_transitions": 2},
    }.items()
}


def lively_model(config: ModelConfig, *, vocabulary: int = VOCABULARY, seed: int = 0) -> Seq2Seq:
    """A model whose every weight and bias matters: fresh ones are near zero, or exactly zero."""
    model = make_model(config, vocabulary, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return model.eval()


def some_sources(
    count: int, longest: int, *, vocabulary: int = VOCABULARY, seed: int = 0
) -> list[Ids]:
    """Sources of mixed lengths, the first of ``longest`` tokens, each ending in eos."""
    rng = np.random.default_rng([seed, count, longest])
    lengths = [longest, *rng.integers(1, longest + 1, size=count - 1).tolist()]
    return [
        np.array([*rng.integers(4, vocabulary, size=length - 1).tolist(), SPECIAL.eos])
        for length in lengths
    ]


def padded(sources: list[Ids], extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch and its lengths, with ``extra`` columns of padding behind the longest."""
    batch = pad_rows(sources, SPECIAL.pad)
    filled = torch.nn.functional.pad(batch, (0, extra), value=SPECIAL.pad)
    return filled, torch.tensor([len(source) for source in sources])


def write_recipe(directory: Path, text: str, *changes: tuple[str, str]) -> Path:
    """A recipe file with some of its text replaced."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = directory / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def shouted(rng: random.Random) -> str:
    """A pair of the corpus that the small model learns: a word, and the same in capitals."""
    word = "".join(rng.choice("abcdef") for _ in range(rng.randint(2, 5)))
    return f"{word}\t{word.upper()}\n"


@cache
def train_shouting(directory: Path) -> Trained:
    """Train the small model in ``directory``, once for all tests: a few seconds."""
    directory.mkdir()
    rng = random.Random(1)
    for part, pairs in (("train", 3000), ("dev", 60)):
        lines = [shouted(rng) for _ in range(pairs)]
        (directory / f"{part}.tsv").write_text("".join(lines), encoding="utf-8")
    prepared = prepare(write_recipe(directory, SHOUTING), directory, directory / "run")
    train(prepared, None)
    return Trained(prepared, best_model(prepared))


def best_model(prepared: Prepared) -> Seq2Seq:
    """The best weights of a run that has ended."""
    model = make_model(prepared.recipe.model, prepared.tokenizer_spec.vocabulary_size, seed=0)
    load_weights(prepared.run_dir / "checkpoints" / "best", model)
    return model.eval()
