"""A plain step is the whole one with less in it: the same bits, and nothing stale."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from service.bundle import open_bundle
from service.decoding import StepInput, StepOutput
from service.decoding.forms import Settling, plain_form
from service.decoding.session import OnnxStepper
from tests.support.bundles import FROZEN, FROZEN_CACHES

SHIPPED = max(
    (Path(__file__).parents[3] / "exported" / "tatoeba-de-en").iterdir(),
    key=lambda path: int(path.name),
)


class Doubling:
    """A session that gives out twice its input, and counts."""

    def __init__(self) -> None:
        self.runs = 0

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="x")]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="y")]

    def run(self, outputs: list[str], feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        assert ["y"] == outputs
        self.runs += 1
        return [2 * feeds["x"]]


def test_what_is_settled_is_made_again_when_the_sources_changed() -> None:
    settling = Settling(session := Doubling())
    first, second = np.array([1]), np.array([2])

    assert [2, 2, 4, 2] == [
        int(settling.values({"x": x, "other": second})["y"][0])
        for x in (first, first, second, first)
    ]
    assert 3 == session.runs


def test_what_is_settled_is_made_again_when_it_is_to_be_forgotten() -> None:
    """Sources may change within the same tensor."""
    settling = Settling(Doubling())
    x = np.array([1])
    settling.values({"x": x})
    x[0] = 5
    settling.forget()

    assert 10 == settling.values({"x": x})["y"][0]


def test_what_cannot_be_cut_or_loaded_has_no_plain_form_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    def refuse(part: bytes) -> None:
        raise RuntimeError("no such operator")

    assert plain_form(b"junk", ["y"], [], refuse) is None
    assert plain_form((FROZEN / "decoder.onnx").read_bytes(), ["top_ids_RK"], [], refuse) is None
    assert "no such operator" in caplog.text


@pytest.fixture(
    scope="module", params=[FROZEN, FROZEN_CACHES, SHIPPED], ids=lambda p: p.parent.name
)
def stepper(request: pytest.FixtureRequest) -> OnnxStepper:
    return OnnxStepper.from_bundle(open_bundle(request.param), threads=1)


def sources(stepper: OnnxStepper, lengths: Sequence[int]) -> list[tuple[int, ...]]:
    return [(*range(5, 4 + length), stepper.eos_id) for length in lengths]


def steps(stepper: OnnxStepper, attend: bool) -> list[StepOutput]:
    """Sources of which some leave and others, longer and shorter, take their places."""
    stepper.reset()
    stepper.join(sources(stepper, [3, 9, 5]))
    found = []
    held = 3
    for kept, joining in ((None, []), ([0, 2], [8]), ([1, 2], []), ([1], [2, 17]), (None, [])):
        rows = list(range(held)) if kept is None else kept
        fresh = list(range(held, held + len(joining)))
        if joining:
            stepper.join(sources(stepper, joining))
        parents = np.array(rows + fresh)
        held = len(parents)
        work = StepInput(
            tokens_R=np.arange(5, 5 + held),
            sources_R=np.arange(held),
            parents_R=parents,
            kept_B=None if kept is None else parents,
            top_k=4,
            attend=attend,
        )
        found.append(stepper.step(work))
    stepper.reset()
    return found


def test_plain_steps_bring_what_whole_ones_do(stepper: OnnxStepper) -> None:
    for plain, whole in zip(steps(stepper, False), steps(stepper, True), strict=True):
        np.testing.assert_array_equal(plain.log_probs_RK, whole.log_probs_RK)
        np.testing.assert_array_equal(plain.ids_RK, whole.ids_RK)


def test_the_shipped_model_takes_plain_steps() -> None:
    """Were its decoder not to be cut, nothing but time would tell."""
    bundle = open_bundle(SHIPPED)
    loaded: list[ort.InferenceSession] = []

    def load(graph: bytes) -> ort.InferenceSession:
        loaded.append(ort.InferenceSession(graph, providers=["CPUExecutionProvider"]))
        return loaded[-1]

    outputs = [t.name for t in bundle.manifest.graphs.decoder.outputs if t.name != "attention_RS"]
    memories = [m.name for m in bundle.manifest.memories]
    form = plain_form(bundle.read_graph("decoder"), outputs, memories, load)

    assert form is not None
    settling, plain = loaded
    assert form.session is plain
    handed = {t.name for t in settling.get_outputs()}
    assert {"source_lengths_B", *handed} - form.inputs == {"source_lengths_B"}
    assert 3 <= len(handed)  # weights, scales and biases of the candidates


def test_attention_is_given_to_who_wants_it(stepper: OnnxStepper) -> None:
    assert {True} == {each.attention_RS is None for each in steps(stepper, False)}
    assert {not stepper.has_attention} == {
        each.attention_RS is None for each in steps(stepper, True)
    }
