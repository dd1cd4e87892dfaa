"""The manifest: strict, and every problem at once."""

import contextlib
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import (
    BundleError,
    Manifest,
    check_manifest,
    dump_manifest,
    is_language,
    load_manifest,
    parse_manifest,
)
from service.bundle.graphs import SHORTLISTING, StateSpec
from tests.support.bundles import FROZEN, FROZEN_CACHES


@pytest.fixture
def plain() -> dict[str, Any]:
    """A sound manifest, as JSON has it."""
    data: dict[str, Any] = json.loads((FROZEN / "manifest.json").read_bytes())
    return data


def problems_of(plain: Any) -> tuple[str, ...]:
    with pytest.raises(BundleError) as refused:
        parse_manifest(json.dumps(plain).encode())
    return refused.value.problems


def test_what_was_written_is_read_back_equal() -> None:
    manifest = load_manifest(FROZEN)

    assert manifest == parse_manifest(dump_manifest(manifest))
    assert (FROZEN / "manifest.json").read_bytes() == dump_manifest(manifest)


def test_a_sound_manifest_has_no_problems() -> None:
    assert [] == check_manifest(load_manifest(FROZEN))


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Manifest)])
def test_no_key_may_be_missing(plain: dict[str, Any], key: str) -> None:
    del plain[key]

    assert (f"{key}: missing",) == problems_of(plain)


def test_unknown_missing_and_ill_typed_keys_are_reported_together(plain: dict[str, Any]) -> None:
    plain["colour"] = "red"
    plain["version"] = "1"
    del plain["limits"]["max_source_tokens"]
    plain["graphs"]["decoder"]["inputs"][2]["dtype"] = 7

    found = "\n".join(problems_of(plain))

    for part in (
        "colour: unknown key",
        "version: must be an integer, not '1'",
        "limits.max_source_tokens: missing",
        "graphs.decoder.inputs[2].dtype: must be text, not 7",
    ):
        assert part in found


def test_the_message_lists_every_problem(plain: dict[str, Any]) -> None:
    plain["name"] = "../evil"
    plain["version"] = 0

    with pytest.raises(BundleError, match=r"2 problems") as refused:
        parse_manifest(json.dumps(plain).encode(), path="m/1/manifest.json")

    assert str(refused.value).startswith("m/1/manifest.json: 2 problems:")
    assert "../evil" in str(refused.value)
    assert "version: must be between 1 and 999999999999999999, not 0" in str(refused.value)


def test_another_format_is_named_alone(plain: dict[str, Any]) -> None:
    """What else a later format says is not for this program to judge."""
    plain["format_version"] = 2
    plain["shiny"] = True

    assert ("format_version: is 2, this program reads format 1",) == problems_of(plain)


RULES = {
    "a name with a path": ("name", "a/b", "name: "),
    "a name that hides": ("name", ".tmp-1", "name: "),
    "a malformed language": ("source_language", "de_DE!", "BCP-47"),
    "an unknown task": ("task", "chat", "task: must be one of"),
    "no vocabulary": ("tokenizer.vocabulary_size", 0, "vocabulary_size"),
    "a tokenizer elsewhere": ("tokenizer.file", "../t.model", "no plain file name"),
    "equal special ids": ("special_ids.bos", 3, "must differ"),
    "a special id outside the vocabulary": ("special_ids.bos", 5000, "outside the vocabulary"),
    "a negative special id": ("special_ids.pad", -1, "outside the vocabulary"),
    "no room for a source": ("limits.max_source_tokens", 0, "between 1 and 65536, not 0"),
    "a beam of 0": ("decoding.beam", 0, "beam: must be between 1 and 32, not 0"),
    "a huge beam": ("decoding.beam", 10_000, "not 10000"),
    "an unknown normalisation": ("decoding.length_normalisation", "mean", "must be one of"),
    "a negative penalty": ("decoding.coverage_penalty", -0.5, "between 0 and 100"),
    "an unnamed quantisation": ("quantisation.scheme", "", "scheme"),
    "an ill-formed recipe hash": ("provenance.recipe_sha256", "ABC", "no SHA-256"),
    "a time without a zone": ("provenance.created", "2025-01-01T00:00:00", "ISO 8601"),
    "a graph elsewhere": ("graphs.encoder.file", "/etc/passwd", "no plain file name"),
    "a graph twice": ("graphs.encoder.file", "decoder.onnx", "both"),
    "an odd shape": ("graphs.decoder.inputs.0.shape", ["R", 1], "must be int64 [R]"),
    "an odd dtype": ("graphs.decoder.inputs.0.dtype", "int32", "must be int64 [R]"),
    "an unknown dtype": ("graphs.encoder.outputs.0.dtype", "object", "is not one of"),
    "a dimension of 0": ("graphs.encoder.outputs.1.shape", ["B", 0], "at least 1"),
    "a renamed input": ("graphs.decoder.inputs.0.name", "token", "'tokens_R' is missing"),
    "a memory that nobody makes": ("memories.0.name", "remembrance", "no output of the encoder"),
    "a state that nobody starts": ("states.0.initial", "nothing", "not an output of the encoder"),
    "a state that nobody updates": ("states.0.output", "nothing", "not an output of the decoder"),
    "a state that nobody reads": ("states.0.input", "nothing", "not an input of the decoder"),
    "a state that changes its size": (
        "graphs.decoder.outputs.4.shape",
        ["R", 9],
        "the ends differ",
    ),
    "neither memory nor state": ("memories", [], "neither a memory, nor a state"),
    "a file that the format does not know": (
        "files",
        {"weights.pkl": {"sha256": "0" * 64, "bytes": 1}},
        "not known to the format",
    ),
    "a file with a negative size": ("files.README.md", {"sha256": "0" * 64, "bytes": -1}, "bytes"),
    "an infinite quality": ("quality.0.value", 1e999, "Out of range float"),
}


