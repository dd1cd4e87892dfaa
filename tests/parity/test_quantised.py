"""8-bit graphs: near the model that they were made from, by scales that are fixed beforehand."""

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from service.decoding import DecodeRequest, Engine, StepInput
from tests.parity.exports import candidate, eight_bits, some_examples
from tests.training.tiny import (
    DEEPER,
    HYBRIDS,
    NEXT_SYMBOL,
    SPECIAL,
    TRANSFORMERS,
    VOCABULARY,
    Trained,
    architecture,
    lively_model,
    some_sources,
)
from training.config import BatchConfig
from training.data.batches import BatchSampler
from training.evaluate import score
from training.export.arithmetic import Term
from training.export.builder import GraphBuilder
from training.export.calibration import calibrate
from training.export.graphs import DECODER_FILE, ENCODER_FILE
from training.export.int8 import Range, StaticInt8, _symmetric
from training.export.stepper import TorchStepper
from training.layers import Recurrent
from training.models import Seq2Seq

ATTENTIONS = ["none", "dot", "general", "additive"]


ARCHITECTURES = (
    HYBRIDS
    | {name: DEEPER[name] for name in ("normed lstm", "conditional gru", "all of it")}
    | NEXT_SYMBOL
    | TRANSFORMERS
    | {
        f"{cell} {attention}": architecture(cell=cell, attention=attention)
        for cell in ("rnn", "lstm", "gru")
        for attention in ATTENTIONS
    }
)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    return lively_model(ARCHITECTURES[request.param])


# --- scales -------------------------------------------------------------------------------------


def test_the_largest_weight_of_a_column_is_127_and_none_is_off_by_more_than_half_a_step() -> None:
    weights = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)
    rounded, scale = _symmetric(weights, axis=0)

    assert [127] * 6 == np.abs(rounded).max(axis=0).tolist()
    assert (np.abs(rounded * scale - weights) <= scale / 2 + 1e-7).all()


def test_a_column_of_zeros_stays_zero() -> None:
    rounded, scale = _symmetric(np.zeros((4, 3), np.float32), axis=0)

    assert 0 == np.abs(rounded).max()
    assert np.isfinite(scale).all()


