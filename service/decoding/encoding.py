"""The encoder: sources in, what the decoder reads of them out.

Legend: J sources that are encoded together, S positions.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.bundle.graphs import SOURCE, SOURCE_LENGTHS
from service.bundle.manifest import Manifest
from service.decoding.admission import padded
from service.decoding.buckets import buckets
from service.decoding.request import Tokens

Tensor = NDArray[Any]

# Kernels work on a whole number of vector registers and then on the rest. Padded to a multiple of
# the register, a source meets the same code path whatever else is in the batch.
POSITION_MULTIPLE = 8


class Encoded(NamedTuple):
    """Sources in the order in which they were given."""

    lengths: list[int]
    # By name and source [positions >= its length, ...]; one tensor where one batch held them all.
    memories: Mapping[str, Sequence[Tensor] | Tensor]
    initial_states: list[Tensor]  # [J, *], in the manifest's order


class Encoder:
    """Runs the encoder's graph, in batches of similar length."""

    def __init__(self, session: Any, manifest: Manifest) -> None:
        self._session = session
        self._outputs = [t.name for t in manifest.graphs.encoder.outputs]
        self._memories = [m.name for m in manifest.memories]
        self._initials = [s.initial for s in manifest.states if s.initial is not None]
        self._pad_id = manifest.special_ids.pad

    def encode(self, sources: Sequence[Tokens]) -> Encoded:
        """All of them; raises what onnxruntime raises."""
        lengths = [len(source) for source in sources]
        groups = buckets([padded(length, POSITION_MULTIPLE) for length in lengths])
        outputs = [self._run([sources[i] for i in group]) for group in groups]
        order = [i for group in groups for i in group]
        if len(groups) == 1 and order == list(range(len(sources))):  # often
            [alone] = outputs
            whole = {name: alone[name] for name in self._memories}
            return Encoded(lengths, whole, [alone[name] for name in self._initials])
        back = np.argsort(order)
        memories: dict[str, list[Tensor]] = {}
        for name in self._memories:
            each = [tensor for group in outputs for tensor in group[name]]
            memories[name] = [each[i] for i in back.tolist()]
        initial = [np.concatenate([group[name] for group in outputs]) for name in self._initials]
        return Encoded(lengths, memories, [tensor[back] for tensor in initial])

    def _run(self, sources: Sequence[Tokens]) -> dict[str, Tensor]:
        lengths_J = np.array([len(s) for s in sources], np.int64)
        positions = padded(int(lengths_J.max()), POSITION_MULTIPLE)
        source_JS = np.full((len(sources), positions), self._pad_id, np.int64)
        for row, source in enumerate(sources):
            source_JS[row, : len(source)] = source
        feeds = {SOURCE: source_JS, SOURCE_LENGTHS: lengths_J}
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
