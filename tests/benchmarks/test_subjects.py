"""What is translated, and the searches and queues that Parley is compared with."""

import pytest

from service.decoding import EngineLimits
from tests.benchmarks.measures.arrivals import arrivals, mixed_requests
from tests.benchmarks.queueing import WorkClock, batched, continuous
from tests.benchmarks.static import StaticSearch
from tests.benchmarks.texts import Pairs, mixed_lengths, mixed_texts, texts_of
from tests.support.decoding import ManualClock

pytestmark = pytest.mark.benchmark


def test_texts_have_exactly_the_tokens_asked_for(subject):
    texts = texts_of(subject.bundle.tokenizer, 16, 40)

    assert 40 == len(set(texts))
    assert {16} == {len(subject.encode(text)) for text in texts}


def test_every_sentence_of_a_batch_gets_exactly_its_length(subject):
    requests = [
        subject.request(subject.encode("abc"), length=n, beam=b) for n in (1, 7) for b in (1, 3)
    ]

    assert [1, 1, 7, 7] == [len(r.best.tokens) for r in subject.engine().decode(requests)]


def test_mixed_lengths_are_of_all_kinds_and_within_the_limit():
    lengths = sorted(mixed_lengths(1000, longest=60))

    assert 18 == pytest.approx(lengths[500], abs=2)
    assert lengths[0] <= 5
    assert 60 == lengths[-1]


def test_mixed_texts_are_what_the_model_takes(subject):
    lengths = [len(subject.encode(t)) for t in mixed_texts(subject.bundle.tokenizer, 50, 40)]

    assert max(lengths) < 64
    assert len(set(lengths)) > 10


def test_a_file_of_pairs_is_read_once_per_source_with_all_its_references(pairs):
    read = Pairs.read(pairs, "2,1")

    assert (["abc", "def"], [["cba", "cab"], ["fed"]]) == (read.sources, read.references)


def test_static_search_finds_what_the_engine_finds(subject):
    requests = mixed_requests(subject, 20)
    found = StaticSearch(subject.stepper).decode(requests)
    tokens = [tuple(row[: r.max_length]) for row, r in zip(found.tolist(), requests, strict=True)]

    assert tokens == [each.best.tokens for each in subject.engine().decode(requests)]


class PacedClock(ManualClock):
    """A clock that moves only when it is told to."""

    def skip_to(self, moment):
        self.now = max(self.now, moment)


def test_batching_per_request_answers_a_batch_when_all_of_it_is_done(subject):
    """A batch takes a second; those who come meanwhile are the next, at most two at a time."""
    clock, sizes = PacedClock(), []

    def decode(requests):
        sizes.append(len(requests))
        clock.now += 1.0

    times = [0.5, 0.6, 0.7, 0.8, 9.0]
    latencies = batched(decode, 2, mixed_requests(subject, 5), times, clock)

    assert [1, 2, 1, 1] == sizes
    assert [1.0, 1.9, 1.8, 2.7, 1.0] == pytest.approx(latencies)


def test_everybody_is_served_and_time_without_work_is_skipped(subject):
    requests, clock = mixed_requests(subject, 10), WorkClock()
    times = [*arrivals(rate=2000.0, duration=0.1, seed=1), 5000.0]
    latencies = continuous(subject.stepper, EngineLimits(), requests, times, clock)

    assert len(times) == len(latencies)
    assert 0 < min(latencies) <= max(latencies) < 4000
    assert clock() > 5000


def test_arrivals_come_at_their_rate():
    assert 200 == pytest.approx(len(arrivals(rate=2000.0, duration=0.1, seed=1)), rel=0.3)
