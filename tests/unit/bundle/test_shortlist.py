"""The shortlist's file: what it says, and what is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from service.bundle import BundleError, Shortlist, dump_shortlist, parse_shortlist

LIST = Shortlist(
    always_A=np.array([2, 3]), offsets=np.array([0, 0, 1, 3, 3, 5]), ids=np.array([4, 0, 3, 1, 4])
)
SIZE = 5


def candidates(shortlist: Shortlist, source: list[int]) -> list[int]:
    return np.flatnonzero(shortlist.chosen([source])[0]).tolist()


def test_candidates_are_what_is_always_in_and_what_each_token_brings() -> None:
    assert [2, 3] == candidates(LIST, [])
    assert [2, 3, 4] == candidates(LIST, [1])
    assert [0, 1, 2, 3, 4] == candidates(LIST, [2, 4, 4])


def test_sources_are_looked_up_together() -> None:
    together_JV = LIST.chosen([[1], [], [2, 4, 4]])

    assert [[2, 3, 4], [2, 3], [0, 1, 2, 3, 4]] == [np.flatnonzero(r).tolist() for r in together_JV]
    assert (0, SIZE) == LIST.chosen([]).shape


def test_the_file_gives_back_what_was_written() -> None:
    again = parse_shortlist(dump_shortlist(LIST), SIZE, needed=[3])

    assert LIST.always_A.tolist() == again.always_A.tolist()
    assert LIST.offsets.tolist() == again.offsets.tolist()
    assert LIST.ids.tolist() == again.ids.tolist()


def words(change: Callable[[np.ndarray], object]) -> bytes:
    """The file with entries changed: 3 of header, 2 always in, 6 offsets, 5 ids."""
    found = np.frombuffer(dump_shortlist(LIST), "<u4").copy()
    change(found)
    return found.tobytes()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no whole number of entries"),
        (dump_shortlist(LIST)[:-1], "no whole number of entries"),
        (dump_shortlist(LIST)[:24], "is cut short"),
        (dump_shortlist(LIST)[:-4], "offsets do not ascend from 0 to 4"),
        (words(lambda w: w.__setitem__(0, 7)), "begins with 0x7"),
        (words(lambda w: w.__setitem__(1, 6)), "for a vocabulary of 6, the bundle's has 5"),
        (words(lambda w: w.__setitem__(2, 2**32 - 1)), "is cut short"),
        (words(lambda w: w.__setitem__(3, 5)), "outside the vocabulary of 5"),
        (words(lambda w: w.__setitem__(5, 1)), "offsets do not ascend"),
        (words(lambda w: w.__setitem__(7, 4)), "offsets do not ascend"),
        (words(lambda w: w.__setitem__(-1, 2**32 - 1)), "outside the vocabulary of 5"),
        (words(lambda w: w.__setitem__(4, 4)), r"must always have the ids \[3\]"),
    ],
)
def test_what_is_wrong_is_refused_by_name(data: bytes, problem: str) -> None:
    with pytest.raises(BundleError, match=problem):
        parse_shortlist(data, SIZE, needed=[3])
