"""What the engine learns of its own speed: how fast rows become free, and what joining costs."""

# Sizes differ when they vary by more than this part of their mean.
_DIFFERENT = 0.1
_GUESS = 0.25  # the part that does not depend on the size


class Pace:
    """How fast seats and rows become free: decaying averages, to forecast the wait in the queue."""

    def __init__(self, memory_steps: int = 200) -> None:
        self._decay = 1 - 1 / memory_steps
        self._sources = self._rows = self._seconds = 0.0

    def observe(self, freed_sources: int, freed_rows: int, seconds: float) -> None:
        """Note one step that took `seconds` and freed so many seats, with so many rows."""
        self._sources = self._sources * self._decay + freed_sources
        self._rows = self._rows * self._decay + freed_rows
        self._seconds = self._seconds * self._decay + seconds

    def wait_seconds(self, sources_short: int, rows_short: int) -> float:
        """Seconds until so many seats and rows have become free; 0 while nothing is known."""
        if self._rows <= 0:
            return 0.0
        waits = (sources_short / self._sources, rows_short / self._rows)
        return max(0.0, *waits) * self._seconds


class Line:
    """What something takes lately by its size: a straight line through what was seen, which fades.

    Where sizes hardly differ, a quarter is held to have nothing to do with them.
    """

    def __init__(self, memory: int = 50) -> None:
        self._decay = 1 - 1 / memory
        # Sums over what was seen: of ones, sizes, values, sizes squared, sizes by values.
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)

    def observe(self, size: float, value: float) -> None:
        """Note one more; sizes are above 0."""
        count, sizes, values, squares, products = (each * self._decay for each in self._sums)
        self._sums = (
            count + 1,
            sizes + size,
            values + value,
            squares + size * size,
            products + size * value,
        )

    @property
    def fixed(self) -> float:
        """What the smallest would take: at least nothing, at most the average of all."""
        count, sizes, values, squares, products = self._sums
        if not count:
            return 0.0
        size, value = sizes / count, values / count
        spread = squares / count - size * size
        prior = (_DIFFERENT * size) ** 2
        slope = (products / count - size * value + prior * (1 - _GUESS) * value / size) / (
            spread + prior
        )
        return min(max(value - slope * size, 0.0), value)
