"""CTranslate2 at work, in an environment of its own: says how long each batch took.

One JSON object a line on standard input, one answer a line on standard output; see
tests/benchmarks/workers.py. Knows nothing of Parley.
"""

import json
import os
import sys
import time
from pathlib import Path

import ctranslate2
import numpy as np

LAYERS, WIDTH, HEADS, FEED_FORWARD, VOCABULARY = 4, 256, 4, 1024, 8000
TOKENS = ["<unk>", "<s>", "</s>", *(f"t{number}" for number in range(3, VOCABULARY))]


def make_model(directory: Path) -> None:
    """A Transformer 4+4 of width 256 with random weights: speed does not ask what they are."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(0, 0.02, shape).astype(np.float32)

    def linear(spec: object, outputs: int, inputs: int) -> None:
        spec.weight, spec.bias = normal(outputs, inputs), normal(outputs)

    def norm(spec: object) -> None:
        spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def attention(spec: object, *, of_source: bool) -> None:
        sizes = (WIDTH, 2 * WIDTH, WIDTH) if of_source else (3 * WIDTH, WIDTH)
        for each, outputs in zip(spec.linear, sizes, strict=True):
            linear(each, outputs, WIDTH)
        norm(spec.layer_norm)

    spec = ctranslate2.specs.TransformerSpec.from_config((LAYERS, LAYERS), HEADS)
    for side in (spec.encoder, spec.decoder):
        embeddings = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        embeddings.weight = normal(VOCABULARY, WIDTH)
        norm(side.layer_norm)
        for layer in side.layer:
            attention(layer.self_attention, of_source=False)
            if hasattr(layer, "attention"):
                attention(layer.attention, of_source=True)
            linear(layer.ffn.linear_0, FEED_FORWARD, WIDTH)
            linear(layer.ffn.linear_1, WIDTH, FEED_FORWARD)
            norm(layer.ffn.layer_norm)
    linear(spec.decoder.projection, VOCABULARY, WIDTH)
    spec.register_source_vocabulary(TOKENS)
    spec.register_target_vocabulary(TOKENS)
    spec.validate()
    spec.optimize(quantization="int8")
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))


def main() -> None:
    directory = Path(sys.argv[1])
    os.sched_setaffinity(0, {int(core) for core in sys.argv[2].split(",")})
    if not (directory / "model.bin").exists():
        make_model(directory)
    translator = ctranslate2.Translator(
        str(directory), device="cpu", compute_type="int8", inter_threads=1, intra_threads=1
    )
    print(json.dumps({"name": f"CTranslate2 {ctranslate2.__version__} int8"}), flush=True)
    for line in sys.stdin:
        work = json.loads(line)
        batch = [[TOKENS[3 + each % (VOCABULARY - 3)] for each in ids] for ids in work["sources"]]
        started = time.perf_counter()
        results = translator.translate_batch(
            batch,
            beam_size=work["beam"],
            min_decoding_length=work["length"],
            max_decoding_length=work["length"],
        )
        seconds = time.perf_counter() - started
        tokens = sum(len(each.hypotheses[0]) for each in results)
        print(json.dumps({"seconds": seconds, "tokens": tokens}), flush=True)


main()
