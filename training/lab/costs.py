"""The fourth part: what a rung costs, in parameters, in training and in decoding.

In torch, on one thread, at the widths of the recipes; what the server's engine makes of an exported
model is another measurement (docs/performance.md).

Shapes: B rows, S source and T target positions.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from training.data.batches import Batch
from training.data.fitting import SPECIAL_IDS
from training.lab.rungs import Rung
from training.models import Seq2Seq, make_model
from training.objective import batch_loss
from training.optim import make_optimizer

__all__ = ["LENGTH", "ROWS", "VOCABULARY", "measure_cost"]

VOCABULARY, LENGTH, ROWS = 14, 16, 64  # of the strings; symbols, eos included; in a batch


def measure_cost(rung: Rung, repeats: int, seed: int) -> dict[str, float]:
    """Parameters, and target symbols a second: in training, and in decoding many and one."""
    model = make_model(rung.recipe.model, VOCABULARY, seed)
    batch = _batch(seed)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": ROWS * LENGTH / _median_seconds(_training(model, batch, rung), repeats),
        "decoding": ROWS * LENGTH / _median_seconds(_decoding(model, batch, ROWS), repeats),
        "decoding_alone": LENGTH / _median_seconds(_decoding(model, batch, 1), repeats),
    }


def _batch(seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, VOCABULARY, (2, ROWS, LENGTH), generator=generator)
    tokens[:, :, -1] = SPECIAL_IDS.eos
    source_BS, target_BT = tokens
    first_B1 = torch.full((ROWS, 1), SPECIAL_IDS.bos)
    fed_BT = torch.cat([first_B1, target_BT[:, :-1]], dim=1)
    return Batch(source_BS, torch.full((ROWS,), LENGTH), fed_BT, target_BT)


def _training(model: Seq2Seq, batch: Batch, rung: Rung) -> Callable[[], None]:
    optimizer = make_optimizer(model, rung.recipe.optim)

    def step() -> None:
        model.train()
        loss, _ = batch_loss(model, batch, SPECIAL_IDS, smoothing=rung.recipe.optim.label_smoothing)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _decoding(model: Seq2Seq, batch: Batch, rows: int) -> Callable[[], None]:
    """Encode, and then so many steps whatever is said: fresh weights know no end."""

    @torch.inference_mode()
    def decode() -> None:
        model.eval()
        encoded = model.encode(batch.source_BS[:rows], batch.source_lengths_B[:rows])
        state = model.initial_state(encoded)
        tokens_B = batch.target_in_BT[:rows, 0]
        for _ in range(LENGTH):
            scores_BV, state, _ = model.step(tokens_B, state, encoded)
            tokens_B = scores_BV.argmax(-1)

    return decode


def _median_seconds(run: Callable[[], None], repeats: int) -> float:
    """Of some runs, after one that warms up."""
    run()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
