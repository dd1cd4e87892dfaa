"""What is learnt of the engine's own speed."""

import pytest

from service.decoding.pace import Line, Pace


def test_the_wait_is_forecast_from_the_seats_and_rows_freed_so_far() -> None:
    pace = Pace()
    for _ in range(10):
        pace.observe(freed_sources=1, freed_rows=4, seconds=0.002)

    assert 0.05 == pytest.approx(pace.wait_seconds(sources_short=3, rows_short=100))
    assert 0.06 == pytest.approx(pace.wait_seconds(sources_short=30, rows_short=100))
    assert 0.0 == pace.wait_seconds(sources_short=-3, rows_short=0)


def test_nothing_is_forecast_before_anything_is_known() -> None:
    assert 0.0 == Pace().wait_seconds(sources_short=1000, rows_short=1000)


def test_what_even_the_smallest_takes_is_found_from_larger_ones() -> None:
    line = Line()
    assert 0.0 == line.fixed
    for size in (8, 160, 400, 1000, 64):
        line.observe(size, 0.001 + 0.00002 * size)

    assert 0.001 == pytest.approx(line.fixed, rel=0.2)


def test_of_one_size_a_quarter_is_held_to_be_fixed() -> None:
    line = Line()
    for _ in range(9):
        line.observe(64, 0.004)

    assert 0.001 == pytest.approx(line.fixed)


def test_what_was_long_ago_is_forgotten() -> None:
    line = Line(memory=4)
    line.observe(8, 99.0)
    for size in (8, 80) * 50:
        line.observe(size, 0.001 * size)

    assert 0.0 == pytest.approx(line.fixed, abs=0.001)


def test_what_is_fixed_is_never_less_than_nothing_nor_more_than_all() -> None:
    falling, steep = Line(), Line()
    for size in (8, 80):
        falling.observe(size, 1.0 / size)
        steep.observe(size, size * size)

    assert falling.fixed <= (1 / 8 + 1 / 80) / 2 + 0.001
    assert 0.0 == steep.fixed
