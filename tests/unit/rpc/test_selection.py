"""Which model answers: by name, by languages, or not at all."""

import pytest

from service.errors import InvalidArgument, Unavailable
from service.rpc.selection import (
    Choices,
    Languages,
    ModelRef,
    check_languages,
    choose,
    parse_languages,
    parse_model,
)
from tests.unit.rpc.fakes import FakeVersion
from tests.unit.translation.fakes import manifest


def version(name: str, source: str = "de", target: str = "en", task: str = "translation"):
    return FakeVersion(name=name, manifest=manifest(source=source, target=target, task=task))


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("", None),
        ("tatoeba-de-en", ModelRef("tatoeba-de-en")),
        ("m/12", ModelRef("m", 12)),
    ],
)
def test_a_model_is_a_name_or_a_name_and_a_version(text, ref):
    assert ref == parse_model("model", text)


@pytest.mark.parametrize(
    "text", ["m/", "m/0", "m/01", "m/x", "/1", "../m", "m@stable", "m/1/2", "ä"]
)
def test_anything_else_is_no_model(text):
    with pytest.raises(InvalidArgument, match="NAME/VERSION") as caught:
        parse_model("model", text)

    assert "model" == caught.value.field


def test_language_tags_may_have_underscores():
    assert Languages("de-AT", "pt-BR") == parse_languages("de_AT", "pt_BR")


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        (("german!", ""), "source_language_code"),
        (("", "x"), "target_language_code"),
        (("", "x" + 50 * "-a"), "target_language_code"),
    ],
)
def test_what_is_no_language_tag_is_named(tags, field):
    with pytest.raises(InvalidArgument, match="BCP-47") as caught:
        parse_languages(*tags)

    assert field == caught.value.field


def test_a_single_model_needs_no_name_and_no_languages():
    assert ModelRef("a") == choose([version("a")], Languages())


def test_the_language_pair_chooses_among_several():
    models = [version("a", "de", "en"), version("b", "en", "de"), version("c", "fr", "en")]

    assert ModelRef("b") == choose(models, Languages("en", "de"))
    assert ModelRef("b") == choose(models, Languages("", "de"))
    assert ModelRef("c") == choose(models, Languages("fr", ""))


def test_several_models_of_a_pair_must_be_named():
    with pytest.raises(InvalidArgument, match=r"name one.*: de -> en \(a\), de -> en \(b\)"):
        choose([version("b"), version("a")], Languages("de", "en"))


def test_the_default_answers_what_several_fit_and_nothing_else():
    models = [version("a", "de", "en"), version("b", "en", "de"), version("c", "de", "en")]

    assert ModelRef("c") == choose(models, Languages(), "c")
    assert ModelRef("c") == choose(models, Languages("de"), "c")
    assert ModelRef("b") == choose(models, Languages("en"), "c")
    with pytest.raises(InvalidArgument, match="several models fit"):
        choose(models, Languages("de"), "b")


def test_what_translates_goes_before_what_rewrites():
    models = [version("dates", "und", "und", task="transduction"), version("a")]

    assert ModelRef("a") == choose(models, Languages())


def test_what_was_chosen_is_chosen_again_until_the_list_is_another():
    choices, versions = Choices(), [version("a")]
    wanted = Languages("de", "en")

    assert ModelRef("a") == choices.choose(versions, wanted) == choices.choose(versions, wanted)
    assert ModelRef("b") == choices.choose([version("b")], wanted)
    with pytest.raises(Unavailable):
        choices.choose([], wanted)


def test_a_pair_that_nobody_serves_lists_those_that_are_served():
    with pytest.raises(InvalidArgument, match=r"fr -> \(any\) is not served.*de -> en \(a\)"):
        choose([version("a")], Languages("fr", ""))


def test_versions_that_do_not_serve_are_not_chosen():
    failed = FakeVersion(name="b", state="failed", serving=False, manifest=None)

    assert ModelRef("a") == choose([failed, version("a")], Languages())
    with pytest.raises(Unavailable):
        choose([failed], Languages())


@pytest.mark.parametrize(
    ("asked", "offered", "served"),
    [
        ("de", "de", True),
        ("DE", "de", True),
        ("de-AT", "de", True),
        ("en", "en-GB", True),
        ("en-US", "en-GB", False),
        ("zh-Hant", "zh", False),
        ("zh-TW", "zh", True),
        ("nl", "de", False),
        ("de", "den", False),
    ],
)
def test_a_region_may_differ_in_detail_but_a_script_may_not(asked, offered, served):
    assert served == Languages(asked).fit(manifest(source=offered))


def test_a_named_model_is_not_asked_for_a_language_it_does_not_have():
    with pytest.raises(InvalidArgument, match="model 'a' translates de -> en"):
        check_languages(Languages("de", "fr"), "a", manifest())

    check_languages(Languages("de", "en"), "a", manifest())
