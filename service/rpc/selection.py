"""Which model a request is for: by name, or by its languages. Pure functions of the list."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from service.bundle import Manifest, is_language, is_model_name
from service.errors import InvalidArgument, Unavailable
from service.rpc.ports import VersionStatus

__all__ = [
    "Choices",
    "Languages",
    "ModelRef",
    "check_languages",
    "choose",
    "parse_languages",
    "parse_model",
    "serving",
]

_MOST_CHOICES = 64
_LONGEST_TAG = 100  # RFC 5646, 4.4.1, has 35 for the longest that anybody needs

_VERSION = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model, and one version of it or whichever serves."""

    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Languages:
    """What the caller wants from what; an empty string leaves it to the model."""

    source: str = ""
    target: str = ""

    def __bool__(self) -> bool:
        return bool(self.source or self.target)

    def fit(self, manifest: Manifest) -> bool:
        """Whether a model of these languages is what the caller asks for."""
        return _fits(self.source, manifest.source_language) and _fits(
            self.target, manifest.target_language
        )


def parse_model(field: str, text: str) -> ModelRef | None:
    """Read "NAME" or "NAME/VERSION"; None when empty. Raises InvalidArgument."""
    if not text:
        return None
    name, slash, version = text.partition("/")
    if is_model_name(name) and not slash:
        return ModelRef(name)
    if is_model_name(name) and _VERSION.fullmatch(version):
        return ModelRef(name, int(version))
    raise InvalidArgument(
        field,
        f"'{_shown(text)}' is no model; give NAME or NAME/VERSION, such as "
        "tatoeba-de-en or tatoeba-de-en/1",
    )


def parse_languages(source: str, target: str) -> Languages:
    """Read two BCP-47 tags, of which any may be empty. Raises InvalidArgument."""
    for field, tag in (("source_language_code", source), ("target_language_code", target)):
        if tag and (len(tag) > _LONGEST_TAG or not is_language(tag.replace("_", "-"))):
            raise InvalidArgument(
                field, f"'{_shown(tag)}' is no BCP-47 language tag, such as de or pt-BR"
            )
    return Languages(source.replace("_", "-"), target.replace("_", "-"))


def serving(versions: Iterable[VersionStatus]) -> list[tuple[str, Manifest]]:
    """(name, manifest) of what answers when only a name is given, by name."""
    found = ((each.name, each.manifest) for each in versions if each.serving)
    return sorted(((n, m) for n, m in found if m is not None), key=lambda pair: pair[0])


def choose(versions: Sequence[VersionStatus], languages: Languages, default: str = "") -> ModelRef:
    """The model for a request that names none; `default` is one that goes before others.

    Raises Unavailable when nothing is ready, and InvalidArgument when no model fits the languages
    or several do, none of them the default.
    """
    ready = serving(versions)
    if not ready:
        raise Unavailable("no model is ready yet; ListModels tells the state of each")
    fitting = [(name, manifest) for name, manifest in ready if languages.fit(manifest)]
    if len(fitting) > 1:  # one that translates goes before one that, say, rewrites dates
        fitting = [pair for pair in fitting if pair[1].task == "translation"] or fitting
        fitting = [pair for pair in fitting if pair[0] == default] or fitting
    if len(fitting) == 1:
        return ModelRef(fitting[0][0])
    if not fitting:
        raise _not_served(languages, f"pairs served: {_pairs(ready)}")
    raise InvalidArgument(
        "model", f"several models fit this request; name one, or its languages: {_pairs(fitting)}"
    )


class Choices:
    """What `choose` found, for as long as the list of versions is the same."""

    def __init__(self, default: str = "") -> None:
        self._default = default
        self._versions: Sequence[VersionStatus] = ()
        self._chosen: dict[Languages, ModelRef] = {}

    def choose(self, versions: Sequence[VersionStatus], languages: Languages) -> ModelRef:
        """See `choose`."""
        if versions is not self._versions or len(self._chosen) > _MOST_CHOICES:
            self._versions, self._chosen = versions, {}
        found = self._chosen.get(languages)
        if found is None:
            found = self._chosen[languages] = choose(versions, languages, self._default)
        return found


def check_languages(languages: Languages, name: str, manifest: Manifest) -> None:
    """Raise InvalidArgument when the model that the caller named does not do what is asked."""
    if not languages.fit(manifest):
        pair = f"{manifest.source_language} -> {manifest.target_language}"
        raise _not_served(languages, f"model '{name}' translates {pair}")


def _not_served(languages: Languages, served: str) -> InvalidArgument:
    field = "target_language_code" if languages.target else "source_language_code"
    wanted = f"{languages.source or '(any)'} -> {languages.target or '(any)'}"
    return InvalidArgument(field, f"the language pair {wanted} is not served; {served}")


def _pairs(models: Iterable[tuple[str, Manifest]]) -> str:
    return ", ".join(f"{m.source_language} -> {m.target_language} ({name})" for name, m in models)


@lru_cache(maxsize=256)
def _fits(asked: str, offered: str) -> bool:
    """Whether a model's language is what was asked for.

    Asking for more than the model knows is fine, region for region: de-AT is served by de (RFC
    4647, lookup). So is asking for less: en is served by en-GB. A script is never overlooked:
    zh-Hant is not served by zh.
    """
    wanted, has = asked.lower().split("-"), offered.lower().split("-")
    if not asked or wanted == has[: len(wanted)]:
        return True
    dropped = wanted[len(has) :]
    return wanted[: len(has)] == has and not any(len(tag) == 4 and tag.isalpha() for tag in dropped)


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
