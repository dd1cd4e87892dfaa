"""A shallower model that begins with layers of a deeper one: "shrink and fine-tune" (Shleifer and
Rush 2020, "Pre-trained summarization distillation").

A pupil that keeps some of its teacher's layers needs a fraction of the training that random weights
would: what is between the layers, embeddings, attention and output, is learnt already.
"""

from __future__ import annotations

from torch import nn

from training.checkpoint import CheckpointError

__all__ = ["kept_layers", "shrink_into"]


def shrink_into(model: nn.Module, deeper: nn.Module) -> None:
    """Give ``model`` the weights of ``deeper``, which is cut to it: of every stack of layers as
    many stay as ``model`` has.

    Raises:
        CheckpointError: they differ in more than how many layers they have.
    """
    for name, stack in list(model.named_modules()):
        if isinstance(stack, nn.ModuleList):
            _cut(deeper, name, len(stack))
    try:
        model.load_state_dict(deeper.state_dict())
    except RuntimeError:  # torch names every tensor, which may be hundreds
        raise CheckpointError("the models differ in more than that layers are left out") from None


def kept_layers(deep: int, shallow: int) -> list[int]:
    """Which layers stay, bottom first: evenly spread, the lowest and the highest among them (of
    one, the highest, whose output is what others were trained to read).
    """
    if shallow == 1:
        return [deep - 1]
    return [round(i * (deep - 1) / (shallow - 1)) for i in range(shallow)]


def _cut(deeper: nn.Module, name: str, wanted: int) -> None:
    """Leave out layers of the stack called ``name``, if there is one and it has more."""
    above, _, own = name.rpartition(".")
    try:
        owner = deeper.get_submodule(above)
        stack = getattr(owner, own)
    except AttributeError:  # another kind of model: loading its weights will say so
        return
    if isinstance(stack, nn.ModuleList) and len(stack) > wanted:
        kept = kept_layers(len(stack), wanted)
        setattr(owner, own, nn.ModuleList([stack[i] for i in kept]))
