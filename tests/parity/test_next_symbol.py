"""The next-symbol model is one network: what it reads and what it writes are one string to it.

Given H E L L, it foretells E L L O; and however much of the string is given as the source, the
rest of it is foretold alike.
"""

from collections.abc import Sequence

import pytest
import torch

from service.decoding import DecodeRequest, Engine
from tests.parity.exports import candidate
from tests.training.tiny import NEXT_SYMBOL, SPECIAL, lively_model
from training.models import Seq2Seq

HELLO = (4, 5, 6, 6, 7)


@pytest.fixture(scope="module", params=NEXT_SYMBOL)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    return lively_model(NEXT_SYMBOL[request.param])


def foretold(engine: Engine, given: Sequence[int], rest: Sequence[int]) -> tuple[float, ...]:
    """How likely each symbol of ``rest`` is behind ``given`` and those before it."""
    request = DecodeRequest(
        source=(*given, SPECIAL.eos), target_prefix=tuple(rest), max_length=len(rest) + 1
    )
    [result] = engine.decode([request])
    return result.best.token_log_probs[: len(rest)]


@pytest.mark.parametrize("read", range(1, len(HELLO)))
def test_a_beginning_that_was_read_is_a_beginning_that_was_written(
    model: Seq2Seq, read: int
) -> None:
    engine = Engine(candidate(model).stepper())
    many_to_many = foretold(engine, (), HELLO)
    one_to_many = foretold(engine, HELLO[:read], HELLO[read:])

    assert many_to_many[read:] == pytest.approx(one_to_many, abs=1e-5)


def test_each_symbol_is_foretold_from_those_before_it(model: Seq2Seq) -> None:
    """Many to many: the model's own read-outs, one for each place."""
    nothing_11, lengths_1 = torch.tensor([[SPECIAL.eos]]), torch.tensor([1])
    readout_1TE = model(nothing_11, lengths_1, torch.tensor([[SPECIAL.bos, *HELLO[:-1]]]))
    log_probs_TV = model.output(readout_1TE)[0].log_softmax(-1).detach()
    wanted = [float(log_probs_TV[t, symbol]) for t, symbol in enumerate(HELLO)]

    engine = Engine(candidate(model).stepper())
    assert wanted == pytest.approx(foretold(engine, (), HELLO), abs=1e-5)


def test_the_first_step_says_what_reading_left(model: Seq2Seq) -> None:
    """Bos says nothing: the state after it is the state before it."""
    encoded = model.encode(torch.tensor([[*HELLO, SPECIAL.eos]]), torch.tensor([len(HELLO) + 1]))
    before = model.initial_state(encoded)
    _, after, _ = model.step(torch.tensor([SPECIAL.bos]), before, encoded)

    assert [part.tolist() for part in before.flat] == [part.tolist() for part in after.flat]
