"""The convolution net: what it gives for a picture depends on the picture and on where things are, not on others."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.errors import OptionError, ShapeError
from unrolled.nn.vision import ConvNet, _shifted


def pictures(count, shape, seed=0):
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@settings(max_examples=20)
@given(
    count=st.integers(0, 3),
    channels=st.sampled_from([1, 3]),
    side=st.integers(1, 70),
    size=st.sampled_from([8, 24, 32]),
)
def test_shapes_hold_for_pictures_of_any_side(count, channels, side, size):
    net = ConvNet((channels, side, side), size)
    for training in (True, False):
        seen = net.train(training)(pictures(count, net.shape))
        assert seen.places.shape == (count, net.grid[0] * net.grid[1], size)
        assert seen.pooled.shape == (count, size)
        assert seen.pooled.isfinite().all()


@pytest.mark.parametrize(("side", "grid"), [(8, 8), (16, 8), (32, 8), (64, 8), (65, 9), (128, 8), (224, 7)])
def test_about_eight_by_eight_places_are_left(side, grid):
    assert ConvNet((3, side, side), 16).grid == (grid, grid)


def test_a_result_does_not_depend_on_the_other_pictures():
    net = ConvNet((3, 32, 32), 32).eval()
    many = pictures(5, net.shape)
    together = net(many)
    for row in range(5):
        alone = net(many[row : row + 1])
        torch.testing.assert_close(together.pooled[row], alone.pooled[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together.places[row], alone.places[0], rtol=1e-4, atol=1e-5)


def test_places_go_row_by_row_from_the_top_left():
    net = ConvNet((1, 64, 64), 32).eval()
    empty = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    spot = empty.clone()
    spot[..., 2:6, 58:62] = 255  # in the top right corner
    change = (net(spot).places - net(empty).places).norm(dim=2)[0].reshape(net.grid)
    assert int(change.argmax()) == net.grid[1] - 1


def test_the_pooled_vector_tells_where_something_is():
    net = ConvNet((1, 32, 32), 32).eval()
    spots = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    spots[0, :, 8:12, 8:12] = spots[1, :, 8:12, 20:24] = 255
    left, right = net(spots).pooled
    assert (left - right).abs().max() > 0.1


def test_no_offset_that_all_pictures_share_drowns_what_differs():
    torch.manual_seed(0)
    scene = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    scene[:, 1:, 4:16, 4:16] = 30  # a red square on white
    places = ConvNet((3, 32, 32), 32).eval()(scene).places
    assert places.mean().abs() < 1e-5
    assert (places < 0).any()


def test_brightness_and_spread_of_the_data_are_taken_out():
    shape = (3, 16, 16)
    torch.manual_seed(0)
    plain = ConvNet(shape, 16).eval()
    scaled = ConvNet(shape, 16, scaling=[(20.0, 63.75)] * 3).eval()
    scaled.load_state_dict(plain.state_dict())
    one = pictures(2, shape) // 2
    dark = one // 2 + 20 - 127 // 2  # half the contrast around another mean
    torch.testing.assert_close(scaled(dark).pooled, plain((dark.float() - 20) * 2 + 127.5).pooled, rtol=1e-4, atol=1e-4)


@given(down=st.integers(-3, 3), right=st.integers(-3, 3))
def test_a_shift_moves_pixels_and_repeats_the_border(down, right):
    one = pictures(1, (2, 8, 8))
    moved = _shifted(one, torch.tensor([[down / 8, right / 8]]))
    padded = torch.nn.functional.pad(one.float(), (3, 3, 3, 3), mode="replicate").to(torch.uint8)
    assert torch.equal(moved, padded[:, :, 3 - down : 11 - down, 3 - right : 11 - right])


def test_training_changes_pictures_only_where_it_is_asked_to():
    torch.manual_seed(0)
    one = pictures(1, (3, 32, 32)).expand(4, -1, -1, -1)
    augmented, plain = ConvNet((3, 32, 32), 16), ConvNet((3, 32, 32), 16, augment=0)
    assert plain.train()(one).pooled.var(0).max() < 1e-8
    assert augmented.train()(one).pooled.var(0).max() > 1e-4
    assert augmented.eval()(one).pooled.var(0).max() < 1e-8


def test_the_pictures_of_one_film_are_changed_alike():
    torch.manual_seed(0)
    net = ConvNet((3, 32, 32), 16).train()
    one = pictures(1, (3, 32, 32)).expand(6, -1, -1, -1)
    pooled = net(one, torch.tensor([0, 0, 0, 1, 1, 1])).pooled.reshape(2, 3, -1)
    assert pooled.var(1).max() < 1e-8
    assert (pooled[0, 0] - pooled[1, 0]).abs().max() > 1e-3


def test_every_weight_learns():
    net = ConvNet((3, 32, 32), 32)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):  # the second convolution of a block starts at zero, and lets no gradient through at first
        optimizer.zero_grad()
        seen = net(pictures(4, net.shape))
        (seen.pooled.pow(2) * torch.arange(32)).sum().backward()
        optimizer.step()
    assert all(parameter.grad.abs().max() > 0 for parameter in net.parameters())


def test_illegal_options_and_shapes_are_refused():
    for options in ({"size": 7}, {"augment": -1}, {"shape": (3, 8)}):
        with pytest.raises(OptionError, match=next(iter(options))):
            ConvNet(**{"shape": (3, 8, 8), **options})
    with pytest.raises(ShapeError, match=r"\(M, 3, 8, 8\)"):
        ConvNet((3, 8, 8))(pictures(1, (3, 9, 8)))
