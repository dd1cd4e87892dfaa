"""Which values the activations take: a trained model is run over sentences, and the least and
greatest value at every place that multiplies is noted.

Shapes: B sentences, S source and T target positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from service.bundle import SpecialIds
from training.config import BatchConfig
from training.data.batches import BatchSampler, Example
from training.export.int8 import Range
from training.layers import Recurrent
from training.models import Ensemble, Seq2Seq

__all__ = ["calibrate"]


@torch.inference_mode()
def calibrate(
    model: Seq2Seq | Ensemble, examples: Sequence[Example], special: SpecialIds
) -> dict[str, Range]:
    """The range at each place, over ``examples`` read with their own targets (teacher forcing).

    Places are named after modules: the input of a ``Linear`` by its own name, the input and the
    recurrent state of a layer as ``<name>.input`` and ``<name>.hidden``.
    """
    if isinstance(model, Ensemble):
        return {
            f"members.{index}.{place}": seen
            for index, member in enumerate(model.members)
            for place, seen in calibrate(member, examples, special).items()
        }
    ranges: dict[str, Range] = {}

    def note(place: str, value: Tensor) -> None:
        seen = Range(min(float(value.min()), 0.0), max(float(value.max()), 0.0))
        ranges[place] = ranges[place].union(seen) if place in ranges else seen

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
            if isinstance(module, nn.Linear):
                note(name, inputs[0])
                return
            note(f"{name}.input", inputs[0])
            note(f"{name}.hidden", outputs[0])
            if len(inputs) > 1 and inputs[1] is not None:
                note(f"{name}.hidden", inputs[1][0])

        return hook

    watched = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Recurrent)
    }
    hooks = [module.register_forward_hook(watch(name)) for name, module in watched.items()]
    try:
        for batch in BatchSampler(examples, special, BatchConfig(), seed=0).epoch(0):
            readout = model.eval()(batch.source_BS, batch.source_lengths_B, batch.target_in_BT)
            note(
                "decoder.output", readout
            )  # read by the loss in training, so no hook of the model sees it
    finally:
        for hook in hooks:
            hook.remove()
    return ranges
