"""Cleaning raw pairs: how many a minute, on all cores, files in to files out."""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.machine import ROOT
from tests.benchmarks.results import Row

_PAIRS = 1_000_000
_GERMAN = (
    "der die das ein eine und aber oder nicht auch sehr heute morgen gestern ich du er sie wir ihr "
    "habe hast hat haben bin bist ist sind war waren kann kannst können muss müssen möchte gehen "
    "kommen sehen hören sagen machen Haus Straße Schule Kind Mutter Vater Bruder Schwester Freund "
    "Buch Brot Wasser Tisch Fenster Tür Zug Bahnhof Stadt Land Tag Nacht Jahr Zeit Geld Arbeit gut "
    "schlecht groß klein alt neu schön müde mit ohne für gegen nach von zu über unter zwischen"
)
_ENGLISH = (
    "the a an and but or not also very today tomorrow yesterday I you he she we they have has had "
    "am is are was were can could must would like go come see hear say make house street school "
    "child mother father brother sister friend book bread water table window door train station "
    "city country day night year time money work good bad big small old new beautiful tired with "
    "without for against after from to over under between"
)


def pairs_a_minute(bench: Bench) -> Iterator[Row]:
    """The command as a user gives it, on pairs of random words with some of every kind of dirt."""
    what = "raw pairs cleaned and split, both languages identified"
    python = _python()
    if python is None:
        note = "needs the training environment: make train-env"
        yield Row(what=what, unit="pairs/min", parley=None, at_least=1_000_000, note=note)
        return
    count = max(1000, round(_PAIRS * bench.scale))
    raw = bench.work / "raw.tsv"
    tell(f"writing {count} pairs")
    write_pairs(raw, count)
    command = [str(python), "-m", "training", "prepare", str(raw), "--json", "--out"]
    languages = ["--source-language", "de", "--target-language", "en"]
    begin, busy = time.monotonic(), _cpu_seconds()
    done = subprocess.run(
        [*command, str(bench.work / "clean"), *languages],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, busy = time.monotonic() - begin, _cpu_seconds() - busy
    report = json.loads(done.stdout)
    size = raw.stat().st_size / count
    yield Row(
        what=what,
        unit="pairs/min",
        parley=report["read"] / seconds * 60,
        at_least=1_000_000,
        note=f"{count} pairs of {size:.0f} bytes in {seconds:.1f} s, {busy:.1f} s of all "
        f"cores, {report['kept'] / report['read']:.1%} kept",
    )


def _cpu_seconds() -> float:
    """What all ended children have used, and theirs: another process on the cores is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_pairs(path: Path, count: int) -> None:
    """Random sentences of everyday length, some of them dirty, some more than once."""
    chance, german, english = random.Random(1), _GERMAN.split(), _ENGLISH.split()
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            length = 2 + min(int(chance.expovariate(1 / 6)), 40)
            source = " ".join(chance.choices(german, k=length)).capitalize() + "."
            target = " ".join(chance.choices(english, k=length)).capitalize() + "."
            file.write(_soiled(source, target, chance.random()))


def _soiled(source: str, target: str, draw: float) -> str:
    """A line; one in fifty needs mending or dropping."""
    if draw < 0.005:
        source = source.encode().decode("cp1252", "replace")
    elif draw < 0.010:
        target = target.replace(" ", "&nbsp;", 1)
    elif draw < 0.013:
        target = source
    elif draw < 0.016:
        source, target = target, source
    elif draw < 0.018:
        target = f"<p>{target}</p>"
    line = f"{source}\t{target}\n"
    return line * 2 if draw > 0.998 else line


def _python() -> Path | None:
    """An interpreter that has what cleaning needs."""
    if find_spec("py3langid") and find_spec("tqdm"):
        return Path(sys.executable)
    other = ROOT / ".venv-train" / "bin" / "python"
    return other if other.exists() else None
