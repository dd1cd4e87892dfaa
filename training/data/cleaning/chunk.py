"""One chunk of raw lines: read as pairs, mended, judged by every rule that looks at a pair alone.

This is what worker processes do; it needs nothing but the chunk and the plan. R = rows (pairs).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from training.data.cleaning.characters import kinds_of
from training.data.cleaning.checks import PAIR_CHECKS, SIDE_CHECKS, Side
from training.data.cleaning.reading import Chunk
from training.data.cleaning.rows import Cleaned, Plan, Rows
from training.data.cleaning.scripts import scripts_of

if TYPE_CHECKING:
    from training.data.cleaning.language import Identifier

__all__ = ["ChunkCleaner"]


class ChunkCleaner:
    """Cleans chunks, one by one, in any process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._languages = (plan.source_language, plan.target_language)
        self._kinds = [
            kinds_of(scripts_of(language) if language else None) for language in self._languages
        ]
        self._identifier: Identifier | None = None
        self._unidentified: tuple[str, ...] = ()
        if "language" in plan.limits and any(self._languages):
            # Its model takes half a second and 150 MB: only where somebody asks for it.
            from training.data.cleaning.language import identifier

            self._identifier = identifier()
            self._unidentified = tuple(
                each for each in self._languages if each and not self._identifier.knows(each)
            )

    def __call__(self, chunk: Chunk) -> Cleaned:
        """Read, mend, judge.

        Pairs that are kept come back as text and digests; the others as counts and examples.
        """
        rows = Rows.read(chunk, self._plan)
        sides = self._mended(rows)
        rows.drop("empty", np.array([not (s and t) for s, t in rows.pairs()], dtype=np.bool_))
        self._judge(rows, sides)
        return replace(rows.outcome(), unidentified=self._unidentified)

    def _mended(self, rows: Rows) -> list[Side]:
        sides = [Side(s, k) for s, k in zip((rows.source, rows.target), self._kinds, strict=True)]
        for place, side in enumerate(sides):
            suspects = np.flatnonzero(side.suspect()).tolist()
            if suspects:
                rows.mend(side.sentences, suspects)
                sides[place] = Side(side.sentences, self._kinds[place])
        return sides

    def _judge(self, rows: Rows, sides: list[Side]) -> None:
        limits = self._plan.limits
        for name, check in SIDE_CHECKS.items():
            if name in limits:
                rows.drop(name, check(sides[0], limits[name]) | check(sides[1], limits[name]))
        for name, compare in PAIR_CHECKS.items():
            if name in limits:
                rows.drop(name, compare(*sides))
        if self._identifier:
            for side, language in zip(sides, self._languages, strict=True):
                if language and self._identifier.knows(language):
                    self._judge_language(self._identifier, rows, side, language)

    def _judge_language(
        self, identifier: Identifier, rows: Rows, side: Side, language: str
    ) -> None:
        limit = self._plan.limits["language"]
        kept = np.flatnonzero(rows.kept())
        verdicts = identifier.verdicts([side.sentences[row] for row in kept], language)
        other = verdicts.other(limit)
        wrong_R = np.zeros(len(side.sentences), dtype=np.bool_)
        wrong_R[kept[other]] = True
        rows.drop(
            "language",
            wrong_R,
            {int(kept[at]): verdicts.sentence(int(at)) for at in np.flatnonzero(other)},
        )
