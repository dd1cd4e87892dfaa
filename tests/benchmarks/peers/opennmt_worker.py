"""OpenNMT-py at work, in an environment of its own: says how long each batch took.

One JSON object a line on standard input, one answer a line on standard output; see
tests/benchmarks/workers.py. Knows nothing of Parley.
"""

import json
import os
import sys
import time
import types
from pathlib import Path

for unused in ("spacy", "fasttext"):  # for transforms that nobody asks for
    sys.modules[unused] = types.ModuleType(unused)

# ruff: noqa: E402 - after the stand-ins
import torch
from onmt.bin.train import _get_parser as train_parser
from onmt.bin.train import train
from onmt.bin.translate import _get_parser as translate_parser
from onmt.inference_engine import InferenceEnginePY
from onmt.utils.parse import ArgumentParser

WORDS = [f"t{number}" for number in range(7990)]  # and the special ones: about 8,000


def make_model(directory: Path) -> None:
    """Two layers of bidirectional LSTM, width 512, general attention; one step from random."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [" ".join(WORDS[k : k + 16]) for k in range(0, 7900, 16)]
    (directory / "text").write_text("\n".join(lines))
    (directory / "vocabulary").write_text("\n".join(f"{word}\t1" for word in WORDS))
    config = directory / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "data": {"c": {"path_src": f"{directory}/text", "path_tgt": f"{directory}/text"}},
                "src_vocab": f"{directory}/vocabulary",
                "tgt_vocab": f"{directory}/vocabulary",
                "save_model": f"{directory}/model",
                "encoder_type": "brnn",
                "decoder_type": "rnn",
                "rnn_type": "LSTM",
                "layers": 2,
                "hidden_size": 512,
                "word_vec_size": 256,
                "global_attention": "general",
                "train_steps": 1,
                "save_checkpoint_steps": 1,
                "batch_size": 16,
                "num_workers": 0,
            }
        )
    )
    options, _ = train_parser().parse_known_args(["-config", str(config)])
    train(options)


def engine(directory: Path, beam: int, length: int) -> InferenceEnginePY:
    """What translates with this width, every sentence to exactly so many tokens."""
    options = translate_parser().parse_args(
        [
            "-model", f"{directory}/model_step_1.pt", "-src", f"{directory}/text",
            "-output", os.devnull, "-beam_size", str(beam), "-min_length", str(length),
            "-max_length", str(length), "-batch_size", "64", "-batch_type", "sents",
            "-random_sampling_topk", "1",
        ]
    )  # fmt: skip
    ArgumentParser._get_all_transform_translate(options)
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts(options)
    return InferenceEnginePY(options)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints is no answer
    directory = Path(sys.argv[1])
    os.sched_setaffinity(0, {int(core) for core in sys.argv[2].split(",")})
    torch.set_num_threads(1)
    if not (directory / "model_step_1.pt").exists():
        make_model(directory)
    print(json.dumps({"name": "OpenNMT-py 3.5.1 bi-LSTM 512"}), file=answers, flush=True)
    engines: dict[tuple[int, int], InferenceEnginePY] = {}
    for line in sys.stdin:
        work = json.loads(line)
        batch = [" ".join(WORDS[each % len(WORDS)] for each in ids) for ids in work["sources"]]
        kind = (work["beam"], work["length"])
        if kind not in engines:
            engines[kind] = engine(directory, *kind)
        started = time.perf_counter()
        _, texts = engines[kind].infer_list(batch)
        seconds = time.perf_counter() - started
        tokens = sum(len(each[0].split()) for each in texts)
        print(json.dumps({"seconds": seconds, "tokens": tokens}), file=answers, flush=True)


main()
