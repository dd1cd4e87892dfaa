"""The first stage: a recipe's corpus read, its tokenizer fitted, its sentences turned into ids.

The tokenizer is fitted once and kept in the run's directory; everything else is made again at each
start, which takes seconds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.bundle import SpecialIds, Tokenizer, TokenizerSpec, load_tokenizer
from service.bundle.schema import dump, parse
from training.config import Recipe, RecipeError, load_recipe, to_toml
from training.curriculum import strength
from training.data.batches import Example, encode_pairs
from training.data.corpus import (
    CorpusError,
    Drops,
    Pair,
    Reference,
    group_references,
    read_corpus,
)
from training.data.fitting import SPECIAL_IDS, fit_tokenizer
from training.data.subwords import SubwordSampler

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What all later stages work on."""

    recipe: Recipe
    recipe_path: Path
    recipe_sha256: str
    changes: tuple[str, ...]  # of the recipe, by the command line
    run_dir: Path
    special: SpecialIds
    tokenizer: Tokenizer
    tokenizer_spec: TokenizerSpec
    tokenizer_file: bytes
    train_pairs: list[Pair]
    train: list[Example]  # the ids of these pairs, cut the usual way
    dev: list[Reference]
    drops: Drops

    def source_ids(self, text: str) -> NDArray[np.int64]:
        """Ids of a source sentence, eos included."""
        return np.array([*self.tokenizer.encode(text), self.special.eos])

    @property
    def start(self) -> Path | None:
        """The run to begin from."""
        return _start(self.recipe, self.run_dir)

    def examples(self) -> Callable[[int], Sequence[Example]]:
        """What an epoch trains on, by its number: see ``Recipe.subwords``."""
        recipe = self.recipe
        if not recipe.subwords.active:
            return lambda _: self.train
        sampler = SubwordSampler(
            recipe.subwords, recipe.tokenizer, self.tokenizer_file, self.train_pairs, self.train
        )
        return lambda epoch: sampler.epoch(
            epoch,
            seed=recipe.seed,
            longest=recipe.data.max_tokens,
            strength=strength(epoch, recipe.training.curriculum_epochs),
        )


def prepare(
    recipe_path: Path,
    data_dir: Path,
    run_dir: Path,
    seed: int | None = None,
    changes: Sequence[str] = (),
) -> Prepared:
    """Read, fit, encode.

    ``changes`` make another recipe of it (see ``training.config.changes``). Another ``seed`` than
    the recipe's changes weights, order and dropout, but neither corpus nor tokenizer, so that such
    models can answer together.

    Raises:
        RecipeError: the recipe is not usable, or not with the run that it starts from.
        CorpusError: its data is not.
    """
    recipe, sha256 = load_recipe(recipe_path, changes)
    corpus = read_corpus(recipe.data, data_dir, recipe.seed)
    spec, file = _tokenizer(recipe, sha256, corpus.train, run_dir)
    text = _text(recipe_path, recipe, changes)
    if seed is not None and seed != recipe.seed:
        recipe = dataclasses.replace(recipe, seed=seed)
        sha256 = hashlib.sha256(f"{sha256} --seed {seed}".encode()).hexdigest()
        text += f"\n# trained with --seed {seed}\n"
    (run_dir / "recipe.toml").write_text(text, encoding="utf-8")  # for who finds the run later
    tokenizer = load_tokenizer(spec, SPECIAL_IDS, file)
    pairs, train = encode_pairs(
        corpus.train, tokenizer, SPECIAL_IDS.eos, recipe.data.max_tokens, corpus.drops
    )
    if not train:
        raise CorpusError("\n".join(["data.train: not one usable pair", *corpus.drops.lines()]))
    return Prepared(
        recipe=recipe,
        recipe_path=recipe_path,
        recipe_sha256=sha256,
        changes=tuple(changes),
        run_dir=run_dir,
        special=SPECIAL_IDS,
        tokenizer=tokenizer,
        tokenizer_spec=spec,
        tokenizer_file=file,
        train_pairs=pairs,
        train=train,
        dev=group_references(corpus.dev),
        drops=corpus.drops,
    )


def _text(path: Path, recipe: Recipe, changes: Sequence[str]) -> str:
    """The recipe as it was written; or what changes made of it, every default spelt out."""
    if not changes:
        return path.read_text(encoding="utf-8")
    said = " ".join(f"--set {change}" for change in changes)
    return f"# {path.name} {said}\n{to_toml(dump(recipe))}"


def _tokenizer(
    recipe: Recipe, sha256: str, pairs: list[Pair], run_dir: Path
) -> tuple[TokenizerSpec, bytes]:
    """The one that this recipe fitted before, that of the run it starts from, or a new one."""
    facts_path = run_dir / "tokenizer" / "spec.json"
    if facts_path.exists():
        facts = json.loads(facts_path.read_text())
        if facts.pop("recipe_sha256") == sha256:
            spec = parse(TokenizerSpec, facts)
            return spec, (facts_path.parent / spec.file).read_bytes()
    start = _start(recipe, run_dir)
    if start:
        spec, file = _tokenizer_of(start, recipe)
    else:
        spec, file = fit_tokenizer(recipe.tokenizer, pairs, recipe.seed)
    facts_path.parent.mkdir(parents=True, exist_ok=True)
    (facts_path.parent / spec.file).write_bytes(file)
    facts_path.write_text(
        json.dumps({**dump(spec), "recipe_sha256": sha256}, indent=1)
    )  # last: it says that all is there
    return spec, file


def _start(recipe: Recipe, run_dir: Path) -> Path | None:
    name = recipe.training.start_from
    return run_dir.absolute().parent / name if name else None


def _tokenizer_of(start: Path, recipe: Recipe) -> tuple[TokenizerSpec, bytes]:
    """The tokenizer that the weights of the run at ``start`` were trained with."""
    try:
        begun, _ = load_recipe(start / "recipe.toml")
        facts = json.loads((start / "tokenizer" / "spec.json").read_text())
        del facts["recipe_sha256"]
        spec = parse(TokenizerSpec, facts)
        file = (start / "tokenizer" / spec.file).read_bytes()
    except (OSError, KeyError, ValueError) as error:
        raise RecipeError(
            f"training.start_from: {start} is no run to begin from ({error}); train it first"
        ) from None
    if begun.tokenizer != recipe.tokenizer:
        raise RecipeError(
            f"training.start_from: {start} has another tokenizer ({begun.tokenizer}) than this "
            f"recipe ({recipe.tokenizer}); [tokenizer] must be the same, weights belong to pieces"
        )
    return spec, file
