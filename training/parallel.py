"""Several processes that train one model, started by ``torchrun``: each takes some rows of every
batch, and their gradients are added up.

The sum is divided by the tokens of the whole batch, so the steps are those of one process, but for
the order in which floats are added. All processes hold the same weights at every step and decide
alike; the first one evaluates, speaks and writes.

Shapes: B sentences, T target positions.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from training.data.batches import Batch

__all__ = ["Team", "joined_team"]


@dataclass(frozen=True)
class Team:
    """This process among those that train together; alone it is the first of one."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"  # where what is sent must lie

    @staticmethod
    def current() -> Team:
        """The team that ``joined_team`` joined, if it did."""
        if not distributed.is_initialized():
            return Team()
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        return Team(distributed.get_rank(), distributed.get_world_size(), device)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: Batch, pad: int) -> tuple[Batch, float]:
        """The rows of this process, and their part in the mean over all target tokens."""
        if self.size == 1:
            return batch, 1.0
        rows = slice(self.rank, None, self.size)
        empty = self.rank >= len(batch.target_out_BT)
        if empty:  # fewer rows than processes: a row that counts for nothing
            rows = slice(0, 1)
        mine = Batch(*(getattr(batch, field.name)[rows] for field in dataclasses.fields(batch)))
        counts = [int((each.target_out_BT != pad).sum()) for each in (mine, batch)]
        return mine, 0.0 if empty else counts[0] / counts[1]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the team."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, part in zip(
            tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.detach().copy_(part.view_as(tensor))

    def from_first(self, make: Callable[[], float]) -> float:
        """What the first process makes, known to all; the others wait for it."""
        made = torch.tensor(make() if self.first else 0.0, dtype=torch.float64, device=self.device)
        if self.size > 1:
            distributed.broadcast(made, 0)
        return float(made)

    def any(self, *, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        if self.size == 1:
            return flag
        raised = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(raised)
        return bool(raised > 0)

    def gather(self, state: Tensor) -> list[Tensor]:
        """A tensor of bytes from each process, in order of rank."""
        if self.size == 1:
            return [state]
        sent = state.to(self.device)
        states = [torch.empty_like(sent) for _ in range(self.size)]
        distributed.all_gather(states, sent)
        return [each.cpu() for each in states]

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process goes through before the others: what it writes, they find."""
        if self.size > 1 and not self.first:
            distributed.barrier()
        yield
        if self.size > 1 and self.first:
            distributed.barrier()


@contextmanager
def joined_team() -> Iterator[Team]:
    """Join the processes that ``torchrun`` started beside this one, if it did: over NCCL where
    there are GPUs, each process on its own, else over gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Team.current()
        distributed.barrier()  # nobody hangs up while another is still speaking
    finally:
        distributed.destroy_process_group()
