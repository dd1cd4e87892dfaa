"""OpenNMT-py training, in an environment of its own: says how many target tokens a second it reads.

Arguments: the directory of the corpus, the cores, and how many target tokens to time. One JSON
object on standard output. Knows nothing of Parley.
"""

import json
import os
import sys
import types
from pathlib import Path

for unused in ("spacy", "fasttext"):  # for transforms that nobody asks for
    sys.modules[unused] = types.ModuleType(unused)

# ruff: noqa: E402 - after the stand-ins
import torch
from onmt.bin.train import _get_parser, train
from onmt.utils.statistics import Statistics

BATCH, REPORT = 1600, 5  # target tokens a batch, batches a report


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints is no answer
    directory, tokens = Path(sys.argv[1]), int(sys.argv[3])
    os.sched_setaffinity(0, {int(core) for core in sys.argv[2].split(",")})
    torch.set_num_threads(1)
    reports: list[tuple[int, float]] = []

    def output(self: Statistics, *_: object) -> None:
        reports.append((self.n_words, self.elapsed_time()))

    Statistics.output = output
    config = directory / "opennmt.yaml"
    steps = REPORT * (2 + tokens // (BATCH * REPORT))
    config.write_text(
        json.dumps(
            {
                "data": {
                    "c": {"path_src": f"{directory}/source", "path_tgt": f"{directory}/target"}
                },
                "src_vocab": f"{directory}/vocabulary",
                "tgt_vocab": f"{directory}/vocabulary",
                "save_model": f"{directory}/opennmt",
                "encoder_type": "brnn",
                "decoder_type": "rnn",
                "input_feed": 0,  # as Parley's decoder: all steps of a layer in one call
                "rnn_type": "LSTM",
                "layers": 2,
                "hidden_size": 512,
                "word_vec_size": 256,
                "global_attention": "general",
                "dropout": [0.3],
                "label_smoothing": 0.1,
                "optim": "adam",
                "learning_rate": 0.001,
                "max_grad_norm": 1.0,
                "batch_type": "tokens",
                "batch_size": BATCH,
                "normalization": "tokens",
                "train_steps": steps,
                "report_every": REPORT,
                "save_checkpoint_steps": steps,
                "valid_steps": steps + 1,
                "num_workers": 0,
            }
        )
    )
    options, _ = _get_parser().parse_known_args(["-config", str(config)])
    train(options)
    words, seconds = (sum(each) for each in zip(*reports[1:], strict=True))  # the first warms up
    print(json.dumps({"tokens_per_second": words / seconds}), file=answers, flush=True)


main()
