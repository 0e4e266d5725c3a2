"""The base of unrolled.nn's LSTM, GRU and RNN: torch's modules with another `forward`.

Where our kernels are not faster, torch's own `forward` runs: on a GPU, under autocast, for a single step, and for every
input that torch refuses, so that users see its error message. It has neither recurrent dropout nor zoneout: with these
it runs only to refuse inputs.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from unrolled.cells.base import Cell
from unrolled.errors import OptionError, ShapeError, UnsupportedError, message, unknown
from unrolled.kernels import native
from unrolled.kernels.choose import KERNELS, choose
from unrolled.kernels.cpu import kernel as tiles
from unrolled.kernels.noise import Noise
from unrolled.nn.packing import Packed, Padded, pack
from unrolled.nn.unroll import unroll
from unrolled.nn.watching import watched
from unrolled.ragged import Ragged

# steps from which torch's packed backward pass, quadratic in time, costs more than the native kernel's dense calls;
# measured on a CPU at H = 32 to 128
LONG = 100

Fields = tuple[Tensor, ...]  # torch's hx, one (L, B, H) tensor per field of the cell's state


class DropIn(nn.RNNBase):
    """The base class of the three: a `forward` that runs every layer and direction through `unroll`."""

    kernel: str
    recurrent_dropout = 0.0  # also for modules pickled by versions without it
    zoneout = 0.0
    cell_type: type[Cell]

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run whole sequences.

        Args:
            input: (T, B, F), or (B, T, F) with `batch_first`; (T, F) for one sequence; a PackedSequence; a Ragged.
            hx: state before the first step, (L, B, H) or (L, H) for one sequence, where L counts layers times
                directions; for an LSTM the pair (h_0, c_0); None = zeros.

        Returns:
            outputs in the form of the input, with H features or 2 * H in two directions; and the state after
            the last step of every sequence in the form of hx. An empty sequence of a Ragged keeps its state.

        Raises:
            RuntimeError, ValueError: raised by torch for a tensor or PackedSequence of the wrong shape or dtype.
            ShapeError: a Ragged, or hx with a Ragged, of the wrong shape.
            UnsupportedError: the requested kernel cannot run this.
        """
        # torch.compile leaves recurrent modules alone, but would compile each function that ours calls
        compiler_loaded = "torch._dynamo" in sys.modules and not torch.compiler.is_compiling()
        return (_uncompiled() if compiler_loaded else DropIn._forward)(self, input, hx)

    def _forward(self, input: Any, hx: Any) -> Any:
        if not torch.compiler.is_compiling():  # while compiling, tensors are fake ones
            self._update_flat_weights()
        if isinstance(input, Ragged):
            return self._forward_ragged(input, hx)
        batch = self._readable(input)
        state = None if batch is None else self._readable_state(hx, batch.rows, batch.batch_shape)
        if batch is None or state is None:
            return self._torchs(input, hx)
        whole = Ragged(batch.rows, batch.lengths)  # its steps may be in another order, which does not affect the choice
        if self._torch_is_as_good(whole, dense=isinstance(batch, Padded)):
            return super().forward(input, hx)
        outputs, final = self._layers(batch.to_ragged(), tuple(batch.state_to_ragged(field) for field in state))
        return batch.from_ragged(outputs), _answer(tuple(batch.state_from_ragged(field) for field in final))

    def _torchs(self, input: Any, hx: Any) -> Any:
        """Run torch's own forward, which also raises its own errors."""
        answer = super().forward(input, hx)
        if self._noisy and answer[0].data.numel():
            raise UnsupportedError("recurrent dropout and zoneout take inputs and states of the weights' dtype")
        return answer

    # ---- the input --------------------------------------------------------------------------------

    def _readable(self, given: Any) -> Padded | Packed | None:
        """Return the input in the form of our layers, or None where torch must run or refuse it."""
        if isinstance(given, PackedSequence) and given.data.ndim == 2:
            batch = Packed(given)
        elif isinstance(given, Tensor) and given.ndim in (2, 3):
            batch = Padded(given, self.batch_first)
        else:
            return None
        rows = batch.rows
        if self._torch_must(rows, batch.steps) or not rows.numel():
            return None
        fits = rows.shape[1] == self.input_size and rows.dtype == self._weights(0, False)["weight_ih"].dtype
        return batch if fits else None

    def _readable_state(self, hx: Any, rows: Tensor, batch_shape: tuple[int, ...]) -> Fields | None:
        """Return the fields of hx, zeros in place of None; None where torch must refuse it."""
        shapes = self._state_shapes(batch_shape)
        if hx is None:
            return tuple(rows.new_zeros(shape) for shape in shapes)
        fields = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
        fits = len(fields) == len(shapes) and all(
            isinstance(field, Tensor)
            and field.shape == shape
            and (field.dtype, field.device) == (rows.dtype, rows.device)
            for field, shape in zip(fields, shapes, strict=True)
        )
        return fields if fits else None

    def _state_shapes(self, batch_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the shape of each field of hx; a projection narrows the first, the output of the layer."""
        layers = self.num_layers * (2 if self.bidirectional else 1)
        widths = [self.proj_size or self.hidden_size, self.hidden_size]
        return [(layers, *batch_shape, width) for width in widths[: len(self.cell_type.state_type._fields)]]

    # ---- the choice between torch and our kernels -------------------------------------------------

    def _torch_must(self, rows: Tensor, steps: int) -> bool:
        """Return whether torch's forward must run; never with noise or a watcher.

        It must under autocast, a trace, a transform of torch.func (of our kernels only the reference supports those),
        and for a single step, where there is nothing to unfold.
        """
        if self.kernel != "auto" or self._noisy or watched():
            return False
        kind = rows.device.type
        autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        if autocast and native.autocast_refuses(self.cell_type.torch_layer, rows.device):
            return False
        single = steps == 1 and not torch.compiler.is_compiling()  # torch's own forward cannot always be compiled
        return single or autocast or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active()

    def _torch_is_as_good(self, inputs: Ragged, dense: bool) -> bool:
        """Return whether one call of torch's forward is as fast as a kernel for each layer and direction."""
        if self._noisy or watched():
            return False
        chosen = KERNELS[choose(self._cell(0, False), inputs, self.kernel).name]
        if self.proj_size:  # torch's functions that `native` calls have no projection, but its layers do
            return chosen is not tiles
        if chosen is not native:
            return False
        learns_long = not dense and torch.is_grad_enabled() and inputs.max_length >= LONG
        return not (learns_long and inputs.values.device.type == "cpu")

    @property
    def _noisy(self) -> bool:
        """Whether there is noise that torch's forward does not have."""
        return self.zoneout > 0 or (self.training and self.recurrent_dropout > 0)

    def _noise(self) -> Noise | None:
        """Return the noise of one layer and direction, with new draws for each in training."""
        if not self._noisy:
            return None
        noise = Noise(self.recurrent_dropout, self.zoneout)
        return noise.drawn() if self.training else noise

    # ---- running it -------------------------------------------------------------------------------

    def _forward_ragged(self, inputs: Ragged, hx: Any) -> tuple[Ragged, Any]:
        if inputs.feature_shape != (self.input_size,):
            raise ShapeError(message("input", expected=f"a Ragged of shape (N, {self.input_size})", received=inputs))
        state = self._readable_state(hx, inputs.values, (inputs.batch_size,))
        if state is None:
            shapes = " and ".join(map(str, self._state_shapes((inputs.batch_size,))))
            expected = f"{shapes} of {inputs.values.dtype} on {inputs.values.device}"
            raise ShapeError(message("hx", expected=expected, received=_shown(hx)))
        if not inputs.num_steps:
            width = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
            return inputs.with_values(inputs.values.new_zeros(0, width)), _answer(state)
        steps = 0 if torch.compiler.is_compiling() else inputs.max_length  # a graph must work for any lengths
        torch_runs = self._torch_must(inputs.values, steps) or self._torch_is_as_good(inputs, dense=False)
        outputs, final = (self._torch_layers if torch_runs else self._layers)(inputs, state)
        return outputs, _answer(final)

    def _layers(self, inputs: Ragged, state: Fields) -> tuple[Ragged, Fields]:
        """Run every layer and direction with the kernel chosen for it."""
        directions = (False, True) if self.bidirectional else (False,)
        final = []
        hidden = inputs
        for layer in range(self.num_layers):
            given = self._dropped(hidden) if layer else hidden
            outputs = []
            for reverse in directions:
                cell, before = self._cell(layer, reverse), [field[len(final)] for field in state]
                options = {"reverse": reverse, "kernel": self.kernel, "noise": self._noise()}
                output, after = unroll(cell, given, cell.state_type(*before), **options)
                outputs.append(output.values)
                final.append(after)
            hidden = given.with_values(torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0])  # (N, H or 2 * H)
        return hidden, tuple(torch.stack(fields) for fields in zip(*final, strict=True))

    def _dropped(self, hidden: Ragged) -> Ragged:
        """Apply dropout between layers, drawn in torch's order of steps, so that a seed gives torch's mask on a CPU."""
        if not self.training or not self.dropout:
            return hidden
        if torch.compiler.is_compiling():  # the order depends on lengths, and compiled code draws differently
            return hidden.map(lambda values: nn.functional.dropout(values, self.dropout))
        mask = nn.functional.dropout(torch.ones_like(hidden.values), self.dropout)  # (N, H), all first steps first
        return hidden.with_values(hidden.values * mask[hidden.time_major.scatter.to(mask.device)])

    def _torch_layers(self, inputs: Ragged, state: Fields) -> tuple[Ragged, Fields]:
        """Run all layers by torch's forward, which accepts no empty sequence."""
        layout = inputs.time_major
        order, rank = layout.order.to(inputs.values.device), layout.rank.to(inputs.values.device)
        alive = int(layout.batch_sizes[0])
        start = tuple(field[:, order] for field in state)  # (L, B, H) each, longest first
        packed, hx = super().forward(pack(inputs), _answer(tuple(field[:, :alive] for field in start)))
        ended = hx if isinstance(hx, tuple) else (hx,)
        final = (torch.cat([new, old[:, alive:]], 1)[:, rank] for new, old in zip(ended, start, strict=True))
        return inputs.with_values(packed.data[layout.scatter.to(packed.data.device)]), tuple(final)

    # ---- its weights ------------------------------------------------------------------------------

    def _weights(self, layer: int, reverse: bool) -> dict[str, Tensor]:
        """Return the weights of one layer and direction by name; zeros for missing biases."""
        suffix = f"_l{layer}{'_reverse' if reverse else ''}"
        matrices = ("weight_ih", "weight_hh", "weight_hr") if self.proj_size else ("weight_ih", "weight_hh")
        weights = {name: getattr(self, name + suffix) for name in matrices}
        nothing = None if self.bias else weights["weight_ih"].new_zeros(len(weights["weight_ih"]))
        for name in ("bias_ih", "bias_hh"):
            weights[name] = getattr(self, name + suffix) if nothing is None else nothing
        return weights

    def _cell(self, layer: int, reverse: bool) -> Cell:
        """Return one layer and direction as a cell, made for each call, so that its weights are current."""
        cell = self.cell_type.__new__(self.cell_type)
        if torch.compiler.is_compiling():  # the compiler cannot follow the other way
            vars(cell).update(_parameters={}, _buffers={}, _modules={})
        else:
            nn.Module.__init__(cell)
        weights = self._weights(layer, reverse)
        # plain attributes: the parameters stay the module's own, and need not be Parameters (functional_call)
        vars(cell).update(weights)
        vars(cell).update(input_size=weights["weight_ih"].shape[1], hidden_size=self.hidden_size, initial={})
        return cell

    def _set_options(self, kernel: str, recurrent_dropout: float, zoneout: float) -> None:
        """Check and store the options that torch's modules lack, at the end of a constructor."""
        if kernel != "auto" and kernel not in KERNELS:
            raise unknown("kernel", kernel, ["auto", *KERNELS])
        if kernel != "auto" and self.proj_size:
            raise OptionError(message("kernel", expected="'auto' with proj_size", received=kernel))
        Noise(recurrent_dropout, zoneout)  # it checks them
        self.kernel, self.recurrent_dropout, self.zoneout = kernel, recurrent_dropout, zoneout

    def extra_repr(self) -> str:
        """Return torch's text, with the noise if there is some."""
        shares = {"recurrent_dropout": self.recurrent_dropout, "zoneout": self.zoneout}
        return ", ".join([super().extra_repr(), *(f"{name}={share}" for name, share in shares.items() if share)])


@cache
def _uncompiled() -> Callable[..., Any]:
    """Return the forward pass hidden from the compiler; made on demand, because it imports the compiler."""
    return torch.compiler.disable(fn=DropIn._forward)


def _answer(fields: Fields) -> Tensor | Fields:
    """Return a state in torch's form: a tensor, or a tuple of several fields."""
    return fields[0] if len(fields) == 1 else fields


def _shown(hx: Any) -> str:
    """Describe a state of the wrong shape for an error message."""
    fields = hx if isinstance(hx, tuple | list) else (hx,)
    known = [f"{tuple(f.shape)} of {f.dtype} on {f.device}" if isinstance(f, Tensor) else repr(f) for f in fields]
    return " and ".join(known)
