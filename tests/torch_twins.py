"""Our LSTM, GRU and RNN beside torch's with the same weights, and what it means that they agree."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

import unrolled.nn
from random_sequences import noise
from unrolled.ragged import Ragged

F, H = 3, 4
KINDS = {"lstm": ("LSTM", {}), "gru": ("GRU", {}), "tanh": ("RNN", {}), "relu": ("RNN", {"nonlinearity": "relu"})}
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}

kinds = pytest.mark.parametrize("kind", KINDS)
kernels = pytest.mark.parametrize("kernel", ["auto", "reference"])
dtypes = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def pair(kind, *sizes, kernel="auto", dtype=torch.float64, **options):
    """Our module and torch's, with the same options and weights."""
    name, fixed = KINDS[kind]
    sizes = sizes or (F, H)
    mine = getattr(unrolled.nn, name)(*sizes, dtype=dtype, kernel=kernel, **fixed, **options)
    theirs = getattr(nn, name)(*sizes, dtype=dtype, **fixed, **options)
    theirs.load_state_dict(mine.state_dict(), strict=True)
    return mine, theirs


def state_for(module, *batch_shape, seed=9):
    """A random hx for a module."""
    layers = module.num_layers * (2 if module.bidirectional else 1)
    widths = [module.proj_size or module.hidden_size] + [module.hidden_size] * isinstance(module, nn.LSTM)
    dtype = module.weight_ih_l0.dtype
    fields = [noise(layers, *batch_shape, width, seed=seed + i, dtype=dtype) for i, width in enumerate(widths)]
    return hx_of(fields)


def fields_of(state):
    return state if isinstance(state, tuple) else (state,)


def hx_of(fields):
    return tuple(fields) if len(fields) > 1 else fields[0]


def loss_of(fields, weights):
    return sum((field * weight).sum() for field, weight in zip(fields, weights, strict=True))


def noise_like(fields):
    return [noise(*field.shape, seed=seed, dtype=field.dtype) for seed, field in enumerate(fields)]


def near(got, want, slack=1):
    """Two tensors, or lists of them, agree as closely as their dtype allows."""
    tolerance = slack * TOLERANCE[(want if isinstance(want, torch.Tensor) else want[0]).dtype]
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


def ran(module, leaf, hx=None, form=lambda tensor: tensor):
    """Outputs, final state, and the gradients of the inputs, the state and every weight, of one run."""
    module.zero_grad()
    leaf = leaf.clone().requires_grad_()
    given_state = [] if hx is None else [field.clone().requires_grad_() for field in fields_of(hx)]
    outputs, final = module(form(leaf), hx_of(given_state) if given_state else None)
    assert isinstance(final, tuple) == isinstance(module, nn.LSTM)
    shown = [outputs.data if isinstance(outputs, PackedSequence) else outputs, *fields_of(final)]
    loss_of(shown, noise_like(shown)).backward()
    gradients = [leaf.grad, *(field.grad for field in given_state), *(w.grad for w in module.parameters())]
    return outputs, [field.detach() for field in shown], gradients


def assert_same(mine, theirs, leaf, hx=None, form=lambda tensor: tensor):
    """Both modules answer alike and learn alike; returns our outputs."""
    outputs, *got = ran(mine, leaf, hx, form)
    reference_outputs, *want = ran(theirs, leaf, hx, form)
    assert type(outputs) is type(reference_outputs)
    for got_part, want_part in zip(got, want, strict=True):
        near(got_part, want_part)
    return outputs


def assert_answers_alone(mine, theirs, inputs, seed=0):
    """A Ragged is answered and learnt from as torch does with each of its sequences; an empty one keeps its state."""
    leaves = [[inputs.values.clone(), *fields_of(state_for(mine, len(inputs), seed=seed))] for _ in range(2)]
    for leaf in (*leaves[0], *leaves[1]):
        leaf.requires_grad_()
    outputs, final = mine(inputs.with_values(leaves[0][0]), hx_of(leaves[0][1:]))
    assert isinstance(outputs, Ragged)
    assert torch.equal(outputs.lengths, inputs.lengths)
    steps, ended = [], []
    for row, sequence in enumerate(inputs.with_values(leaves[1][0])):
        after = hx_of([field[:, row] for field in leaves[1][1:]])
        if len(sequence):
            alone, after = theirs(sequence, after)
            steps.append(alone)
        ended.append(fields_of(after))
    got = [outputs.values, *fields_of(final)]
    want = [torch.cat(steps), *(torch.stack(fields, 1) for fields in zip(*ended, strict=True))]
    weights = noise_like(got)
    for module, shown, leaf in ((mine, got, leaves[0]), (theirs, want, leaves[1])):
        loss_of(shown, weights).backward()
        shown.extend(weight.grad for weight in (*leaf, *module.parameters()))
    near(got, want)
