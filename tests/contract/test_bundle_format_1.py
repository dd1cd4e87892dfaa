"""The frozen bundle of format 1: it opens for ever, and its graphs keep the graph contract.

The oracle is ``tests.fixtures.reverse_twin``: the same model one row at a time in plain numpy,
which knows nothing of batches, padding or slots.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from service.bundle import open_bundle
from tests.fixtures import reverse_twin as twin
from tests.support.bundles import FROZEN

BUNDLE = open_bundle(FROZEN)
EOS = BUNDLE.manifest.special_ids.eos
SOURCES = ["abc", "Hallo Welt!", "", "Wo ist der Bahnhof?", "x", "Grüße aus Köln, 1995."]
EVERYTHING = BUNDLE.manifest.tokenizer.vocabulary_size


def session(graph: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    data = BUNDLE.read_graph(graph)
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


ENCODER, DECODER = session("encoder"), session("decoder")


def encode(texts: Sequence[str], padding: int = 0) -> tuple[dict[str, Any], list[list[int]]]:
    ids = [[*BUNDLE.tokenizer.encode(text), EOS] for text in texts]
    source_BS = np.zeros((len(ids), max(map(len, ids)) + padding), np.int64)
    for row, one in zip(source_BS, ids, strict=True):
        row[: len(one)] = one
    lengths_B = np.array([len(one) for one in ids])
    names = [output.name for output in BUNDLE.manifest.graphs.encoder.outputs]
    outputs = ENCODER.run(names, {"source_BS": source_BS, "source_lengths_B": lengths_B})
    return {"source_lengths_B": lengths_B, **dict(zip(names, outputs, strict=True))}, ids


def greedy(texts: Sequence[str], steps: int, padding: int = 0) -> list[list[tuple[Any, ...]]]:
    """All log-probs, their ids and the attention, by text and step, along the best tokens."""
    encoded, ids = encode(texts, padding)
    rows = np.arange(len(texts))
    feeds = {
        "tokens_R": np.full(len(texts), BUNDLE.manifest.special_ids.bos),
        "slots_BG": rows[:, None],
        "slot_of_R": rows,
        "top_k": np.array([EVERYTHING]),
        "source_lengths_B": encoded["source_lengths_B"],
        **{memory.name: encoded[memory.name] for memory in BUNDLE.manifest.memories},
        **{state.input: encoded[state.initial] for state in BUNDLE.manifest.states},
    }
    names = [output.name for output in BUNDLE.manifest.graphs.decoder.outputs]
    seen: list[list[tuple[Any, ...]]] = [[] for _ in texts]
    for _ in range(steps):
        out = dict(zip(names, DECODER.run(names, feeds), strict=True))
        for r in rows:
            attention_S = out["attention_RS"][r]
            assert not attention_S[len(ids[r]) :].any()  # nothing is ever read from padding
            best = (out["top_log_probs_RK"][r], out["top_ids_RK"][r], attention_S[: len(ids[r])])
            seen[r].append(best)
        feeds["tokens_R"] = out["top_ids_RK"][:, 0]
        feeds.update({state.input: out[state.output] for state in BUNDLE.manifest.states})
    return seen


@pytest.mark.parametrize("text", SOURCES)
def test_every_step_has_the_probabilities_of_the_numpy_twin(text: str) -> None:
    model = twin.Twin(twin.make_weights())
    ids = [*BUNDLE.tokenizer.encode(text), EOS]
    row = model.start(ids)

    for log_probs_K, ids_K, attention_S in greedy([text], steps=len(ids) + 2)[0]:
        before_S = row.attended_S
        expected_V, row = model.step(ids, row)
        row = twin.Row((*row.tokens, int(ids_K[0])), 0.0, row.cursor, row.trace_D, row.attended_S)

        assert list(range(EVERYTHING)) == sorted(ids_K.tolist())
        assert (np.diff(log_probs_K) <= 0).all()
        np.testing.assert_allclose(log_probs_K, expected_V[ids_K], atol=2e-4)
        np.testing.assert_allclose(attention_S, row.attended_S - before_S, atol=1e-5)


@pytest.mark.parametrize("padding", [0, 1, 7, 40])
def test_a_sentence_is_decoded_alike_to_the_last_bit_alone_and_in_a_crowd(padding: int) -> None:
    crowd = greedy(SOURCES * 3, steps=12, padding=padding)

    for place, text in enumerate(SOURCES * 3):
        for alone, among in zip(greedy([text], steps=12)[0], crowd[place], strict=True):
            for expected, actual in zip(alone, among, strict=True):
                np.testing.assert_array_equal(expected, actual)


def test_rows_read_the_memory_of_their_own_source_through_the_slots() -> None:
    """Two sources of three slots, five rows in no order: each gets what it would get alone."""
    texts = ["Hallo Welt!", "abc"]
    source_of_R, slot_of_R = [1, 0, 0, 1, 0], [4, 0, 2, 3, 1]
    slots_BG = np.zeros((2, 3), np.int64)
    for row, slot in enumerate(slot_of_R):
        slots_BG[slot // 3, slot % 3] = row
    tokens_R = np.array([7, 8, 9, 10, 11])
    random = np.random.default_rng(0)
    states = {
        "cursor_R1": np.array([[2.0], [7.0], [0.0], [1.0], [3.0]], np.float32),
        "trace_RD": random.uniform(-1, 1, (5, twin.D)).astype(np.float32),
    }
    names = [output.name for output in BUNDLE.manifest.graphs.decoder.outputs]

    def run(texts: list[str], slots_BG: Any, slot_of_R: Any, rows: list[int]) -> list[Any]:
        encoded, _ = encode(texts)
        feeds = {
            "tokens_R": tokens_R[rows],
            "slots_BG": np.array(slots_BG),
            "slot_of_R": np.array(slot_of_R),
            "top_k": np.array([8]),
            "source_lengths_B": encoded["source_lengths_B"],
            "memory_BSH": encoded["memory_BSH"],
            **{name: value[rows] for name, value in states.items()},
        }
        return list(DECODER.run(names, feeds))

    together = run(texts, slots_BG, slot_of_R, list(range(5)))

    for row, source in enumerate(source_of_R):
        alone = run([texts[source]], [[0]], [0], [row])
        for name, expected, actual in zip(names, alone, together, strict=True):
            width = expected.shape[1] if name == "attention_RS" else None
            np.testing.assert_array_equal(expected[0], actual[row][:width], err_msg=name)


@pytest.mark.parametrize("k", [1, 2, 8])
def test_as_many_candidates_come_as_were_asked_for(k: int) -> None:
    encoded, _ = encode(["abc"])
    feeds = {
        "tokens_R": np.array([2]),
        "slots_BG": np.array([[0]]),
        "slot_of_R": np.array([0]),
        "top_k": np.array([k]),
        "source_lengths_B": encoded["source_lengths_B"],
        "memory_BSH": encoded["memory_BSH"],
        "cursor_R1": encoded["first_cursor_B1"],
        "trace_RD": encoded["first_trace_BD"],
    }

    [ids_RK] = DECODER.run(["top_ids_RK"], feeds)

    assert (1, k) == ids_RK.shape


def test_the_graphs_are_what_the_manifest_says() -> None:
    types = {"tensor(int64)": "int64", "tensor(float)": "float32"}
    for graph, opened in (("encoder", ENCODER), ("decoder", DECODER)):
        spec = getattr(BUNDLE.manifest.graphs, graph)
        for declared, found in (
            (spec.inputs, opened.get_inputs()),
            (spec.outputs, opened.get_outputs()),
        ):
            expected = [(t.name, t.dtype, list(t.shape)) for t in declared]

            assert expected == [(t.name, types[t.type], t.shape) for t in found]


@pytest.mark.parametrize("golden", BUNDLE.goldens, ids=lambda g: f"{g.source}-{g.beam}")
def test_the_goldens_are_what_the_twin_answers(golden: Any) -> None:
    model = twin.Twin(twin.make_weights())
    ids = [*BUNDLE.tokenizer.encode(golden.source), EOS]
    search = twin.Search(
        golden.beam,
        golden.length_normalisation,
        golden.length_penalty,
        golden.coverage_penalty,
        golden.max_length,
    )
    rows = model.greedy(ids, search) if golden.beam == 1 else model.beam(ids, search)

    for expected, row in zip(golden.hypotheses, rows, strict=False):
        assert expected.tokens == row.tokens
        assert expected.score == pytest.approx(row.score, abs=1e-6)


def test_the_best_answer_is_the_source_spelt_backwards() -> None:
    """Greedily and by beam; a character that is not in the table comes back as U+FFFD."""
    for golden in BUNDLE.goldens:
        known = "".join(c if c in twin.CHARACTERS else "\ufffd" for c in golden.source)

        assert known[::-1] == golden.hypotheses[0].text
