"""The torch model behind the serving engine's own seam: the same search, another arithmetic.

With it a whole decode of the exported graphs can be compared token by token with the model that
they were made from.

Shapes: B sources held, R rows, K candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.bundle import SpecialIds
from service.decoding import StepInput, StepOutput
from service.decoding.request import Tokens
from training.data.batches import pad_rows
from training.models import Encoded, Ensemble, Seq2Seq

__all__ = ["EnsembleStepper", "TorchStepper", "torch_stepper"]


def torch_stepper(model: Seq2Seq | Ensemble, special: SpecialIds) -> TorchStepper | EnsembleStepper:
    """The stepper of one model, or of several that answer together."""
    if isinstance(model, Ensemble):
        return EnsembleStepper([TorchStepper(member, special) for member in model.members])
    return TorchStepper(model, special)


class TorchStepper:
    """A ``service.decoding.Stepper`` on torch: simple, not fast."""

    position_multiple = 1
    has_probes = True

    def __init__(self, model: Seq2Seq, special: SpecialIds) -> None:
        self._model = model.eval()
        self._special = special
        self.reset()

    @property
    def bos_id(self) -> int:
        return self._special.bos

    @property
    def eos_id(self) -> int:
        return self._special.eos

    @property
    def has_attention(self) -> bool:
        return self._model.decoder.attends

    def reset(self) -> None:
        self._sources: list[Encoded] = []
        self._states: list[Tensor] = []  # [R, *]: rows of the last step, then fresh rows

    @torch.inference_mode()
    def join(self, sources: Sequence[Tokens], *, unabridged: Sequence[bool] | None = None) -> None:
        del unabridged  # every row is scored over the whole vocabulary
        for source in sources:
            ids_1S = pad_rows([np.array(source)], self._special.pad)
            encoded = self._model.encode(ids_1S, torch.tensor([len(source)]))
            self._sources.append(encoded)
            fresh = self._model.initial_state(encoded).flat
            held = self._states or [part[:0] for part in fresh]
            self._states = [_beside(*parts) for parts in zip(held, fresh, strict=True)]

    @torch.inference_mode()
    def step(self, work: StepInput) -> StepOutput:
        if work.kept_B is not None:
            self._sources = [self._sources[b] for b in work.kept_B.tolist()]
        if work.parents_R is None:
            before = [part[: len(work.tokens_R)] for part in self._states]
        else:
            before = [part[torch.from_numpy(work.parents_R)] for part in self._states]
        scores_RV, after, weights_RS = self._model.step(
            torch.from_numpy(work.tokens_R),
            self._model.decoder.stacked(before),
            self._gathered(work.sources_R.tolist()),
        )
        self._states = after.flat
        log_probs_RV = scores_RV.log_softmax(-1)
        top_RK, ids_RK = log_probs_RV.topk(min(work.top_k, scores_RV.shape[1]), dim=-1)
        probes_RP = work.probe_ids_RP
        return StepOutput(
            log_probs_RK=top_RK.numpy(),
            ids_RK=ids_RK.numpy(),
            attention_RS=None if weights_RS is None else weights_RS.numpy(),
            probe_log_probs_RP=(
                None
                if probes_RP is None
                else log_probs_RV.gather(-1, torch.from_numpy(probes_RP)).numpy()
            ),
        )

    def _gathered(self, sources: list[int]) -> Encoded:
        """One encoded source for each row, padded to the longest that is held."""
        longest = max(source.mask_BS.shape[1] for source in self._sources)

        def padded(part: Tensor) -> Tensor:
            room = longest - part.shape[1]
            return torch.nn.functional.pad(part, (0, 0) * (part.dim() - 2) + (0, room))

        chosen = [self._sources[b] for b in sources]
        return Encoded(
            memory_BSM=torch.cat([padded(source.memory_BSM) for source in chosen]),
            keys_BSX=torch.cat([padded(source.keys_BSX) for source in chosen]),
            mask_BS=torch.cat([padded(source.mask_BS) for source in chosen]),
            summary_BM=torch.cat([source.summary_BM for source in chosen]),
        )


class EnsembleStepper:
    """The mean of the probabilities and of the attention of several steppers, which go on side by
    side.
    """

    position_multiple = 1
    has_probes = True

    def __init__(self, members: Sequence[TorchStepper]) -> None:
        self._members = members

    @property
    def bos_id(self) -> int:
        return self._members[0].bos_id

    @property
    def eos_id(self) -> int:
        return self._members[0].eos_id

    @property
    def has_attention(self) -> bool:
        return any(member.has_attention for member in self._members)

    def reset(self) -> None:
        for member in self._members:
            member.reset()

    def join(self, sources: Sequence[Tokens], *, unabridged: Sequence[bool] | None = None) -> None:
        for member in self._members:
            member.join(sources, unabridged=unabridged)

    def step(self, work: StepInput) -> StepOutput:
        everything = replace(work, top_k=2**31, probe_ids_RP=None)
        found = [member.step(everything) for member in self._members]
        probs_RV = np.mean([_by_id(each) for each in found], axis=0)
        with np.errstate(divide="ignore"):  # what is impossible to all members
            log_probs_RV = np.log(probs_RV).astype(np.float32)
        ids_RK = np.argsort(-log_probs_RV, axis=-1, kind="stable")[:, : work.top_k]
        attention = [each.attention_RS for each in found if each.attention_RS is not None]
        probes_RP = work.probe_ids_RP
        return StepOutput(
            log_probs_RK=np.take_along_axis(log_probs_RV, ids_RK, -1),
            ids_RK=ids_RK,
            attention_RS=np.mean(attention, axis=0) if attention else None,
            probe_log_probs_RP=(
                None if probes_RP is None else np.take_along_axis(log_probs_RV, probes_RP, -1)
            ),
        )


def _by_id(output: StepOutput) -> NDArray[np.float64]:
    """Probabilities in the order of the vocabulary."""
    probs_RV = np.empty(output.log_probs_RK.shape)
    np.put_along_axis(probs_RV, output.ids_RK, np.exp(output.log_probs_RK.astype(float)), -1)
    return probs_RV


def _beside(held: Tensor, fresh: Tensor) -> Tensor:
    """Rows under rows. Those [R, P, D] know of P tokens, and are filled up to the same number."""
    if held.dim() < 3:
        return torch.cat([held, fresh])
    longest = max(held.shape[1], fresh.shape[1])
    return torch.cat(
        [
            torch.nn.functional.pad(part, (0, 0, 0, longest - part.shape[1]))
            for part in (held, fresh)
        ]
    )
