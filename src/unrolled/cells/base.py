"""The cell contract: one step of a recurrent network; state goes in and comes out.

A cell is the equation. The loop over time is `unrolled.nn.unroll`; how fast it runs is a kernel's business.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from unrolled.errors import OptionError, ShapeError, message
from unrolled.shapes import StepInputs, StepOutputs

State = Any  # a NamedTuple of (B, H) tensors, one type per cell


class Cell(nn.Module, ABC):
    """One step of a recurrent network, with weights in torch's layout.

    Weights are named as in `torch.nn.LSTMCell`: `weight_ih` (gates * H, F), `weight_hh` (gates * H, H),
    `bias_ih` and `bias_hh` (gates * H). They start as Glorot-uniform input weights, orthogonal recurrent
    weights for each gate, and zero biases.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter instead of zeros.

    Raises:
        OptionError: a size below 1.
    """

    state_type: ClassVar[type]  # the NamedTuple that `step` takes and returns
    gates: ClassVar[int]  # how many blocks of H rows each weight matrix stacks
    torch_layer: ClassVar[str] = ""  # the torch.nn layer with the same equation, "" when there is none

    def __init__(self, input_size: int, hidden_size: int, learn_initial_state: bool = False) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise OptionError(message(name, expected="an integer >= 1", received=size))
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden_size, input_size))  # (gates * H, F)
        self.weight_hh = nn.Parameter(torch.empty(self.gates * hidden_size, hidden_size))  # (gates * H, H)
        self.bias_ih = nn.Parameter(torch.zeros(self.gates * hidden_size))
        self.bias_hh = nn.Parameter(torch.zeros(self.gates * hidden_size))
        fields = self.state_type._fields if learn_initial_state else ()
        self.initial = nn.ParameterDict({name: nn.Parameter(torch.zeros(hidden_size)) for name in fields})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw fresh weights."""
        with torch.no_grad():
            for block in self.weight_ih.split(self.hidden_size):
                nn.init.xavier_uniform_(block)
            for block in self.weight_hh.split(self.hidden_size):
                nn.init.orthogonal_(block)

    @property
    def output_size(self) -> int:
        """Width of one step's output, H."""
        return self.hidden_size

    @abstractmethod
    def step(self, inputs: StepInputs, state: State) -> tuple[StepOutputs, State]:
        """Advance every row by one time step: (B, F) and a state to (B, H) and the next state."""

    def initial_state(self, batch_size: int) -> State:
        """The state before the first step: zeros, or the learnt one, for `batch_size` rows."""
        if self.initial:
            return self.state_type(*(self.initial[f].expand(batch_size, -1) for f in self.state_type._fields))
        zeros = self.weight_hh.new_zeros(batch_size, self.hidden_size)  # (B, H)
        return self.state_type(*(zeros for _ in self.state_type._fields))

    @property
    def weights(self) -> list[nn.Parameter]:
        """The four weights in the order torch's functions take them."""
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]

    @classmethod
    def from_torch(cls, module: nn.Module, layer: int = 0, reverse: bool = False) -> Self:
        """A cell with a copy of the weights of a torch.nn layer or cell of the same kind.

        Args:
            module: for an LSTM: `torch.nn.LSTM` or `torch.nn.LSTMCell`; likewise for the others.
            layer: which layer of a stacked module.
            reverse: take the backward direction of a bidirectional module.

        Raises:
            OptionError: a module of another kind, without that layer, or with a projection.
        """
        kind = type(module).__name__
        if kind not in (cls.torch_layer, f"{cls.torch_layer}Cell"):
            raise OptionError(message("module", expected=f"a torch.nn.{cls.torch_layer}", received=kind))
        suffix = "" if kind.endswith("Cell") else f"_l{layer}{'_reverse' if reverse else ''}"
        source = dict(module.named_parameters())
        if f"weight_ih{suffix}" not in source:
            raise OptionError(
                message("layer", expected="a layer and direction of the module", received=(layer, reverse))
            )
        if getattr(module, "proj_size", 0):
            raise OptionError(message("module", expected="no projection", received=f"proj_size={module.proj_size}"))
        weight_ih = source[f"weight_ih{suffix}"]
        cell = cls(weight_ih.shape[1], source[f"weight_hh{suffix}"].shape[1], **cls._torch_arguments(module))
        cell.to(weight_ih)
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                target = getattr(cell, name)
                given = source.get(f"{name}{suffix}")
                target.copy_(torch.zeros_like(target) if given is None else given)
        return cell

    @classmethod
    def _torch_arguments(cls, module: nn.Module) -> dict[str, Any]:
        """Constructor arguments that a torch module fixes beyond its sizes."""
        return {}

    def to_torch(self) -> nn.Module:
        """A one-layer torch.nn module with a copy of these weights; it has no place for a learnt initial state."""
        module = getattr(nn, self.torch_layer)(self.input_size, self.hidden_size, **self._to_torch_arguments())
        module.to(self.weight_ih)
        module.load_state_dict(
            {f"{name}_l0": getattr(self, name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        )
        return module

    def _to_torch_arguments(self) -> dict[str, Any]:
        return {}

    def check_inputs(self, features: int) -> None:
        """Refuse inputs of another width than the cell was built for."""
        if features != self.input_size:
            raise ShapeError(
                message("inputs", expected=f"{self.input_size} features (input_size)", received=f"{features} features")
            )

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + (", learn_initial_state=True" if self.initial else "")


def gates_of(weights: Tensor, count: int) -> tuple[Tensor, ...]:
    """Split (B, gates * H) pre-activations into one (B, H) tensor for each gate."""
    return weights.chunk(count, dim=-1)
