"""The check that stands before every export sees the least thing that is wrong."""

import dataclasses
import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from service.bundle import BundleError
from service.decoding import Engine
from tests.parity.exports import candidate, requests
from tests.training.tiny import architecture, lively_model
from training.export.graphs import DECODER_FILE, ENCODER_FILE
from training.export.parity import ParityError, check_parity
from training.export.runner import Candidate
from training.models import Seq2Seq


@pytest.fixture(scope="module")
def model() -> Seq2Seq:
    return lively_model(architecture(cell="lstm", attention="additive"))


@pytest.fixture(scope="module")
def exact(model: Seq2Seq) -> Candidate:
    return candidate(model)


def weights(graph: bytes) -> list[str]:
    """The names of everything learnt in a graph, but embeddings: a token may never be asked for."""
    return [
        tensor.name
        for tensor in onnx.load_from_string(graph).graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
        and tensor.name.split("_")[0] in ("weight", "bias", "energy")
    ]


def with_one_number_changed(exact: Candidate, file: str, name: str) -> Candidate:
    proto = onnx.load_from_string(exact.graphs[file])
    [tensor] = [tensor for tensor in proto.graph.initializer if tensor.name == name]
    array = numpy_helper.to_array(tensor).copy()
    array.flat[np.abs(array).argmax()] += 1.0
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    graphs = {**exact.graphs, file: proto.SerializeToString()}
    return dataclasses.replace(exact, graphs=graphs)


@pytest.mark.parametrize("file", [ENCODER_FILE, DECODER_FILE])
def test_one_changed_number_anywhere_is_seen(exact: Candidate, model: Seq2Seq, file: str) -> None:
    names = weights(exact.graphs[file])
    unseen = []
    for name in names:
        try:
            check_parity(with_one_number_changed(exact, file, name), model, [])
        except ParityError:
            continue
        unseen.append(name)

    assert [] == unseen
    assert len(names) > 5


def test_a_weight_that_is_not_a_number_is_seen(exact: Candidate, model: Seq2Seq) -> None:
    name = weights(exact.graphs[DECODER_FILE])[0]
    proto = onnx.load_from_string(exact.graphs[DECODER_FILE])
    for tensor in proto.graph.initializer:
        if tensor.name == name:
            array = np.full_like(numpy_helper.to_array(tensor), math.nan)
            tensor.CopyFrom(numpy_helper.from_array(array, name))
    broken = {**exact.graphs, DECODER_FILE: proto.SerializeToString()}

    with pytest.raises(ParityError):
        check_parity(dataclasses.replace(exact, graphs=broken), model, [])


def test_another_model_is_not_this_one(exact: Candidate) -> None:
    other = lively_model(architecture(cell="lstm", attention="additive"), seed=1)

    with pytest.raises(ParityError, match=r"differs by .* at most 1e-03 is rounding"):
        check_parity(exact, other, [])


def test_a_decode_that_goes_another_way_is_shown(
    exact: Candidate, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where single steps agree and the search does not, the sentence is named with both answers."""
    decode = Engine.decode

    def stumbling(self: Engine, asked: list) -> list:  # type: ignore[type-arg]  # only handed through
        results = decode(self, asked)
        if self._stepper.position_multiple > 1:  # the exported graphs
            best = dataclasses.replace(results[1].best, tokens=(4, 5), score=-99.0)
            results[1] = dataclasses.replace(results[1], hypotheses=(best,))
        return results

    monkeypatch.setattr(Engine, "decode", stumbling)
    asked = requests(3)

    with pytest.raises(ParityError, match=r"(?s)decodes to \[\(4, 5\)\].*the model to \[\("):
        check_parity(exact, model, asked)


def test_hypotheses_that_rounding_may_swap_are_counted_as_ties(
    exact: Candidate, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Engine.decode

    def rounding(self: Engine, asked: list) -> list:  # type: ignore[type-arg]  # only handed through
        results = decode(self, asked)
        if self._stepper.position_multiple > 1:
            best = dataclasses.replace(results[0].best, tokens=(4, 5))
            results[0] = dataclasses.replace(results[0], hypotheses=(best,))
        return results

    monkeypatch.setattr(Engine, "decode", rounding)
    report = check_parity(exact, model, requests(3, beams=(1,)))

    assert (3, 2, 1) == (report.greedy_decodes, report.greedy_identical, report.ties)


def test_graphs_of_another_shape_than_the_manifest_says_are_refused(exact: Candidate) -> None:
    other = candidate(lively_model(architecture(cell="gru", attention="general")))
    mixed = dataclasses.replace(exact, graphs=other.graphs)

    with pytest.raises(BundleError, match="c0_RH"):
        mixed.stepper()


def test_the_report_says_what_was_compared(exact: Candidate, model: Seq2Seq) -> None:
    report = check_parity(exact, model, requests(6))
    text = "\n".join(report.lines())

    assert "greedy decodes: 4 of 4 identical" in text
    assert "beam decodes: 2 of 2 identical" in text
    assert report.plain()["ties"] == 0
