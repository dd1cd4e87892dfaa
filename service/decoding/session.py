"""The stepper that runs a bundle's graphs.

Legend: B sources, S positions, R rows, K candidates.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.bundle.errors import BundleError
from service.bundle.graphs import (
    AGES,
    ATTENTION,
    PROBED,
    PROBES,
    SHORT_IDS,
    SHORT_LOG_PROBS,
    SLOT_OF,
    SLOTS,
    SOURCE_LENGTHS,
    TOKENS,
    TOP_IDS,
    TOP_K,
    TOP_LOG_PROBS,
    WHOLE_ROWS,
)
from service.bundle.manifest import Manifest
from service.bundle.reader import Bundle
from service.bundle.shortlist import Shortlist
from service.decoding.caches import Caches, cache_shapes
from service.decoding.encoding import POSITION_MULTIPLE, Encoder
from service.decoding.forms import Form, decoder_forms
from service.decoding.inplace import InPlace
from service.decoding.interface import interface_problems
from service.decoding.memories import Memories
from service.decoding.request import Tokens
from service.decoding.runtime import brief, give_back, open_graph
from service.decoding.shortlists import Shortlists
from service.decoding.states import States
from service.decoding.stepper import StepInput, StepOutput

Tensor = NDArray[Any]

# What has an entry for each row, and what says row numbers: they follow the rows to their places.
_BY_ROW = {TOKENS, SLOT_OF, PROBES}
_ROW_NUMBERS = {SLOTS}


class OnnxStepper:
    """Encodes and steps with onnxruntime; holds memories per source, states per row."""

    position_multiple = POSITION_MULTIPLE

    def __init__(
        self,
        manifest: Manifest,
        encoder: bytes,
        decoder: bytes,
        *,
        threads: int,
        shortlist: Shortlist | None = None,
        load: Callable[[bytes, int], Any] = open_graph,
    ) -> None:
        """Load both graphs; `threads` is how many cores one run may use.

        A decoder that scores over candidates needs the bundle's `shortlist`. `load` makes a session
        of a graph for so many threads.

        Raises `BundleError` with everything that keeps them from being run as the manifest says.
        """
        self._manifest = manifest
        self.bos_id = manifest.special_ids.bos
        self.eos_id = manifest.special_ids.eos
        if manifest.has_shortlist and shortlist is None:
            problem = "the decoder scores over candidates, but there is no shortlist"
            raise BundleError(f"{manifest.name}/{manifest.version}", [problem])
        encoder_session, decoder_session = _opened(
            manifest, (encoder, decoder), lambda graph: load(graph, threads)
        )
        self._encoder = Encoder(encoder_session, manifest)
        self._whole, self._plain = decoder_forms(
            manifest, decoder_session, decoder, lambda part: load(part, threads)
        )
        self.has_attention = ATTENTION in self._whole.outputs
        self.has_probes = PROBES in self._whole.inputs
        self._memories = Memories([m.name for m in manifest.memories], POSITION_MULTIPLE)
        self._shortlists = (
            Shortlists(shortlist, manifest.special_ids.pad)
            if shortlist is not None and manifest.has_shortlist
            else None
        )
        self._states = States([s for s in manifest.states if s.initial is not None])
        self._laid_out: _Layout | None = None
        growing = [s for s in manifest.states if s.growing_axis is not None]
        self._caches = Caches(cache_shapes(growing, manifest.graphs.decoder.inputs))
        cache_outputs = {s.output: s.input for s in growing}
        self._in_places = {
            form.session: InPlace(
                form.session, [n for n in form.outputs if n not in cache_outputs], cache_outputs
            )
            for form in (self._whole, self._plain)
        }

    @classmethod
    def from_bundle(cls, bundle: Bundle, threads: int) -> "OnnxStepper":
        """Load the graphs of a bundle and run each once."""
        stepper = cls(
            bundle.manifest,
            bundle.read_graph("encoder"),
            bundle.read_graph("decoder"),
            threads=threads,
            shortlist=bundle.shortlist,
        )
        try:
            stepper.warm_up()
        except Exception as error:
            raise BundleError(bundle.path, [f"the graphs cannot be run: {brief(error)}"]) from error
        give_back()
        return stepper

    def warm_up(self, sources: int = 8, positions: int = 16) -> None:
        """Encode and step once in each form, so that the first request does not pay for it."""
        positions = min(positions, self._manifest.limits.max_source_tokens)
        for plain in (True, False):
            # With a shortlist rows over the whole vocabulary are other kernels.
            unabridged = [not plain and source % 2 == 1 for source in range(sources)]
            self.join([(self.eos_id,) * positions] * sources, unabridged=unabridged)
            self.step(
                StepInput(
                    tokens_R=np.full(sources, self.bos_id),
                    sources_R=np.arange(sources),
                    parents_R=None,
                    kept_B=None,
                    top_k=1,
                    attend=not plain,
                )
            )
            self.reset()

    def join(self, sources: Sequence[Tokens], *, unabridged: Sequence[bool] | None = None) -> None:
        """Take in sources, each with one row to begin from; when it raises, nothing changed."""
        encoded = self._encoder.encode(sources)
        self._memories.add(encoded.lengths, encoded.memories)
        self._unsettle()
        if self._shortlists is not None:
            self._shortlists.add(sources, unabridged or [False] * len(sources))
        self._states.add(encoded.initial_states, len(sources))

    def step(self, work: StepInput) -> StepOutput:
        """Run the decoder once over the rows of `work`."""
        if work.kept_B is not None:
            self._memories.keep(work.kept_B)
            if self._shortlists is not None:
                self._shortlists.keep(work.kept_B)
        layout = self._layout(work)
        run = self._run_in_places if self._caches else self._run
        outputs = run(work, layout.form, layout.feeds)
        # All rows are short where the best of the short ones alone were made.
        short = SHORT_IDS in outputs
        return StepOutput(
            log_probs_RK=outputs[SHORT_LOG_PROBS if short else TOP_LOG_PROBS],
            ids_RK=outputs[SHORT_IDS if short else TOP_IDS],
            attention_RS=outputs.get(ATTENTION),
            probe_log_probs_RP=None if work.probe_ids_RP is None else outputs[PROBED],
        )

    def reset(self) -> None:
        """Let go of every source and row."""
        self._memories.clear()
        self._caches.clear()
        if self._shortlists is not None:
            self._shortlists.clear()
        self._states.clear()
        self._laid_out = None
        self._unsettle()

    def _unsettle(self) -> None:
        if self._plain.settling is not None:
            self._plain.settling.forget()

    def _layout(self, work: StepInput) -> "_Layout":
        """What the graph is fed but states: as it was, except for tokens, where nobody moved."""
        moved = work.parents_R is not None or work.kept_B is not None or self._states.fresh_rows > 0
        wanted = work.top_k, work.attend or work.probe_ids_RP is not None
        if moved or self._laid_out is None or self._laid_out.wanted != wanted:
            slots_MG, slot_of_R = self._memories.slots(work.sources_R)
            top_k = min(work.top_k, self._manifest.tokenizer.vocabulary_size)
            layout = {
                SLOTS: slots_MG,
                SLOT_OF: slot_of_R,
                SOURCE_LENGTHS: self._memories.lengths_M,
                TOP_K: np.array([top_k], np.int64),
                **self._memories.tensors,
            }
            if self._shortlists is not None:
                layout |= self._shortlists.feeds(work.sources_R, work.top_k)
            form = self._whole if wanted[1] or len(layout.get(WHOLE_ROWS, ())) else self._plain
            if form.settling is not None:
                layout |= form.settling.values(layout)
            used = {name: value for name, value in layout.items() if name in form.inputs}
            self._laid_out = _Layout(wanted, form, used)
        laid_out = self._laid_out
        laid_out.feeds[TOKENS] = work.tokens_R
        if PROBES in laid_out.form.inputs:
            probes_RP = work.probe_ids_RP
            if probes_RP is None:
                probes_RP = np.empty((len(work.tokens_R), 0), np.int64)
            laid_out.feeds[PROBES] = probes_RP
        return laid_out

    def _run(self, work: StepInput, form: Form, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, of a model whose states are all of fixed size."""
        feeds.update(self._states.feeds(work.parents_R))
        values = form.session.run(form.outputs, feeds)
        outputs = dict(zip(form.outputs, values, strict=True))
        self._states.take(outputs)
        return outputs

    def _run_in_places(
        self, work: StepInput, form: Form, feeds: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """The same with caches: rows run in the order of their places there."""
        feeds, caches, parents_R = dict(feeds), self._caches, work.parents_R
        fresh_rows = self._states.fresh_rows
        if parents_R is None and fresh_rows:
            parents_R = np.arange(len(work.tokens_R))
        before_R = caches.places_R
        caches.seat(parents_R)
        places_R = caches.places_R
        rows_P = np.argsort(places_R)
        for name in _BY_ROW & feeds.keys():
            feeds[name] = feeds[name][rows_P]
        for name in _ROW_NUMBERS & feeds.keys():
            feeds[name] = places_R[feeds[name]]
        feeds[AGES] = caches.ages_P
        if self._shortlists is not None:
            feeds.update(self._shortlists.feeds(work.sources_R[rows_P], work.top_k))
        if parents_R is not None:  # fixed states lie in the order of the places before
            ranks = np.append(before_R, np.arange(len(before_R), len(before_R) + fresh_rows))
            parents_R = ranks[parents_R][rows_P]
        feeds.update(self._states.feeds(parents_R))
        held = caches.tensors()
        used = {name: feeds[name] for name in form.inputs if name not in held}
        outputs = self._in_places[form.session].run(used, held)
        caches.grow()
        self._states.take(outputs)
        return {name: value[places_R] for name, value in outputs.items()}


class _Layout(NamedTuple):
    """How a step is run, for the `top_k` and the rest that was wanted of it."""

    wanted: tuple[int, bool]
    form: Form
    feeds: dict[str, Tensor]


def _opened(
    manifest: Manifest, graphs: tuple[bytes, bytes], load: Callable[[bytes], Any]
) -> tuple[Any, Any]:
    """Sessions of encoder and decoder whose inputs and outputs are those of the manifest."""
    problems: list[str] = []
    sessions: list[Any] = []
    specs = manifest.graphs.encoder, manifest.graphs.decoder
    for spec, graph in zip(specs, graphs, strict=True):
        try:
            session = load(graph)
        except Exception as error:  # noqa: BLE001 - onnxruntime's have no base of their own
            problems.append(f"{spec.file}: onnxruntime cannot load it: {brief(error)}")
            continue
        problems += interface_problems(session, spec)
        sessions.append(session)
    if problems:
        raise BundleError(f"{manifest.name}/{manifest.version}", problems)
    encoder, decoder = sessions
    return encoder, decoder
