"""The answers of parley.v1.Translation: convert in, ask the floors below, convert out."""

import asyncio
import time
from collections.abc import Iterable, Sequence

from service.errors import DeadlineExceeded, InvalidArgument, NotFound
from service.rpc import convert
from service.rpc.limits import Limits
from service.rpc.pb.parley.v1 import translation_pb2 as pb
from service.rpc.pb.parley.v1 import translation_pb2_grpc as pb_grpc
from service.rpc.ports import Call, Models, TextTranslator, VersionStatus
from service.rpc.selection import Choices, ModelRef, check_languages, parse_model
from service.translation import TranslateOptions, Translation, Window

__all__ = ["TranslationServicer"]


class TranslationServicer(pb_grpc.TranslationServicer):
    """Raises Parley's own errors; `service.rpc.calls` makes statuses of them."""

    def __init__(self, models: Models, limits: Limits, default_model: str = "") -> None:
        self._models = models
        self._limits = limits
        self._choices = Choices(default_model)

    async def Translate(  # noqa: N802 - the names of methods are given by the proto
        self, request: pb.TranslateRequest, call: Call
    ) -> pb.TranslateResponse:
        """Translate every text, in order; all of them or none."""
        seconds = call.time_remaining()
        hurried = seconds is not None
        if seconds is None:
            seconds = self._limits.default_deadline_seconds
        deadline = time.monotonic() + seconds
        order = convert.order_from(request, self._limits)
        model = order.model or self._choices.choose(self._models.list(), order.languages)
        with self._models.acquire(model.name, model.version) as loaded:
            check_languages(order.languages, loaded.name, loaded.manifest)
            translating = _all(loaded.translator, order.texts, order.options, deadline)
            if hurried:  # gRPC cancels the call at the caller's own deadline
                translations = await translating
            else:
                try:
                    async with asyncio.timeout(seconds):
                        translations = await translating
                except TimeoutError:
                    raise DeadlineExceeded from None
            return convert.response_message(translations, f"{loaded.name}/{loaded.version}")

    async def ListModels(  # noqa: N802 - the protocol's name
        self, _request: pb.ListModelsRequest, _call: Call
    ) -> pb.ListModelsResponse:
        """Every version, by name, newest first."""
        versions = sorted(self._models.list(), key=lambda each: (each.name, -each.version))
        return pb.ListModelsResponse(models=[convert.model_message(each) for each in versions])

    async def GetModel(  # noqa: N802 - the protocol's name
        self, request: pb.GetModelRequest, _call: Call
    ) -> pb.Model:
        """One version."""
        ref = parse_model("name", request.name)
        if ref is None:
            raise InvalidArgument("name", "is empty; give NAME or NAME/VERSION")
        found = _find(self._models.list(), ref)
        # Without a version: the one that serves, or else the newest.
        return convert.model_message(max(found, key=lambda each: (each.serving, each.version)))

    async def GetSupportedLanguages(  # noqa: N802 - the protocol's name
        self, request: pb.GetSupportedLanguagesRequest, _call: Call
    ) -> pb.SupportedLanguages:
        """The language pairs that can be asked for now."""
        versions: Iterable[VersionStatus] = self._models.list()
        if ref := parse_model("model", request.model):
            versions = _find(versions, ref)
        return convert.language_list(versions)


async def _all(
    translator: TextTranslator, texts: Sequence[str], options: TranslateOptions, deadline: float
) -> list[Translation]:
    """Translations of all texts, in order; the first failure cancels the rest."""
    try:
        if len(texts) == 1:  # as most calls are: they need no task beside the call's own
            return [await translator.translate(texts[0], options, deadline=deadline)]
        window = Window()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(translator.translate(text, options, window, deadline=deadline))
                for text in texts
            ]
    except InvalidArgument as error:
        raise _of_options(error) from None
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
        raise (_of_options(first) if isinstance(first, InvalidArgument) else first) from None
    return [task.result() for task in tasks]


def _of_options(error: InvalidArgument) -> InvalidArgument:
    """The translator knows only its options; the caller sent them as a field."""
    return InvalidArgument(f"options.{error.field}", error.message)


def _find(versions: Iterable[VersionStatus], ref: ModelRef) -> list[VersionStatus]:
    """The versions of that name, and of that version if one is given. Raises NotFound."""
    versions = list(versions)
    of_name = [each for each in versions if each.name == ref.name]
    if not of_name:
        raise NotFound("model", ref.name, {each.name for each in versions})
    found = [each for each in of_name if ref.version in (None, each.version)]
    if not found:
        wanted = f"{ref.name}/{ref.version}"
        raise NotFound("model", wanted, {f"{each.name}/{each.version}" for each in of_name})
    return found
