"""What an engine can never do, however long a request waits: said at the door, by field."""

from service.decoding.admission import EngineLimits, padded
from service.decoding.request import DecodeRequest
from service.decoding.stepper import Stepper
from service.errors import InvalidArgument

__all__ = ["check_possible"]


def check_possible(request: DecodeRequest, stepper: Stepper, limits: EngineLimits) -> None:
    """Raises `InvalidArgument` if the request is too large, or wants what the model cannot do."""
    _check_size(request, stepper, limits)
    if not stepper.has_attention:
        _check_without_attention(request)
    if request.probing and not stepper.has_probes:
        field = "target_prefix" if request.target_prefix else "required_phrases"
        raise InvalidArgument(field, "this model cannot be asked for given tokens")


def _check_size(request: DecodeRequest, stepper: Stepper, limits: EngineLimits) -> None:
    if request.rows > limits.max_rows:
        field = "n_best" if request.drawn else "beam"
        raise InvalidArgument(field, f"must be at most {limits.max_rows} here, got {request.rows}")
    positions = padded(len(request.source), stepper.position_multiple)
    if positions > limits.max_positions:
        raise InvalidArgument(
            "source", f"must pad to at most {limits.max_positions} positions, got {positions}"
        )


def _check_without_attention(request: DecodeRequest) -> None:
    for field in ("alignments", "soft_alignments"):
        if getattr(request, field):
            raise InvalidArgument(field, "this model has no attention to align by")
    if request.coverage_penalty:
        raise InvalidArgument(
            "coverage_penalty",
            f"must be 0 for a model without attention, got {request.coverage_penalty}",
        )
