"""CTranslate2 behind mosec, whose dynamic batcher puts up to 64 calls into one batch.

Arguments after mosec's own: none; the model's directory is in PEER_MODEL. Knows nothing of Parley.
"""

import json
import os
from pathlib import Path

import ctranslate2
from mosec import Server, Worker


class Translate(Worker):
    """Takes {"source": ids, "beam", "length"}, answers with the tokens."""

    def __init__(self) -> None:
        directory = os.environ["PEER_MODEL"]
        self._tokens = json.loads((Path(directory) / "shared_vocabulary.json").read_text())
        self._translator = ctranslate2.Translator(
            directory, compute_type="int8", inter_threads=1, intra_threads=1
        )

    def forward(self, data: list[dict]) -> list[list[str]]:
        """Translate a batch; all calls of a benchmark ask alike."""
        results = self._translator.translate_batch(
            [[self._tokens[each % len(self._tokens)] for each in call["source"]] for call in data],
            beam_size=data[0]["beam"],
            min_decoding_length=data[0]["length"],
            max_decoding_length=data[0]["length"],
        )
        return [each.hypotheses[0] for each in results]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Translate, num=1, max_batch_size=64, max_wait_time=5)
    server.run()
