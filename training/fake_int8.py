"""Training with the rounding of int8 in it, so that the weights settle where rounding costs least.

Quantisation-aware training (Jacob et al., 2018): in the forward pass, weights and activations are rounded as the int8
graph of `training/quantise.py` will round them; gradients pass as if they were not. The activation scales are measured
once, before.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from training.network import CommentNetwork
from training.quantise import BINS, Feeds, Scale, best_scale

_WEIGHT_LIMIT = 64  # 7 bits, as `quantise_weights` takes them
_LEVELS = 255


class Int8Linear(nn.Linear):
    """A linear layer that computes with its input and weights rounded to int8; the parameters stay float."""

    scale: Scale

    @classmethod
    def sharing(cls, linear: nn.Linear, scale: Scale) -> "Int8Linear":
        """A layer with the very parameters of `linear`, whose input is rounded by `scale`."""
        rounding = cls(linear.in_features, linear.out_features, device="meta")
        rounding.weight, rounding.bias, rounding.scale = linear.weight, linear.bias, scale
        return rounding

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        """`input` `[..., in_features]` -> `[..., out_features]`."""
        rounded = torch.fake_quantize_per_tensor_affine(input.float(), self.scale.step, self.scale.zero, 0, _LEVELS)
        steps = self.weight.detach().abs().amax(dim=1).clamp(min=1e-8) / _WEIGHT_LIMIT
        zeros = torch.zeros_like(steps, dtype=torch.int32)
        weight = torch.fake_quantize_per_channel_affine(self.weight, steps, zeros, 0, -_WEIGHT_LIMIT, _WEIGHT_LIMIT)
        return nn.functional.linear(rounded, weight, self.bias)


def round_to_int8(network: CommentNetwork, calibration: Sequence[Feeds]) -> CommentNetwork:
    """Make the encoder of `network` compute as its int8 graph will, from now on. Names of parameters stay.

    The head stays exact, as it does in the graph. Position embeddings must be cut already, as for the export: the step
    of a table is that of its widest value.
    """
    scales = _input_scales(network, calibration)
    for name, scale in scales.items():
        parent, _, attribute = name.rpartition(".")
        owner = network.encoder.get_submodule(parent)
        setattr(owner, attribute, Int8Linear.sharing(getattr(owner, attribute), scale))
    for module in network.encoder.embeddings.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(_round_embedding)
    return network


def _round_embedding(module: nn.Embedding, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    table = module.weight.detach()
    low, high = min(float(table.min()), 0.0), max(float(table.max()), 0.0)
    step = max((high - low) / _LEVELS, 1e-8)
    return torch.fake_quantize_per_tensor_affine(output.float(), step, round(-low / step), 0, _LEVELS)


def _input_scales(network: CommentNetwork, calibration: Sequence[Feeds]) -> dict[str, Scale]:
    """The scale of each linear layer's input, by its name. Two passes: for the ranges, and for what is in them."""
    names = [name for name, module in network.encoder.named_modules() if isinstance(module, nn.Linear)]
    lowest, highest = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    counts = {name: np.zeros(BINS) for name in names}

    def widen(name: str, values: Tensor) -> None:
        lowest[name] = min(lowest[name], float(values.min()))
        highest[name] = max(highest[name], float(values.max()))

    def count(name: str, values: Tensor) -> None:
        counts[name] += np.histogram(values.numpy(), BINS, (lowest[name], highest[name]))[0]

    network.eval()
    for look in (widen, count):
        with _looking_at_inputs(network.encoder, names, look), torch.no_grad():
            for feeds in calibration:
                network(torch.from_numpy(feeds["input_ids"]), torch.from_numpy(feeds["attention_mask"]))
    return {name: best_scale(counts[name], lowest[name], highest[name]) for name in names}


@contextmanager
def _looking_at_inputs(encoder: nn.Module, names: Sequence[str], look: Callable[[str, Tensor], None]) -> Iterator[None]:
    handles = [
        encoder.get_submodule(name).register_forward_pre_hook(lambda _, inputs, name=name: look(name, inputs[0]))
        for name in names
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
