"""Requests of every kind, for laws that hold for all of them."""

from hypothesis import strategies as st

from service.decoding import DecodeRequest
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
