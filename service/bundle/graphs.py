"""The tensor part of the manifest: the two graphs, and how the decoder's state goes round.

Legend of the dimensions, fixed by the format: ``B`` sources, ``S`` source positions (padded), ``R``
rows (one row is one live hypothesis), ``G`` slots per source, ``K`` candidates, ``T`` entries of a
cache. Any other symbol is the graph's own business.

A *memory* is what the encoder knows about a source. It stays as it is while the source is decoded,
and is held once for all rows of that source: ``slots_BG`` says which row sits in each slot of a
source (unused slots say 0), ``slot_of_R`` gives each row its flat place ``b * G + g``. A *state*
belongs to a row: an encoder output gives its first value, and after each step the value of
``output`` is fed back as ``input``.

A state with a growing axis is a *cache*: it begins empty and gains an entry for each token that
its row is fed. Rows of all ages stand side by side; ``ages_R`` says how many tokens each was fed
before. ``input`` has room for ``T`` entries, a multiple of 16 and more than any age: those before
the age are the row's own, what lies behind may be anything and must not be read. The decoder writes
the new entry at the age and gives the cache out, of the same size. Both lie in the same memory, so
that nothing is copied: one operator must read and write it, as onnxruntime's
``GroupQueryAttention`` does. No answer may depend on ``T``.

A decoder may be asked for single tokens beside its best ones: ``probe_ids_RP`` names ``P`` ids for
each row (``P`` may be 0), ``probe_log_probs_RP`` is their log-probabilities, of the same
distribution as ``top_log_probs_RK``. A forced prefix and required words need this.

A decoder may score rows over a few tokens instead of all (the bundle then has a shortlist).
``whole_rows_X`` and ``short_rows_Y`` say which rows are scored over the whole vocabulary and which
over candidates; together they are all rows, and ``row_order_R`` says where each row is among the
first and then the second. ``candidate_ids_W`` is the union of all candidates, ascending;
``candidates_YC`` are the places in it of each row's own, ascending, of which the first
``candidate_counts_Y`` count. Log-probabilities of a short row are over its own candidates, and no
answer may depend on what else is in the union. Only whole rows may be asked for single tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.bundle.names import is_file_name

__all__ = [
    "AGES",
    "ATTENTION",
    "CANDIDATES",
    "CANDIDATE_COUNTS",
    "CANDIDATE_IDS",
    "DTYPES",
    "PROBED",
    "PROBES",
    "ROW_ORDER",
    "SHORTLISTING",
    "SHORT_ROWS",
    "SLOTS",
    "SLOT_OF",
    "SOURCE",
    "SOURCE_LENGTHS",
    "TOKENS",
    "TOP_IDS",
    "TOP_K",
    "TOP_LOG_PROBS",
    "WHOLE_ROWS",
    "GraphSpec",
    "Graphs",
    "MemorySpec",
    "StateSpec",
    "TensorSpec",
    "shortlists",
    "wiring_problems",
]

Shape = tuple[str | int, ...]
Interface = dict[str, tuple[str, Shape]]

SOURCE, SOURCE_LENGTHS = "source_BS", "source_lengths_B"
TOKENS, SLOTS, SLOT_OF, TOP_K = "tokens_R", "slots_BG", "slot_of_R", "top_k"
TOP_LOG_PROBS, TOP_IDS, ATTENTION = "top_log_probs_RK", "top_ids_RK", "attention_RS"
PROBES, PROBED = "probe_ids_RP", "probe_log_probs_RP"
AGES, ENTRIES = "ages_R", "T"
WHOLE_ROWS, SHORT_ROWS, ROW_ORDER = "whole_rows_X", "short_rows_Y", "row_order_R"
CANDIDATE_IDS, CANDIDATES = "candidate_ids_W", "candidates_YC"
CANDIDATE_COUNTS = "candidate_counts_Y"

# What a decoder with a shortlist is told, all of it or nothing.
SHORTLISTING: Interface = {
    WHOLE_ROWS: ("int64", ("X",)),
    SHORT_ROWS: ("int64", ("Y",)),
    ROW_ORDER: ("int64", ("R",)),
    CANDIDATE_IDS: ("int64", ("W",)),
    CANDIDATES: ("int32", ("Y", "C")),
    CANDIDATE_COUNTS: ("int64", ("Y",)),
}

DTYPES = frozenset({"float32", "float16", "int64", "int32", "int8", "uint8", "bool"})
MAX_RANK = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorSpec:
    """One input or output of a graph: ``shape`` holds sizes, and names where the size varies."""

    name: str
    dtype: str
    shape: Shape

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not self.name or len(self.name) > 100 or not self.name.isprintable():
            yield f"name: {self.name[:100]!r} is no usable tensor name"
        if self.dtype not in DTYPES:
            yield f"dtype: {self.dtype!r} is not one of {', '.join(sorted(DTYPES))}"
        if len(self.shape) > MAX_RANK:
            yield f"shape: {len(self.shape)} dimensions, at most {MAX_RANK} are allowed"
        for axis, size in enumerate(self.shape):
            if isinstance(size, int) and size < 1:
                yield f"shape[{axis}]: a size must be at least 1, not {size}"
            if isinstance(size, str) and not size.isidentifier():
                yield f"shape[{axis}]: {size!r} is no usable dimension name"


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphSpec:
    """One ONNX graph: its file in the bundle, and all that goes in and comes out."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if not is_file_name(self.file) or not self.file.endswith(".onnx"):
            yield f"file: {self.file!r} is no plain file name ending in .onnx"
        yield from duplicates("inputs", (t.name for t in self.inputs))
        yield from duplicates("outputs", (t.name for t in self.outputs))


