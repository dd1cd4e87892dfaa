"""What may be dropped and why: one table from which help, limits and reports are made.

A pair is dropped by the first rule, in this order, that it breaks, so that pairs read = pairs kept
+ pairs dropped, rule by rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RULES", "Limits", "Rule", "RuleError", "choose_limits"]


class RuleError(ValueError):
    """A rule or a limit that does not exist; the message names what does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """``says`` completes "dropped: ..."; ``limit`` is None where there is nothing to choose."""

    name: str
    says: str
    limit: float | None = None
    least: float = 0.0
    most: float = 1e9
    default: bool = True  # applied unless told otherwise
    always: bool = False  # such a line is no pair: nothing can be done with it

    def sentence(self, limit: float | None) -> str:
        """``says`` with the limit in its place."""
        return self.says.format(limit=limit)


RULES = {
    rule.name: rule
    for rule in (
        Rule(name="utf-8", says="not UTF-8", always=True),
        Rule(name="columns", says="too few columns", always=True),
        Rule(name="empty", says="an empty side", always=True),
        Rule(name="garbled", says="letters lost or garbled by a wrong encoding"),
        Rule(name="markup", says="tags of HTML or XML"),
        Rule(name="characters", says="longer than {limit:g} characters", limit=1000, least=1),
        Rule(name="words", says="longer than {limit:g} words", limit=200, least=1),
        Rule(
            name="letters",
            says="fewer than {limit:.0%} letters among the characters",
            limit=0.3,
            most=1.0,
        ),
        Rule(
            name="script",
            says="more than {limit:.0%} of the letters in a script that the language does not use",
            limit=0.3,
            most=1.0,
        ),
        Rule(name="character-run", says="a character {limit:g} times in a row", limit=10, least=2),
        Rule(name="word-run", says="a word {limit:g} times in a row", limit=5, least=2),
        Rule(name="copy", says="both sides the same"),
        Rule(name="numbers", says="numbers that differ between the sides", default=False),
        Rule(
            name="language",
            says="another language (that of its side has at most {limit:.0%} probability)",
            limit=0.05,
            most=1.0,
        ),
        Rule(name="held-out", says="a sentence of the files that are held out"),
        Rule(name="duplicate", says="the same pair again"),
        Rule(
            name="near-duplicate",
            says="the same pair again but for case, punctuation or white space",
        ),
        Rule(
            name="length-ratio",
            says="one side {limit:g} times too long for the other",
            limit=2.5,
            least=1.0,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules that apply, with their limits."""

    values: Mapping[str, float | None]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> float:
        """The limit of a rule that applies; 0 where it has none."""
        return self.values[name] or 0.0

    def get(self, name: str, otherwise: float) -> float:
        """The limit of a rule, or another value where the rule does not apply."""
        return otherwise if name not in self.values else self[name]

    def sentence(self, name: str) -> str:
        """What a pair did that was dropped by this rule."""
        return RULES[name].sentence(self.values[name])


def choose_limits(
    *,
    changed: Mapping[str, float] | None = None,
    with_: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
) -> Limits:
    """The table's rules and limits, with what a user asked for otherwise.

    Raises:
        RuleError: no such rule, no such limit, or a value out of range.
    """
    changed = changed or {}
    for name in (*changed, *with_, *without):
        if name not in RULES:
            raise RuleError(f"no rule {name!r}; there are: {', '.join(RULES)}")
    for name in without:
        if RULES[name].always:
            raise RuleError(f"rule {name!r} always applies: what breaks it is no pair")
    for name, value in changed.items():
        rule = RULES[name]
        if rule.limit is None:
            raise RuleError(f"rule {name!r} has no limit")
        if not rule.least <= value <= rule.most:
            raise RuleError(
                f"the limit of rule {name!r} must be from {rule.least:g} to {rule.most:g}, "
                f"not {value:g}"
            )
    applied = {
        name: changed.get(name, rule.limit)
        for name, rule in RULES.items()
        if (rule.default or name in with_ or name in changed) and name not in without
    }
    return Limits(applied)
