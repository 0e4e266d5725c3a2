"""Training in several processes under `torchrun`, by torch.distributed.

Each process takes every world-th row of every batch and adds up the gradient of its summed loss. One message per
update then adds the processes' gradients. Dividing by the count of the whole batch gives the gradient that one
process would have computed, even if a process has fewer rows, or none.

DistributedDataParallel would average instead of adding, and would wait for gradients that a process never computes:
one without rows, or one whose rows do not use some weight.
"""

import atexit
import importlib
import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import OptionError, message


class Processes:
    """The processes that train together: usually one.

    Args:
        device: device of this process; gloo joins CPUs, nccl GPUs.

    Example:
        >>> Processes(torch.device("cpu")).sum(1.0, 2.0)
        (1.0, 2.0)
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            # The functions of this module keep the process group of the time of their import. An optimiser imports
            # them: after the next line, the group's threads would outlive it and abort some processes at their end.
            importlib.import_module("torch.distributed.nn.functional")
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(_leave)
        joined = dist.is_initialized()
        self.rank = dist.get_rank() if joined else 0
        self.world = dist.get_world_size() if joined else 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def shard(self, batch: Batch) -> Batch:
        """Return this process's rows; none if there are fewer rows than processes."""
        return batch if self.world == 1 else batch.select(torch.arange(batch.batch_size)[self.rank :: self.world])

    def sum(self, *values: float) -> tuple[float, ...]:
        """Return the sum of every value over the processes, the same in all of them."""
        if self.world == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def any(self, value: bool) -> bool:
        """Return whether the value is true in any process, the same in all of them."""
        return bool(self.sum(float(value))[0])

    def barrier(self) -> None:
        """Wait until every process is here."""
        self.sum(0.0)

    def gather(self, value: Any) -> list[Any]:
        """Return the value of every process, by rank, in the first process; an empty list in the others."""
        if self.world == 1:
            return [value]
        gathered: list[Any] | None = [None] * self.world if self.first else None
        dist.gather_object(value, gathered)
        return gathered or []

    def share_weights(self, weights: Sequence[Tensor]) -> None:
        """Copy the weights of the first process to every other, in place."""
        if self.world > 1:
            for tensor in weights:
                dist.broadcast(tensor.detach(), src=0)

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Set every `.grad` to the sum over the processes; a parameter that none of them used keeps none."""
        if self.world == 1:
            return
        used = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        listed = used.new_tensor([float(p.grad is not None and p.grad.is_sparse) for p in parameters])
        parts = [torch.zeros_like(p) if p.grad is None else p.grad.to_dense() for p in parameters]
        packed = torch.cat([used, listed, *(part.flatten() for part in parts)])
        dist.all_reduce(packed)
        used, listed, *sums = packed.split([len(parameters)] * 2 + [part.numel() for part in parts])
        for parameter, users, rows, total in zip(parameters, used.tolist(), listed.tolist(), sums, strict=True):
            whole = total.view_as(parameter).to(parameter.dtype)
            parameter.grad = None if not users else whole.to_sparse(1) if rows else whole


def choose_device(name: str) -> torch.device:
    """Return the device that an option names; under torchrun each process takes the GPU of its local rank.

    Args:
        name: "cpu", "cuda", "cuda:1", or "auto" for a GPU if there is one.

    Raises:
        OptionError: an unknown device, or a GPU that does not exist.

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