@dataclass(frozen=True, kw_only=True, slots=True)
class Graphs:
    """The encoder, run once per source, and the decoder, run once per step."""

    encoder: GraphSpec
    decoder: GraphSpec

    def validate(self) -> Iterator[str]:
        """Yield one sentence for each rule that does not hold."""
        if self.encoder.file == self.decoder.file:
            yield f"encoder and decoder are both {self.encoder.file!r}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MemorySpec:
    """A tensor [B, S, ...], encoder output and decoder input of the same name."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StateSpec:
    """A tensor that each row carries from step to step.

    Attributes:
        input: the decoder input [R, ...].
        output: the decoder output [R, ...] that the next step feeds to ``input``.
        initial: the encoder output [B, ...] that the first step feeds to ``input``; None for a
            cache, which begins empty.
        growing_axis: the axis ``T`` of a cache; None if the size is fixed.
    """

    input: str
    output: str
    initial: str | None
    growing_axis: int | None


def wiring_problems(
    graphs: Graphs, memories: Sequence[MemorySpec], states: Sequence[StateSpec]
) -> Iterator[str]:
    """Every way in which graphs, memories and states do not fit, or break the graph contract."""
    encoder_in = {t.name: t for t in graphs.encoder.inputs}
    encoder_out = {t.name: t for t in graphs.encoder.outputs}
    decoder_in = {t.name: t for t in graphs.decoder.inputs}
    decoder_out = {t.name: t for t in graphs.decoder.outputs}

    yield from duplicates("memories", (m.name for m in memories))
    starts = [s.initial for s in states if s.initial is not None]
    yield from duplicates("states (input)", (s.input for s in states))
    yield from duplicates("states (output)", (s.output for s in states))
    yield from duplicates("states (initial)", starts)
    if not memories and not starts:
        yield "memories, states: nothing comes from the encoder: the decoder cannot know its source"

    needed: Interface
    needed = {SOURCE: ("int64", ("B", "S")), SOURCE_LENGTHS: ("int64", ("B",))}
    yield from _missing_or_odd("graphs.encoder.inputs", encoder_in, needed)
    yield from _unknown("graphs.encoder.inputs", encoder_in, needed)
    yield from _unknown(
        "graphs.encoder.outputs",
        encoder_out,
        {m.name for m in memories}.union(starts),
    )

    places: Interface = {
        SLOTS: ("int64", ("B", "G")),
        SLOT_OF: ("int64", ("R",)),
        SOURCE_LENGTHS: ("int64", ("B",)),
    }
    steps: Interface = {TOKENS: ("int64", ("R",)), TOP_K: ("int64", (1,))}
    needed = steps | places if memories else steps
    probes: Interface = {PROBES: ("int64", ("R", "P"))}
    ages: Interface = {AGES: ("int64", ("R",))}
    if PROBES in decoder_in:
        needed = needed | probes
    if shortlists(graphs):
        needed = needed | SHORTLISTING
    grows = any(s.growing_axis is not None for s in states)
    if grows:
        needed = needed | ages
    carried = {m.name for m in memories} | {s.input for s in states}
    yield from _missing_or_odd("graphs.decoder.inputs", decoder_in, needed)
    known = set(steps | places | probes | SHORTLISTING | (ages if grows else {})) | carried
    yield from _unknown("graphs.decoder.inputs", decoder_in, known)

    needed = {TOP_LOG_PROBS: ("float32", ("R", "K")), TOP_IDS: ("int64", ("R", "K"))}
    if ATTENTION in decoder_out:
        needed[ATTENTION] = ("float32", ("R", "S"))
    if PROBES in decoder_in or PROBED in decoder_out:  # who is asked answers
        needed[PROBED] = ("float32", ("R", "P"))
    yield from _missing_or_odd("graphs.decoder.outputs", decoder_out, needed)
    yield from _unknown(
        "graphs.decoder.outputs", decoder_out, set(needed) | {s.output for s in states}
    )

    for i, memory in enumerate(memories):
        yield from _memory_problems(f"memories[{i}]", memory, encoder_out, decoder_in)
    for i, state in enumerate(states):
        yield from _state_problems(f"states[{i}]", state, encoder_out, decoder_in, decoder_out)


def shortlists(graphs: Graphs) -> bool:
    """Whether the decoder scores rows over candidates, for which the bundle has a shortlist."""
    return any(t.name in SHORTLISTING for t in graphs.decoder.inputs)


Tensors = dict[str, TensorSpec]


def _memory_problems(
    path: str, memory: MemorySpec, encoder_out: Tensors, decoder_in: Tensors
) -> Iterator[str]:
    made, read = encoder_out.get(memory.name), decoder_in.get(memory.name)
    if made is None:
        yield f"{path}: {memory.name!r} is no output of the encoder"
    if read is None:
        yield f"{path}: {memory.name!r} is no input of the decoder"
    for tensor in (made, read):
        if tensor is not None and tensor.shape[:2] != ("B", "S"):
            yield f"{path}: {memory.name!r} must be [B, S, ...], not {_show(tensor.shape)}"
    if made is not None and read is not None and made != read:
        yield f"{path}: the encoder gives {_describe(made)}, the decoder takes {_describe(read)}"


def _state_problems(
    path: str, state: StateSpec, encoder_out: Tensors, decoder_in: Tensors, decoder_out: Tensors
) -> Iterator[str]:
    ends = {
        "input": (decoder_in.get(state.input), state.input, "an input of the decoder", "R"),
        "output": (decoder_out.get(state.output), state.output, "an output of the decoder", "R"),
    }
    if state.initial is not None:
        first = encoder_out.get(state.initial)
        ends = {"initial": (first, state.initial, "an output of the encoder", "B"), **ends}
    forms = set()
    for end, (tensor, name, role, rows) in ends.items():
        if tensor is None:
            yield f"{path}.{end}: {name!r} is not {role}"
        elif tensor.shape[:1] != (rows,):
            yield f"{path}.{end}: {name!r} must be [{rows}, ...], not {_show(tensor.shape)}"
        else:
            forms.add((tensor.dtype, tensor.shape[1:]))
    if len(forms) > 1:
        shown = "; ".join(
            f"{end} {_describe(tensor)}" for end, (tensor, *_) in ends.items() if tensor is not None
        )
        yield f"{path}: the ends differ: {shown}"
    yield from _growth_problems(path, state, ends["input"][0])


def _growth_problems(path: str, state: StateSpec, tensor: TensorSpec | None) -> Iterator[str]:
    axis = state.growing_axis
    if axis is None:
        if state.initial is None:
            yield f"{path}.initial: only a state that grows may begin with nothing"
        return
    if state.initial is not None:
        yield f"{path}.initial: must be null: a state that grows begins empty"
    if tensor is None:
        return
    if not 1 <= axis < len(tensor.shape):
        yield f"{path}.growing_axis: {axis} is no axis of {state.input!r} behind the rows"
    elif tensor.shape[axis] != ENTRIES:
        yield (
            f"{path}.growing_axis: axis {axis} of {state.input!r} must be {ENTRIES}, "
            f"not {tensor.shape[axis]}"
        )
    elif sum(isinstance(size, str) for size in tensor.shape) > 2:
        yield f"{path}: {state.input!r} may vary along R and {ENTRIES} only"


def _missing_or_odd(path: str, have: Tensors, needed: Interface) -> Iterator[str]:
    for name, (dtype, shape) in needed.items():
        tensor = have.get(name)
        if tensor is None:
            yield f"{path}: {name!r} is missing"
        elif (tensor.dtype, tensor.shape) != (dtype, shape):
            yield f"{path}: {name!r} must be {dtype} {_show(shape)}, not {_describe(tensor)}"


def _unknown(path: str, have: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(have) - set(known)):
        yield f"{path}: {name!r} is neither a memory, nor a state, nor known to the format"


def duplicates(path: str, items: Iterable[str]) -> Iterator[str]:
    """One sentence for each item that occurs more than once."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            yield f"{path}: {item!r} occurs more than once"
        seen.add(item)


def _describe(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} {_show(tensor.shape)}"


def _show(shape: Shape) -> str:
    return "[" + ", ".join(str(size) for size in shape) + "]"
