"""Fitting a tokenizer to the training text. What it makes is read by ``service.bundle``."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import sentencepiece

from service.bundle import SpecialIds, TokenizerSpec, character_table, symbol_table
from service.bundle.characters import normaliser
from training.config import TokenizerConfig
from training.data.corpus import CorpusError, Pair

__all__ = ["SPECIAL_IDS", "fit_tokenizer"]

SPECIAL_IDS = SpecialIds(pad=0, unk=1, bos=2, eos=3)
# Decomposed umlauts, full-width letters and non-breaking spaces reach the model as their usual
# forms.
_NORMALISATION = "nmt_nfkc"


def fit_tokenizer(
    config: TokenizerConfig, pairs: Sequence[Pair], seed: int
) -> tuple[TokenizerSpec, bytes]:
    """Fit one vocabulary to both sides of ``pairs``; a symbol table has a part for each.

    Returns:
        What the manifest says of the tokenizer, and the content of its file.

    Raises:
        CorpusError: the text is too small for the vocabulary asked for.
    """
    text = [sentence for pair in pairs for sentence in pair]
    if config.kind == "symbols":
        return _symbol_table(config, pairs)
    if config.kind == "characters":
        return _character_table(config, text)
    return _sentencepiece(config, text, seed)


def _sentencepiece(
    config: TokenizerConfig, text: Iterable[str], seed: int
) -> tuple[TokenizerSpec, bytes]:
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text),
            model_writer=model,
            model_type=config.model,
            vocab_size=config.vocabulary_size,
            byte_fallback=True,
            character_coverage=0.9999,
            normalization_rule_name=_NORMALISATION,
            pad_id=SPECIAL_IDS.pad,
            unk_id=SPECIAL_IDS.unk,
            bos_id=SPECIAL_IDS.bos,
            eos_id=SPECIAL_IDS.eos,
            num_threads=1,  # more threads, another order of floating-point sums, another vocabulary
            minloglevel=2,
        )
    except RuntimeError as error:
        raise CorpusError(
            f"tokenizer.vocabulary_size {config.vocabulary_size} does not fit the corpus: {error}"
        ) from None
    spec = TokenizerSpec(
        kind="sentencepiece",
        file="tokenizer.model",
        normalisation=_NORMALISATION,
        vocabulary_size=config.vocabulary_size,
    )
    return spec, model.getvalue()


def _character_table(config: TokenizerConfig, text: Iterable[str]) -> tuple[TokenizerSpec, bytes]:
    characters = _most_frequent_first(_letters(config, text))
    spec = TokenizerSpec(
        kind="characters",
        file="tokenizer.json",
        normalisation=config.normalisation,
        vocabulary_size=len(characters) + 4,  # the special ids
    )
    return spec, character_table(characters, SPECIAL_IDS)


def _symbol_table(config: TokenizerConfig, pairs: Sequence[Pair]) -> tuple[TokenizerSpec, bytes]:
    characters = _most_frequent_first(_letters(config, (pair.source for pair in pairs)))
    symbols = _most_frequent_first(s for pair in pairs for s in pair.target.split())
    spec = TokenizerSpec(
        kind="symbols",
        file="tokenizer.json",
        normalisation=config.normalisation,
        vocabulary_size=len(characters) + len(symbols) + 4,
    )
    return spec, symbol_table(characters, symbols)


def _letters(config: TokenizerConfig, text: Iterable[str]) -> Iterator[str]:
    """The characters of ``text`` in the form of Unicode that the recipe asks for."""
    form, _ = normaliser(config.normalisation)
    for sentence in text:
        yield from form(sentence)


def _most_frequent_first(found: Iterable[str]) -> list[str]:
    counts = Counter(found)
    return sorted(counts, key=lambda each: (-counts[each], each))
