"""Do graphs, memories and states fit? The rules between the tensors of a bundle.

Everything wrong is reported, a sentence each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from service.bundle.graphs import (
    AGES,
    ATTENTION,
    CANDIDATE_COUNTS,
    ENTRIES,
    PROBED,
    PROBES,
    SHORT_ANSWERS,
    SHORTLISTING,
    SLOT_OF,
    SLOTS,
    SOURCE,
    SOURCE_LENGTHS,
    TOKENS,
    TOP_IDS,
    TOP_K,
    TOP_LOG_PROBS,
    Graphs,
    Interface,
    MemorySpec,
    Shape,
    StateSpec,
    TensorSpec,
    duplicates,
    shortlists,
)

__all__ = ["wiring_problems"]

Tensors = dict[str, TensorSpec]


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
        if CANDIDATE_COUNTS not in decoder_in:
            needed = {name: tensor for name, tensor in needed.items() if name != CANDIDATE_COUNTS}
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
    if shortlists(graphs) and not SHORT_ANSWERS.keys().isdisjoint(decoder_out):
        needed = needed | SHORT_ANSWERS
    yield from _missing_or_odd("graphs.decoder.outputs", decoder_out, needed)
    yield from _unknown(
        "graphs.decoder.outputs", decoder_out, set(needed) | {s.output for s in states}
    )

    for i, memory in enumerate(memories):
        yield from _memory_problems(f"memories[{i}]", memory, encoder_out, decoder_in)
    for i, state in enumerate(states):
        yield from _state_problems(f"states[{i}]", state, encoder_out, decoder_in, decoder_out)


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


def _describe(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} {_show(tensor.shape)}"


def _show(shape: Shape) -> str:
    return "[" + ", ".join(str(size) for size in shape) + "]"
