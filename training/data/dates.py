"""A corpus that needs no data: dates written in many styles, and the same dates in ISO 8601.

The task is small enough to learn in a minute and hard enough to need attention: the order of the
parts changes from style to style while the answer's order stays.
"""

from __future__ import annotations

import datetime
import random

__all__ = ["date_pairs", "write_date"]

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MONATE = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_FIRST, _LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
# Unambiguous styles only: 03/04/2020 has two readings and is left out.
_STYLES = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "the {ordinal} of {month} {year}",
    "{month} {ordinal}, {year}",
    "{day} {abbreviation} {year}",
    "{abbreviation}. {day}, {year}",
    "{day:02d}-{abbreviation}-{year}",
    "{day}. {monat} {year}",
    "{day:02d}.{number:02d}.{year}",
    "{year}/{number:02d}/{day:02d}",
    "{year}{number:02d}{day:02d}",
    "{year}, {month} {day}",
)


def write_date(date: datetime.date, style: str, *, upper: bool = False) -> str:
    """``date`` in one of the styles; ``upper`` shouts it."""
    text = style.format(
        day=date.day,
        ordinal=_ordinal(date.day),
        number=date.month,
        month=_MONTHS[date.month - 1],
        abbreviation=_MONTHS[date.month - 1][:3],
        monat=_MONATE[date.month - 1],
        weekday=_WEEKDAYS[date.weekday()],
        year=date.year,
    )
    return text.upper() if upper else text


def date_pairs(
    train: int, dev: int, seed: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """``train`` and ``dev`` pairs (written date, ISO date); no date stands in both parts."""
    rng = random.Random(seed)
    days = (_LAST - _FIRST).days + 1
    every = rng.sample(range(days), days)
    # One day in ten is held out, so that the score speaks of dates that were never seen in any
    # style.
    held_out, seen = every[: days // 10], every[days // 10 :]
    return _pairs(rng, seen, train), _pairs(rng, held_out, dev)


def _pairs(rng: random.Random, days: list[int], count: int) -> list[tuple[str, str]]:
    pairs = []
    for _ in range(count):
        date = _FIRST + datetime.timedelta(days=rng.choice(days))
        written = write_date(date, rng.choice(_STYLES), upper=rng.random() < 0.1)
        pairs.append((written, date.isoformat()))
    return pairs


def _ordinal(day: int) -> str:
    suffix = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"
