"""The cell interface: one step of a recurrent network; state goes in and comes out.

A cell is the equation. The loop over time is `unrolled.nn.unroll`; kernels make it fast.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from unrolled.errors import OptionError, ShapeError, UnsupportedError, message
from unrolled.shapes import HiddenState, StepInputs, StepOutputs

State = Any  # a NamedTuple of (B, width) tensors, one type per cell; the widths are `Cell.state_sizes`


class Cell(nn.Module, ABC):
    """The base of all cells: one step of a recurrent network, with weights in torch's layout.

    Weights are named as in `torch.nn.LSTMCell`: `weight_ih` (gates * H, F), `weight_hh` (gates * H, H),
    `bias_ih` and `bias_hh` (gates * H). Initially input weights are Glorot-uniform, recurrent weights orthogonal
    for each gate, and biases zero. A cell with other weights overrides `weight_shapes`, one whose state
    is not H wide `state_sizes`.

    Args:
        input_size: features of one step, F.
        hidden_size: hidden units, H.
        learn_initial_state: make the state before the first step a parameter instead of zeros.

    Raises:
        OptionError: a size below 1.
    """

    state_type: ClassVar[type]  # the NamedTuple that `step` takes and returns
    gates: ClassVar[int]  # number of blocks of H rows in each weight matrix
    torch_layer: ClassVar[str] = ""  # the torch.nn layer with the same equation, "" if there is none
    squashings: ClassVar[tuple[str, ...]] = ()  # names of the values that `step` squashes, in order, for inspection
    can_drop: ClassVar[bool] = False  # whether `step_reading` is correct, and with it recurrent dropout

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    bias_ih: nn.Parameter
    bias_hh: nn.Parameter

    def __init__(self, input_size: int, hidden_size: int, learn_initial_state: bool = False) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise OptionError(message(name, expected="an integer >= 1", received=size))
        self.input_size = input_size
        self.hidden_size = hidden_size
        for name, shape in self.weight_shapes.items():
            setattr(self, name, nn.Parameter(torch.zeros(shape)))
        learnt = self.state_sizes if learn_initial_state else {}
        self.initial = nn.ParameterDict({name: nn.Parameter(torch.zeros(size)) for name, size in learnt.items()})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw fresh weights."""
        with torch.no_grad():
            for block in self.weight_ih.split(self.hidden_size):
                nn.init.xavier_uniform_(block)
            if "weight_hh" in self.weight_shapes:
                for block in self.weight_hh.split(self.hidden_size):
                    nn.init.orthogonal_(block)

    @property
    def short_name(self) -> str:
        """The name of this kind of cell in pictures and messages, such as "LSTM"."""
        return type(self).__name__.removesuffix("Cell")

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every weight's shape by its name, torch's four first and in torch's order."""
        return self._shared_shapes()

    def _shared_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of torch's four; a method, because torch.compile cannot read a property of super()."""
        rows = self.gates * self.hidden_size
        return {
            "weight_ih": (rows, self.input_size),
            "weight_hh": (rows, self.output_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }

    @property
    def state_sizes(self) -> dict[str, int]:
        """Return every state field's width by its name."""
        return dict.fromkeys(self.state_type._fields, self.hidden_size)

    @property
    def output_size(self) -> int:
        """Width of one step's output, H."""
        return self.hidden_size

    @abstractmethod
    def step(self, inputs: StepInputs, state: State) -> tuple[StepOutputs, State]:
        """Advance every row by one time step: (B, F) and a state to (B, H) and the next state."""

    def step_reading(self, read: HiddenState, inputs: StepInputs, state: State) -> tuple[StepOutputs, State]:
        """Make a step in which the recurrent product reads `read` (B, H), for instance a hidden state with dropout.

        This default is correct for a cell that uses its hidden state in that product only.
        """
        return self.step(inputs, state._replace(hidden=read))

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step: zeros, or the learnt one, for `batch_size` rows."""
        if self.initial:
            return self.state_type(*(self.initial[f].expand(batch_size, -1) for f in self.state_type._fields))
        return self.state_type(*(self.weight_ih.new_zeros(batch_size, size) for size in self.state_sizes.values()))

    @property
    def weights(self) -> list[nn.Parameter]:
        """Return the weights in the order of `weight_shapes`, in which torch's functions take the four."""
        return [getattr(self, name) for name in self.weight_shapes]

    @classmethod
    def from_torch(cls, module: nn.Module, layer: int = 0, reverse: bool = False) -> Self:
        """Return a cell with a copy of the weights of a torch.nn layer or cell of the same kind.

        Args:
            module: for an LSTM: `torch.nn.LSTM` or `torch.nn.LSTMCell`; likewise for the others.
            layer: which layer of a stacked module.
            reverse: take the backward direction of a bidirectional module.

        Raises:
            OptionError: a module of another kind, without that layer, or with a projection.
            UnsupportedError: torch has no layer with this cell's equation and state.
        """
        cls._need_torch_layer()
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
            for name in cell.weight_shapes:
                target = getattr(cell, name)
                given = source.get(f"{name}{suffix}")
                target.copy_(torch.zeros_like(target) if given is None else given)
        return cell

    @classmethod
    def _torch_arguments(cls, module: nn.Module) -> dict[str, Any]:
        """Return constructor arguments that a torch module determines in addition to its sizes."""
        return {}

    def to_torch(self) -> nn.Module:
        """Return a one-layer torch.nn module with a copy of these weights; a learnt initial state is not included.

        Raises:
            UnsupportedError: torch has no layer with this cell's equation and state.
        """
        self._need_torch_layer()
        module = getattr(nn, self.torch_layer)(self.input_size, self.hidden_size, **self._to_torch_arguments())
        module.to(self.weight_ih)
        module.load_state_dict({f"{name}_l0": getattr(self, name) for name in self.weight_shapes})
        return module

    def _to_torch_arguments(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _need_torch_layer(cls) -> None:
        if not cls.torch_layer:
            raise UnsupportedError(f"a {cls.__name__} shares its weights with no torch.nn layer; use its state_dict()")

    def check_inputs(self, features: int) -> None:
        """Refuse inputs of another width than the cell was built for."""
        if features != self.input_size:
            raise ShapeError(
                message("inputs", expected=f"{self.input_size} features (input_size)", received=f"{features} features")
            )

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + (", learn_initial_state=True" if self.initial else "")


def gates_of(weights: Tensor, count: int) -> tuple[Tensor, ...]:
    """Split (B, gates * H) pre-activations into one (B, H) tensor per gate."""
    return weights.chunk(count, dim=-1)
