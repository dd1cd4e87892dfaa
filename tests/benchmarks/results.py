"""The table: one row a figure, with what it is compared with and what was aimed at."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Row", "around_marks", "kind", "markdown", "table", "write", "write_between_marks"]

_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure. `ratio` is Parley's over the peer's; `by_turns` is the median of those of single
    turns, which is steadier where a machine changes its speed.

    `target` reads "at least 3" or "at most 250"; `of` says whether the ratio or the figure itself
    is to meet it. `note` has what the figure alone does not tell, such as why there is no peer.
    """

    what: str
    unit: str
    parley: float | None
    peer: float | None = None
    peer_name: str = ""
    by_turns: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Parley over peer."""
        if self.by_turns is not None:
            return self.by_turns
        return self.parley / self.peer if self.parley is not None and self.peer else None

    @property
    def target(self) -> str:
        """What was aimed at, for the ratio where there is a peer, else for the figure."""
        if self.at_least is None and self.at_most is None:
            return ""
        limit = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return f"{limit}x" if self.peer_name else f"{limit} {self.unit}"

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None without a target, or without what it needs."""
        figure = self.ratio if self.peer_name else self.parley
        if figure is None or not self.target:
            return None
        if self.at_least is not None:
            return figure >= self.at_least
        return figure <= self.at_most

    def as_dict(self) -> dict[str, object]:
        """For latest.json."""
        fields = asdict(self)
        del fields["at_least"], fields["at_most"], fields["by_turns"]
        told = {"ratio": self.ratio, "target": self.target, "met": self.met}
        return {key: _short(value) for key, value in {**fields, **told}.items()}


def kind(beam: int) -> str:
    """What rows call decoding with so wide a beam."""
    return "greedy" if beam == 1 else f"beam {beam}"


def table(machine: dict[str, object], rows: Sequence[Row]) -> str:
    """For people: the machine, then the rows."""
    heading = ("what", "parley", "peer", "ratio", "target", "met", "")
    cells = [heading, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = [f"{key}: {_plain(value)}" for key, value in machine.items()]
    lines.append("")
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=False))
        lines.append("  ".join([*padded, line[6]]).rstrip())
    return "\n".join(lines)


def markdown(machine: dict[str, object], rows: Sequence[Row]) -> str:
    """The same for a document."""
    facts = "; ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in machine.items())
    lines = [facts + ".", "", "| what | Parley | peer | ratio | target | met | |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        cells = (cell.replace("|", "\\|") for cell in _cells(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def around_marks(path: Path) -> tuple[str, str]:
    """What a document has before and behind its table; raises ValueError if it has no place."""
    document = path.read_text()
    if document.count(_BEGIN) != 1 or document.count(_END) != 1:
        raise ValueError(f"{path} must have one line {_BEGIN} and one line {_END}")
    return document.split(_BEGIN)[0], document.split(_END)[1]


def write_between_marks(path: Path, text: str) -> None:
    """Put `text` between the marks that a document has for it; raises as `around_marks`."""
    head, tail = around_marks(path)
    path.write_text(f"{head}{_BEGIN}\n{text}\n{_END}{tail}")


def write(path: Path, machine: dict[str, object], rows: Sequence[Row]) -> None:
    """Write `{machine, rows}` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine, "rows": [row.as_dict() for row in rows]}
    path.write_text(json.dumps(found, indent=2) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[row.met]
    peer = f"{_number(row.peer)} {row.peer_name}" if row.peer is not None else row.peer_name
    figure = f"{_number(row.parley)} {row.unit}" if row.parley is not None else "-"
    return (row.what, figure, peer, _number(row.ratio), row.target, met, row.note)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
