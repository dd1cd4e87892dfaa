"""CTranslate2 at work, in an environment of its own: says how long each call took.

One JSON object a line on standard input, one answer a line on standard output; see
tests/benchmarks/workers.py. Knows nothing of Parley.
"""

import json
import os
import sys
import time
from pathlib import Path

import ctranslate2

MAX_BATCH = 64  # sentences: longer calls are sorted by length and cut up by CTranslate2 itself


def main() -> None:
    directory, cores = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    translator = ctranslate2.Translator(
        directory, device="cpu", compute_type="int8", inter_threads=1, intra_threads=1
    )
    tokens = json.loads((Path(directory) / "shared_vocabulary.json").read_text())
    ids_of = {token: number for number, token in enumerate(tokens)}
    print(json.dumps({"name": f"CTranslate2 {ctranslate2.__version__} int8"}), flush=True)
    for line in sys.stdin:
        work = json.loads(line)
        batch = [[tokens[each % len(tokens)] for each in ids] for ids in work["sources"]]
        lengths = {}
        if work["length"]:
            lengths = {"min_decoding_length": work["length"], "max_decoding_length": work["length"]}
        started = time.perf_counter()
        results = translator.translate_batch(
            batch, beam_size=work["beam"], max_batch_size=MAX_BATCH, **lengths
        )
        seconds = time.perf_counter() - started
        targets = [[ids_of[token] for token in each.hypotheses[0]] for each in results]
        answer = {"seconds": seconds, "tokens": sum(map(len, targets)), "targets": targets}
        print(json.dumps(answer), flush=True)


main()
