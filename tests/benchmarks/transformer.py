"""The Transformer that CTranslate2 runs, and the tokenizer that it was trained with."""

import json
from pathlib import Path

from service.bundle import SpecialIds, TokenizerSpec, load_tokenizer
from service.bundle.schema import parse
from tests.benchmarks.environments import PEERS, Missing

SHIPPED = PEERS / "tatoeba-de-en-transformer"
_SPECIAL_IDS = SpecialIds(pad=0, unk=1, bos=2, eos=3)  # of whatever `parley-train` trains


class Transformer:
    """A model that `peers/ctranslate2_model.py` wrote; raises Missing if it is none."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            facts = json.loads((directory / "tokenizer.json").read_text())
            spec = parse(TokenizerSpec, facts)
            file = (directory / spec.file).read_bytes()
        except (OSError, ValueError) as error:
            raise Missing(f"{directory} is no model for CTranslate2: {error}") from None
        self._tokenizer = load_tokenizer(spec, _SPECIAL_IDS, file)

    def encode(self, text: str) -> list[int]:
        """The ids of a source, end mark included."""
        return [*self._tokenizer.encode(text), _SPECIAL_IDS.eos]

    def decode(self, ids: list[int]) -> str:
        """The text of a target."""
        return self._tokenizer.decode(ids)
