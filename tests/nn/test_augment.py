"""Masking: only while training, the same for the same seed, runs of bands and of steps, one draw for each sequence."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn import augment
from unrolled.nn.augment import Masking
from unrolled.nn.inputs import InputLayer
from unrolled.ragged import Ragged


def spectra(lengths: list[int], width: int) -> Ragged:
    return Ragged(torch.ones(sum(lengths), width), torch.tensor(lengths, dtype=torch.int64))


@pytest.fixture
def only_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "GAIN", 0.0)
    monkeypatch.setattr(augment, "NOISE", 0.0)


def runs(flags: list[bool]) -> int:
    return sum(now and not before for now, before in zip(flags, [False, *flags[:-1]], strict=True))


@given(st.lists(st.integers(0, 12), max_size=5), st.integers(1, 3), st.integers(1, 7), st.floats(0, 20))
def test_any_batch_keeps_its_shape(lengths: list[int], stack: int, bands: int, strength: float) -> None:
    given_ = spectra(lengths, stack * bands)
    found = Masking(stack, bands, strength)(given_)
    assert found.values.shape == given_.values.shape
    assert torch.equal(found.lengths, given_.lengths)
    assert torch.isfinite(found.values).all()


def test_what_is_hidden_are_at_most_two_runs_of_bands_and_two_of_steps(only_masks: None) -> None:
    stack, bands, lengths = 2, 20, [40, 1, 60]
    hidden_bands = hidden_steps = 0
    for _ in range(20):
        for sequence in Masking(stack, bands)(spectra(lengths, stack * bands)):
            gone = sequence.reshape(-1, stack, bands) == 0  # (T, K, F)
            steps, quiet = gone.all(2).all(1), gone.all(1).all(0)
            assert torch.equal(gone, (steps[:, None, None] | quiet[None, None]).expand_as(gone))
            if not steps.all():
                assert runs(quiet.tolist()) <= 2
                assert quiet.sum() <= 2 * 0.2 * bands
                hidden_bands += int(quiet.sum())
            if len(steps) > 1:
                assert runs(steps.tolist()) <= 2
                assert steps.sum() <= 2 * 0.1 * len(steps)
                hidden_steps += int(steps.sum())
    assert hidden_bands > 0
    assert hidden_steps > 0


def test_sequences_of_a_batch_are_hidden_differently(only_masks: None) -> None:
    first, second = Masking(1, 40)(spectra([50, 50], 40))
    assert not torch.equal(first, second)


def test_a_sequence_of_one_step_is_seldom_all_hidden(only_masks: None) -> None:
    hidden = [bool((Masking(1, 40)(spectra([1], 40)).values == 0).all()) for _ in range(200)]
    assert sum(hidden) < 50


def test_evaluation_and_strength_0_change_nothing() -> None:
    given_ = spectra([9, 4], 6)
    assert Masking(1, 6).eval()(given_) is given_
    assert Masking(1, 6, 0.0)(given_) is given_


def test_the_same_seed_disturbs_in_the_same_way() -> None:
    masking, found = Masking(1, 6), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(masking(spectra([9, 4], 6)).values)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_stronger_setting_hides_more(only_masks: None) -> None:
    hidden = [(Masking(1, 40, s)(spectra([100] * 50, 40)).values == 0).float().mean() for s in (0.3, 1.0, 3.0)]
    assert hidden == sorted(hidden)
    assert hidden[0] < hidden[2] / 2


def test_an_input_layer_disturbs_spectrograms_alone() -> None:
    names = {"sound": Spec("spectrum", 6, shape=(2, 3), augment=1.0), "numbers": Spec("vector", 6)}
    layer = InputLayer(names)
    batch = Batch({name: spectra([9, 4], 6) for name in names})
    torch.manual_seed(0)
    values = layer(batch).values
    assert not torch.equal(values[:, :6], torch.ones(13, 6))
    assert torch.equal(values[:, 6:], torch.ones(13, 6))
    assert torch.equal(layer.eval()(batch).values, torch.ones(13, 12))
