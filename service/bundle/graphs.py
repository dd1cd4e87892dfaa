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
``candidate_counts_Y`` count. Behind them stands the place of the padding token, which is in the
union for this and nobody's candidate: a decoder that holds it for impossible need not take the
counts. Log-probabilities of a short row are over its own candidates, and no answer may depend on
what else is in the union. Only whole rows may be asked for single tokens.
Both lists of rows ascend. Such a decoder may also give out the answers of the short rows by
themselves, ``short_log_probs_YK`` and ``short_ids_YK``: where all rows are short, as in most steps,
these are all there is to compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    "SHORT_ANSWERS",
    "SHORT_IDS",
    "SHORT_LOG_PROBS",
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
    "duplicates",
    "shortlists",
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
SHORT_LOG_PROBS, SHORT_IDS = "short_log_probs_YK", "short_ids_YK"

# What a decoder with a shortlist is told, all of it (it may do without the counts) or nothing.
SHORTLISTING: Interface = {
    WHOLE_ROWS: ("int64", ("X",)),
    SHORT_ROWS: ("int64", ("Y",)),
    ROW_ORDER: ("int64", ("R",)),
    CANDIDATE_IDS: ("int64", ("W",)),
    CANDIDATES: ("int32", ("Y", "C")),
    CANDIDATE_COUNTS: ("int64", ("Y",)),
}

# What a decoder with a shortlist may say twice, again all of it or nothing.
SHORT_ANSWERS: Interface = {
    SHORT_LOG_PROBS: ("float32", ("Y", "K")),
    SHORT_IDS: ("int64", ("Y", "K")),
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


def shortlists(graphs: Graphs) -> bool:
    """Whether the decoder scores rows over candidates, for which the bundle has a shortlist."""
    return any(t.name in SHORTLISTING for t in graphs.decoder.inputs)


def duplicates(path: str, items: Iterable[str]) -> Iterator[str]:
    """One sentence for each item that occurs more than once."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            yield f"{path}: {item!r} occurs more than once"
        seen.add(item)
