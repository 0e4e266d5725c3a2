"""The input layer: what each kind of column becomes."""

import pytest
import torch
from hypothesis import given

from random_sequences import assert_close, noise, seeds, shake, some_lengths
from unrolled.batch import Batch, Nested
from unrolled.codecs.base import Spec
from unrolled.errors import ShapeError
from unrolled.nn import inputs
from unrolled.nn.inputs import InputLayer
from unrolled.ragged import Ragged

V = 5


def indices(lengths: list[int], seed: int = 0, size: int = V) -> Ragged:
    generator = torch.Generator().manual_seed(seed)
    return Ragged(torch.randint(size, (sum(lengths),), generator=generator), torch.tensor(lengths, dtype=torch.int64))


@given(lengths=some_lengths(), seed=seeds)
def test_one_hot_of_unit_mean_square_is_the_embedding_with_the_scaled_identity(lengths, seed):
    one_hot, embedded = InputLayer({"x": Spec("index", V)}), InputLayer({"x": Spec("index", V, embedding_size=V)})
    embedded.columns["[x]"].embedding.weight.data = torch.eye(V) * V**0.5
    batch = Batch({"x": indices(lengths, seed)})
    assert one_hot.size == embedded.size == V
    assert_close(one_hot(batch), embedded(batch))
    assert one_hot(batch).values.shape == (sum(lengths), V)


def test_columns_stand_side_by_side_in_the_order_given():
    layer = InputLayer(
        {
            "a": Spec("vector", 2),
            "s": Spec("vector", 3, per_step=False),
            "b": Spec("index", V),
            "t": Spec("index", 4, embedding_size=6, per_step=False),
        }
    )
    a, b = Ragged(noise(3, 2, dtype=torch.float32), [1, 2]), indices([1, 2])
    s, t = noise(2, 3, dtype=torch.float32), torch.tensor([3, 0])
    batch = Batch({"b": b, "a": a}, {"t": t, "s": s})
    assert (layer.size, layer.static_size) == (2 + V, 3 + 6)
    assert_close(layer(batch).values, torch.cat([a.values, V**0.5 * torch.eye(V)[b.values]], 1))
    assert_close(layer.static(batch), torch.cat([s, layer.columns["[t]"].embedding.weight[t]], 1))


def test_without_per_sequence_columns_the_static_vector_is_empty():
    layer = InputLayer({"x": Spec("index", V)})
    assert layer.static(Batch({"x": indices([1, 2])})).shape == (2, 0)
    assert layer.static_size == 0


def test_whole_numbers_in_a_vector_become_floats():
    values = InputLayer({"x": Spec("vector", 2)})(Batch({"x": Ragged(torch.tensor([[1, 0]]), [1])})).values
    assert values.dtype == torch.get_default_dtype()
    assert values.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("name", ["a.b", "type", "keys", "training", "forward", "", "a·b", "words(x)#2", "%2E"])
def test_any_column_name_will_do(name):
    layer = InputLayer({name: Spec("index", V, embedding_size=2)})
    assert layer(Batch({name: indices([2])})).values.shape == (2, 2)


def test_names_that_look_alike_stay_apart():
    names = ["a.b", "a%2Eb", "a·b", "[a.b]"]
    layer = InputLayer({name: Spec("index", V, embedding_size=2) for name in names})
    assert layer.size == 8
    assert len({id(layer._column(name)) for name in names}) == 4


def test_dropout_acts_in_training_only():
    layer, batch = InputLayer({"x": Spec("vector", 50)}, dropout=0.5), Batch({"x": Ragged(torch.ones(2, 50), [2])})
    assert layer.train()(batch).values.unique().tolist() == [0.0, 2.0]
    assert layer.eval()(batch).values.unique().tolist() == [1.0]


# ---- unknown values -----------------------------------------------------------------------------------


def test_known_values_are_shown_as_unknown_now_and_then_in_training_only():
    layer = InputLayer({"x": Spec("index", V, embedding_size=V, unknown_index=0)})
    layer.columns["[x]"].embedding.weight.data = torch.eye(V) * V**0.5
    batch = Batch({"x": Ragged(torch.full((10_000,), 3), [10_000])})
    seen = layer.train()(batch).values.argmax(1)
    assert set(seen.tolist()) == {0, 3}
    assert 0.5 * inputs.UNKNOWN_RATE < float((seen == 0).double().mean()) < 2 * inputs.UNKNOWN_RATE
    assert set(layer.eval()(batch).values.argmax(1).tolist()) == {3}
    assert set(batch.inputs["x"].values.tolist()) == {3}  # the batch itself is left alone


def test_without_an_unknown_nothing_is_replaced():
    layer = InputLayer({"x": Spec("index", V, embedding_size=V)}).train()
    batch = Batch({"x": Ragged(torch.full((5_000,), 3), [5_000])})
    assert len(layer(batch).values.unique(dim=0)) == 1


# ---- nested -------------------------------------------------------------------------------------------

PIECES = Ragged(torch.tensor([0, 1, 2, 3, 3, 4, 1]), torch.tensor([3, 0, 1, 3]))


@given(lengths=some_lengths(), seed=seeds)
def test_nested_pieces_equal_a_run_over_each_word_alone(lengths, seed):
    torch.manual_seed(seed)
    layer = InputLayer({"w": Spec("nested", V, embedding_size=4)}).double()
    shake(layer, seed)
    words = indices(lengths, seed, size=4)
    got = layer(Batch({"w": Nested(words, PIECES)}))
    assert layer.size == 8
    assert got.values.shape == (sum(lengths), 8)
    column = layer.columns["[w]"].pieces
    for word, vector in zip(words.values.tolist(), got.values, strict=True):
        letters = column.embedding(PIECES[word])
        outputs, _ = column.stack(Ragged(letters, [len(letters)]))
        # ahead it ends at the last letter, backwards at the first
        want = torch.cat([outputs.values[-1, :4], outputs.values[0, 4:]]) if len(letters) else torch.zeros(8).double()
        assert_close(vector, want)


def test_nested_pieces_learn():
    layer = InputLayer({"w": Spec("nested", V, embedding_size=4)})
    layer(Batch({"w": Nested(Ragged(torch.tensor([3, 0]), [2]), PIECES)})).values.square().sum().backward()
    assert all(weight.grad.any() for weight in layer.parameters())
    read = layer.columns["[w]"].pieces.embedding.weight.grad.any(1)
    assert read.all()  # the letters of pieces 0 and 3 are all five


# ---- refusals -----------------------------------------------------------------------------------------


def test_a_missing_column_is_named():
    with pytest.raises(ShapeError, match=r"inputs: expected an input named 'y', received \['x'\]"):
        InputLayer({"x": Spec("index", V), "y": Spec("index", V)})(Batch({"x": indices([2])}))


def test_nested_and_flat_values_are_not_taken_for_each_other():
    with pytest.raises(ShapeError, match="expected values of kind index, received nested"):
        InputLayer({"x": Spec("index", V)})(Batch({"x": Nested(indices([2], size=4), PIECES)}))
    with pytest.raises(ShapeError, match=r"expected nested values, received a tensor \(2,\)"):
        InputLayer({"x": Spec("nested", V)})(Batch({"x": indices([2])}))
