"""`parley translate`, against a server."""

import json
import subprocess
import sys

import pytest

from service.cli import main
from service.decoding import SamplingOptions
from service.errors import InvalidArgument, NotFound, Overloaded
from service.translation import Term


@pytest.fixture
def translate(door, tmp_path, capsysbinary):
    """Run the command on a file; returns exit code, standard output and standard error."""

    def run(content: str | bytes, *options: str) -> tuple[int, str, str]:
        path = tmp_path / "in.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = main(["translate", "--server", door.address, *options, str(path)])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def test_one_line_comes_out_for_each_line_in(translate):
    assert (0, "A\n\nB\n  \nC D\n", "") == translate("a\n\nb\n  \nc d")


def test_line_ends_are_kept(translate):
    assert (0, "A\r\nB\n", "") == translate(b"a\r\nb\n")


def test_blank_lines_are_not_sent(translate, door):
    assert (0, "\n \n", "") == translate("\n \n")
    assert [] == door.translator.asked


def test_a_thousand_lines_stay_in_order(translate):
    lines = [f"line {number}" for number in range(1000)]

    assert (0, "".join(f"{line.upper()}\n" for line in lines), "") == translate("\n".join(lines))


def test_options_reach_the_server(translate, door):
    options = "--beam 5 --n-best 2 --alignments --model m/1 --source de --target en"
    translate("a\n", *options.split())
    ((_, asked),) = door.translator.asked

    assert (5, 2, True) == (asked.beam, asked.n_best, asked.alignments)
    assert not asked.whole_vocabulary


def test_the_whole_vocabulary_can_be_asked_for(translate, door):
    translate("a\n", "--whole-vocabulary")
    ((_, asked),) = door.translator.asked

    assert asked.whole_vocabulary


def test_wishes_reach_the_server(translate, door):
    bans = "--forbid b --forbid c --no-repeat-ngram 3 --repetition-penalty 1.5"
    others = "--token-reward -0.5 --prefix d --alternatives --seed 7 --top-p 0.9"
    translate("a\n", *bans.split(), *others.split(), "--term", "x=y=z", "--require", "e")
    ((_, asked),) = door.translator.asked

    assert ((Term("x", "y=z"),), ("e",)) == (asked.terminology, asked.required_phrases)

    assert (("b", "c"), 3, 1.5, -0.5, "d", True, SamplingOptions(seed=7, top_p=0.9)) == (
        asked.forbidden_phrases,
        asked.no_repeat_ngram,
        asked.repetition_penalty,
        asked.token_reward,
        asked.target_prefix,
        asked.alternatives,
        asked.sampling,
    )


def test_a_term_without_its_translation_is_an_error_of_use(translate, capsysbinary):
    with pytest.raises(SystemExit) as caught:
        translate("a\n", "--term", "Haus")

    assert 2 == caught.value.code
    assert b"--term: 'Haus' is not SOURCE=TARGET" in capsysbinary.readouterr().err


def test_without_a_flag_nothing_is_drawn(translate, door):
    translate("a\n")
    translate("b\n", "--sample")

    assert [None, SamplingOptions()] == [asked.sampling for _, asked in door.translator.asked]


def test_n_best_lists_name_line_translation_and_score(translate):
    assert (0, "0 ||| A ||| -0.375000\n1 |||  ||| 0\n2 ||| B ||| -0.375000\n", "") == translate(
        "a\n\nb\n", "--n-best", "1"
    )


def test_alignments_follow_the_pieces_they_connect(translate):
    assert (0, "A ||| a </s> ||| A </s> ||| 0-0\n", "") == translate("a\n", "--alignments")


def test_json_tells_everything_one_object_a_line(translate):
    code, out, _ = translate("a\n\n", "--json")
    first, second = (json.loads(line) for line in out.splitlines())

    assert 0 == code
    assert (0, "a", "A", "m/1") == (
        first["line"],
        first["source"],
        first["translated_text"],
        first["model"],
    )
    assert {"line": 1, "source": "", "translated_text": ""} == second


def test_bytes_that_are_no_text_are_an_error_with_their_line(translate):
    code, out, err = translate(b"a\nb\n\xff\n")

    assert (1, "A\nB\n") == (code, out)
    assert err.startswith("parley translate: ")
    assert "in.txt:3: is not UTF-8: byte 0xff at column 1" in err


def test_a_line_that_is_too_long_is_an_error_with_its_line(translate):
    code, out, err = translate("a\n" + "x" * 100_000 + "\nb\n")

    assert (1, "A\n") == (code, out)
    assert "in.txt:2: has 100000 characters; the limit is 30000" in err


@pytest.mark.parametrize(
    ("trouble", "code", "message"),
    [
        (InvalidArgument("beam", "must be between 1 and 32, got 0"), 2, "--beam: must be between"),
        (InvalidArgument("sampling.top_k", "must be"), 2, "--top-k: must be"),
        (InvalidArgument("terminology[0].target", "is empty"), 2, "--term: is empty"),
        (InvalidArgument("forbidden_phrases[1]", "is empty"), 2, "--forbid: is empty"),
        (NotFound("model", "x", ["m"]), 1, "there is no model 'x'; available: m"),
        (RuntimeError("secret"), 1, "internal error"),
    ],
)
def test_what_the_server_complains_of_is_one_clear_line(translate, door, trouble, code, message):
    door.translator.troubles["a"] = trouble
    found, out, err = translate("a\n")

    assert (code, "") == (found, out)
    assert err.startswith(f"parley translate: {message}")
    assert 1 == err.count("\n")


def test_a_full_server_is_asked_again_when_it_says(translate, door):
    class Once(dict):
        def __contains__(self, text: object) -> bool:
            return text == "a" and len(door.translator.asked) == 1

    door.translator.troubles = Once(a=Overloaded("full", retry_after_s=0.01))

    assert (0, "A\n", "") == translate("a\n")


def test_a_language_pair_that_is_not_served_is_an_error_of_use(translate):
    code, _, err = translate("a\n", "--target", "fr")

    assert 2 == code
    assert "parley translate: --target: the language pair (any) -> fr is not served" in err


def test_no_server_is_one_clear_line(tmp_path, capfd):
    path = tmp_path / "in.txt"
    path.write_text("a\n")

    assert 1 == main(["translate", "--server", "127.0.0.1:1", str(path)])
    assert (
        "parley translate: no Parley server answers at 127.0.0.1:1 (Connection refused); "
        "start one with `parley serve`, or name another\n" == capfd.readouterr().err
    )


def test_no_file_is_one_clear_line(door, capfd):
    assert 1 == main(["translate", "--server", door.address, "/nowhere"])
    assert "parley translate: /nowhere: No such file or directory\n" == capfd.readouterr().err


def test_standard_input_is_read_and_its_reader_may_leave(door):
    """`... | head -1`: a broken pipe ends the command without a word."""
    command = f"yes Hallo | head -20000 | {sys.executable} -m service translate --server "
    done = subprocess.run(
        f"{command} {door.address} | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert ("HALLO\n", "") == (done.stdout, done.stderr)


def test_ctrl_c_ends_it_at_once_though_it_waits_for_input(door):
    # A shell starts its background jobs with SIGINT ignored, and their children inherit that.
    running = subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-m",
            "service",
            "translate",
            "--server",
            door.address,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        running.stdin.write("Hallo\n")
        running.stdin.flush()
        answer = running.stdout.readline()
        running.send_signal(2)

        assert "HALLO\n" == answer
        assert (130, "") == (running.wait(10), running.stderr.read())
