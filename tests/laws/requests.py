"""Requests of every kind, for laws that hold for all of them."""

import dataclasses
from typing import Any

from hypothesis import strategies as st

from service.decoding import DecodeRequest, Phrase, Sampling
from tests.support.decoding import EOS

SEEDS = st.integers(0, 10_000)
SOURCES = st.lists(st.integers(3, 9), max_size=6).map(lambda tokens: (*tokens, EOS))


@st.composite
def requests(draw: st.DrawFn, *, widths: st.SearchStrategy[int], longest: int) -> DecodeRequest:
    """Any request with these widths and no longer texts."""
    beam = draw(widths)
    max_length = draw(st.integers(1, longest))
    return DecodeRequest(
        source=draw(SOURCES),
        beam=beam,
        n_best=draw(st.integers(1, beam)),
        max_length=max_length,
        min_length=draw(st.integers(0, max_length)),
        length_normalisation=draw(st.sampled_from(["none", "average", "gnmt"])),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0, 2.0])),
        coverage_penalty=draw(st.sampled_from([0.0, 0.0, 0.2, 1.0])),
    )


NEVER = st.just(False)
SAMPLINGS = st.builds(
    Sampling,
    seed=st.integers(0, 2**63 - 1),
    temperature=st.sampled_from([0.01, 0.5, 1.0, 3.0]),
    top_k=st.integers(1, 20),
    top_p=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
)


@st.composite
def phrases(draw: st.DrawFn, words: st.SearchStrategy[int]) -> Phrase:
    """A phrase with one spelling or several, some of them shorter than others."""
    places = draw(st.integers(1, 3))
    edges = [[(draw(words), place + 1)] for place in range(places)]
    for place in range(places):
        for token, there in draw(
            st.lists(st.tuples(words, st.integers(place + 1, places)), max_size=2)
        ):
            edges[place].append((token, there))
    return Phrase(tuple(tuple(sorted(set(each))) for each in edges))


def _places(terms: int, positions: int) -> st.SearchStrategy[tuple[tuple[int, ...], ...]]:
    """Which positions of the source each term translates, if anybody knows."""
    some = st.sets(st.integers(0, positions - 1), max_size=2).map(sorted).map(tuple)
    return st.just(()) | st.lists(some, min_size=terms, max_size=terms).map(tuple)


@st.composite
def wishful(
    draw: st.DrawFn,
    plain: st.SearchStrategy[DecodeRequest],
    *,
    vocabulary: int,
    drawn: st.SearchStrategy[bool],
    required: st.SearchStrategy[bool] = NEVER,
) -> DecodeRequest:
    """A request with wishes: any of bans, penalties, rewards, a prefix, samples, alternatives.

    With `required`, those that have a beam may have phrases to say, and then no bans.

    With bans it may always end, for where everything is banned there would be nothing to say.
    """
    request = draw(plain)
    words = st.sampled_from([token for token in range(vocabulary) if token != EOS])
    wishes: dict[str, Any] = {
        "repetition_penalty": draw(st.sampled_from([1.0, 1.0, 1.3, 4.0])),
        "no_repeat_ngram": draw(st.sampled_from([0, 0, 1, 2, 3])),
        "forbidden_phrases": tuple(draw(st.lists(phrases(words), max_size=4))),
        "target_prefix": tuple(draw(st.lists(words, max_size=min(3, request.max_length - 1)))),
        "token_reward": draw(st.sampled_from([0.0, 0.0, -0.5, 0.3, 2.0])),
        "soft_alignments": draw(st.booleans()),
    }
    if draw(drawn):
        alternatives = draw(st.booleans())
        wishes |= {
            "beam": 1,
            "alternatives": alternatives,
            "sampling": draw(SAMPLINGS | st.none() if alternatives else SAMPLINGS),
        }
    elif request.beam > 1 and draw(required):
        room = request.max_length - len(wishes["target_prefix"])
        terms = [
            term
            for term in draw(st.lists(st.lists(words, min_size=1, max_size=3), max_size=3))
            if (room := room - len(term)) >= 0
        ]
        wishes |= {
            "required_phrases": tuple(map(tuple, terms)),
            "required_sources": draw(_places(len(terms), len(request.source))),
            "no_repeat_ngram": 0,
            "forbidden_phrases": (),
        }
    if wishes["no_repeat_ngram"] or wishes["forbidden_phrases"]:
        wishes["min_length"] = 0
    return dataclasses.replace(request, **wishes)
