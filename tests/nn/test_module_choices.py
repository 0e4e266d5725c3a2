"""Who runs unrolled.nn's LSTM, GRU and RNN: our kernels or torch; and how they refuse what they cannot run."""

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

import unrolled.nn
from random_sequences import noise
from torch_twins import (
    F,
    H,
    assert_answers_alone,
    assert_same,
    dtypes,
    fields_of,
    hx_of,
    kernels,
    kinds,
    near,
    pair,
    state_for,
)
from unrolled.errors import OptionError, ShapeError, UnsupportedError
from unrolled.kernels import native
from unrolled.kernels.choose import KERNELS
from unrolled.nn.drop_in import LONG
from unrolled.ragged import Ragged

# ---- who runs it -------------------------------------------------------------------------------------


def only(monkeypatch, kernel):
    """Every other kernel refuses; the list returned grows with each call of the one left."""
    calls = []
    run = KERNELS[kernel].run
    monkeypatch.setattr(KERNELS[kernel], "run", lambda *given: calls.append(given) or run(*given))
    for name, module in KERNELS.items():
        if name != kernel:
            monkeypatch.setattr(module, "refuses", lambda *_: "not today")
    return calls


FORMS = {
    "padded": lambda t: t.view(-1, 2, F),
    "packed": lambda t: PackedSequence(t, torch.tensor([2] * (len(t) // 2 - 1) + [1, 1])),
    "ragged": lambda t: Ragged(t, [2, len(t) - 2]),
}
LAYERS = 4  # times directions, of the modules below


@pytest.mark.parametrize("form", FORMS)
def test_the_kernel_of_choice_runs_every_layer_and_direction(form, monkeypatch):
    mine, _ = pair("lstm", F, H, 2, bidirectional=True)
    calls = only(monkeypatch, "reference")
    mine(FORMS[form](noise(6, F)))
    assert len(calls) == LAYERS


@pytest.mark.parametrize("form", FORMS)
@kinds
def test_where_torch_is_the_choice_its_packed_call_runs_but_for_training_on_long_sequences(kind, form, monkeypatch):
    mine, theirs = pair(kind, F, H, 2, bidirectional=True)
    calls = only(monkeypatch, "native")
    inputs = FORMS[form](noise(2 * LONG, F))
    mine(FORMS[form](noise(6, F)))
    with torch.no_grad():
        mine(inputs)
    assert not calls
    got, _ = mine(inputs)
    assert len(calls) == (0 if form == "padded" else LAYERS)
    if form == "ragged":
        near(got[1], theirs(inputs[1])[0])
    else:
        near(got.data, theirs(inputs)[0].data)


def test_a_single_step_is_torchs_unless_a_kernel_is_asked_for(monkeypatch):
    calls = only(monkeypatch, "reference")
    for kernel, count in (("auto", 0), ("reference", LAYERS)):
        mine, _ = pair("gru", F, H, 2, bidirectional=True, kernel=kernel)
        mine(noise(1, 2, F))
        assert len(calls) == count


runs_in_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="torch's own LSTM fails under autocast to bfloat16 on this processor",
)


@runs_in_bfloat16
@pytest.mark.parametrize("form", ["padded", "packed"])
def test_under_autocast_torch_runs(form):
    mine, theirs = pair("lstm", F, H, 2, dtype=torch.float32)
    inputs = noise(6, F, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got, want = mine(FORMS[form](inputs))[0].data, theirs(FORMS[form](inputs))[0].data
    assert got.dtype == want.dtype
    assert torch.equal(got, want)


@runs_in_bfloat16
def test_under_autocast_a_ragged_is_packed_for_torch():
    mine, theirs = pair("lstm", F, H, 2, dtype=torch.float32)
    inputs = noise(6, F, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (outputs, _), (want, _) = mine(Ragged(inputs, [6])), theirs(PackedSequence(inputs, torch.ones(6).long()))
    assert torch.equal(outputs.values, want.data)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("form", FORMS)
@kinds
def test_under_autocast_that_torch_cannot_run_on_this_processor_another_kernel_does(kind, form, dtype, monkeypatch):
    for narrow in native._NARROW:  # as on a processor without them, wherever this test runs
        monkeypatch.setitem(native._NARROW, narrow, lambda: False)
    monkeypatch.setattr(KERNELS["tiles"], "refuses", lambda *_: "not today")
    mine, _ = pair(kind, F, H, 2, dtype=torch.float32)
    inputs = FORMS[form](noise(6, F, dtype=torch.float32))
    want, _ = mine(inputs)
    with torch.autocast("cpu", dtype=dtype):
        got, _ = mine(inputs)
    shown, wanted = (outputs if form == "padded" else next(iter(outputs)) for outputs in (got, want))
    shown.float().sum().backward()
    assert (shown.float() - wanted).abs().max() < 0.05
    assert all(parameter.grad.isfinite().all() for parameter in mine.parameters())


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's, about its own
@pytest.mark.parametrize("bias", [True, False])
@dtypes
def test_projections_are_torchs_on_the_tiles_or_by_torch(dtype, bias, monkeypatch):
    mine, theirs = pair("lstm", F, H, 2, proj_size=2, bidirectional=True, bias=bias, dtype=dtype)
    calls, run = [], KERNELS["tiles"].run
    monkeypatch.setattr(KERNELS["tiles"], "run", lambda *given: calls.append(given) or run(*given))
    assert_same(mine, theirs, noise(5, 2, F, dtype=dtype), state_for(mine, 2))
    assert_same(mine, theirs, noise(6, F, dtype=dtype), state_for(mine, 2), FORMS["packed"])
    assert_answers_alone(mine, theirs, Ragged(noise(6, F, dtype=dtype), [2, 0, 3, 1]))
    assert len(calls) == (3 * LAYERS if dtype == torch.float32 else 0)


@pytest.mark.gpu
@pytest.mark.parametrize("form", FORMS)
@kinds
def test_on_a_gpu_as_on_the_cpu(kind, form):
    mine, _ = pair(kind, F, H, 2, dtype=torch.float32, bidirectional=True)
    inputs, hx = noise(6, F, dtype=torch.float32), state_for(mine, 2)
    want, want_state = mine(FORMS[form](inputs), hx)
    got, state = mine.cuda()(FORMS[form](inputs.cuda()), hx_of([field.cuda() for field in fields_of(hx)]))
    steps = (got.values, want.values) if form == "ragged" else (got.data, want.data)
    for one, other in (steps, *zip(fields_of(state), fields_of(want_state), strict=True)):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-3, atol=1e-3)


# ---- refusals ----------------------------------------------------------------------------------------

T, LD = 5, 2  # steps; layers times directions
WRONG = {
    "features": (lambda: noise(T, 2, F + 1), None),
    "axes": (lambda: noise(T), None),
    "dtype": (lambda: noise(T, 2, F, dtype=torch.float32), None),
    "no steps": (lambda: noise(0, 2, F), None),
    "packed axes": (lambda: PackedSequence(noise(6, 1, F), torch.tensor([2, 2, 1, 1])), None),
    "packed features": (lambda: PackedSequence(noise(6, F + 1), torch.tensor([2, 2, 1, 1])), None),
    "state batch": (lambda: noise(T, 2, F), (LD, 3, H)),
    "state layers": (lambda: noise(T, 2, F), (LD + 1, 2, H)),
    "state width": (lambda: noise(T, 2, F), (LD, 2, H + 1)),
    "state without batch": (lambda: noise(T, 2, F), (LD, H)),
    "state with batch": (lambda: noise(T, F), (LD, 1, H)),
    "state of packed": (lambda: PackedSequence(noise(6, F), torch.tensor([2, 2, 1, 1])), (LD, 3, H)),
}


@pytest.mark.parametrize("wrong", WRONG)
@kernels
@kinds
def test_wrong_input_is_refused_in_torchs_words(kind, kernel, wrong):
    mine, theirs = pair(kind, F, H, LD, kernel=kernel)
    make, shape = WRONG[wrong]
    hx = None if shape is None else hx_of([noise(*shape)] * (2 if kind == "lstm" else 1))
    with pytest.raises(Exception) as theirs_raised:  # whatever it is
        theirs(make(), hx)
    with pytest.raises(theirs_raised.type) as raised:
        mine(make(), hx)
    assert str(raised.value) == str(theirs_raised.value)


@kernels
@kinds
def test_an_empty_batch_is_answered_as_torch_does(kind, kernel):
    mine, theirs = pair(kind, kernel=kernel)
    assert_same(mine, theirs, noise(5, 0, F))


@pytest.mark.parametrize(
    ("hx", "received"),
    [(noise(1, 2, H + 1), r"\(1, 2, 5\) of torch.float64"), (noise(1, 2, H).float(), "torch.float32"), ("x", "'x'")],
)
def test_a_state_that_does_not_fit_a_ragged_is_refused_in_ours(hx, received):
    mine, _ = pair("gru")
    with pytest.raises(ShapeError, match=rf"hx: expected \(1, 2, 4\) of torch.float64 on cpu, received .*{received}"):
        mine(Ragged(noise(3, F), [2, 1]), hx)


def test_a_ragged_of_other_features_is_refused_in_ours():
    mine, _ = pair("lstm")
    with pytest.raises(ShapeError, match=r"input: expected a Ragged of shape \(N, 3\), received Ragged"):
        mine(Ragged(noise(3, F + 1), [2, 1]))


def test_a_kernel_that_cannot_run_is_refused():
    with pytest.raises(OptionError, match="did you mean 'reference'"):
        unrolled.nn.GRU(F, H, kernel="referense")
    with pytest.raises(OptionError, match="kernel: expected 'auto' with proj_size, received reference"):
        unrolled.nn.LSTM(F, H, proj_size=2, kernel="reference")


def test_a_kernel_asked_for_that_refuses_says_why(monkeypatch):
    mine, _ = pair("gru", kernel="native")
    monkeypatch.setattr(KERNELS["native"], "refuses", lambda *_: "not today")
    with pytest.raises(UnsupportedError, match="kernel 'native' cannot run here: not today"):
        mine(noise(5, 2, F))
