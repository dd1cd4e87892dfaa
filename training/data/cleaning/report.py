"""What cleaning did, as text for people and as JSON for scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.data.cleaning.mending import MENDS
from training.data.cleaning.rows import Cleaned, Example, keep_first
from training.data.cleaning.rules import RULES, Limits

__all__ = ["Part", "Report"]

_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Part:
    """How large a part is. ``wanted`` is None for what gets the rest."""

    name: str
    wanted: int | None
    pairs: int
    sources: int
    targets: int


@dataclass(kw_only=True, slots=True)
class Report:
    """Read = kept + dropped, rule by rule. Nothing in it depends on the machine or the time."""

    limits: Limits
    examples: int
    languages: tuple[str, str]
    seed: int
    notes: list[str] = field(default_factory=list)
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    drop_examples: dict[str, list[Example]] = field(default_factory=dict)
    mend_examples: dict[str, list[Example]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    usual_ratio: float = 1.0
    components: int = 0
    largest_component: int = 0

    @property
    def kept(self) -> int:
        return self.read - self.dropped.total()

    def add(self, chunk: Cleaned) -> None:
        """Add what a chunk came to."""
        self.read += chunk.read
        self.dropped += chunk.dropped
        self.mended += chunk.mended
        for language in chunk.unidentified:
            note = f"{language!r} is a language that cannot be identified, so it was not looked at"
            if note not in self.notes:
                self.notes.append(note)
        for mine, its in (
            (self.drop_examples, chunk.drop_examples),
            (self.mend_examples, chunk.mend_examples),
        ):
            for name, examples in its.items():
                for example in examples:
                    keep_first(mine, name, example, self.examples)

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "read": self.read,
            "kept": self.kept,
            "source_language": self.languages[0],
            "target_language": self.languages[1],
            "seed": self.seed,
            "parts": {
                part.name: {
                    "wanted": part.wanted,
                    "pairs": part.pairs,
                    "sources": part.sources,
                    "targets": part.targets,
                }
                for part in self.parts
            },
            "dropped": [
                {
                    "rule": name,
                    "limit": self.limits.values[name],
                    "says": self.limits.sentence(name),
                    "pairs": self.dropped[name],
                    "examples": [example._asdict() for example in self.drop_examples.get(name, ())],
                }
                for name in RULES
                if name in self.limits
            ],
            "not_applied": [name for name in RULES if name not in self.limits],
            "mended": [
                {
                    "what": name,
                    "says": MENDS[name],
                    "sentences": self.mended[name],
                    "examples": [
                        {"place": example.place, "before": example.source, "after": example.target}
                        for example in self.mend_examples.get(name, ())
                    ],
                }
                for name in MENDS
            ],
            "target_characters_per_source_character": round(self.usual_ratio, 4),
            "components": self.components,
            "largest_component": self.largest_component,
            "notes": self.notes,
        }

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=1) + "\n"

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.read} pairs read, {self.kept} kept ({_share(self.kept, self.read)})"
        yield from self._dropped_lines()
        yield from self._mended_lines()
        yield (
            f"\none character of a source makes {self.usual_ratio:.2f} of its target; "
            f"{self.components} groups of pairs that share no sentence, "
            f"the largest of {self.largest_component}"
        )
        for part in self.parts:
            wanted = "" if part.wanted in {None, part.pairs} else f" ({part.wanted} asked for)"
            yield (
                f"  {part.name:5} {part.pairs:>9} pairs{wanted}, "
                f"{part.sources} sources, {part.targets} targets"
            )
        for note in self.notes:
            yield f"note: {note}"

    def _dropped_lines(self) -> Iterator[str]:
        if self.dropped:
            yield "\ndropped:"
        for name, count in self.dropped.most_common():
            share = _share(count, self.read)
            yield f"  {count:>9} {share:>7}  {name}: {self.limits.sentence(name)}"
            for example in self.drop_examples.get(name, ()):
                sides = (example.source, example.target)
                detail = f"   ({example.detail})" if example.detail else ""
                yield f"             {example.place}: {_side_by_side(sides)}{detail}"

    def _mended_lines(self) -> Iterator[str]:
        if self.mended:
            yield "\nmended (sentences):"
        for name, count in self.mended.most_common():
            yield f"  {count:>9}          {name}: {MENDS[name]}"
            for example in self.mend_examples.get(name, ()):
                sides = (example.source, example.target)
                yield f"             {example.place}: {_side_by_side(sides, ' -> ')}"


def _side_by_side(sides: Sequence[str], between: str = " | ") -> str:
    return between.join(_short(side) for side in sides if side)


def _short(text: str) -> str:
    """``text`` on one line, with what cannot be seen written out."""
    cut = text[:_SHOWN_CHARACTERS]
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
    return shown + ("…" if len(text) > len(cut) else "")


def _share(count: int, of: int) -> str:
    return f"{count / of:.2%}" if of else "0%"
