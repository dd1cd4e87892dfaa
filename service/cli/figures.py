"""How `parley bench` tells what it has measured: on the way, as JSON, as a table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from service import __version__

if TYPE_CHECKING:
    from service.client import Load, Record, Report

__all__ = ["progress_line", "table", "told"]


def progress_line(load: Load, record: Record, now: float, pace: float) -> str:
    """How far the measurement has come at the time `now`; `pace` is in calls a second."""
    facts = f"{pace:.0f} calls/s, {record.in_flight} in flight"
    if now < record.measured_from:
        return f"warming up, {record.measured_from - now:.0f} s left: {facts}"
    passed = now - record.measured_from
    if load.calls is None:
        return f"{passed:.0f} of {load.seconds:.0f} s: {facts}"
    done = sum(call.meant >= record.measured_from for call in record.calls)
    return f"{done} of {load.calls} calls: {facts}"


def told(args: argparse.Namespace, report: Report) -> dict[str, Any]:
    """What was asked for and what was found, as JSON tells it."""
    return {
        "server": args.server,
        "load": "closed" if args.rate is None else "open",
        "concurrency": args.concurrency if args.rate is None else None,
        "rate": args.rate,
        "batch": args.batch,
        "model": args.model,
        "beam": args.beam,
        "warm_up_seconds": args.warm_up,
        "parley_version": __version__,
        **report.as_dict(),
    }


def table(facts: dict[str, Any]) -> str:
    """The same for people."""
    pattern = (
        f"closed loop, {facts['concurrency']} callers"
        if facts["rate"] is None
        else f"open loop, {facts['rate']:g} calls/s wanted"
    )
    rows = [
        (
            "load",
            f"{pattern}, {facts['batch']} text(s) per call, beam {facts['beam'] or 'default'}",
        ),
        ("measured", f"{facts['calls']} calls in {facts['seconds']:.1f} s"),
        (
            "throughput",
            f"{facts['calls_per_second']:.1f} calls/s, {facts['texts_per_second']:.1f} texts/s",
        ),
    ]
    if latency := facts["latency"]:
        names = {"p99_9": "p99.9"}
        cells = [f"{names.get(name, name)} {value:.2f}" for name, value in latency.items()]
        rows.append(("latency, ms", "  ".join(cells)))
    if facts["rate"] is not None:
        rows.append(("caller late by", f"{facts['worst_lag_ms']:.2f} ms at worst"))
    errors = ", ".join(f"{code} {count}" for code, count in facts["errors"].items())
    rows.append(("errors", errors or "none"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
