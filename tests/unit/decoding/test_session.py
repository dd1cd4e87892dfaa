"""Real graphs: loaded as the manifest says, or refused with everything that is wrong."""

import dataclasses
from pathlib import Path

import pytest

from service.bundle import Bundle, BundleError, Manifest, open_bundle
from service.bundle.graphs import GraphSpec, TensorSpec
from service.decoding import DecodeRequest, Engine, Phrase, Sampling
from service.decoding.session import OnnxStepper
from service.errors import InvalidArgument
from tests.support.bundles import FROZEN, FROZEN_CACHES


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(FROZEN)


def load(bundle: Bundle, manifest: Manifest) -> OnnxStepper:
    return OnnxStepper(
        manifest, bundle.read_graph("encoder"), bundle.read_graph("decoder"), threads=1
    )


@pytest.fixture(scope="module")
def recall() -> Bundle:
    return open_bundle(FROZEN_CACHES)


@pytest.mark.parametrize("path", [FROZEN, FROZEN_CACHES], ids=lambda path: path.parent.name)
def test_every_golden_is_decoded_as_it_was_when_exported(path: Path) -> None:
    bundle = open_bundle(path)
    eos = bundle.manifest.special_ids.eos
    requests = [
        DecodeRequest(
            source=(*bundle.tokenizer.encode(golden.source), eos),
            beam=golden.beam,
            n_best=len(golden.hypotheses),
            length_normalisation=golden.length_normalisation,
            length_penalty=golden.length_penalty,
            coverage_penalty=golden.coverage_penalty,
            min_length=golden.min_length,
            max_length=golden.max_length,
        )
        for golden in bundle.goldens
    ]

    results = Engine(OnnxStepper.from_bundle(bundle, threads=1)).decode(requests)

    for golden, result in zip(bundle.goldens, results, strict=True):
        assert [h.tokens for h in golden.hypotheses] == [h.tokens for h in result.hypotheses]
        assert [h.score for h in golden.hypotheses] == pytest.approx(
            [h.score for h in result.hypotheses], rel=1e-3, abs=1e-3
        )


def test_alignments_follow_the_attention(bundle: Bundle) -> None:
    """The model spells backwards, so it looks backwards."""
    source = (*bundle.tokenizer.encode("abcdef"), bundle.manifest.special_ids.eos)
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=1))

    [result] = engine.decode([DecodeRequest(source=source, beam=3, max_length=20, alignments=True)])

    assert (5, 4, 3, 2, 1, 0) == result.best.alignment


def test_graphs_that_are_none_are_refused_together(bundle: Bundle) -> None:
    with pytest.raises(BundleError) as caught:
        OnnxStepper(bundle.manifest, b"junk", b"", threads=1)

    encoder, decoder = caught.value.problems
    assert encoder.startswith("encoder.onnx: onnxruntime cannot load it")
    assert decoder.startswith("decoder.onnx: onnxruntime cannot load it")


def test_every_difference_between_graph_and_manifest_is_listed(bundle: Bundle) -> None:
    graphs = bundle.manifest.graphs
    wrong = dataclasses.replace(
        bundle.manifest,
        graphs=dataclasses.replace(
            graphs,
            encoder=change(graphs.encoder, "source_BS", dtype="int32"),
            decoder=change(
                change(graphs.decoder, "tokens_R", name="symbols_R"), "top_k", shape=("K", 1)
            ),
        ),
    )

    with pytest.raises(BundleError) as caught:
        load(bundle, wrong)

    assert (
        "encoder.onnx: input 'source_BS' is int64, the manifest says int32",
        "decoder.onnx: input 'tokens_R' is not in the manifest",
        "decoder.onnx: input 'symbols_R' of the manifest is not in the graph",
        "decoder.onnx: input 'top_k' has rank 1, the manifest says 2",
    ) == caught.value.problems


def change(graph: GraphSpec, tensor: str, **fields: object) -> GraphSpec:
    """A graph spec with one input altered."""

    def altered(spec: TensorSpec) -> TensorSpec:
        if spec.name != tensor:
            return spec
        return dataclasses.replace(spec, **fields)  # type: ignore[arg-type]  # fields of the spec

    return dataclasses.replace(graph, inputs=tuple(altered(spec) for spec in graph.inputs))


def test_caches_that_come_out_in_another_size_are_refused(recall: Bundle) -> None:
    """They would be written over other memory."""
    graphs = recall.manifest.graphs
    inputs = tuple(
        dataclasses.replace(t, shape=("R", 3, "T", 8)) if t.name == "keys_RHTD" else t
        for t in graphs.decoder.inputs
    )
    decoder = dataclasses.replace(graphs.decoder, inputs=inputs)
    wrong = dataclasses.replace(
        recall.manifest, graphs=dataclasses.replace(graphs, decoder=decoder)
    )

    with pytest.raises(BundleError, match="cannot be run"):
        OnnxStepper.from_bundle(dataclasses.replace(recall, manifest=wrong), threads=1)


def test_graphs_that_load_but_do_not_run_are_refused(bundle: Bundle) -> None:
    """Each state begins with the other's encoder output, which is of another size."""
    first, second = bundle.manifest.states
    crossed = dataclasses.replace(
        bundle.manifest,
        states=(
            dataclasses.replace(first, initial=second.initial),
            dataclasses.replace(second, initial=first.initial),
        ),
    )

    with pytest.raises(BundleError, match="cannot be run"):
        OnnxStepper.from_bundle(dataclasses.replace(bundle, manifest=crossed), threads=1)


def test_a_bundle_of_before_probes_works_and_refuses_a_prefix(bundle: Bundle) -> None:
    stepper = OnnxStepper.from_bundle(bundle, threads=1)

    with pytest.raises(InvalidArgument) as caught:
        Engine(stepper).decode([DecodeRequest(source=(5, 2), max_length=4, target_prefix=(5,))])

    assert not stepper.has_probes
    assert "target_prefix" == caught.value.field


def test_bans_and_samples_need_nothing_new_of_a_bundle(bundle: Bundle) -> None:
    """The model spells backwards: it may not say "dc", nor with chance say much else."""
    encode = bundle.tokenizer.encode
    source = (*encode("abcdef"), bundle.manifest.special_ids.eos)
    engine = Engine(OnnxStepper.from_bundle(bundle, threads=1))

    banned, drawn, again = engine.decode(
        [
            DecodeRequest(
                source=source, max_length=12, forbidden_phrases=(Phrase.of(tuple(encode("dc"))),)
            ),
            *[DecodeRequest(source=source, max_length=12, sampling=Sampling(seed=3, top_p=0.5))]
            * 2,
        ]
    )

    assert bundle.tokenizer.decode(banned.best.tokens).startswith("fed")
    assert "dc" not in bundle.tokenizer.decode(banned.best.tokens)
    assert "fedcba" == bundle.tokenizer.decode(drawn.best.tokens)
    assert drawn.hypotheses == again.hypotheses