@pytest.mark.parametrize(("path", "value", "expected"), RULES.values(), ids=RULES)
def test_each_rule_is_enforced(
    plain: dict[str, Any], path: str, value: object, expected: str
) -> None:
    at: Any = plain
    *way, last = ["files", "README.md"] if path.startswith("files.") else path.split(".")
    for key in way:
        at = at[int(key)] if key.isdigit() else at[key]
    at[last] = value
    text = json.dumps(plain).replace("Infinity", "1e999")

    with pytest.raises(BundleError) as refused:
        parse_manifest(text.encode())

    assert expected in str(refused.value)


@pytest.fixture
def caching() -> dict[str, Any]:
    """A sound manifest of a model whose states grow, as JSON has it."""
    data: dict[str, Any] = json.loads((FROZEN_CACHES / "manifest.json").read_bytes())
    return data


def test_a_state_that_grows_is_read(caching: dict[str, Any]) -> None:
    states = parse_manifest(json.dumps(caching).encode()).states

    assert [("first_cursor_B1", None), (None, 2), (None, 2)] == [
        (state.initial, state.growing_axis) for state in states
    ]


GROWTH_RULES = {
    "ages that nobody tells": ("graphs.decoder.inputs.7.name", "years", "'ages_R' is missing"),
    "a beginning": ("states.1.initial", "first_cursor_B1", "a state that grows begins empty"),
    "growing along the rows": ("states.1.growing_axis", 0, "0 is no axis"),
    "growing beyond the tensor": ("states.1.growing_axis", 4, "4 is no axis"),
    "growing elsewhere": ("states.1.growing_axis", 1, "axis 1 of 'keys_RHTD' must be T, not 2"),
    "not growing and no beginning": ("states.1.growing_axis", None, "may begin with nothing"),
    "another size behind": ("graphs.decoder.outputs.4.shape.1", 3, "the ends differ"),
}


@pytest.mark.parametrize(("path", "value", "expected"), GROWTH_RULES.values(), ids=GROWTH_RULES)
def test_each_rule_of_growing_states_is_enforced(
    caching: dict[str, Any], path: str, value: object, expected: str
) -> None:
    at: Any = caching
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if key.isdigit() else at[key]
    at[int(last) if last.isdigit() else last] = value

    assert expected in "\n".join(problems_of(caching))


def test_a_cache_may_vary_along_its_rows_and_entries_only(caching: dict[str, Any]) -> None:
    """Whoever holds it must know how much room to make."""
    for side, index in (("inputs", 8), ("outputs", 4)):
        caching["graphs"]["decoder"][side][index]["shape"] = ["R", "H", "T", 8]

    assert ("states[1]: 'keys_RHTD' may vary along R and T only",) == problems_of(caching)


def test_who_has_no_cache_is_not_told_ages(plain: dict[str, Any]) -> None:
    plain["graphs"]["decoder"]["inputs"].append(
        {"name": "ages_R", "dtype": "int64", "shape": ["R"]}
    )

    [problem] = problems_of(plain)
    assert "'ages_R' is neither a memory, nor a state" in problem


def test_attention_may_be_absent(plain: dict[str, Any]) -> None:
    del plain["graphs"]["decoder"]["outputs"][2]

    assert 4 == len(parse_manifest(json.dumps(plain).encode()).graphs.decoder.outputs)


