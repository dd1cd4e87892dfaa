"""The seated searches of one kind, as arrays: a few operations a step, whoever comes or goes.

Legend: C searches, R rows. Arrays by row are replaced, never written into: the trail and the
stepper may keep what they were given.
"""

from collections.abc import Sequence as Listed
from typing import NamedTuple

import numpy as np

from service.decoding.beam import Expansion, Front, Mask, Picks, candidates_needed, expand, prune
from service.decoding.draw import Ways, draw
from service.decoding.guard import Candidates, Guards
from service.decoding.request import DecodeRequest, FinishReason
from service.decoding.roster import Roster, extended
from service.decoding.scoring import Doubles, final_score
from service.decoding.sequence import Ended, Sequence
from service.decoding.stepper import Floats, Ints, StepOutput
from service.decoding.terms import fulfil

_NO_ROWS = np.empty(0, np.int64)


class Kind(NamedTuple):
    """What searches must have in common to advance together.

    `width` is that of their beams, `guarded` whether they mind what may follow, `drawn` whether
    their rows go their own ways (see `draw`; then the width is 1, however many they are),
    `fulfilling` whether they have phrases to say (see `terms`).
    """

    width: int
    guarded: bool = False
    drawn: bool = False
    fulfilling: bool = False

    @classmethod
    def of(cls, request: DecodeRequest) -> "Kind":
        """The kind of search that a request needs."""
        fulfilling = bool(request.required_phrases)
        return cls(request.beam, request.guarded, request.drawn, fulfilling)


