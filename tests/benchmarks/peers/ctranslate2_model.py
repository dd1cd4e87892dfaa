"""`ctranslate2_model.py RUN DIRECTORY`: what a training run of Parley learnt, for CTranslate2.

RUN's encoder and decoder are Transformers with one table of embeddings; DIRECTORY becomes a model
with int8 weights, and the tokenizer beside it. Runs in the peers' environment: all that it knows
of Parley is what a run looks like.
"""

import json
import shutil
import sys
import tomllib
from pathlib import Path

import ctranslate2
import numpy as np
from safetensors.numpy import load_file

POSITIONS = 512
_TIED = ("encoder.embedding", "decoder.embedding", "decoder.output")  # weights stored once


def transformer(tensors: dict[str, np.ndarray], layers: tuple[int, int], heads: int) -> object:
    """The pre-norm model that these make; `layers` of encoder and decoder."""
    spec = ctranslate2.specs.TransformerSpec.from_config(layers, heads)

    def linear(into: object, *names: str) -> None:
        into.weight = np.concatenate([tensors[f"{name}.weight"] for name in names])
        into.bias = np.concatenate([tensors[f"{name}.bias"] for name in names])

    def norm(into: object, name: str) -> None:
        into.gamma, into.beta = tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    def attention(into: object, name: str, norm_name: str, *, of_source: bool) -> None:
        query, key, value = (f"{name}.{part}" for part in ("query", "key", "value"))
        fused = [(query,), (key, value)] if of_source else [(query, key, value)]
        for each, names in zip(into.linear, [*fused, (f"{name}.out",)], strict=True):
            linear(each, *names)
        norm(into.layer_norm, norm_name)

    def feed_forward(into: object, name: str) -> None:
        linear(into.linear_0, f"{name}.inner")
        linear(into.linear_1, f"{name}.outer")
        norm(into.layer_norm, f"{name}_norm")

    spec.encoder.embeddings[0].weight = tensors["encoder.embedding.weight"]
    spec.decoder.embeddings.weight = tensors["decoder.embedding.weight"]
    linear(spec.decoder.projection, "decoder.output")
    for side, name in ((spec.encoder, "encoder"), (spec.decoder, "decoder")):
        side.position_encodings.encodings = sinusoids(tensors[f"{name}.norm.weight"].size)
        norm(side.layer_norm, f"{name}.norm")
    for number, layer in enumerate(spec.encoder.layer):
        name = f"encoder.blocks.{number}"
        own, own_norm = f"{name}.attention", f"{name}.attention_norm"
        attention(layer.self_attention, own, own_norm, of_source=False)
        feed_forward(layer.ffn, f"{name}.feed_forward")
    for number, layer in enumerate(spec.decoder.layer):
        name = f"decoder.layers.{number}"
        past, past_norm = f"{name}.past_attention", f"{name}.past_norm"
        attention(layer.self_attention, past, past_norm, of_source=False)
        cross, cross_norm = f"{name}.attention", f"{name}.attention_norm"
        attention(layer.attention, cross, cross_norm, of_source=True)
        feed_forward(layer.ffn, f"{name}.feed_forward")
    return spec


def sinusoids(width: int) -> np.ndarray:
    """Sines and cosines in turns, [positions, width] (Vaswani et al. 2017, section 3.5)."""
    rates = np.exp(np.arange(0, width, 2) * (-np.log(10_000.0) / width))
    angles = np.arange(POSITIONS)[:, None] * rates
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(POSITIONS, width).astype("f4")


def main() -> None:
    run, directory = map(Path, sys.argv[1:])
    model = tomllib.loads((run / "recipe.toml").read_text())["model"]
    tensors = load_file(run / "checkpoints" / "best" / "model.safetensors")
    table = next(tensors[f"{name}.weight"] for name in _TIED if f"{name}.weight" in tensors)
    tensors = {**{f"{name}.weight": table for name in _TIED}, **tensors}
    layers = (model["encoder_layers"], model["decoder_layers"])
    spec = transformer(tensors, layers, model["heads"])
    # The first four ids are special in every tokenizer of Parley.
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    tokens = [*special, *(f"t{number}" for number in range(len(special), len(table)))]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    spec.optimize(quantization="int8")
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
    facts = json.loads((run / "tokenizer" / "spec.json").read_text())
    del facts["recipe_sha256"]
    (directory / "tokenizer.json").write_text(json.dumps(facts, indent=1) + "\n")
    shutil.copy(run / "tokenizer" / facts["file"], directory)


if __name__ == "__main__":
    main()
