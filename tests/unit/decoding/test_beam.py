"""One step of the search, by hand."""

import numpy as np

from service.decoding.beam import Front, Picks, Rules, candidates_needed, expand, prune

EOS = 2
Rows = list[tuple[int, int, int, float]]


def rules(searches: int = 1, *, may_stop: bool = True, last: bool = False) -> Rules:
    return Rules(
        eos_id=EOS,
        lengths_C=np.full(searches, 3),
        min_lengths_C=np.full(searches, 3 if may_stop else 4),
        max_lengths_C=np.full(searches, 4 if last else 9),
    )


def front(width: int, totals: list[float], searches: list[int]) -> Front:
    return Front(width=width, totals_R=np.array(totals), searches_R=np.array(searches))


def candidates(*rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Each row's (token, log-probability), best first, as the model gives them."""
    log_probs = np.array([[p for _, p in row] for row in rows], np.float32)
    return log_probs, np.array([[t for t, _ in row] for row in rows])


def shown(picks: Picks) -> Rows:
    """(search, parent row, token, total)"""
    parents = range(len(picks.tokens_N)) if picks.parents_N is None else picks.parents_N.tolist()
    columns = (picks.searches_N.tolist(), parents, picks.tokens_N.tolist(), picks.totals_N.tolist())
    return list(zip(*columns, strict=True))


def test_the_best_of_all_rows_together_survive() -> None:
    step = candidates([(5, -1), (6, -2), (7, -9), (8, -9)], [(5, -1), (9, -1.5), (7, -9), (8, -9)])

    survivors, finished = expand(front(2, [-1.0, -1.25], [0, 0]), rules(), *step)

    assert [(0, 0, 5, -2.0), (0, 1, 5, -2.25)] == shown(survivors)
    assert [] == shown(finished)


def test_eos_within_the_width_finishes_and_the_beam_is_filled_up_again() -> None:
    step = candidates([(EOS, -1), (5, -2), (6, -3), (7, -4)])

    survivors, finished = expand(front(2, [0.0], [0]), rules(), *step)

    assert [(0, 0, EOS, -1.0)] == shown(finished)
    assert [(0, 0, 5, -2.0), (0, 0, 6, -3.0)] == shown(survivors)


def test_eos_beyond_the_width_is_dropped() -> None:
    step = candidates([(5, -1), (6, -2), (EOS, -3), (7, -4)])

    survivors, finished = expand(front(2, [0.0], [0]), rules(), *step)

    assert [] == shown(finished)
    assert [(0, 0, 5, -1.0), (0, 0, 6, -2.0)] == shown(survivors)


def test_eos_is_no_candidate_before_the_minimum_length() -> None:
    step = candidates([(EOS, -1), (5, -2), (6, -3), (7, -4)])

    survivors, finished = expand(front(2, [0.0], [0]), rules(may_stop=False), *step)
    greedy, none = expand(front(1, [0.0], [0]), rules(may_stop=False), *step)

    assert [(0, 0, 5, -2.0), (0, 0, 6, -3.0)] == shown(survivors)
    assert [(0, 0, 5, -2.0)] == shown(greedy)
    assert [] == shown(finished) == shown(none)


def test_at_the_last_step_survivors_are_finished() -> None:
    step = candidates([(5, -1), (EOS, -2), (6, -3), (7, -4)])

    survivors, finished = expand(front(2, [0.0], [0]), rules(last=True), *step)

    assert [] == shown(survivors)
    assert [(0, 0, 5, -1.0), (0, 0, EOS, -2.0), (0, 0, 6, -3.0)] == shown(finished)


def test_of_equals_the_earlier_row_and_then_the_lower_id_is_better() -> None:
    step = candidates([(5, -1), (6, -1), (7, -1), (8, -1)], [(3, -1), (4, -1), (7, -1), (8, -1)])

    survivors, _ = expand(front(2, [-1.0, -1.0], [0, 0]), rules(), *step)

    assert [(0, 0, 5, -2.0), (0, 0, 6, -2.0)] == shown(survivors)


def test_searches_do_not_mix_even_when_one_has_fewer_rows_than_its_width() -> None:
    step = candidates(
        [(5, -1), (6, -2), (7, -3), (8, -4)],
        [(5, -5), (6, -6), (7, -7), (8, -8)],
        [(5, -5), (9, -5.5), (7, -7), (8, -8)],
    )

    survivors, _ = expand(front(2, [0.0, 0.0, 0.0], [0, 1, 1]), rules(2), *step)

    assert [(0, 0, 5, -1.0), (0, 0, 6, -2.0), (1, 1, 5, -5.0), (1, 2, 5, -5.0)] == shown(survivors)


def test_impossible_candidates_and_numbers_that_are_none_never_count() -> None:
    step = candidates(
        [(5, -1), (6, -np.inf), (7, -np.inf), (8, -np.inf)],
        [(5, np.nan), (6, np.nan), (7, np.nan), (8, np.nan)],
    )

    survivors, finished = expand(front(2, [0.0, 0.0], [0, 1]), rules(2), *step)
    greedy, none = expand(front(1, [0.0, 0.0], [0, 1]), rules(2, last=False), *step)

    assert [(0, 0, 5, -1.0)] == shown(survivors) == shown(greedy)
    assert [] == shown(finished) == shown(none)


def test_a_vocabulary_smaller_than_twice_the_width_is_enough() -> None:
    step = candidates([(5, -1), (EOS, -2), (6, -3)])

    survivors, finished = expand(front(8, [0.0], [0]), rules(), *step)

    assert [5, 6] == survivors.tokens_N.tolist()
    assert [EOS] == finished.tokens_N.tolist()


def test_width_one_looks_no_further_than_the_best_whatever_the_crowd_needs() -> None:
    step = candidates([(EOS, -1), (5, -2), (6, -3)], [(5, -1), (EOS, -2), (6, -3)])

    survivors, finished = expand(front(1, [0.0, 0.0], [0, 1]), rules(2), *step)

    assert [(0, 0, EOS, -1.0)] == shown(finished)
    assert [(1, 1, 5, -1.0)] == shown(survivors)


def test_greedy_rows_that_all_go_on_keep_their_places() -> None:
    step = candidates([(5, -1)], [(6, -1)])

    survivors, _ = expand(front(1, [0.0, 0.0], [0, 1]), rules(2), *step)

    assert survivors.parents_N is None


def test_twice_the_width_is_needed_but_greedy_needs_one() -> None:
    assert (1, 2, 10, 10) == (
        candidates_needed(1),
        candidates_needed(1, may_stop=False),
        candidates_needed(5),
        candidates_needed(5, may_stop=False),
    )


def test_a_hypothesis_that_can_at_best_draw_level_is_given_up() -> None:
    survivors = Picks(
        searches_N=np.array([0, 0, 0, 1]),
        parents_N=np.array([0, 0, 1, 2]),
        tokens_N=np.array([5, 6, 7, 8]),
        log_probs_N=np.zeros(4, np.float32),
        totals_N=np.array([-3.0, -4.0, -5.0, -50.0]),
    )

    left = prune(survivors, ceiling_C=np.array([2.0, 2.0]), floor_C=np.array([-2.0, -np.inf]))

    assert [(0, 0, 5, -3.0), (1, 2, 8, -50.0)] == shown(left)
