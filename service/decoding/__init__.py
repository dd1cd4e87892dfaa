"""The engine: batched greedy and beam decoding, continuous over requests of every kind.

One turn of the engine is *plan, run, absorb*: the scheduler decides which sources join and which
rows step, the stepper runs the model, the scheduler learns what came out. `session`, which runs
onnxruntime, is not imported here, so that search can be used and tested without it.
"""

from service.decoding.admission import EngineLimits
from service.decoding.engine import Engine, StepReport
from service.decoding.options import DecodeOptions, SamplingOptions
from service.decoding.request import (
    MAX_BEAM,
    MAX_PHRASES,
    DecodeRequest,
    DecodeResult,
    FinishReason,
    Hypothesis,
    LengthNormalisation,
    Tokens,
)
from service.decoding.stepper import StepFailed, StepInput, StepOutput, Stepper
from service.decoding.wishes import Phrase, Sampling

__all__ = [
    "MAX_BEAM",
    "MAX_PHRASES",
    "DecodeOptions",
    "DecodeRequest",
    "DecodeResult",
    "Engine",
    "EngineLimits",
    "FinishReason",
    "Hypothesis",
    "LengthNormalisation",
    "Phrase",
    "Sampling",
    "SamplingOptions",
    "StepFailed",
    "StepInput",
    "StepOutput",
    "StepReport",
    "Stepper",
    "Tokens",
]
