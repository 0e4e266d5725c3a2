"""The tiles inside the graphs that torch.compile and torch.export record: one operator, the same answers."""

import inspect
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import unrolled.nn
from kernels.tile_checks import cells
from random_sequences import noise, shake, some_ragged
from unrolled.cells.registry import make_cell
from unrolled.errors import ShapeError
from unrolled.kernels.cpu import calls
from unrolled.kernels.cpu.machine import available, host
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

LENGTHS = [4, 0, 7, 2]
F, H = 3, 5
OPERATOR = torch.ops.unrolled.recurrence.default
kinds = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
learning = pytest.mark.parametrize("learns", [True, False])


class Unrolled(nn.Module):
    """A cell unrolled in a module of a user's."""

    def __init__(self, name: str = "lstm", reverse: bool = False) -> None:
        super().__init__()
        self.cell, self.reverse = shake(make_cell(name, F, H), scale=0.1), reverse

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        outputs, state = unroll(self.cell, Ragged(values, lengths), reverse=self.reverse)
        return outputs.values.tanh(), *state


@pytest.fixture(autouse=True, scope="module")
def no_shape_checks() -> Iterator[None]:
    """No graph can hold the checks that `tests/conftest.py` puts around every function."""
    modules = [module for name, module in sys.modules.items() if name.startswith("unrolled.")]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    ours = [one for one in classes if one.__module__.startswith("unrolled.")]
    with pytest.MonkeyPatch.context() as patch:
        for owner in [*modules, *ours]:
            for name, value in list(vars(owner).items()):
                if unchecked(value) is not value:
                    patch.setattr(owner, name, unchecked(value))
        yield


def unchecked(value: Any) -> Any:
    """A function or property without its check; anything else as it is."""
    if isinstance(value, property):
        bare = unchecked(value.fget)
        return value if bare is value.fget else property(bare)
    if isinstance(value, staticmethod | classmethod):
        bare = unchecked(value.__func__)
        return value if bare is value.__func__ else type(value)(bare)
    checked = inspect.isfunction(value) and value.__globals__["__name__"].startswith("jaxtyping.")
    return value.__wrapped__ if checked else value


