"""Outliers are taken out of activations before these are rounded: the products say nearly the same, more exactly."""

from typing import NamedTuple

import numpy as np
import pytest

from bundles.activations import Channels, Scale, best_scale, measure_channels
from bundles.outliers import find_factors, find_split, split_inner, split_outer

NEURONS, WIDTH, TOKENS = 192, 48, 2_000


class Network(NamedTuple):
    """What a feed-forward network reads and its weights."""

    values: np.ndarray
    inner: np.ndarray
    bias: np.ndarray
    outer: np.ndarray
    outer_bias: np.ndarray


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def network(outlier: float) -> Network:
    """Its neuron 5 says `outlier` of one token in twenty, and little of the others."""
    random = np.random.default_rng(1)
    values = random.normal(size=(TOKENS, WIDTH)).astype(np.float32)
    values[:, 0] = np.where(np.arange(TOKENS) % 20 == 0, 1, -1)
    inner = random.normal(scale=0.1, size=(NEURONS, WIDTH)).astype(np.float32)
    inner[:20] *= 0.05  # neurons that say nearly nothing
    inner[5] = 0
    inner[5, 0] = outlier
    bias = np.zeros(NEURONS, np.float32)
    outer = random.normal(scale=0.1, size=(WIDTH, NEURONS)).astype(np.float32)
    return Network(values, inner, bias, outer, random.normal(size=WIDTH).astype(np.float32))


def channels_of(values: np.ndarray) -> Channels:
    feeds = {"input_ids": np.zeros((1, len(values)), np.int64)}
    return measure_channels(lambda _names, _feeds: [values], ["x"], [feeds])["x"]


def rounded(values: np.ndarray, scale: Scale) -> np.ndarray:
    return (np.clip(np.rint(values / scale.step) + scale.zero, 0, 255) - scale.zero) * scale.step


def plain_scale(values: np.ndarray) -> Scale:
    low, high = min(0.0, float(values.min())), float(values.max())
    return best_scale(np.histogram(values, 2048, (low, high))[0].astype(np.float64), low, high)


def test_a_split_neuron_makes_the_product_several_times_more_exact() -> None:
    net = network(outlier=40)
    neurons = relu(net.values @ net.inner.T + net.bias)
    exact = neurons @ net.outer.T + net.outer_bias
    plain = rounded(neurons, plain_scale(neurons)) @ net.outer.T + net.outer_bias

    split = find_split(channels_of(neurons), net.outer)
    assert split is not None
    assert set(split.copied) == {5}
    inner, bias = split_inner(split, net.inner, net.bias)
    outer, outer_bias = split_outer(split, net.outer, net.outer_bias)
    finer = rounded(relu(net.values @ inner.T + bias), split.scale) @ outer.T + outer_bias

    assert inner.shape == net.inner.shape  # no product grows
    assert np.square(finer - exact).mean() < np.square(plain - exact).mean() / 10


def test_only_neurons_that_matter_least_give_up_their_places() -> None:
    net = network(outlier=40)
    split = find_split(channels_of(relu(net.values @ net.inner.T + net.bias)), net.outer)
    assert split is not None
    assert set(split.replaced) <= set(range(20)) - {5}
    assert len(set(split.replaced)) == len(split.copied)


def test_what_the_replaced_neurons_say_on_average_is_kept() -> None:
    net = network(outlier=40)
    neurons = relu(net.values @ net.inner.T + net.bias)
    split = find_split(channels_of(neurons), net.outer)
    assert split is not None
    _, outer_bias = split_outer(split, net.outer, net.outer_bias)
    said = neurons[:, split.replaced].mean(axis=0) @ net.outer[:, split.replaced].T
    np.testing.assert_allclose(outer_bias - net.outer_bias, said, atol=1e-5)


def test_divided_channels_make_the_product_several_times_more_exact() -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=(TOKENS, WIDTH)).astype(np.float32)
    values[:, 3] *= 20
    weight = random.normal(scale=0.1, size=(NEURONS, WIDTH)).astype(np.float32)

    factors = find_factors(channels_of(values), weight)

    assert factors is not None
    assert factors[3] > 5
    assert np.median(factors) == 1
    exact = values @ weight.T
    plain = rounded(values, plain_scale(values)) @ weight.T
    divided = values / factors
    finer = rounded(divided, plain_scale(divided)) @ (weight * factors).T
    assert np.square(finer - exact).mean() < np.square(plain - exact).mean() / 5


def gelu(values: np.ndarray) -> np.ndarray:
    return values / (1 + np.exp(-1.702 * values))


@pytest.mark.parametrize("outlier", [0.8, 1.5, 8.0])
def test_a_split_never_changes_what_gelu_says_more_than_rounding_does(outlier: float) -> None:
    """The last layer of a trained e5 says .8 at most: its neurons were split at .2, a sixth of the product was lost."""
    net = network(outlier)
    net.inner[6:], net.bias[6:] = net.inner[6:] / 5, -2
    neurons = gelu(net.values @ net.inner.T + net.bias)
    exact = neurons @ net.outer.T + net.outer_bias
    plain = rounded(neurons, plain_scale(neurons)) @ net.outer.T + net.outer_bias
    split = find_split(channels_of(neurons), net.outer)
    inner, bias = split_inner(split, net.inner, net.bias) if split else (net.inner, net.bias)
    outer, outer_bias = split_outer(split, net.outer, net.outer_bias) if split else (net.outer, net.outer_bias)
    said = gelu(net.values @ inner.T + bias)
    finer = rounded(said, split.scale if split else plain_scale(said)) @ outer.T + outer_bias
    assert np.square(finer - exact).mean() <= np.square(plain - exact).mean()


@pytest.mark.parametrize("outlier", [0.0, 0.5])
def test_even_activations_stay_as_they_are(outlier: float) -> None:
    net = network(outlier)
    assert find_split(channels_of(relu(net.values @ net.inner.T + net.bias)), net.outer) is None
    assert find_factors(channels_of(net.values), net.inner) is None


@pytest.mark.parametrize("value", [0.0, np.nan, -3.0])
def test_activations_that_say_nothing_or_nonsense_stay_as_they_are(value: float) -> None:
    neurons = channels_of(np.full((4, NEURONS), value, np.float32))
    outer = np.ones((WIDTH, NEURONS), np.float32)
    assert find_split(neurons, outer) is None
    assert find_factors(neurons, outer) is None


def test_a_single_token_and_a_channel_that_is_always_zero_are_enough() -> None:
    values = np.linspace(0, 1, NEURONS, dtype=np.float32)[None, :].copy()
    values[0, 0], values[0, -1] = 0, 500
    split = find_split(channels_of(values), np.ones((WIDTH, NEURONS), np.float32))
    assert split is not None
    assert set(split.copied) == {NEURONS - 1}
    assert np.isfinite(split.shifts).all()


def test_channels_are_measured_over_batches_of_any_length() -> None:
    batches = [np.full((1, 3, 2), 1.0, np.float32), np.full((1, 1, 2), 5.0, np.float32)]
    feeds = [{"input_ids": np.zeros(batch.shape[:2], np.int64)} for batch in batches]
    said = iter(batches)
    found = measure_channels(lambda _names, _feeds: [next(said)], ["x"], feeds)["x"]
    assert (found.lowest.tolist(), found.highest.tolist()) == ([1, 1], [5, 5])
    assert (found.mean.tolist(), found.square.tolist()) == ([2, 2], [7, 7])
