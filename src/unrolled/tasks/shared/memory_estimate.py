"""Estimate of the memory of a training run, made before anything is allocated."""

from typing import Any

import torch
from torch import nn

from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.batch import Batch
from unrolled.cells.base import Cell
from unrolled.errors import OptionError, message
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.inputs import InputLayer
from unrolled.nn.layers import count_weights
from unrolled.nn.recompute import is_too_much, stretch_steps
from unrolled.tasks.shared.free_memory import free_memory
from unrolled.training.distributed import choose_device
from unrolled.training.options import TrainingOptions

WEIGHT_COPIES = 5  # weights, gradients, two moments of Adam, the best weights so far
STEP_COPIES = 14  # values kept per hidden unit and step by forward and backward: gates, states, their gradients
SHOWN_COPIES = 4  # with recomputation: a layer's outputs, the next layer's values of them, the gradients of both


def estimate_memory(network: nn.Module, examples: Any, options: TrainingOptions) -> int:
    """Return the bytes that training needs at least: weights, optimiser, and one batch of activations.

    A layer that recomputes, see `unroll`, keeps the inner steps of one stretch at a time.

    Args:
        network: may live on the meta device.
        examples: all training examples.
        options: give the batch size and the length of truncated back-propagation.
    """
    weights = count_weights(network)
    sizes = examples.sizes if isinstance(examples, Batch) else examples.lengths  # the inputs of an encoder count too
    longest = int(sizes.max()) if examples.batch_size else 0
    steps = min(longest, options.bptt_steps or longest)
    rows = min(options.batch_size or 32, examples.batch_size)
    batch_steps = min(rows * steps, int(sizes.sum()))
    kept = 0
    for cell in (module for module in network.modules() if isinstance(module, Cell)):
        recomputes = not _on_gpu(options) and is_too_much(cell, batch_steps, steps)
        inner = batch_steps * stretch_steps(steps) // steps if recomputes else batch_steps
        kept += (STEP_COPIES * inner + SHOWN_COPIES * (batch_steps - inner)) * cell.hidden_size
    kept += sum(module.kept(rows, batch_steps) for module in network.modules() if isinstance(module, InputLayer))
    kept += sum(module.kept(batch_steps) for module in network.modules() if isinstance(module, Convolutions))
    if isinstance(network, EncoderDecoder):
        reads = int(sizes.max() - examples.lengths[sizes.argmax()])
        kept += network.kept(rows, reads, longest - reads)
    return 4 * (WEIGHT_COPIES * weights + kept)


def check_memory(network: nn.Module, examples: Any, options: TrainingOptions) -> None:
    """Refuse a run that cannot fit, before it starts; if the free memory is unknown, nothing is refused.

    Raises:
        OptionError: the estimate exceeds the free memory of the machine or its GPU.
    """
    needed = estimate_memory(network, examples, options)
    free = torch.cuda.mem_get_info()[0] if _on_gpu(options) else free_memory()
    if free is not None and needed > free:
        raise OptionError(
            message(
                "hidden_size",
                expected=f"a model and batch that fit into {_size(free)} of free memory",
                received=f"one that needs about {_size(needed)}",
                remedy="lower hidden_size or num_layers, or batch_size, or set bptt_steps",
            )
        )


def _on_gpu(options: TrainingOptions) -> bool:
    return choose_device(options.device).type == "cuda"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