@pytest.fixture(autouse=True)
def forget_graphs() -> Iterator[None]:
    """Every test compiles afresh."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture
def look_inside() -> Iterator[None]:
    """torch.compile reads recurrent modules only where it is told to."""
    with torch._dynamo.config.patch(allow_rnn=True):
        yield


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """A name for each time that the machine code is called."""
    found: list[str] = []

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: found.append(name) or function(*given, **named)

    for name in ("forward", "backward"):
        monkeypatch.setattr(calls, name, counting(name, getattr(calls, name)))
    return found


def compiled(module: nn.Module, fullgraph: bool = True, **options: Any) -> Any:
    return torch.compile(module, backend="aot_eager", fullgraph=fullgraph, **options)


def tensors(answer: Any) -> list[Tensor]:
    return [answer] if isinstance(answer, Tensor) else [tensor for part in answer for tensor in tensors(part)]


def answers(module: nn.Module, run: Any, given: tuple[Any, ...], learns: bool) -> list[Tensor]:
    """Everything that comes out, and every gradient."""
    with torch.set_grad_enabled(learns):
        found = tensors(run(*given))
    if learns:
        wanted = [*module.parameters(), *(tensor for tensor in tensors(given) if tensor.requires_grad)]
        found += torch.autograd.grad(sum((tensor**2).sum() for tensor in found), wanted)
    return found


def assert_same(module: nn.Module, *given: Any, learns: bool = True, fullgraph: bool = True) -> None:
    got = answers(module, compiled(module, fullgraph), given, learns)
    for one, other in zip(got, answers(module, module, given, learns), strict=True):
        torch.testing.assert_close(one, other)


def ragged() -> tuple[Tensor, Tensor]:
    batch = some_ragged(LENGTHS, F, dtype=torch.float32)
    return batch.values.requires_grad_(), batch.lengths


def operands(name: str, keep: bool, machine: str | None) -> tuple[Any, ...]:
    cell, (values, lengths) = shake(make_cell(name, F, H), scale=0.1), ragged()
    widths = enumerate(cell.state_sizes.values())
    state = [noise(len(LENGTHS), width, seed=i, dtype=torch.float32) for i, width in widths]
    weights = list(cell.weights)
    if not keep:
        values, weights = values.detach(), [weight.detach() for weight in weights]
    return values, lengths, weights, state, name_of(cell), ",".join(cell.weight_shapes), False, keep, machine


# ---- the operator ------------------------------------------------------------------------------------


@cells
@pytest.mark.parametrize("keep", [True, False])
def test_the_operator_is_what_torch_expects_of_one(name, keep):
    torch.library.opcheck(OPERATOR, operands(name, keep, None))


@cells
def test_the_operator_without_steps_answers_and_learns_nothing(name):
    _, _, weights, state, *rest = operands(name, True, None)
    values = torch.zeros(0, F, requires_grad=True)
    outputs, final, _ = OPERATOR(values, torch.zeros(len(LENGTHS), dtype=torch.int64), weights, state, *rest)
    assert outputs.shape == (0, state[0].shape[1])
    assert all(map(torch.equal, final, state))
    for gradient in torch.autograd.grad(outputs.sum() + final[0].sum(), [values, *weights]):
        assert not gradient.any()


def test_the_operator_runs_as_any_machine():
    given = operands("lstm", True, None)
    want = tensors(OPERATOR(*given)[:2])
    for machine in available():
        got = tensors(OPERATOR(*given[:-1], machine.name)[:2])
        for one, other in zip(got, want, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["lstm", "lstm_projected"])
def test_gradients_of_several_chunks_find_their_slots(name, monkeypatch):
    found, given = [], operands(name, True, None)
    for threads in (1, 3):
        monkeypatch.setattr(calls, "threads_for", lambda *_, threads=threads: threads)
        outputs, final, kept = OPERATOR(*given)
        assert kept[-1].item() == threads
        monkeypatch.setattr(calls, "threads_for", lambda *_: 2)  # the number may change before the backward pass
        found.append(torch.autograd.grad(outputs.sum() + final[1].sum(), [given[0], *given[2]]))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_operator_refuses_lengths_that_are_not_its_inputs():
    values, _, *rest = operands("gru", False, None)
    with pytest.raises(ShapeError, match="sum of N = 13"):
        OPERATOR(values, torch.tensor([4, 0, 7, 20]), *rest)


@pytest.mark.skipif(not host().has_pairs, reason="this processor has no product of bfloat16 pairs")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["lstm", "lstm_projected"])
def test_autocast_around_a_compiled_module_is_the_eager_one(name, dtype):
    module, (values, lengths) = Unrolled(name), ragged()
    found = []
    for run in (module, torch.compile(module, backend="aot_eager", fullgraph=True)):
        leaf = values.detach().to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            outputs, *state = run(leaf, lengths)
        grads = torch.autograd.grad(outputs.float().square().sum(), [leaf, *module.parameters()], allow_unused=True)
        found.append([outputs, *state, *grads])
    assert found[0][-1] is not None
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other)


# ---- modules of a user's -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reverse", "learns"),
    [(False, False), (True, True), *(pytest.param(one, not one, marks=pytest.mark.slow) for one in (False, True))],
)
@cells
def test_a_compiled_unroll_is_one_graph_that_answers_and_learns_as_before(name, reverse, learns):
    assert_same(Unrolled(name, reverse), *ragged(), learns=learns)


def test_a_compiled_unroll_learns_its_initial_state():
    module = Unrolled()
    module.cell = shake(make_cell("lstm", F, H, learn_initial_state=True))
    assert_same(module, *ragged())


@cells
def test_a_compiled_unroll_runs_on_the_tiles(name, counted):
    module, given = Unrolled(name), ragged()
    answers(module, compiled(module), given, learns=True)
    assert counted == ["forward", "backward"]


def test_a_compiled_unroll_refuses_lengths_that_do_not_fit():
    run, (values, lengths) = compiled(Unrolled()), ragged()
    run(values, lengths)
    for wrong in ([4, 0, 70, -61], [4, 0, 7, 20]):
        with pytest.raises(RuntimeError, match="integers >= 0 that sum to the rows"):
            run(values, torch.tensor(wrong))


def test_second_derivatives_of_compiled_code_are_refused_by_torch():
    values, lengths = ragged()
    outputs, *_ = compiled(Unrolled())(values, lengths)
    (slope,) = torch.autograd.grad((outputs**2).sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="double backward"):
        slope.sum().backward()


# ---- the modules of unrolled.nn ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch_first", "learns"),
    [(False, False), (True, True), *(pytest.param(one, not one, marks=pytest.mark.slow) for one in (False, True))],
)
@kinds
@pytest.mark.usefixtures("look_inside")
def test_a_compiled_layer_is_one_graph_that_answers_and_learns_as_before(kind, batch_first, learns):
    module = getattr(unrolled.nn, kind)(F, H, 2, batch_first=batch_first, bidirectional=True)
    assert_same(module, noise(4, 7, F, dtype=torch.float32).requires_grad_(), learns=learns)


@learning
@kinds
def test_a_layer_that_torch_does_not_look_into_answers_and_learns_as_before(kind, learns, counted):
    module = getattr(unrolled.nn, kind)(F, H, 2, bidirectional=True)
    assert_same(module, noise(4, 7, F, dtype=torch.float32).requires_grad_(), learns=learns, fullgraph=False)
    assert counted.count("forward") == 2 * 4


@pytest.mark.usefixtures("look_inside")
def test_a_compiled_layer_runs_on_the_tiles(counted):
    module = unrolled.nn.LSTM(F, H, 2, bidirectional=True)
    answers(module, compiled(module), (noise(4, 7, F, dtype=torch.float32),), learns=True)
    assert sorted(counted) == ["backward"] * 4 + ["forward"] * 4


@pytest.mark.usefixtures("look_inside")
def test_a_compiled_layer_takes_a_state_one_sequence_a_single_step_and_no_biases():
    inputs, state = noise(4, 7, F, dtype=torch.float32), noise(1, 7, H, dtype=torch.float32)
    assert_same(unrolled.nn.LSTM(F, H), inputs, (state, state + 1))
    assert_same(unrolled.nn.LSTM(F, H, proj_size=2), inputs, (state[:, :, :2], state))
    for given in (inputs[:, 0], inputs[:1]):
        torch.compiler.reset()
        assert_same(unrolled.nn.GRU(F, H, bias=False), given)


@pytest.mark.usefixtures("look_inside")
def test_a_compiled_layer_is_not_compiled_for_every_size():
    module = unrolled.nn.GRU(F, H)
    run, sizes = compiled(module, dynamic=True), ((4, 7), (5, 8), (9, 2))
    with torch.compiler.set_stance("eager_on_recompile"):
        for size in sizes:
            given = noise(*size, F, dtype=torch.float32)
            torch.testing.assert_close(run(given)[0], module(given)[0])


@pytest.mark.usefixtures("look_inside")
def test_compiled_dropout_drops_between_layers():
    module = unrolled.nn.GRU(F, H, 2, dropout=0.5)
    given, run = noise(4, 7, F, dtype=torch.float32), compiled(module)
    assert not torch.equal(run(given)[0], run(given)[0])
    module.eval()
    torch.testing.assert_close(run(given)[0], module(given)[0])


@pytest.mark.parametrize("proj_size", [0, 2])
def test_an_exported_layer_computes_the_same_for_any_batch(proj_size):
    module = unrolled.nn.LSTM(F, H, 2, bidirectional=True, proj_size=proj_size)
    steps, batch = torch.export.Dim("steps", min=2), torch.export.Dim("batch", min=2)
    given = noise(4, 7, F, dtype=torch.float32)
    program = torch.export.export(module, (given,), dynamic_shapes=({0: steps, 1: batch},), strict=False)
    saved = io.BytesIO()
    torch.export.save(program, saved)
    saved.seek(0)
    loaded = torch.export.load(saved)
    assert sum(node.target is OPERATOR for node in loaded.graph.nodes) == 4
    other = noise(6, 3, F, dtype=torch.float32)
    torch.testing.assert_close(loaded.module()(other)[0], module(other)[0])
