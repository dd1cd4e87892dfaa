"""The Transformer that CTranslate2 runs: random weights, or those of a run of `parley-train`."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from service.bundle import SpecialIds, Tokenizer, TokenizerSpec, load_tokenizer
from service.bundle.schema import parse
from tests.benchmarks import environments
from tests.benchmarks.environments import MODELS, PEERS, Missing

_SPECIAL_IDS = SpecialIds(pad=0, unk=1, bos=2, eos=3)  # of every run, and of the converted model


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformer:
    """A model that CTranslate2 can load; `tokenizer` is that of its run, if it has one."""

    directory: Path
    tokenizer: Tokenizer | None = None

    @classmethod
    def made(cls, run: Path | None) -> "Transformer":
        """Of the best weights of `run`, or of random ones, unless made before; raises Missing."""
        if run is None:
            return cls(directory=_converted("random-4-4-256"))
        weights = run / "checkpoints" / "best" / "model.safetensors"
        try:
            digest = hashlib.sha256(weights.read_bytes()).hexdigest()
            facts = json.loads((run / "tokenizer" / "spec.json").read_text())
            spec = parse(TokenizerSpec, {k: v for k, v in facts.items() if k != "recipe_sha256"})
            file = (run / "tokenizer" / spec.file).read_bytes()
        except (OSError, ValueError) as error:
            raise Missing(f"{run} is no run of parley-train: {error}") from None
        return cls(
            directory=_converted(f"{run.name}-{digest[:12]}", run),
            tokenizer=load_tokenizer(spec, _SPECIAL_IDS, file),
        )

    def encode(self, text: str) -> list[int]:
        """The ids of a text, end mark included, as the run was trained on them."""
        return [*self.tokenizer.encode(text), _SPECIAL_IDS.eos]


def _converted(name: str, *run: Path) -> Path:
    python = environments.tools()
    directory = MODELS / name
    if not (directory / "model.bin").exists():
        environments.run([python, PEERS / "ctranslate2_model.py", directory, *run], "converted")
    return directory
