"""The engine against its own parts: where the time of a batch goes."""

import itertools
import json
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnxruntime as ort

from service.decoding import StepReport
from service.decoding.session import OnnxStepper
from tests.benchmarks.bench import BATCH, SOURCE, TARGET, Bench, tell
from tests.benchmarks.results import Row
from tests.benchmarks.subject import Subject, on_core, seconds
from tests.benchmarks.texts import texts_of

_SHOWN = 6
_LOOPS = {"Scan", "Loop", "If"}
_LOOPING = "loops themselves"


def engine_against_parts(bench: Bench) -> Iterator[Row]:
    """The time of whole batches against the sum of onnxruntime's node times for the same steps."""
    subject = bench.subject
    texts = texts_of(subject.bundle.tokenizer, SOURCE, BATCH)
    for beam in (1, 5):
        requests = [subject.request(subject.encode(t), length=TARGET, beam=beam) for t in texts]
        reports: list[StepReport] = []
        engine = subject.engine(reports=reports)
        profiled = ProfiledSubject(bench.bundle, bench.work)
        spent: list[float] = []
        rounds = bench.rounds(30 if beam == 1 else 10)
        with on_core(bench.core):
            engine.decode(requests)
            profiled.engine().decode(requests)
            profiled.restart()
            watched = profiled.engine()
            reports.clear()
            for _round in range(rounds):
                spent.append(seconds(lambda e=engine, r=requests: e.decode(r)))
                watched.decode(requests)
        nodes = profiled.node_seconds()
        # What a loop takes beside its nodes is no node's time, and noting them is part of it.
        inside = {
            graph: (times.total() - times[_LOOPING]) / rounds for graph, times in nodes.items()
        }
        whole, parts = statistics.mean(spent), sum(inside.values())
        kind = "greedy" if beam == 1 else f"beam {beam}"
        yield Row(
            what=f"engine against its own parts, {kind}, batch {BATCH}",
            unit="batches/s",
            parley=1 / whole,
            peer=1 / parts,
            peer_name="sum of node times",
            at_least=0.8,
            note=f"encoder {inside['encoder'] * 1e3:.1f} ms, decoder {inside['decoder'] * 1e3:.1f} "
            f"ms in {TARGET} steps, of {whole * 1e3:.1f} ms",
        )
        stepping = sum(each.step_seconds + each.encode_seconds for each in reports)
        yield Row(
            what=f"host work beside the model, {kind}, batch {BATCH}",
            unit="% of the time",
            parley=100 * sum(each.host_seconds for each in reports) / stepping,
            at_most=15 if beam == 1 else None,
            note="of encoding and stepping",
        )
        for graph, times in nodes.items():
            tell(f"{kind}, {graph}: {shares(times)}")


class ProfiledSubject(Subject):
    """The same, on sessions that note the time of every node."""

    def __init__(self, path: Path, directory: Path) -> None:
        super().__init__(path)
        self._directory = directory
        self._numbers = itertools.count()  # a file's name has the second it was made in: too little
        self.restart()

    def restart(self) -> None:
        """A new stepper, to forget what was noted so far."""
        self._encoder = self.bundle.read_graph("encoder")
        self._sessions: dict[str, list[ort.InferenceSession]] = {"encoder": [], "decoder": []}
        self.stepper = OnnxStepper(
            self.bundle.manifest,
            self._encoder,
            self.bundle.read_graph("decoder"),
            threads=1,
            shortlist=self.bundle.shortlist,
            load=self._load,
        )

    def node_seconds(self) -> dict[str, Counter[str]]:
        """Seconds by graph and kind of node; ends the noting."""
        return {
            graph: sum((_by_kind(Path(s.end_profiling())) for s in sessions), Counter())
            for graph, sessions in self._sessions.items()
        }

    def _load(self, data: bytes, threads: int) -> ort.InferenceSession:
        """Of the encoder, or of a form in which the decoder is run."""
        graph = "encoder" if data is self._encoder else "decoder"
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(self._directory / f"{graph}-{next(self._numbers)}")
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._sessions[graph].append(session)
        return session


def _by_kind(profile: Path) -> Counter[str]:
    """Seconds by kind of node; what a loop takes beside the nodes in it is `_LOOPING`."""
    nodes = [
        (event["ts"], event["dur"], event["args"]["op_name"])
        for event in json.loads(profile.read_text())
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    ]
    profile.unlink()
    loops = sorted((ts, ts + dur) for ts, dur, kind in nodes if kind in _LOOPS)
    starts = [start for start, _ in loops]
    found: Counter[str] = Counter({_LOOPING: sum(end - start for start, end in loops)})
    for ts, dur, kind in nodes:
        if kind not in _LOOPS:
            found[kind] += dur
            loop = bisect_right(starts, ts) - 1
            if loop >= 0 and ts < loops[loop][1]:
                found[_LOOPING] -= dur
    return Counter({kind: microseconds / 1e6 for kind, microseconds in found.items()})


def shares(times: Counter[str]) -> str:
    """The kinds of nodes that take most, in percent."""
    whole = sum(times.values())
    shown = times.most_common(_SHOWN)
    told = [f"{kind} {seconds_ / whole:.0%}" for kind, seconds_ in shown]
    rest = 1 - sum(seconds_ for _, seconds_ in shown) / whole
    return ", ".join([*told, f"others {rest:.0%}"])
