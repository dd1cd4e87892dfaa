"""The bar tells how far it is, and how long it will take; only people see it."""

import io

import pytest

from service.cli.progress import Progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_with_a_known_whole_it_tells_share_speed_and_time_left(clock):
    progress = Progress(io.StringIO(), 400, visible=True, clock=clock)
    progress.advance(lines=30, size=100)

    assert " 25% |######                  | 30 lines, 3.0 lines/s, 0:30 left" == progress.text(
        110.0
    )


def test_without_it_tells_lines_and_speed(clock):
    progress = Progress(io.StringIO(), None, visible=True, clock=clock)
    progress.advance(lines=30, size=100)

    assert "30 lines, 3.0 lines/s" == progress.text(110.0)


def test_it_is_drawn_ten_times_a_second_at_most_and_taken_away_at_the_end(clock):
    stream = io.StringIO()
    progress = Progress(stream, None, visible=True, clock=clock)
    for moment in (100.5, 100.51, 100.59, 100.7):
        clock.now = moment
        progress.advance(1, 1)
    progress.close()

    assert 2 == stream.getvalue().count("lines/s")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_nothing_is_drawn_where_it_is_not_visible(clock):
    stream = io.StringIO()
    progress = Progress(stream, None, visible=False, clock=clock)
    progress.advance(1, 1)
    progress.close()

    assert "" == stream.getvalue()
