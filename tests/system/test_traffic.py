"""Many clients at once, and clients who ask for nonsense: each gets the right answer."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from service.rpc.pb.parley.v1 import translation_pb2 as pb
from tests.system.server import Server

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "while", "Zoe", "reads")


def sentence(client: int, number: int) -> str:
    length = 2 + (client + 3 * number) % 7
    return " ".join(WORDS[(client * 5 + number + k) % len(WORDS)] for k in range(length))


def scored(server: Server, contents: list[str], beam: int) -> list[tuple[str, float]]:
    answer = server.translation.Translate(
        pb.TranslateRequest(contents=contents, options=pb.TranslateOptions(beam=beam)), timeout=60
    )
    return [(each.translated_text, each.hypotheses[0].log_prob) for each in answer.translations]


def test_32_concurrent_clients_get_exactly_what_each_gets_alone(shared_server: Server) -> None:
    requests = [
        ([sentence(client, number) for number in range(1 + client % 4)], 1 + client % 5)
        for client in range(32)
    ]
    alone = [scored(shared_server, contents, beam) for contents, beam in requests]
    with ThreadPoolExecutor(32) as clients:
        crowds = [
            clients.submit(scored, shared_server, contents, beam) for contents, beam in requests
        ]
        crowd = [each.result() for each in crowds]

    assert alone == crowd


def test_what_goes_in_first_comes_out_first(shared_server: Server) -> None:
    contents = [sentence(n, n) for n in range(64)]

    assert [each[::-1] for each in contents] == shared_server.translate(*contents)


def test_greedy_is_a_beam_of_one(shared_server: Server) -> None:
    contents = [sentence(n, n) for n in range(8)]
    options = pb.TranslateOptions(beam=1, n_best=1)

    assert [each[::-1] for each in contents] == shared_server.translate(*contents, options=options)


INVALID = grpc.StatusCode.INVALID_ARGUMENT
BAD = {
    "no text": ({"contents": []}, INVALID),
    "empty text": ({"contents": [""]}, INVALID),
    "only white space": ({"contents": [" \n"]}, INVALID),
    "100 kB of text": ({"contents": ["x" * 100_000]}, INVALID),
    "too many texts": ({"contents": ["x"] * 65}, INVALID),
    "unknown model": ({"contents": ["x"], "model": "nope"}, grpc.StatusCode.NOT_FOUND),
    "unknown version": ({"contents": ["x"], "model": "reverse/9"}, grpc.StatusCode.NOT_FOUND),
    "unknown language": (
        {"contents": ["x"], "source_language_code": "tlh", "target_language_code": "en"},
        None,
    ),
    "beam 0": ({"contents": ["x"], "options": pb.TranslateOptions(beam=0)}, INVALID),
    "beam 10000": ({"contents": ["x"], "options": pb.TranslateOptions(beam=10_000)}, INVALID),
    "n_best above beam": (
        {"contents": ["x"], "options": pb.TranslateOptions(beam=2, n_best=3)},
        INVALID,
    ),
    "unknown mime type": ({"contents": ["x"], "mime_type": "image/png"}, INVALID),
}


@pytest.mark.parametrize(("fields", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_gets_the_right_status_and_the_server_goes_on(
    shared_server: Server, fields: dict[str, Any], code: grpc.StatusCode | None
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shared_server.translation.Translate(pb.TranslateRequest(**fields), timeout=30)

    expected = {code} if code else {INVALID, grpc.StatusCode.NOT_FOUND}
    assert caught.value.code() in expected
    assert caught.value.details()
    assert ["cba"] == shared_server.translate("abc")


def test_bytes_that_are_no_request_are_refused(shared_server: Server) -> None:
    call = shared_server.channel.unary_unary("/parley.v1.Translation/Translate")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\x0a\x02\xff\xfe", timeout=30)  # contents = two bytes that are not UTF-8

    assert caught.value.code() is INVALID
    assert ["cba"] == shared_server.translate("abc")


def test_a_deadline_in_the_past_is_exceeded(shared_server: Server) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shared_server.translate("abc", timeout=-1)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert ["cba"] == shared_server.translate("abc")


HEAVY = pb.TranslateRequest(
    contents=["the quick brown fox jumps over the lazy dog"] * 64,
    options=pb.TranslateOptions(beam=32),
)
LIVE_ROWS = 'parley_live_rows{model="reverse",version="1"}'


def test_the_work_of_a_caller_who_goes_away_is_dropped(shared_server: Server) -> None:
    call = shared_server.translation.Translate.future(HEAVY, timeout=60)
    shared_server.wait_for(lambda: shared_server.metric(LIVE_ROWS) > 0)
    call.cancel()
    shared_server.wait_for(lambda: shared_server.metric(LIVE_ROWS) == 0, patience=2)

    dropped = 'parley_sentences_total{model="reverse",outcome="cancelled",version="1"}'
    assert shared_server.metric(dropped) > 0
    handled = 'grpc_server_handled_total{grpc_code="Canceled",grpc_method="Translate"'
    assert shared_server.metric(handled) >= 1


def test_the_work_of_a_call_whose_time_is_over_is_dropped(shared_server: Server) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shared_server.translation.Translate(HEAVY, timeout=0.1)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    shared_server.wait_for(lambda: shared_server.metric(LIVE_ROWS) == 0, patience=2)
    assert ["cba"] == shared_server.translate("abc")


def test_a_method_that_does_not_exist_is_unimplemented(shared_server: Server) -> None:
    call = shared_server.channel.unary_unary("/parley.v1.Translation/Sing")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_metrics_tell_of_the_traffic_and_promtool_has_nothing_to_say(
    shared_server: Server,
) -> None:
    shared_server.translate("abc", "def")
    with pytest.raises(grpc.RpcError):
        shared_server.translate()
    status, text = shared_server.get("/metrics")

    assert 200 == status
    call = 'grpc_method="Translate",grpc_service="parley.v1.Translation",grpc_type="unary"'
    version = 'model="reverse",version="1"'
    for line in (
        f'grpc_server_handled_total{{grpc_code="OK",{call}}}',
        f'grpc_server_handled_total{{grpc_code="InvalidArgument",{call}}}',
        f"grpc_server_handling_seconds_count{{{call}}}",
        f"parley_tokens_total{{{version}}}",
        f"parley_step_seconds_count{{{version}}}",
        f"parley_step_rows_count{{{version}}}",
        f"parley_queue_wait_seconds_count{{{version}}}",
        f"parley_first_token_seconds_count{{{version}}}",
        'parley_model_serving_version{model="reverse"}',
    ):
        assert shared_server.metric(line) > 0, line
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )

    assert (0, b"", b"") == (checked.returncode, checked.stdout, checked.stderr)


def test_an_idle_server_shows_an_empty_batch(shared_server: Server) -> None:
    shared_server.translate("abc")

    shared_server.wait_for(lambda: shared_server.metric(LIVE_ROWS) == 0, patience=2)


def test_no_text_of_a_user_reaches_log_or_metrics(shared_server: Server) -> None:
    secret = "Xylophon Quetzal"
    shared_server.translate(secret)
    with pytest.raises(grpc.RpcError):
        shared_server.translate(secret, options=pb.TranslateOptions(beam=0))

    assert "Xylophon" not in shared_server.get("/metrics")[1]
    assert "Xylophon" not in str(shared_server.entries())


def test_an_unknown_page_is_not_found(shared_server: Server) -> None:
    assert 404 == shared_server.get("/admin")[0]
    assert 200 == shared_server.get("/")[0]
