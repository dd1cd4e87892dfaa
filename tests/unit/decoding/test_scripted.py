"""The fake keeps the contract that the real one keeps."""

import numpy as np

from service.decoding import StepInput, StepOutput
from service.decoding.scripted import ScriptedStepper, copying

EOS, BOS = 2, 1


def step(
    stepper: ScriptedStepper,
    tokens: list[int],
    sources: list[int],
    parents: list[int] | None = None,
    kept: list[int] | None = None,
) -> StepOutput:
    return stepper.step(
        StepInput(
            tokens_R=np.array(tokens),
            sources_R=np.array(sources),
            parents_R=None if parents is None else np.array(parents),
            kept_B=None if kept is None else np.array(kept),
            top_k=2,
        )
    )


def test_it_says_what_the_script_says() -> None:
    stepper = ScriptedStepper(copying(10, certainty=0.5))
    stepper.join([(5, 6, EOS)])
    first = step(stepper, [BOS], [0])
    second = step(stepper, [5], [0])

    assert [5, 6] == [first.ids_RK[0, 0], second.ids_RK[0, 0]]
    np.testing.assert_allclose(first.log_probs_RK[0, 0], np.log(0.5), rtol=1e-6)


def test_rows_continue_the_parents_they_are_given() -> None:
    stepper = ScriptedStepper(copying(10))
    stepper.join([(5, 6, EOS), (7, 8, 9, EOS)])
    step(stepper, [BOS, BOS], [0, 1])
    output = step(stepper, [7, 5, 7], [1, 0, 1], parents=[1, 0, 1])

    assert [8, 6, 8] == output.ids_RK[:, 0].tolist()


def test_sources_are_renumbered_when_some_leave_and_others_join() -> None:
    stepper = ScriptedStepper(copying(10))
    stepper.join([(5, EOS), (7, 8, EOS)])
    step(stepper, [BOS, BOS], [0, 1])
    stepper.join([(9, EOS)])
    output = step(stepper, [7, BOS], [0, 1], parents=[1, 2], kept=[1, 2])

    assert [(7, 8, EOS), (9, EOS)] == stepper.held_sources
    assert [8, 9] == output.ids_RK[:, 0].tolist()


def test_attention_is_as_wide_as_the_padding_and_sums_to_one() -> None:
    stepper = ScriptedStepper(copying(10), position_multiple=8)
    stepper.join([(5, EOS), (5,) * 9 + (EOS,)])
    attention = step(stepper, [BOS, BOS], [0, 1]).attention_RS

    assert attention is not None
    assert (2, 16) == attention.shape
    assert [1.0, 1.0] == attention.sum(axis=1).tolist()


def test_it_answers_for_the_tokens_it_is_asked_about() -> None:
    stepper = ScriptedStepper(copying(10, certainty=0.5))
    stepper.join([(5, 6, EOS)])
    work = StepInput(
        tokens_R=np.array([BOS]),
        sources_R=np.array([0]),
        parents_R=None,
        kept_B=None,
        top_k=1,
        probe_ids_RP=np.array([[5, 9]]),
    )

    probed_RP = stepper.step(work).probe_log_probs_RP

    assert probed_RP is not None
    np.testing.assert_allclose(probed_RP, np.log([[0.5, 0.5 / 9]]), rtol=1e-6)
