"""A Classifier reads with recurrent layers and convolutions, and every saved model reads as it was trained."""

import numpy as np
import pytest

import unrolled as ur
from unrolled.nn.parallel import Parallel
from unrolled.nn.pooling import Together
from unrolled.nn.stack import Stack

RNG = np.random.default_rng(0)
# class b holds one short bump anywhere
SERIES = [list(RNG.normal(size=12)) for _ in range(16)]
for row in range(8, 16):
    SERIES[row][int(RNG.integers(2, 9))] += 8.0
LABELS = ["a"] * 8 + ["b"] * 8
QUICK = {"hidden_size": 4, "dropout": 0.0}
FAST = {"epochs": 1, "baselines": False, "validation": 0.0}


def fitted(**options):
    return ur.Classifier(**QUICK, **options).fit(SERIES, LABELS, **FAST)


def test_the_default_has_both_readers_and_all_poolings():
    network = fitted().network_
    assert isinstance(network.layers, Parallel)
    assert isinstance(network.pooling, Together)


@pytest.mark.parametrize(("options", "kind"), [({"convolutions": False}, Stack), ({"cell": "conv"}, object)])
def test_without_convolutions_beside_them_there_are_only_the_layers_named(options, kind):
    layers = fitted(**options).network_.layers
    assert isinstance(layers, kind)
    assert not isinstance(layers, Parallel)


def test_convolutions_beside_a_convolution_net_are_refused():
    with pytest.raises(ur.errors.OptionError, match="convolutions: expected False"):
        fitted(cell="conv", convolutions=True)


def test_a_model_saved_before_there_were_convolutions_answers_as_it_did():
    old = fitted(convolutions=False, pooling="max")
    record, tensors = old._to_record()
    del record["parameters"]["convolutions"]
    loaded = ur.Classifier._from_record(record, tensors)
    assert loaded.convolutions is False
    np.testing.assert_array_equal(loaded.predict_proba(SERIES), old.predict_proba(SERIES))


def test_a_model_that_reads_forwards_keeps_its_laws_and_its_unfolding():
    model = fitted(bidirectional=False)
    assert model.check(SERIES[:3], LABELS[:3]).holds
    found = model.inspect(SERIES[:2], LABELS[:2])
    assert found.states.layers
    assert any("convolutions" in node.label for node in found.unfolding.nodes)
