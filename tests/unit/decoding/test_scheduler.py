"""Plan, run, absorb: what the stepper is told, with the stepper played by the test."""

import numpy as np
import pytest

from service.decoding import (
    DecodeRequest,
    EngineLimits,
    Phrase,
    Sampling,
    StepInput,
    StepOutput,
)
from service.decoding.scheduler import Scheduler
from service.decoding.scripted import ScriptedStepper, copying
from service.decoding.sequence import Sequence

EOS, BOS = 2, 1


def request(beam: int = 1, **options: object) -> DecodeRequest:
    fields = {"source": (5, 6, EOS), "max_length": 4, "beam": beam} | options
    return DecodeRequest(**fields)  # type: ignore[arg-type]  # fields of the dataclass


class Table:
    """A scheduler and what it was told to do."""

    def __init__(self, **limits: int) -> None:
        self.scheduler = Scheduler(ScriptedStepper(copying(9)), EngineLimits(**limits))
        self.now = 0.0
        self.keys = 0

    def enqueue(self, *requests: DecodeRequest) -> None:
        for each in requests:
            self.scheduler.enqueue(self.scheduler.sequence(self.keys, each, self.now))
            self.keys += 1

    def plan(self, *requests: DecodeRequest, cancelled: tuple[int, ...] = ()) -> StepInput:
        self.enqueue(*requests)
        self.scheduler.seat(self.scheduler.admit(self.now, cancelled).joining, self.now)
        work = self.scheduler.plan()
        assert work is not None
        return work

    def absorb(self, *tokens: list[int]) -> list[Sequence]:
        """Each row's candidates; their log-probabilities are -1, -2, ..."""
        ids = np.array(tokens)
        log_probs = np.broadcast_to(-1.0 - np.arange(ids.shape[1], dtype=np.float32), ids.shape)
        return self.scheduler.absorb(StepOutput(log_probs_RK=log_probs, ids_RK=ids), self.now)


@pytest.mark.parametrize(
    "wish",
    [
        {"alignments": True},
        {"soft_alignments": True},
        {"coverage_penalty": 0.2},
        {"beam": 2, "required_phrases": ((7,),), "required_sources": ((0,),)},
    ],
    ids=max,
)
def test_attention_is_asked_for_as_long_as_somebody_seated_needs_it(wish: dict) -> None:
    table = Table()

    assert not table.plan(request()).attend
    table.absorb([5, 6])
    assert table.plan(request(**wish)).attend
    assert not table.plan(cancelled=(1,)).attend


def test_a_new_request_starts_with_bos_from_its_own_fresh_row() -> None:
    work = Table().plan(request(), request())

    assert [BOS, BOS] == work.tokens_R.tolist()
    assert [0, 1] == work.sources_R.tolist()
    assert work.parents_R is not None
    assert [0, 1] == work.parents_R.tolist()
    assert work.kept_B is None
    assert 1 == work.top_k


def test_greedy_rows_that_go_on_stay_in_place() -> None:
    table = Table()
    table.plan(request(), request())
    table.absorb([5], [6])
    work = table.plan()

    assert [5, 6] == work.tokens_R.tolist()
    assert work.parents_R is None
    assert work.kept_B is None


def test_a_finished_row_is_gone_at_the_next_step_and_so_is_its_source() -> None:
    table = Table()
    table.plan(request(), request(), request())
    [over] = table.absorb([5], [EOS], [6])
    work = table.plan()

    assert 1 == over.key
    assert [5, 6] == work.tokens_R.tolist()
    assert work.kept_B is not None
    assert work.parents_R is not None
    assert ([0, 2], [0, 2], [0, 1]) == (
        work.kept_B.tolist(),
        work.parents_R.tolist(),
        work.sources_R.tolist(),
    )


def test_a_late_joiner_takes_the_fresh_row_and_the_number_behind_the_kept_sources() -> None:
    table = Table()
    table.plan(request(), request())
    table.absorb([EOS], [6])
    work = table.plan(request())

    assert [6, BOS] == work.tokens_R.tolist()
    assert work.kept_B is not None
    assert work.parents_R is not None
    assert ([1, 2], [1, 2], [0, 1]) == (
        work.kept_B.tolist(),
        work.parents_R.tolist(),
        work.sources_R.tolist(),
    )


def test_a_beam_spreads_over_rows_that_remember_their_parents() -> None:
    table = Table()
    first = table.plan(request(beam=2))
    table.absorb([5, 6, 7, 8])
    second = table.plan()
    table.absorb([5, 6, 7, 8], [5, 6, 7, 8])
    third = table.plan()

    assert 4 == first.top_k
    assert [5, 6] == second.tokens_R.tolist()
    assert second.parents_R is not None
    assert [0, 0] == second.parents_R.tolist()
    assert third.parents_R is not None
    assert [0, 0] == third.parents_R.tolist()  # -1-1, -1-2; row 1 only draws level with -2-1
    assert [0, 0] == third.sources_R.tolist()