class Cohort:
    """Searches of one kind between two steps.

    `parents_R` are rows of the last step (`None`: each row stays where it was).
    """

    def __init__(self, kind: Kind, bos_id: int, eos_id: int) -> None:
        self.width = kind.width
        self.roster = Roster(eos_id)
        self._bos_id = bos_id
        self._eos_id = eos_id
        self._first_row = 0

        self.tokens_R: Ints = _NO_ROWS
        self.parents_R: Ints | None = None
        self.searches_R: Ints = _NO_ROWS
        self.log_probs_R: Floats = np.empty(0, np.float32)
        self._totals_R: Doubles = np.empty(0)
        # Attention that each source position has had so far; held only while somebody asks for it.
        self._coverage_RS: Doubles | None = None
        self._guards = Guards() if kind.guarded else None
        self._ways = Ways.nobody() if kind.drawn else None
        self._fulfilling = kind.fulfilling

    @property
    def top_k(self) -> int:
        """Candidates per row that this cohort needs at the next step."""
        depth = self._depth
        return depth if self._guards is None else depth + self._guards.margin

    @property
    def _depth(self) -> int:
        """The same, once those that may not follow are out."""
        may_stop = self.roster.may_stop
        if self._guards is None and self._ways is None:
            return candidates_needed(self.width, may_stop=may_stop)
        if self._ways is not None:
            return self._ways.depth + (not may_stop)
        if self._guards is not None and self._fulfilling:
            return self.width + 1 + self._guards.words  # eos may be among them too
        return candidates_needed(self.width, may_stop=may_stop)

    def probes(self) -> Ints | None:
        """The tokens that each row must be told the log-probability of, if any must."""
        return self._guards.probes(self.searches_R) if self._guards else None

    def seat(self, sequences: Listed[Sequence], sources: Ints, parents: Ints) -> None:
        """Let searches begin: their sources' numbers, and the fresh row that each starts from."""
        old, new = len(self.roster), len(sequences)
        requests = [s.request for s in sequences]
        # A beam grows from one row. Rows that go their own ways set out from the same fresh row.
        copies = [r.rows if r.drawn else 1 for r in requests]
        rows = sum(copies)
        self.roster.seat(sequences, sources)
        searches_R = np.arange(old, old + new)
        if rows != new:
            parents, searches_R = np.repeat(parents, copies), np.repeat(searches_R, copies)
        self.parents_R = extended(self.explicit_parents(), parents)
        self.tokens_R = extended(self.tokens_R, np.full(rows, self._bos_id))
        self.searches_R = extended(self.searches_R, searches_R)
        self.log_probs_R = extended(self.log_probs_R, np.zeros(rows, np.float32))
        self._totals_R = extended(self._totals_R, np.zeros(rows))
        self._cover(rows=rows, wanted=any(r.coverage_penalty for r in requests))
        if self._guards is not None:
            self._guards.seat(requests, copies)
        if self._ways is not None:
            for request in requests:
                self._ways = self._ways.beside(Ways.of(request))

    def unseat(self, keep_C: Mask) -> None:
        """Take searches out, with their rows."""
        keep_R = keep_C[self.searches_R]
        self.parents_R = self.explicit_parents()[keep_R]
        self.tokens_R = self.tokens_R[keep_R]
        self.log_probs_R = self.log_probs_R[keep_R]
        self.searches_R = self.searches_R[keep_R]
        self._totals_R = self._totals_R[keep_R]
        if self._coverage_RS is not None:
            self._coverage_RS = self._coverage_RS[keep_R]
        if self._ways is not None:
            self._ways = self._ways.keep(keep_R)
        if self._guards is not None:
            self._guards.keep_rows(np.flatnonzero(keep_R).tolist())
        self._keep_searches(keep_C)

    def planned(self, first_row: int) -> None:
        """Note where the cohort's rows lie in the step that is about to run."""
        self._first_row = first_row
        self.parents_R = None

    def absorb(self, output: StepOutput, step: int) -> list[Sequence]:
        """Advance by one token; returns the sequences whose search is over, which have left."""
        rows = slice(self._first_row, self._first_row + len(self.tokens_R))
        survivors, finished = self._expand(output, rows)
        self.roster.advance()
        if self._coverage_RS is not None and output.attention_RS is not None:
            self._coverage_RS = _add(self._coverage_RS, output.attention_RS[rows])
        if len(finished.tokens_N):
            self._finish(finished, step)
        if self.width > 1:
            survivors = prune(survivors, self.roster.ceiling_C, self.roster.within_reach())
        return self._go_on(survivors)

    def _expand(self, output: StepOutput, rows: slice) -> Expansion:
        rules = self.roster.rules()
        front = Front(width=self.width, totals_R=self._totals_R, searches_R=self.searches_R)
        log_probs_RK, ids_RK = output.log_probs_RK[rows], output.ids_RK[rows]
        if self._guards is None and self._ways is None:
            return expand(front, rules, log_probs_RK, ids_RK)
        if self._guards is not None and self._fulfilling:
            return fulfil(front, rules, self._guards, output, rows)
        candidates = Candidates(log_probs_RK, ids_RK, log_probs_RK.astype(np.float64))
        if self._guards is not None:
            probed_RP = output.probe_log_probs_RP
            probed_R = None if probed_RP is None else probed_RP[rows, 0]
            model = log_probs_RK, ids_RK
            candidates = self._guards.amend(self.searches_R, model, probed_R, self._depth)
        if self._ways is not None:
            return draw(
                front, rules, candidates, self._ways, self.roster.lengths_C[self.searches_R]
            )
        return expand(front, rules, *candidates)

    def _finish(self, finished: Picks, step: int) -> None:
        parents_N = finished.parents_N
        assert parents_N is not None  # only survivors ever go on in place
        columns = zip(
            finished.searches_N.tolist(),
            parents_N.tolist(),
            finished.tokens_N.tolist(),
            finished.log_probs_N.tolist(),
            finished.totals_N.tolist(),
            strict=True,
        )
        for search, row, token, token_log_prob, total in columns:
            sequence = self.roster.sequences[search]
            length = int(self.roster.lengths_C.item(search))
            coverage_S = None
            if self._coverage_RS is not None:
                coverage_S = self._coverage_RS[row, : len(sequence.request.source)]
            sequence.offer(
                Ended(
                    score=final_score(sequence.request, total, length, coverage_S),
                    log_prob=total,
                    length=length,
                    step=step,
                    row=self._first_row + row,
                    token=token,
                    token_log_prob=token_log_prob,
                    reason=FinishReason.STOP if token == self._eos_id else FinishReason.LENGTH,
                )
            )
            self.roster.floor_C[search] = sequence.floor

    def _go_on(self, survivors: Picks) -> list[Sequence]:
        self.tokens_R = survivors.tokens_N
        self.log_probs_R = survivors.log_probs_N
        self._totals_R = survivors.totals_N
        self.searches_R = survivors.searches_N
        if self._guards is not None:
            tokens = survivors.tokens_N.tolist()
            parents_N = survivors.parents_N
            parents = range(len(tokens)) if parents_N is None else parents_N.tolist()
            self._guards.go_on(survivors.searches_N.tolist(), parents, tokens)
        if survivors.parents_N is None:
            return []  # every row of a greedy cohort went on in place: nobody left
        if not len(survivors.tokens_N):  # and no cohort either, once its sequences are gone
            return self.roster.keep(np.zeros(len(self.roster), np.bool_))
        self.parents_R = self._first_row + survivors.parents_N
        if self._coverage_RS is not None:
            self._coverage_RS = self._coverage_RS[survivors.parents_N]
        if self._ways is not None:
            self._ways = self._ways.keep(survivors.parents_N)
        alive_C = np.zeros(len(self.roster), np.bool_)
        alive_C[survivors.searches_N] = True
        return [] if alive_C.all() else self._keep_searches(alive_C)

    def _keep_searches(self, keep_C: Mask) -> list[Sequence]:
        self.searches_R = (np.cumsum(keep_C) - 1)[self.searches_R]
        if self._guards is not None:
            self._guards.keep_searches(np.flatnonzero(keep_C).tolist())
        return self.roster.keep(keep_C)

    def explicit_parents(self) -> Ints:
        """`parents_R`, spelt out."""
        if self.parents_R is None:
            return np.arange(self._first_row, self._first_row + len(self.tokens_R))
        return self.parents_R

    def _cover(self, *, rows: int, wanted: bool) -> None:
        if self._coverage_RS is not None:
            self._coverage_RS = np.pad(self._coverage_RS, ((0, rows), (0, 0)))
        elif wanted:
            # Those seated before did not ask, so zeros for them will do.
            self._coverage_RS = np.zeros((len(self.tokens_R), 0))


def _add(coverage_RS: Doubles, attention_RS: Floats) -> Doubles:
    """The sum, over as many positions as the attention has: the padding may grow and shrink."""
    positions = attention_RS.shape[1]
    if coverage_RS.shape[1] < positions:
        missing = positions - coverage_RS.shape[1]
        coverage_RS = np.pad(coverage_RS, ((0, 0), (0, missing)))
    total_RS: Doubles = coverage_RS[:, :positions] + attention_RS
    return total_RS
