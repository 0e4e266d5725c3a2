"""Several processes under `torchrun`: torch.distributed does the work, this room only says who does what.

Each process takes every world-th row of every batch. Losses are summed, not averaged, so that after DDP's mean of
the gradients one factor, world / count of the whole batch, gives the gradient that one process would have computed.
"""

import atexit
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from unrolled.batch import Batch, LossSum
from unrolled.errors import OptionError, message


class Processes:
    """The processes that train together: usually one.

    Args:
        device: where this process computes; gloo joins CPUs, nccl GPUs.

    Example:
        >>> Processes(torch.device("cpu")).sum(1.0, 2.0)
        (1.0, 2.0)
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(_leave)
        joined = dist.is_initialized()
        self.rank = dist.get_rank() if joined else 0
        self.world = dist.get_world_size() if joined else 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def shard(self, batch: Batch) -> tuple[Batch, float]:
        """This process's rows, and 1; or one row to go through the motions with, and 0, when none is left for it."""
        if self.world == 1:
            return batch, 1.0
        rows = torch.arange(batch.batch_size)[self.rank :: self.world]
        return (batch.select(rows), 1.0) if len(rows) else (batch.select(torch.zeros(1, dtype=torch.int64)), 0.0)

    def sum(self, *values: float) -> tuple[float, ...]:
        """The sum of every value over the processes, the same in all of them."""
        if self.world == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, by rank, in the first process; an empty list in the others."""
        if self.world == 1:
            return [value]
        gathered: list[Any] | None = [None] * self.world if self.first else None
        dist.gather_object(value, gathered)
        return gathered or []

    def join(self, model: nn.Module) -> "LossEngine":
        """The model's loss, with gradients averaged over the processes."""
        return LossEngine(model, self.world)


class LossEngine:
    """Calls `model.loss(batch, state)`, through torch's DDP where several processes train."""

    def __init__(self, model: nn.Module, world: int) -> None:
        self.forwarding = _Forwarding(model, world)
        # weights may go unused in a batch, such as a learnt initial state where the state is carried
        self.engine: nn.Module = (
            DistributedDataParallel(self.forwarding, find_unused_parameters=True) if world > 1 else self.forwarding
        )

    def __call__(self, batch: Batch, state: Any) -> LossSum:
        total = self.engine(batch, state)
        result = self.forwarding.result
        self.forwarding.result = None
        assert result is not None
        return LossSum(total, result.count, result.state)


class _Forwarding(nn.Module):
    """DDP watches `forward`; this one asks for the loss and keeps what is not a tensor to itself."""

    def __init__(self, model: nn.Module, world: int) -> None:
        super().__init__()
        self.model = model
        self.result: LossSum | None = None
        self.world = world
        if world > 1:
            # never used, so that DDP does not warn that it looked for unused weights in vain
            self.unused = nn.Parameter(torch.zeros((), device=next(model.parameters()).device))

    def forward(self, batch: Batch, state: Any) -> Tensor:
        result: LossSum = self.model.loss(batch, state)  # type: ignore[operator]
        self.result = LossSum(result.total.detach(), result.count, result.state)
        if self.world > 1 and not result.total.requires_grad:
            # this process's rows have ended: it still has to take part in the exchange, with a gradient of zero
            return result.total + 0.0 * torch.stack([p.sum() for p in self.model.parameters()]).sum()
        return result.total


def choose_device(name: str) -> torch.device:
    """The device that an option names; under torchrun each process takes the GPU of its local rank.

    Args:
        name: "cpu", "cuda", "cuda:1", or "auto" for a GPU when there is one.

    Raises:
        OptionError: an unknown device, or a GPU that is not there.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    present = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if present else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise OptionError(message("device", expected="cpu, cuda or auto", received=name))
    if device.type == "cpu":
        return torch.device("cpu")
    if not present or (device.index or 0) >= torch.cuda.device_count():
        raise OptionError(
            message(
                "device",
                expected=f"one of the {torch.cuda.device_count()} GPUs that torch can use here",
                received=name,
                remedy="give device=cpu, or install a torch build for your GPU",
            )
        )
    return device if ":" in name else torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