def test_rows_are_laid_out_by_width_and_those_of_a_source_lie_together() -> None:
    table = Table()
    table.plan(request(beam=2), request())
    table.absorb([5, 6, 7, 8], [5, 6, 7, 8])
    work = table.plan(request())

    assert [1, 2, 0, 0] == work.sources_R.tolist()


def test_the_rows_of_a_cancelled_request_are_gone_at_the_next_step() -> None:
    table = Table()
    table.plan(request(), request(beam=2), request())
    table.absorb([5, 6, 7, 8], [5, 6, 7, 8], [5, 6, 7, 8])
    work = table.plan(cancelled=(1,))

    assert [0, 1] == work.sources_R.tolist()
    assert work.kept_B is not None
    assert [0, 2] == work.kept_B.tolist()


def test_the_expired_are_shown_out_seated_or_waiting_and_their_rows_counted_as_wasted() -> None:
    table = Table(max_rows=2)
    table.plan(request(deadline=1.0), request(deadline=5.0))
    table.absorb([5], [5])
    table.enqueue(request(deadline=0.5), request(deadline=3.0))
    table.now = 1.0

    admission = table.scheduler.admit(table.now)

    assert {0, 2} == {s.key for s in admission.expired}
    assert [3] == [s.key for s in admission.joining]
    assert 1 == admission.wasted_rows


def test_one_who_cancels_in_the_queue_never_gets_a_seat() -> None:
    table = Table(max_rows=1)
    table.plan(request())
    table.enqueue(request(), request())

    assert [1] == [s.key for s in table.scheduler.admit(0.0, {1}).cancelled]
    assert 1 == table.scheduler.waiting


def test_the_length_limit_finishes_with_reason_length() -> None:
    table = Table()
    table.plan(request(max_length=2))
    assert [] == table.absorb([5])
    table.plan()
    [over] = table.absorb([6])

    [hypothesis] = over.hypotheses
    assert ((5, 6), "length", 2) == (hypothesis.tokens, hypothesis.finish_reason, over.steps)


def test_times_are_told_from_where_they_count() -> None:
    table = Table()
    table.enqueue(request())
    table.now = 1.0
    table.plan()
    table.now = 3.0
    table.absorb([5])
    table.plan()
    table.now = 7.0
    [over] = table.absorb([EOS])

    result = over.result()
    assert (1.0, 3.0, 6.0) == (
        result.queue_seconds,
        result.first_token_seconds,
        result.decode_seconds,
    )


def test_nothing_to_do_is_no_plan() -> None:
    assert Table().scheduler.plan() is None


@pytest.mark.parametrize("beam", [1, 3])
def test_a_request_that_gets_no_number_ends_without_a_hypothesis(beam: int) -> None:
    table = Table()
    work = table.plan(request(beam=beam), request())
    log_probs = np.full((2, work.top_k), -1.0, np.float32)
    log_probs[work.sources_R.tolist().index(0)] = np.nan
    ids = np.full((2, work.top_k), 5)

    [over] = table.scheduler.absorb(StepOutput(log_probs_RK=log_probs, ids_RK=ids), 0.0)

    assert (0, ()) == (over.key, over.hypotheses)


def test_a_forced_token_is_asked_for_and_others_are_not() -> None:
    table = Table()
    work = table.plan(request(target_prefix=(7,)), request(beam=2))

    assert work.probe_ids_RP is not None
    assert [[7], [0]] == work.probe_ids_RP.tolist()
    assert Table().plan(request(), request(beam=2)).probe_ids_RP is None


def test_the_rows_of_samples_set_out_from_the_one_fresh_row_of_their_source() -> None:
    work = Table().plan(request(), request(n_best=3, sampling=Sampling(seed=1)))

    assert work.parents_R is not None
    assert ([0, 1, 1, 1], [0, 1, 1, 1]) == (work.parents_R.tolist(), work.sources_R.tolist())


def test_as_many_more_candidates_are_asked_for_as_may_be_banned() -> None:
    table = Table()
    phrases = (Phrase.of((5, 6)), Phrase.of((5, 7)), Phrase.of((8,)))

    assert 2 == table.plan(request(forbidden_phrases=phrases)).top_k
    table.absorb([5, 8])
    assert 4 == table.plan().top_k


def test_a_guarded_request_gets_a_row_layout_of_its_own_but_the_same_step() -> None:
    work = Table().plan(request(no_repeat_ngram=2), request(), request(beam=2))

    assert [1, 0, 2] == work.sources_R.tolist()  # plain, guarded, wide


def test_words_of_required_phrases_are_asked_for_at_every_step() -> None:
    work = Table().plan(
        request(beam=2, required_phrases=((5, 6), (8,))), request(beam=2, target_prefix=(7,))
    )

    assert work.probe_ids_RP is not None
    assert {(7, 0, 0), (5, 6, 8)} == set(map(tuple, work.probe_ids_RP.tolist()))
    assert 2 + 1 + 3 == work.top_k  # the width, eos, and as many as may be words of the phrases
