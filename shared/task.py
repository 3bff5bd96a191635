"""What the training loop asks of an app: batches, a loss, optimisers and a validation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["Task"]


class Task(Protocol):
    """What is learnt: the batches, the loss, the optimisers and the validation."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that each process takes in an epoch; the same number in every process and epoch."""

    def batches(self, epoch: int, rank: int, world_size: int) -> Iterable[Any]:
        """The batches of one epoch for one process, on the CPU.

        Args:
            epoch: 0, 1, ...; what is dealt depends only on this, on the rank and on the task's own seed, so that an
                epoch can be run again. A stream gives the slice that belongs to the epoch; what exceeds
                `steps_per_epoch` is left.
            rank: number of this process, from 0; the task deals, and gives all processes batches of one size.
            world_size: number of processes.

        Returns:
            Batches of tensors, or of lists, dicts, tuples and dataclasses of them; `fit` moves them to the device.
        """

    def loss(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalar terms, the same names for every batch; their sum is minimised.

        `model` is the network as wrapped for precision and for several processes: call `model(...)` itself. Its
        attributes can be read, but a method other than `forward` that runs layers would pass the wrapper by, and
        raises an error when there are several processes. Every trained parameter must then take part in every loss.
        """

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """One or more optimisers over parameters of `model`, sparse gradients (`SparseAdam`) allowed.

        Every learning rate is multiplied by the schedule unless its parameter group has `"schedule": False`.
        """

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures of the epoch, {} when there is nothing to validate on.

        Called in the first process only while the others wait (for 30 minutes at most), with the bare network (the
        moving average where one is kept) in evaluation mode, without gradients and in 32 bit, as it will be used.
        It lies on the device it is trained on.
        """
