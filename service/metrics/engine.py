"""What the engines do: one of them runs for each loaded version, and its series with it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.facts import Fill, ResultFacts, StepFacts
from service.metrics.buckets import CALL_BUCKETS, ROW_BUCKETS, STEP_BUCKETS, WAIT_BUCKETS
from service.metrics.versions import VERSION, drop
from service.notes import Notes

OUTCOMES = ("finished", "cancelled", "expired", "refused", "failed")


class EngineFamilies:
    """Declares what is counted of engines; `open()` gives each version its series."""

    def __init__(self, registry: CollectorRegistry, notes: Notes) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, VERSION, registry=registry)

        def counter(name: str, text: str, *more: str) -> Counter:
            return Counter(name, text, (*VERSION, *more), registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, VERSION, registry=registry, buckets=buckets)

        self.notes = notes
        self.queue_depth = gauge("parley_queue_depth", "Sentences waiting to join the batch now.")
        self.queue_seconds = histogram(
            "parley_queue_wait_seconds",
            "Time a sentence waited before it joined the batch.",
            WAIT_BUCKETS,
        )
        self.live_rows = gauge("parley_live_rows", "Hypotheses in the batch now.")
        self.rows_limit = gauge("parley_rows_limit", "Hypotheses that fit into the batch.")
        self.step_rows = histogram(
            "parley_step_rows", "Hypotheses advanced by one step.", ROW_BUCKETS
        )
        self.step_seconds = histogram(
            "parley_step_seconds", "Model time of one decoding step.", STEP_BUCKETS
        )
        self.encode_seconds = counter("parley_encode_seconds_total", "Time spent encoding.")
        self.host_seconds = counter(
            "parley_host_seconds_total", "Time of the decoding thread outside the model."
        )
        self.wasted_rows = counter(
            "parley_wasted_rows_total", "Rows computed for sentences that nobody waited for."
        )
        self.tokens = counter("parley_tokens_total", "Tokens of finished hypotheses.")
        self.sentences = counter(
            "parley_sentences_total", "Sentences that left the engine, by outcome.", "outcome"
        )
        self.first_token_seconds = histogram(
            "parley_first_token_seconds",
            "Time from a sentence's arrival to its first decoded token.",
            WAIT_BUCKETS,
        )
        self.decode_seconds = histogram(
            "parley_decode_seconds",
            "Time from joining the batch to the last token of a sentence.",
            CALL_BUCKETS,
        )

    def open(self, model: str, version: int, max_rows: int, fill: Fill) -> "EngineMetrics":
        """The metrics of one loaded version, with its labels bound and its series made."""
        labels = (model, str(version))
        self.rows_limit.labels(*labels).set(max_rows)
        # Read when they are asked for: a value of the last step would outlive the last sentence.
        self.queue_depth.labels(*labels).set_function(lambda: fill.queue_depth)
        self.live_rows.labels(*labels).set_function(lambda: fill.live_rows)
        return EngineMetrics(self, *labels)

    def forget(self, model: str, version: str) -> None:
        """Take the series of a version away."""
        for family in (
            self.queue_depth, self.queue_seconds, self.live_rows, self.rows_limit, self.step_rows,
            self.step_seconds, self.encode_seconds, self.host_seconds, self.wasted_rows,
            self.tokens, self.first_token_seconds, self.decode_seconds,
        ):  # fmt: skip
            drop(family, model, version)
        for outcome in OUTCOMES:
            drop(self.sentences, model, version, outcome)


class EngineMetrics:
    """Records what one version's engine does, until `close()` takes its series away."""

    def __init__(self, families: EngineFamilies, model: str, version: str) -> None:
        labels = self._labels = (model, version)
        self._families = families
        self._notes = families.notes
        self._step_rows = families.step_rows.labels(*labels)
        self._step_seconds = families.step_seconds.labels(*labels)
        self._encode_seconds = families.encode_seconds.labels(*labels)
        self._host_seconds = families.host_seconds.labels(*labels)
        self._wasted_rows = families.wasted_rows.labels(*labels)
        self._tokens = families.tokens.labels(*labels)
        self._queue_seconds = families.queue_seconds.labels(*labels)
        self._first_token_seconds = families.first_token_seconds.labels(*labels)
        self._decode_seconds = families.decode_seconds.labels(*labels)
        self._outcomes = {each: families.sentences.labels(*labels, each) for each in OUTCOMES}

    def step(self, facts: StepFacts) -> None:
        """Record one step; called on the decoding thread."""
        self._notes.add(self._count_step, facts)

    def result(self, facts: ResultFacts) -> None:
        """Record one decoded sentence."""
        self._notes.add(self._count_result, facts)

    def outcome(self, outcome: str) -> None:
        """Count a sentence that did not finish; `outcome` is one of OUTCOMES."""
        self._outcomes[outcome].inc()

    def close(self) -> None:
        """Take the series of this version away: it will not serve again in this form."""
        self._families.forget(*self._labels)

    def _count_step(self, facts: StepFacts) -> None:
        if facts.rows:
            self._step_rows.observe(facts.rows)
            self._step_seconds.observe(facts.step_seconds)
        self._encode_seconds.inc(facts.encode_seconds)
        self._host_seconds.inc(max(facts.host_seconds, 0.0))  # a difference, hence rounded
        self._wasted_rows.inc(facts.wasted_rows)
        self._tokens.inc(facts.tokens)
        self._outcomes["cancelled"].inc(facts.cancelled)
        self._outcomes["expired"].inc(facts.expired)
        self._outcomes["failed"].inc(facts.failed)

    def _count_result(self, facts: ResultFacts) -> None:
        self._outcomes["finished"].inc()
        self._queue_seconds.observe(facts.queue_seconds)
        self._first_token_seconds.observe(facts.first_token_seconds)
        self._decode_seconds.observe(facts.decode_seconds)
