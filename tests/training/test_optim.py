"""The rate over a training, and the average of the weights."""

import copy

import pytest
import torch
from torch import nn

from training.config import OptimConfig
from training.optim import MovingAverage, Schedule, make_optimizer

RATE, FINAL = 1e-2, 1e-4
SCHEDULES = ["constant", "linear", "cosine", "inverse_sqrt", "plateau"]


def schedule(name: str, warmup: int = 0) -> Schedule:
    return Schedule(
        OptimConfig(rate=RATE, final_rate=FINAL, warmup_steps=warmup, schedule=name)  # type: ignore[arg-type]  # a value of the parameter
    )


def test_the_rate_rises_linearly_to_its_height() -> None:
    rises = schedule("constant", warmup=4)

    assert [RATE / 4, RATE / 2, 3 * RATE / 4, RATE, RATE] == pytest.approx(
        [rises.rate(step, 0.0) for step in range(5)]
    )


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_schedule_begins_at_the_rate_and_ends_at_the_final_rate(name: str) -> None:
    falls = schedule(name)

    assert [RATE, FINAL] == pytest.approx([falls.rate(0, 0.0), falls.rate(99, 1.0)])


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_schedule_is_halfway_down_in_the_middle(name: str) -> None:
    assert (RATE + FINAL) / 2 == pytest.approx(schedule(name).rate(50, 0.5))


@pytest.mark.parametrize("name", SCHEDULES)
def test_after_warming_up_the_rate_never_rises(name: str) -> None:
    rates = [schedule(name).rate(i, i / 100) for i in range(101)]

    assert sorted(rates, reverse=True) == rates


def test_a_cosine_is_flat_at_both_ends() -> None:
    rates = [schedule("cosine").rate(i, i / 100) for i in range(101)]

    assert rates[0] - rates[1] < (rates[50] - rates[51]) / 10
    assert rates[99] - rates[100] < (rates[50] - rates[51]) / 10


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_a_run_beyond_its_end_keeps_the_last_rate(name: str) -> None:
    assert schedule(name).rate(9, 1.0) == schedule(name).rate(99, 1.7)


def test_four_times_the_steps_halve_an_inverse_square_root() -> None:
    falls = Schedule(
        OptimConfig(rate=RATE, final_rate=0.0, warmup_steps=10, schedule="inverse_sqrt")
    )

    assert [RATE, RATE / 2, RATE / 4] == pytest.approx([falls.rate(n, 0.0) for n in (9, 39, 159)])


def test_a_plateau_takes_its_share_of_the_rate_each_time() -> None:
    falls = Schedule(
        OptimConfig(
            rate=RATE, final_rate=0.0, warmup_steps=0, schedule="plateau", plateau_factor=0.5
        )
    )

    assert [RATE, RATE / 2, RATE / 4] == pytest.approx([falls.rate(9, 0.9, n) for n in range(3)])


def test_a_plateau_never_goes_below_the_final_rate() -> None:
    assert FINAL == pytest.approx(schedule("plateau").rate(9, 0.9, 60))


def test_the_optimiser_has_the_recipes_betas() -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), OptimConfig(betas=(0.8, 0.95)))

    assert (0.8, 0.95) == optimizer.param_groups[0]["betas"]


# --- the moving average -------------------------------------------------------------------------


def set_to(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def test_the_average_is_its_recurrence() -> None:
    model = nn.Linear(2, 1)
    set_to(model, 0.0)
    average = MovingAverage(model, decay=0.5)
    wanted = 0.0
    for step, value in enumerate([4.0, -2.0, 8.0, 1.0, 1.0, 3.0, 7.0, 2.0, 9.0, 5.0, 1.0]):
        set_to(model, value)
        average.update(model, step)
        decay = min(0.5, (step + 1) / (step + 10))
        wanted = decay * wanted + (1 - decay) * value

    assert wanted == pytest.approx(float(average.model.weight[0, 0]))


def test_the_random_start_is_forgotten_soon() -> None:
    model = nn.Linear(2, 1)
    set_to(model, 1e6)
    average = MovingAverage(model, decay=0.999)
    set_to(model, 1.0)
    for step in range(60):
        average.update(model, step)

    assert 1.0 == pytest.approx(float(average.model.weight[0, 0]), abs=1e-3)


def test_weights_that_stand_still_are_their_own_average() -> None:
    model = nn.Linear(3, 2)
    average = MovingAverage(model, decay=0.9)
    for step in range(20):
        average.update(model, step)

    torch.testing.assert_close(average.model.weight, model.weight)


def test_averaging_leaves_the_model_alone() -> None:
    model = nn.Linear(3, 2)
    before = copy.deepcopy(model.state_dict())
    average = MovingAverage(model, decay=0.9)
    set_to(average.model, 7.0)
    average.update(model, 5)

    assert torch.equal(before["weight"], model.weight)


def test_the_average_learns_nothing_by_itself() -> None:
    average = MovingAverage(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), decay=0.9)

    assert not average.model.training
    assert [False, False] == [p.requires_grad for p in average.model.parameters()]