def test_a_decoder_that_is_asked_for_single_tokens_must_answer(plain: dict[str, Any]) -> None:
    decoder = plain["graphs"]["decoder"]
    decoder["inputs"].append({"name": "probe_ids_RP", "dtype": "int64", "shape": ["R", "P"]})

    assert ("graphs.decoder.outputs: 'probe_log_probs_RP' is missing",) == problems_of(plain)

    answer = {"name": "probe_log_probs_RP", "dtype": "float32", "shape": ["R", "P"]}
    decoder["outputs"].append(answer)

    assert (
        "probe_log_probs_RP"
        == parse_manifest(json.dumps(plain).encode()).graphs.decoder.outputs[-1].name
    )


def test_a_decoder_with_a_shortlist_may_give_the_short_rows_answers_both_or_neither(
    plain: dict[str, Any],
) -> None:
    decoder = plain["graphs"]["decoder"]
    best = {"name": "short_log_probs_YK", "dtype": "float32", "shape": ["Y", "K"]}
    decoder["outputs"].append(best)

    [problem] = problems_of(plain)
    assert problem.startswith("graphs.decoder.outputs: 'short_log_probs_YK' is neither a memory")

    decoder["inputs"] += [
        {"name": name, "dtype": dtype, "shape": list(shape)}
        for name, (dtype, shape) in SHORTLISTING.items()
    ]

    assert "graphs.decoder.outputs: 'short_ids_YK' is missing" in problems_of(plain)

    decoder["outputs"].append({"name": "short_ids_YK", "dtype": "int64", "shape": ["Y", "K"]})

    assert ("files: 'shortlist' is missing",) == problems_of(plain)


@pytest.mark.parametrize("name", SHORTLISTING)
def test_a_decoder_with_a_shortlist_is_told_all_but_maybe_the_counts(
    plain: dict[str, Any], name: str
) -> None:
    plain["graphs"]["decoder"]["inputs"] += [
        {"name": other, "dtype": dtype, "shape": list(shape)}
        for other, (dtype, shape) in SHORTLISTING.items()
        if other != name
    ]
    missing = f"graphs.decoder.inputs: {name!r} is missing"

    assert (missing in problems_of(plain)) is (name != "candidate_counts_Y")


def test_a_model_without_memory_needs_no_slots(plain: dict[str, Any]) -> None:
    """A fixed context vector is a state; exporters drop inputs that nothing reads."""
    plain["memories"] = []
    del plain["graphs"]["encoder"]["outputs"][0]
    decoder = plain["graphs"]["decoder"]
    dropped = {"memory_BSH", "slots_BG", "slot_of_R", "source_lengths_B"}
    decoder["inputs"] = [t for t in decoder["inputs"] if t["name"] not in dropped]
    del decoder["outputs"][2]

    assert () == parse_manifest(json.dumps(plain).encode()).memories


def test_a_manifest_built_in_memory_is_checked_as_a_read_one() -> None:
    state = StateSpec(input="a", output="b", initial="c", growing_axis=None)
    manifest = dataclasses.replace(load_manifest(FROZEN), version=-1, states=(state,))

    found = "\n".join(check_manifest(manifest))

    assert "version: must be between 1 and 999999999999999999, not -1" in found
    assert "states[0].input: 'a' is not an input of the decoder" in found


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b'{"name": "a", "name": "b"}',
        b"1" * 5000,
    ],
)
def test_what_is_no_manifest_at_all_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    key=st.sampled_from([field.name for field in dataclasses.fields(Manifest)]), value=json_values
)
def test_no_value_whatsoever_brings_the_reader_down(key: str, value: object) -> None:
    plain = json.loads((FROZEN / "manifest.json").read_bytes())
    plain[key] = value

    with contextlib.suppress(BundleError):  # the one way to say no
        parse_manifest(json.dumps(plain).encode())


def test_a_missing_manifest_says_so(tmp_path: Any) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: No such file"):
        load_manifest(tmp_path)


def test_the_longest_target_follows_the_source_up_to_the_limit() -> None:
    manifest = load_manifest(FROZEN)

    assert 18 == manifest.decoding.max_length(10, manifest.limits)
    assert 80 == manifest.decoding.max_length(1000, manifest.limits)


@pytest.mark.parametrize(
    "tag",
    [
        "de",
        "en-GB",
        "zh-Hant",
        "zh-Hant-TW",
        "es-419",
        "und",
        "sl-rozaj-biske",
        "x-klingon",
        "de-CH-1901",
        "en-u-ca-gregory",
        "gsw",
        "ko-Hang-x-jamo",
    ],
)
def test_well_formed_language_tags_are_accepted(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize(
    "tag", ["", "d", "de_DE", "german!", "de-", "-de", "de--AT", "123", "de\n"]
)
def test_malformed_language_tags_are_refused(tag: str) -> None:
    assert not is_language(tag)
