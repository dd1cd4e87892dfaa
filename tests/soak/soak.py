"""A crowd of visitors against the same visitors one by one: every answer must be the same.

Not nearly: tokens, scores, attention and texts are compared as the bytes of the response. Visitors
who leave, or whose deadline passes, may get their answer (the right one) or none.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.protobuf import text_format

from service.rpc.pb.parley.v1 import translation_pb2 as pb
from tests.soak.doors import Answer, Door
from tests.soak.visitors import Visitor

_TOO_LATE = {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


@dataclass(frozen=True, slots=True)
class Difference:
    """A visitor whom the crowd has changed the answer of."""

    number: int
    visitor: Visitor
    alone: Answer
    crowd: Answer

    def __str__(self) -> str:
        asked = text_format.MessageToString(self.visitor.request, as_utf8=True)
        told = "\n--- crowd\n".join(map(_spelt, (self.alone, self.crowd)))
        return f"visitor {self.number} asked\n{asked}--- alone\n{told}"


async def one_by_one(door: Door, visitors: Sequence[Visitor]) -> list[Answer]:
    """The answers that everybody gets with nobody else there, and with all the time they need."""
    return [await door.ask(each.request, None) for each in visitors]


async def all_at_once(door: Door, visitors: Sequence[Visitor], crowd: int) -> list[Answer]:
    """The answers with `crowd` of them there at any time; who leaves gets CANCELLED."""
    answers: list[Answer | None] = [None] * len(visitors)
    queue = iter(enumerate(visitors))

    async def come_and_go() -> None:
        for number, visitor in queue:
            answers[number] = await _visit(door, visitor)

    async with asyncio.TaskGroup() as group:
        for _ in range(crowd):
            group.create_task(come_and_go())
    return [each for each in answers if each is not None]


def differences(
    visitors: Iterable[Visitor], alone: Iterable[Answer], crowd: Iterable[Answer]
) -> list[Difference]:
    """Whoever did not get what they get alone, though they got something or had to."""
    triples = zip(visitors, alone, crowd, strict=True)
    return [
        Difference(number, visitor, expected, got)
        for number, (visitor, expected, got) in enumerate(triples)
        if got != expected and not _is_excused(visitor, got)
    ]


def outcomes(answers: Iterable[Answer]) -> dict[str, int]:
    """How many answers of each code."""
    return dict(Counter(each.code for each in answers).most_common())


async def _visit(door: Door, visitor: Visitor) -> Answer:
    asking = asyncio.ensure_future(door.ask(visitor.request, visitor.deadline))
    if visitor.leaves is not None:
        await asyncio.wait({asking}, timeout=visitor.leaves)
        asking.cancel()
    try:
        return await asking
    except asyncio.CancelledError:
        if not asking.cancelled():
            raise
        return Answer("CANCELLED")


def _is_excused(visitor: Visitor, got: Answer) -> bool:
    if visitor.leaves is not None and got.code == "CANCELLED":
        return True
    return visitor.deadline is not None and got.code in _TOO_LATE


def _spelt(answer: Answer) -> str:
    if answer.code != "OK":
        return f"{answer.code}: {answer.message}"
    return text_format.MessageToString(
        pb.TranslateResponse.FromString(answer.response), as_utf8=True
    )
