"""Runs of a trainer on a made-up corpus, in as many pieces as a test likes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from service.bundle.schema import parse
from tests.training.tiny import SPECIAL, VOCABULARY, some_sources
from training.checkpoint import Progress
from training.config import Recipe
from training.data.batches import BatchSampler, Example
from training.models import Seq2Seq, make_model
from training.trainer import Trainer, TrainingPlan

EPOCHS, BATCHES = 3, 8  # the corpus below makes 8 batches


def recipe(**sections: dict[str, Any]) -> Recipe:
    """A small recipe in which everything random is at work: dropout of states, outputs, words."""
    plain: dict[str, dict[str, Any]] = {
        "data": {"kind": "dates", "train_pairs": 1, "dev_pairs": 1},
        "model": {
            "embedding": 8,
            "encoder_hidden": 6,
            "decoder_hidden": 10,
            "dropout": 0.3,
            "output_dropout": 0.2,
            "word_dropout": 0.1,
            "source_word_dropout": 0.1,
        },
        "batches": {"target_tokens": 24},
        "optim": {"rate": 1e-2, "warmup_steps": 5, "ema_decay": 0.9},
        "training": {"epochs": EPOCHS, "precision": "fp32", "patience": 99},
    }
    for name, section in sections.items():
        plain[name] = {**plain.get(name, {}), **section}
    return parse(
        Recipe, {"name": "tiny", "source_language": "de", "target_language": "en", **plain}
    )


def corpus() -> list[Example]:
    sources = [some_sources(1, 2 + i % 4, seed=i)[0] for i in range(40)]
    return [Example(source, np.array([*source[:-1][::-1], SPECIAL.eos])) for source in sources]


class Runs:
    """Starts pieces of runs in directories below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.evaluations = 0

    def train(
        self,
        name: str,
        score: Callable[[int], float] = float,
        *,
        budget_minutes: float | None = None,
        sha256: str = "a" * 64,
        **sections: dict[str, Any],
    ) -> Progress:
        """Train in the directory ``name``; ``score`` is asked with the number of the evaluation."""
        chosen = recipe(**sections)

        def evaluate(_: Seq2Seq) -> float:
            self.evaluations += 1
            return score(self.evaluations)

        plan = TrainingPlan(
            recipe=chosen,
            recipe_sha256=sha256,
            run_dir=self.root / name,
            special=SPECIAL,
            sampler=BatchSampler(corpus(), SPECIAL, chosen.batches, chosen.seed),
            evaluate=evaluate,
            budget_minutes=budget_minutes,
        )
        return Trainer(plan, make_model(chosen.model, VOCABULARY, chosen.seed)).train()

    def tensors(self, name: str) -> dict[str, bytes]:
        """Everything numeric that a run ended with, to the bit."""
        return {
            f"{part} {key}": tensor.numpy().tobytes()
            for part in ("model", "average", "optimizer", "random")
            for key, tensor in self.weights(name, f"last/{part}").items()
        }

    def weights(self, name: str, part: str) -> dict[str, torch.Tensor]:
        """One file of a run's checkpoints."""
        return load_file(self.root / name / "checkpoints" / f"{part}.safetensors")
