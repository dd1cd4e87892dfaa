"""A Transformer for CTranslate2: `ctranslate2_model.py DIRECTORY [RUN]`.

With RUN, the best weights of a training run of Parley whose encoder and decoder are Transformers
with one table of embeddings; without, random ones, 4 + 4 layers of width 256. Runs in the peers'
environment: what it knows of Parley is what its weights are called.
"""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import ctranslate2
import numpy as np

LAYERS, WIDTH, HEADS, FEED_FORWARD, VOCABULARY = 4, 256, 4, 1024, 8000
POSITIONS = 512
# What ids are called; the first four are special in every tokenizer of Parley.
TOKENS = ["<pad>", "<unk>", "<s>", "</s>", *(f"t{number}" for number in range(4, VOCABULARY))]

Tensors = Callable[[str], np.ndarray]  # by the name that Parley gives them


def random_tensors() -> Tensors:
    """Any tensor that is asked for: speed does not ask what the weights are."""
    random = np.random.default_rng(0)
    columns = {"inner": (FEED_FORWARD, WIDTH), "outer": (WIDTH, FEED_FORWARD)}
    columns |= {"embedding": (VOCABULARY, WIDTH), "output": (VOCABULARY, WIDTH)}

    def tensor(name: str) -> np.ndarray:
        *_, part, kind = name.split(".")
        if part.endswith("norm"):
            return np.full(WIDTH, float(kind == "weight"), np.float32)
        rows, inputs = columns.get(part, (WIDTH, WIDTH))
        shape = (rows, inputs) if kind == "weight" else (rows,)
        return random.normal(0, 0.02, shape).astype(np.float32)

    return tensor


def trained_tensors(run: Path) -> Tensors:
    """The weights that scored best in a run."""
    from safetensors.numpy import load_file

    found = load_file(run / "checkpoints" / "best" / "model.safetensors")
    tied = ("encoder.embedding.weight", "decoder.embedding.weight", "decoder.output.weight")
    table = next(found[name] for name in tied if name in found)  # stored once
    return {**dict.fromkeys(tied, table), **found}.__getitem__


def transformer(tensor: Tensors, layers: tuple[int, int], heads: int) -> object:
    """The model that these tensors make, pre-norm; `layers` of encoder and decoder."""
    spec = ctranslate2.specs.TransformerSpec.from_config(layers, heads)

    def linear(into: object, *names: str) -> None:
        into.weight = np.concatenate([tensor(f"{name}.weight") for name in names])
        into.bias = np.concatenate([tensor(f"{name}.bias") for name in names])

    def norm(into: object, name: str) -> None:
        into.gamma, into.beta = tensor(f"{name}.weight"), tensor(f"{name}.bias")

    def attention(into: object, name: str, norm_name: str, *, of_source: bool) -> None:
        query, key, value = (f"{name}.{part}" for part in ("query", "key", "value"))
        fused = [(query,), (key, value)] if of_source else [(query, key, value)]
        for each, names in zip(into.linear, [*fused, (f"{name}.out",)], strict=True):
            linear(each, *names)
        norm(into.layer_norm, norm_name)

    def feed_forward(into: object, layer: str) -> None:
        linear(into.linear_0, f"{layer}.feed_forward.inner")
        linear(into.linear_1, f"{layer}.feed_forward.outer")
        norm(into.layer_norm, f"{layer}.feed_forward_norm")

    spec.encoder.embeddings[0].weight = tensor("encoder.embedding.weight")
    spec.decoder.embeddings.weight = tensor("decoder.embedding.weight")
    for side, name in ((spec.encoder, "encoder"), (spec.decoder, "decoder")):
        side.position_encodings.encodings = sinusoids(tensor(f"{name}.embedding.weight").shape[1])
        norm(side.layer_norm, f"{name}.norm")
    for number, layer in enumerate(spec.encoder.layer):
        name = f"encoder.blocks.{number}"
        attention(
            layer.self_attention, f"{name}.attention", f"{name}.attention_norm", of_source=False
        )
        feed_forward(layer.ffn, name)
    for number, layer in enumerate(spec.decoder.layer):
        name = f"decoder.layers.{number}"
        attention(
            layer.self_attention, f"{name}.past_attention", f"{name}.past_norm", of_source=False
        )
        attention(layer.attention, f"{name}.attention", f"{name}.attention_norm", of_source=True)
        feed_forward(layer.ffn, name)
    linear(spec.decoder.projection, "decoder.output")
    return spec


def sinusoids(width: int) -> np.ndarray:
    """Sines and cosines in turns, [positions, width] (Vaswani et al. 2017, section 3.5)."""
    rates = np.exp(np.arange(0, width, 2) * (-np.log(10_000.0) / width))
    angles = np.arange(POSITIONS)[:, None] * rates
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(POSITIONS, width).astype("f4")


def main() -> None:
    directory, *runs = map(Path, sys.argv[1:])
    if runs:
        model = tomllib.loads((runs[0] / "recipe.toml").read_text())["model"]
        layers = (model["encoder_layers"], model["decoder_layers"])
        spec = transformer(trained_tensors(runs[0]), layers, model["heads"])
    else:
        spec = transformer(random_tensors(), (LAYERS, LAYERS), HEADS)
    spec.register_source_vocabulary(TOKENS)
    spec.register_target_vocabulary(TOKENS)
    spec.validate()
    spec.optimize(quantization="int8")
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))


if __name__ == "__main__":
    main()
