"""`parley bench`, against a server."""

import json
import signal
import subprocess
import sys
import time

import pytest

from service.cli import main
from service.cli.figures import progress_line
from service.cli.sentences import SENTENCES
from service.client import Call, Load, Record
from service.errors import InvalidArgument, NotFound, Overloaded


@pytest.fixture
def bench(door, capsys):
    """Run the command, briefly; returns exit code, standard output and standard error."""

    def run(*options: str) -> tuple[int, str, str]:
        length = () if "--duration" in options else ("--requests", "20")
        code = main(["bench", "--server", door.address, "--warm-up", "0", *length, *options])
        return (code, *capsys.readouterr())

    return run


def test_it_tells_throughput_latency_and_errors(bench):
    code, out, err = bench()
    rows = {line[:11].strip(): line[13:] for line in out.splitlines()}

    assert (0, "") == (code, err)
    assert ["load", "measured", "throughput", "latency, ms", "errors"] == list(rows)
    assert "closed loop, 16 callers, 1 text(s) per call, beam default" in out
    assert "20 calls in " in out
    assert all(f"{name} " in out for name in ("p50", "p90", "p99", "p99.9", "max"))
    assert "none" == rows["errors"]


def test_json_has_every_figure(bench):
    code, out, _ = bench("--json", "--concurrency", "4", "--beam", "3", "--batch", "2")
    told = json.loads(out)

    assert 0 == code
    assert ("closed", 4, None, 2, 3, 20) == tuple(
        told[key] for key in ("load", "concurrency", "rate", "batch", "beam", "calls")
    )
    assert {"mean", "p50", "p90", "p99", "p99_9", "max"} == set(told["latency"])
    assert told["texts_per_second"] == pytest.approx(2 * told["calls_per_second"])
    assert {} == told["errors"]


def test_open_loop_tells_how_late_the_caller_was(bench):
    code, out, _ = bench("--rate", "500")

    assert 0 == code
    assert "open loop, 500 calls/s wanted" in out
    assert "caller late by" in out


def test_a_duration_ends_it(bench):
    code, out, _ = bench("--duration", "0.2", "--json")

    assert 0 == code
    assert 0.2 == pytest.approx(json.loads(out)["seconds"], abs=0.05)


def test_without_a_file_it_sends_its_own_sentences(bench, door):
    bench("--requests", "24")

    assert set(SENTENCES) == {text for text, _ in door.translator.asked}


def test_the_lines_of_a_file_are_sent_in_turn(bench, door, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("one\n\ntwo\nthree\n")
    bench("--batch", "2", "--requests", "3", "--concurrency", "1", str(path))

    assert ["one", "one", "two", "three", "one", "two", "three"] == [
        text for text, _ in door.translator.asked
    ]


def test_options_reach_the_server(bench, door):
    lengths = ("--min-length", "5", "--max-length", "6")
    bench("--beam", "7", "--model", "m/1", "--source", "de", "--target", "en", *lengths)

    assert {(7, 5, 6)} == {
        (asked.beam, asked.min_length, asked.max_length) for _, asked in door.translator.asked
    }


def test_refused_calls_are_counted_not_repeated(bench, door):
    door.translator.troubles[SENTENCES[1]] = Overloaded("full", retry_after_s=60)
    code, out, _ = bench("--json", "--requests", "48")

    assert 0 == code
    assert {"RESOURCE_EXHAUSTED": 2} == json.loads(out)["errors"]


def test_when_no_call_succeeds_the_command_has_failed(bench, door, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("fine\nbad\n")
    door.translator.troubles["bad"] = Overloaded("full")
    code, out, _ = bench("--batch", "2", "--requests", "5", str(path))

    assert 1 == code
    assert "RESOURCE_EXHAUSTED 5" in out


@pytest.mark.parametrize(
    ("trouble", "code", "message"),
    [
        (InvalidArgument("beam", "must be between 1 and 32, got 0"), 2, "--beam: must be between"),
        (NotFound("model", "x", ["m"]), 1, "there is no model 'x'; available: m"),
    ],
)
def test_what_would_fail_every_call_is_told_once(bench, door, trouble, code, message):
    door.translator.troubles[SENTENCES[0]] = trouble
    found, out, err = bench()

    assert (code, "") == (found, out)
    assert err.startswith(f"parley bench: {message}")
    assert 1 == err.count("\n")


def test_no_server_is_one_clear_line(capfd):
    assert 1 == main(["bench", "--server", "127.0.0.1:1"])
    assert "no Parley server answers at 127.0.0.1:1" in capfd.readouterr().err


def test_a_file_without_text_is_an_error_of_use(bench, tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("\n \n")
    code, _, err = bench(str(path))

    assert (2, f"parley bench: {path}: nothing to translate\n") == (code, err)


@pytest.mark.parametrize(
    "options",
    [
        ("--concurrency", "0"),
        ("--rate", "-1"),
        ("--rate", "nan"),
        ("--rate", "5", "--concurrency", "2"),
        ("--duration", "5", "--requests", "2"),
        ("--batch", "many"),
    ],
)
def test_wrong_use_exits_with_2(options, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *options])

    assert 2 == caught.value.code
    assert "usage: parley bench" in capsys.readouterr().err


def test_ctrl_c_ends_early_and_reports(door):
    # A shell starts its background jobs with SIGINT ignored, and their children inherit that.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "service", "bench"]
    command += ["--server", door.address, "--json"]
    running = subprocess.Popen(
        [*command, "--duration", "600", "--warm-up", "0"], stdout=subprocess.PIPE, text=True
    )
    with running:
        while len(door.translator.asked) < 100:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        told = json.loads(running.stdout.read())

    assert 130 == running.returncode
    assert told["calls"] > 0
    assert told["seconds"] < 60


def progress(load: Load, now: float) -> str:
    calls = [Call(meant, meant, meant + 0.5, "OK") for meant in (9.0, 10.0, 11.0)]
    return progress_line(load, Record(calls=calls, measured_from=10.0, begun=5), now, 2.0)


def test_progress_tells_how_far_it_is():
    facts = "2 calls/s, 2 in flight"

    assert f"warming up, 3 s left: {facts}" == progress(Load(seconds=60.0), 7.0)
    assert f"2 of 60 s: {facts}" == progress(Load(seconds=60.0), 12.0)
    assert f"2 of 50 calls: {facts}" == progress(Load(calls=50), 12.0)
