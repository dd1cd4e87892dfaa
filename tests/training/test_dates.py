"""The corpus of dates: every pair is true, and the score speaks of dates that were never seen."""

import calendar
import datetime
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.config import DataConfig
from training.data.corpus import read_corpus
from training.data.dates import _STYLES, date_pairs, write_date

GERMAN = "januar februar märz april mai juni juli august september oktober november dezember"
MONTHS = {name: number for number, name in enumerate(GERMAN.split(), 1)}
MONTHS |= {calendar.month_name[i].lower(): i for i in range(1, 13)}
MONTHS |= {calendar.month_abbr[i].lower(): i for i in range(1, 13)}
WEEKDAYS = [name.lower() for name in calendar.day_name]


def read_date(written: str) -> datetime.date:
    """What a reader who knows nothing of styles makes of it: the words and numbers decide."""
    text = written.lower()
    if re.fullmatch(r"\d{8}", text):
        return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    words = re.findall(r"[a-zä]{3,}", text)
    [year] = [number for number in numbers if number > 31]
    months = [MONTHS[word] for word in words if word in MONTHS]
    if months:
        [day] = [number for number in numbers if number != year]
        return datetime.date(year, months[0], day)
    first, second = [number for number in numbers if number != year]
    if numbers[0] == year:  # year/month/day
        return datetime.date(year, first, second)
    return datetime.date(year, second, first)  # day.month.year


@given(
    st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)),
    st.sampled_from(_STYLES),
    st.booleans(),
)
def test_every_style_reads_back_as_the_same_date(
    date: datetime.date, style: str, upper: bool
) -> None:
    written = write_date(date, style, upper=upper)

    assert date == read_date(written)


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)))
def test_the_weekday_is_the_right_one(date: datetime.date) -> None:
    written = write_date(date, "{weekday}, {day} {month} {year}")

    assert WEEKDAYS[date.weekday()] == written.split(",")[0].lower()


def test_every_pair_is_true() -> None:
    train, dev = date_pairs(2000, 500, seed=1)

    assert [] == [
        (written, iso) for written, iso in train + dev if read_date(written).isoformat() != iso
    ]


def test_no_date_stands_in_both_parts() -> None:
    train, dev = date_pairs(20_000, 2000, seed=1)

    assert set() == {iso for _, iso in train} & {iso for _, iso in dev}


def test_there_are_as_many_pairs_as_were_asked_for() -> None:
    train, dev = date_pairs(70, 30, seed=1)

    assert (70, 30) == (len(train), len(dev))


def test_a_seed_decides_the_corpus() -> None:
    assert date_pairs(50, 20, seed=4) == date_pairs(50, 20, seed=4)


def test_another_seed_gives_another_corpus() -> None:
    assert date_pairs(50, 20, seed=4) != date_pairs(50, 20, seed=5)


def test_the_recipe_decides_how_large_it_is(tmp_path: Path) -> None:
    config = DataConfig(kind="dates", train_pairs=40, dev_pairs=10)
    corpus = read_corpus(config, tmp_path, seed=1)

    assert (40, 10, []) == (len(corpus.train), len(corpus.dev), corpus.drops.lines())
