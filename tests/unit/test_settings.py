"""Settings: a flag over a variable over the default; everything wrong is said, clearly, at once."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import Address, Settings, options, parse_address, read_settings


def problems(flags: dict[str, str | None] | None = None, **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(flags, environ)
    return caught.value.problems


def test_without_flags_and_variables_everything_has_its_default() -> None:
    assert Settings() == read_settings({}, {})


def test_the_default_addresses_are_reachable_from_this_machine_only() -> None:
    assert Address("127.0.0.1", 50051) == Settings().listen
    assert Address("127.0.0.1", 8080) == Settings().http


def test_a_variable_wins_over_the_default() -> None:
    assert read_settings({}, {"PARLEY_MAX_ROWS": "7"}).max_rows == 7


def test_a_flag_wins_over_a_variable() -> None:
    assert read_settings({"max_rows": "8"}, {"PARLEY_MAX_ROWS": "7"}).max_rows == 8


def test_a_flag_that_was_not_given_leaves_the_variable() -> None:
    assert read_settings({"max_rows": None}, {"PARLEY_MAX_ROWS": "7"}).max_rows == 7


@pytest.mark.parametrize("option", options(), ids=lambda each: each.name)
def test_every_option_has_a_flag_a_variable_a_help_text_and_a_legal_default(option) -> None:
    assert option.flag.startswith("--")
    assert option.variable == "PARLEY_" + option.flag[2:].upper().replace("-", "_")
    assert option.help
    assert getattr(Settings(), option.name) == option.parse(option.default)


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().max_rows = 3  # type: ignore[misc]  # the attempt is the test


def test_an_unknown_variable_is_an_error_that_names_the_nearest_known_one() -> None:
    (problem,) = problems(PARLEY_MAX_ROW="7")

    assert problem.startswith("unknown variable PARLEY_MAX_ROW; did you mean PARLEY_MAX_ROWS")


def test_an_unknown_variable_like_no_other_lists_all_that_are_known() -> None:
    (problem,) = problems(PARLEY_XYZZY="7")

    assert all(option.variable in problem for option in options())


def test_variables_of_other_programs_are_none_of_our_business() -> None:
    assert Settings() == read_settings({}, {"PATH": "/bin", "PARLEYS": "x"})


@pytest.mark.parametrize(
    "name",
    [
        "PARLEY_SERVICE_HOST",
        "PARLEY_SERVICE_PORT",
        "PARLEY_SERVICE_PORT_GRPC",
        "PARLEY_PORT",
        "PARLEY_PORT_50051_TCP",
        "PARLEY_PORT_50051_TCP_ADDR",
        "PARLEY_CANARY_PORT_8080_TCP_PROTO",
        "PARLEY_CANARY_SERVICE_HOST",
    ],
)
def test_what_kubernetes_injects_for_a_service_called_parley_is_not_a_misspelt_setting(
    name: str,
) -> None:
    assert Settings() == read_settings({}, {name: "tcp://10.0.0.1:50051"})


def test_no_option_hides_behind_a_name_that_kubernetes_injects() -> None:
    for option in options():
        misspelt = option.variable + "X"

        assert problems(**{misspelt: "1"})


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("threads", "many", "a whole number from 0 to 1024"),
        ("threads", "-1", "a whole number from 0 to 1024"),
        ("threads", "1.5", "a whole number from 0 to 1024"),
        ("max_rows", "0", "a whole number from 1 to 65536"),
        ("default_model", "tatoeba-de-en/3", "the name of a model without its version"),
        ("max_rows", "", "a whole number from 1 to 65536"),
        ("max_rows", "9" * 30, "a whole number from 1 to 65536"),
        ("drain_seconds", "nan", "seconds from 0 to 3600"),
        ("drain_seconds", "inf", "seconds from 0 to 3600"),
        ("drain_seconds", "1h", "seconds from 0 to 3600"),
        ("poll_seconds", "0", "seconds from 0.05"),
        ("log_format", "xml", "one of text, json"),
        ("log_level", "LOUD", "one of debug, info, warning, error"),
        ("listen", "50051", "HOST:PORT"),
        ("listen", "localhost:", "HOST:PORT"),
        ("listen", "localhost:70000", "port from 0 to 65535"),
        ("listen", "::1:50051", "IPv6 host in brackets"),
        ("models", "", "the path of a directory"),
    ],
)
def test_an_illegal_value_is_refused_with_field_limit_and_value(
    name: str, value: str, limit: str
) -> None:
    (from_flag,) = problems({name: value})
    (from_variable,) = problems(**{f"PARLEY_{name.upper()}": value})

    assert from_flag.startswith(f"--{name.replace('_', '-')} must ")
    assert from_variable.startswith(f"PARLEY_{name.upper()} must ")
    for problem in (from_flag, from_variable):
        assert limit in problem
        assert "given '" in problem


def test_all_problems_are_reported_together() -> None:
    found = problems({"threads": "x"}, PARLEY_MAX_ROWS="x", PARLEY_TYPO="1")

    assert len(found) == 3


def test_grpc_and_http_cannot_share_an_address() -> None:
    assert "must differ" in problems({"listen": "127.0.0.1:8080"})[0]


def test_both_may_ask_for_a_free_port() -> None:
    settings = read_settings({"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}, {})

    assert settings.listen == settings.http


def test_http_can_be_off() -> None:
    assert read_settings({"http": "off"}, {}).http is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:1", Address("localhost", 1)),
        ("[::1]:50051", Address("::1", 50051)),
        (":50051", Address("0.0.0.0", 50051)),
    ],
)
def test_addresses_are_read(text: str, expected: Address) -> None:
    assert expected == parse_address(text)


@pytest.mark.parametrize("text", ["localhost:1", "[::1]:50051"])
def test_addresses_are_written_as_they_are_read(text: str) -> None:
    assert text == str(parse_address(text))


def test_models_is_a_path() -> None:
    assert Path("/srv/models") == read_settings({"models": "/srv/models"}, {}).models
