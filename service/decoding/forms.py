"""The forms in which a decoder is run: whole, and as little of it as plain steps need.

Most steps want no attention, probe nothing, and have no row that is scored over the whole
vocabulary. And some of what a step computes follows from the sources alone, such as the weights of
their candidates: that is made once, and handed to every step until sources come or go.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from service.bundle.excerpts import OnnxGraph
from service.bundle.graphs import (
    ATTENTION,
    CANDIDATE_IDS,
    PROBED,
    SHORT_ANSWERS,
    SHORT_LOG_PROBS,
    SOURCE_LENGTHS,
    TOP_IDS,
    TOP_LOG_PROBS,
)
from service.bundle.manifest import Manifest
from service.decoding.interface import Described

log = logging.getLogger(__name__)

Tensor = NDArray[Any]

# The types of tensors that may be handed from one graph to another, by their numbers in ONNX.
_ELEMENT_TYPES = {
    "tensor(float)": 1,
    "tensor(uint8)": 2,
    "tensor(int8)": 3,
    "tensor(int32)": 6,
    "tensor(int64)": 7,
    "tensor(bool)": 9,
}

# All that tells what a source settles, beside its memories.
_SETTLING = {SOURCE_LENGTHS, CANDIDATE_IDS}


class Session(Protocol):
    """A loaded graph of onnxruntime, as far as it is used here."""

    def get_inputs(self) -> Sequence[Described]: ...
    def get_outputs(self) -> Sequence[Described]: ...
    def run(self, outputs: list[str], feeds: Mapping[str, Tensor]) -> list[Tensor]: ...


class Settling:
    """Makes what follows from the sources, again only when they changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._inputs = [t.name for t in session.get_inputs()]
        self._outputs = [t.name for t in session.get_outputs()]
        self.forget()

    def forget(self) -> None:
        """The sources changed, maybe within the same tensors."""
        self._of: list[Tensor] = []
        self._values: dict[str, Tensor] = {}

    def values(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By name; `feeds` has at least the inputs."""
        now = [feeds[name] for name in self._inputs]
        if not self._of or any(a is not b for a, b in zip(now, self._of, strict=True)):
            values = self._session.run(self._outputs, dict(zip(self._inputs, now, strict=True)))
            self._of, self._values = now, dict(zip(self._outputs, values, strict=True))
        return self._values


@dataclass(frozen=True, slots=True)
class Form:
    """A graph that takes a step: what it reads, and what is asked of it."""

    session: Any
    inputs: frozenset[str]
    outputs: list[str]
    settling: Settling | None = None


def decoder_forms(
    manifest: Manifest, session: Session, decoder: bytes, load: Callable[[bytes], Any]
) -> tuple[Form, Form]:
    """The whole decoder, of which `session` is, and what of it a plain step needs: less of it if
    that can be cut out, else all.
    """
    spec = manifest.graphs.decoder
    given = [t.name for t in spec.outputs]
    whole = Form(
        session,
        frozenset(t.name for t in spec.inputs),
        [name for name in given if name not in SHORT_ANSWERS],
    )
    spared = {ATTENTION, PROBED}
    if SHORT_LOG_PROBS in given:
        spared |= {TOP_LOG_PROBS, TOP_IDS}
    least = [name for name in given if name not in spared]
    return whole, plain_form(decoder, least, [m.name for m in manifest.memories], load) or whole


def plain_form(
    decoder: bytes,
    outputs: Iterable[str],
    memories: Collection[str],
    load: Callable[[bytes], Any],
) -> Form | None:
    """The part of a decoder that makes `outputs`, without what its sources settle.

    Of their `memories` that is the size alone: to copy them costs more than it saves. `None` if the
    part cannot be cut out, or not be run by itself.
    """
    try:
        graph = OnnxGraph(decoder)
        outputs = list(outputs)
        nodes = graph.needed(outputs)
        settled = [
            n for n in graph.settled(nodes, _SETTLING, memories) if not set(outputs) & set(n.makes)
        ]
        rest = [node for node in nodes if node not in settled]
        read = {name for node in rest for name in node.reads}
        handed = [name for node in settled for name in node.makes if name in read]
        settling, types = None, {}
        if handed:
            settling = load(graph.excerpt(settled, handed))
            described = settling.get_outputs()
            if any(t.type not in _ELEMENT_TYPES for t in described):
                return None
            types = {t.name: _ELEMENT_TYPES[t.type] for t in described}
        session = load(graph.excerpt(rest, outputs, types))
    except Exception as error:  # noqa: BLE001 - ours are ValueErrors, onnxruntime's have no base of their own
        log.info("every step runs the whole decoder, which cannot be cut: %s", error)
        return None
    inputs = frozenset(t.name for t in session.get_inputs())
    return Form(session, inputs, outputs, settling and Settling(settling))
