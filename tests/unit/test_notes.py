"""Notes: everything is counted once, in order, before anybody looks."""

import threading

from prometheus_client import CollectorRegistry

from service.notes import Notes


def test_what_was_noted_is_counted_in_order_when_somebody_looks() -> None:
    registry, notes, counted = CollectorRegistry(), Notes(), []
    registry.register(notes)
    for fact in range(3):
        notes.add(counted.append, fact)

    assert [] == counted
    assert [] == list(registry.collect())
    assert [0, 1, 2] == counted


def test_many_notes_are_counted_before_anybody_looks() -> None:
    notes, counted = Notes(), []
    for fact in range(1000):
        notes.add(counted.append, fact)

    assert 1000 - len(counted) < 256
    assert list(range(len(counted))) == counted


def test_what_cannot_be_counted_does_not_keep_the_rest_from_it(caplog) -> None:
    notes, counted = Notes(), []
    notes.add(lambda fact: 1 / fact, 0)
    notes.add(counted.append, 1)
    notes.collect()

    assert [1] == counted
    assert ["counting failed"] == [record.message for record in caplog.records]


def test_a_note_added_while_others_are_counted_waits_for_the_next_look() -> None:
    notes, counted = Notes(), []
    notes.add(lambda _: notes.add(counted.append, "later"), None)
    notes.collect()

    assert [] == counted
    notes.collect()
    assert ["later"] == counted


def test_several_threads_count_each_note_once() -> None:
    notes, counted = Notes(), []

    def note() -> None:
        for _ in range(2000):
            notes.add(counted.append, 1)
            if len(counted) % 97 == 0:
                notes.collect()

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes.collect()

    assert 8000 == len(counted)