@pytest.mark.parametrize("narrow", [1.0, 0.02], ids=["alike", "one far narrower"])
def test_a_sum_of_products_is_near_the_sum_in_float32(narrow: float) -> None:
    """Of inputs with steps and zero points of their own, though they are multiplied as one."""
    rng = np.random.default_rng(2)
    weight_OI, other_OI = (rng.normal(size=(8, n)).astype(np.float32) for n in (30, 20))
    bias_O = rng.normal(size=8).astype(np.float32)
    x_RI = rng.uniform(-1, 3, (64, 30)).astype(np.float32)
    y_RI = rng.uniform(-2 * narrow, narrow, (64, 20)).astype(np.float32)
    arithmetic = StaticInt8({"x": Range(-1, 3), "y": Range(-2 * narrow, narrow)})
    g = GraphBuilder()
    x, y = (g.input(name, "float32", ["R", size]) for name, size in (("x", 30), ("y", 20)))
    total = arithmetic.summed(g, [Term(x, weight_OI, "x"), Term(y, other_OI, "y")], bias_O)
    g.output("total", total, "float32", ["R", 8])
    session = InferenceSession(g.model("sum"), providers=["CPUExecutionProvider"])

    def computed(x_RI: NDArray[np.float32], y_RI: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run(None, {"x": x_RI, "y": y_RI})[0]

    wanted = x_RI @ weight_OI.T + y_RI @ other_OI.T + bias_O
    assert np.abs(computed(x_RI, y_RI) - wanted).max() < 0.01 * np.abs(wanted).max()
    # What is 0 is exactly 0 in 8 bits, so a zero point that is off would show.
    np.testing.assert_allclose(computed(0 * x_RI, 0 * y_RI), wanted * 0 + bias_O, atol=1e-5)


def test_calibrated_ranges_contain_what_is_seen(model: Seq2Seq) -> None:
    """Watched from outside: every input of a product, while single sentences are read."""
    examples = some_examples(12)
    ranges = calibrate(model, examples, SPECIAL)
    outside: list[str] = []

    def check(place: str, values: torch.Tensor) -> None:
        low, high = float(values.min()), float(values.max())
        if not ranges[place].low - 1e-5 <= low <= high <= ranges[place].high + 1e-5:
            outside.append(place)

    hooks = [
        module.register_forward_pre_hook(
            lambda module, inputs, name=name: check(
                f"{name}.input" if isinstance(module, Recurrent) else name, inputs[0]
            )
        )
        for name, module in model.named_modules()
        if isinstance(module, Recurrent) or name.endswith(("bridge", "readout", "query", "memory"))
    ]
    with torch.no_grad():
        for batch in BatchSampler(examples, SPECIAL, BatchConfig(max_sentences=1), 1).epoch(0):
            readout = model(batch.source_BS, batch.source_lengths_B, batch.target_in_BT)
            check("decoder.output", readout)
    for hook in hooks:
        hook.remove()

    assert [] == outside


def test_zero_is_in_every_range(model: Seq2Seq) -> None:
    """Padding and first states are zeros, and must be zeros in 8 bits too."""
    ranges = calibrate(model, some_examples(8), SPECIAL)

    assert [] == [place for place, seen in ranges.items() if not seen.low <= 0 <= seen.high]


def test_a_union_of_ranges_holds_both() -> None:
    assert Range(-2.0, 5.0) == Range(-2.0, 1.0).union(Range(0.0, 5.0))


def test_calibrating_leaves_nothing_behind_in_the_model(model: Seq2Seq) -> None:
    calibrate(model, some_examples(4), SPECIAL)

    assert [] == [name for name, module in model.named_modules() if module._forward_hooks]


# --- graphs -------------------------------------------------------------------------------------


def test_no_scale_is_taken_from_the_batch(model: Seq2Seq) -> None:
    """What depends on its neighbours is not exact in a crowd."""
    graphs = candidate(model, eight_bits(model)).graphs
    kinds = {kind for graph in graphs.values() for kind in operators(onnx.load_from_string(graph))}

    assert "MatMulIntegerToFloat" in kinds
    assert set() == kinds & {
        "DynamicQuantizeLinear",
        "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM",
    }


def operators(proto: onnx.ModelProto) -> set[str]:
    found: set[str] = set()
    left = [proto.graph]
    while left:
        for node in left.pop().node:
            found.add(node.op_type)
            left += [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return found


def test_nearly_all_weights_are_in_8_bits() -> None:
    model = lively_model(architecture(encoder_hidden=64, decoder_hidden=64, embedding=64))
    exact, small = candidate(model).graphs, candidate(model, eight_bits(model)).graphs

    for file in (ENCODER_FILE, DECODER_FILE):
        assert len(small[file]) < 0.4 * len(exact[file])


def test_values_are_near_those_of_the_model(model: Seq2Seq) -> None:
    ours, theirs = (
        candidate(model, eight_bits(model, some_examples(100))).stepper(),
        TorchStepper(model, SPECIAL),
    )
    sources = [tuple(source.tolist()) for source in some_sources(9, 12)]
    work = StepInput(
        tokens_R=np.full(9, SPECIAL.bos),
        sources_R=np.arange(9),
        parents_R=None,
        kept_B=None,
        top_k=VOCABULARY,
    )
    outputs = []
    for stepper in (ours, theirs):
        stepper.join(sources)
        output = stepper.step(work)
        order = np.argsort(output.ids_RK, axis=1)
        outputs.append(np.exp(np.take_along_axis(output.log_probs_RK, order, axis=1)))

    assert np.abs(outputs[0] - outputs[1]).max() < 0.1


def test_one_arithmetic_serves_several_exports(model: Seq2Seq) -> None:
    arithmetic = eight_bits(model)

    assert candidate(model, arithmetic).graphs == candidate(model, arithmetic).graphs


# --- a trained model ----------------------------------------------------------------------------


def test_a_trained_model_answers_the_same_in_8_bits(trained: Trained) -> None:
    prepared, model = trained
    sources = [tuple(prepared.source_ids(entry.source).tolist()) for entry in prepared.dev]
    asked = [DecodeRequest(source=source, max_length=12) for source in sources]
    arithmetic = eight_bits(model, prepared.train[:200])
    answers = []
    for chosen in (None, arithmetic):
        results = Engine(candidate(model, chosen).stepper()).decode(asked)
        answers.append([prepared.tokenizer.decode(result.best.tokens) for result in results])

    references = [entry.targets for entry in prepared.dev]
    exact, small = (score("exact_match", texts, references).value for texts in answers)
    assert exact > 90
    assert small > exact - 5


def test_a_trained_models_probabilities_are_near_in_8_bits(trained: Trained) -> None:
    prepared, model = trained
    asked = [
        DecodeRequest(source=tuple(prepared.source_ids(entry.source).tolist()), max_length=12)
        for entry in prepared.dev
    ]
    exact, small = (
        Engine(candidate(model, chosen).stepper()).decode(asked)
        for chosen in (None, eight_bits(model, prepared.train[:200]))
    )
    gaps = [
        abs(one.best.log_prob - other.best.log_prob)
        for one, other in zip(exact, small, strict=True)
        if one.best.tokens == other.best.tokens
    ]

    assert np.median(gaps) < 0.05
