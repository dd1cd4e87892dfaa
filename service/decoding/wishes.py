"""What a request may ask of its text beyond being probable: values, checked as they are made."""

from dataclasses import dataclass, field

from service.errors import InvalidArgument

Tokens = tuple[int, ...]
Edges = tuple[tuple[int, int], ...]

MAX_SAMPLING_TOP_K = 256
MAX_TEMPERATURE = 100.0
MIN_TEMPERATURE = 0.01
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Draw every token by its probability; `seed` decides what is drawn.

    Drawn from the `top_k` most probable tokens, after log-probabilities are divided by
    `temperature`, and of those from the fewest (most probable first) that have `top_p` of their
    probability together. Numbers are a function of seed, sample and step alone, so that a seed
    gives the same text in any company.
    """

    seed: int
    temperature: float = 1.0
    top_k: int = 64
    top_p: float = 1.0

    def __post_init__(self) -> None:
        check_range("sampling.seed", self.seed, 0, MAX_SEED)
        check_range("sampling.temperature", self.temperature, MIN_TEMPERATURE, MAX_TEMPERATURE)
        check_range("sampling.top_k", self.top_k, 1, MAX_SAMPLING_TOP_K)
        if not 0 < self.top_p <= 1:  # also refuses nan
            raise InvalidArgument(
                "sampling.top_p", f"must be above 0 and at most 1, got {self.top_p}"
            )


@dataclass(frozen=True, slots=True)
class Phrase:
    """All the ways to spell one phrase in tokens, as a graph from place 0 to place `len(edges)`.

    `edges[place]` lists (token, place behind it); places only grow. One spelling is a straight line
    (`Phrase.of`), and ways that meet in a place share what follows.

    From those come, by place, what goes `onward` (token to places) and the tokens that are
    `closing`: made here, at the door, and not where time is short.
    """

    edges: tuple[Edges, ...]
    onward: dict[int, dict[int, list[int]]] = field(init=False, compare=False, repr=False)
    closing: dict[int, frozenset[int]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        end = len(self.edges)
        onward: dict[int, dict[int, list[int]]] = {}
        closing: dict[int, frozenset[int]] = {}
        for place, edges in enumerate(self.edges):
            closing[place] = frozenset(token for token, there in edges if there == end)
            for token, there in edges:
                if there != end:
                    onward.setdefault(place, {}).setdefault(token, []).append(there)
        object.__setattr__(self, "onward", onward)
        object.__setattr__(self, "closing", closing)

    @classmethod
    def of(cls, tokens: Tokens) -> "Phrase":
        """The phrase with this one spelling."""
        return cls(tuple(((token, place + 1),) for place, token in enumerate(tokens)))


def check_range(field: str, value: float, low: float, high: float, limit: str = "") -> None:
    """Raise `InvalidArgument` unless `low <= value <= high`; `limit` names what `high` is."""
    if not low <= value <= high:  # also refuses nan
        named = f" ({limit})" if limit else ""
        raise InvalidArgument(field, f"must be between {low} and {high}{named}, got {value}")
