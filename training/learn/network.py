"""The network: a BERT encoder, its token vectors pooled by mean and by maximum, and one logit a signal."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from shared.errors import ModelSourceError
from training.data.signals import ACCUSING
from training.learn.wide import Wide

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
_LOWEST = -1e4
FOLD = 0.0
"""The logit of `insult` below which it is read by the strictest standard: where the network itself would say no."""
_HEED, _SUREST = 0.3, 3.0  # the accusing labels' say in the strictest standard; its logit from which it says no more


class CommentNetwork(nn.Module):
    """Token ids `[batch, length]` and their mask -> logits `[batch, outputs]`.

    `wide`: what pieces and pairs of pieces add of themselves, where the network has such a part. With `folds`, the last
    output is the strictest standard: it is folded into the low end of `insult`, and not given.
    """

    def __init__(self, encoder: BertModel, outputs: int, window_tokens: int = 0, wide: Wide | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.window_tokens = window_tokens
        self.wide = wide
        self.folds = False
        self.head = nn.Linear(2 * encoder.config.hidden_size, outputs)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits; pooled over the tokens that the mask keeps."""
        logits = self._logits(input_ids, attention_mask)
        return folded(logits) if self.folds else logits

    def _logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if not self.window_tokens:
            return cast("Tensor", self.head(pool(states, attention_mask)))
        by_mean, by_highest = self.head.weight.chunk(2, dim=1)
        tokens = nn.functional.linear(states, by_mean).float()
        mask = attention_mask.float()
        if self.wide is not None:  # the sum over the square root of the length: a mean would hide a short text's words
            width = mask.sum(1).clamp(max=self.window_tokens)
            tokens = tokens + self.wide(input_ids) * width.sqrt()[:, None, None]
        worst = worst_stretch(tokens, mask, self.window_tokens)
        if self.folds:  # the strictest standard is about a comment as a whole; read from its worst stretch it errs more
            whole = (tokens[:, :, -1] * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
            worst = torch.cat([worst[:, :-1], whole], dim=1)
        return worst + nn.functional.linear(highest(states, attention_mask), by_highest, self.head.bias)

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the head reads, `[batch, 2 * hidden]`."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return pool(states, attention_mask)


def folded(logits: Tensor) -> Tensor:
    """Logits `[batch, outputs]` without the last, the strictest standard, by which low logits of `insult` are ordered.

    So one label can be read by two standards: a threshold above `FOLD` asks whether a moderator would act, one below it
    what the strictest annotators would call offensive. They heed the four accusing labels too.
    """
    accusing = logits[:, : len(ACCUSING)].max(1, keepdim=True).values
    strictest = logits[:, -1:] + _HEED * accusing
    at = ACCUSING.index("insult")
    insult = logits[:, at : at + 1]
    low = FOLD + (strictest - _SUREST).clamp(max=0.0)
    return torch.cat([logits[:, :at], torch.where(insult >= FOLD, insult, low), logits[:, at + 1 : -1]], dim=1)


def pool(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean and maximum over the unmasked tokens, side by side: a comment's tone, and its one worst word."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    mean = (states * mask).sum(1) / mask.sum(1)
    return torch.cat([mean, highest(states, attention_mask)], dim=1)


def highest(states: Tensor, attention_mask: Tensor) -> Tensor:
    """The maximum of each feature over the unmasked tokens, `[batch, hidden]`."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states + (1.0 - mask) * _LOWEST).max(1).values


def worst_stretch(tokens: Tensor, mask: Tensor, window_tokens: int) -> Tensor:
    """The highest mean, over any `window_tokens` tokens in a row, of values `[batch, length, outputs]` a token.

    A text shorter than the window gives its mean. So one bad sentence counts the same among many pleasant ones, as in
    multiple-instance learning (Dietterich et al., 1997; Angelidis and Lapata, 2018).
    """
    kept = mask.unsqueeze(-1)
    sums = (tokens * kept).cumsum(1)
    before = nn.functional.pad(sums, (0, 0, window_tokens, 0))[:, :-window_tokens]
    width = mask.sum(1, keepdim=True).clamp(max=window_tokens)
    means = (sums - before) / width.unsqueeze(-1)
    whole = kept * (mask.cumsum(1) >= width).unsqueeze(-1).float()
    return (means + (1.0 - whole) * _LOWEST).max(1).values


def set_dropout(network: CommentNetwork, share: float) -> None:
    """Leave out `share` of the features and of the attention while training, so that rows are not learnt by heart."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def load_encoder(folder: Path, layers: Sequence[int] | None = None) -> BertModel:
    """The encoder in `folder`, in float32; with `layers`, only those of its layers, in that order.

    Raises:
        ModelSourceError: a file is missing, or its weights do not fit its config.
    """
    for name in (WEIGHTS_FILE, CONFIG_FILE):
        if not (folder / name).is_file():
            raise ModelSourceError(f"{folder} is not an encoder: it has no {name}")
    config = BertConfig(**json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    encoder = new_encoder(config)
    weights = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS_FILE).items()}
    missing, unexpected = encoder.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith(("position_ids", "token_type_ids"))]
    if missing or unexpected:
        raise ModelSourceError(f"{folder / WEIGHTS_FILE} does not fit its config: {[*missing, *unexpected][:5]}")
    return encoder if layers is None else keep_layers(encoder, layers)


def new_encoder(config: BertConfig) -> BertModel:
    """A randomly initialised encoder without pooler or dropout: distillation and early stopping regularise.

    Attention is written out ("eager"): for short texts on a CPU it trains a third faster than the fused kernel, and
    ONNX Runtime's optimiser recognises it.
    """
    config._attn_implementation = "eager"  # noqa: SLF001  the documented switch is only taken by from_pretrained
    config.hidden_dropout_prob = 0.0
    config.attention_probs_dropout_prob = 0.0
    return BertModel(config, add_pooling_layer=False)


def keep_layers(encoder: BertModel, layers: Sequence[int]) -> BertModel:
    """A smaller encoder that starts from the chosen layers of `encoder`."""
    config = BertConfig(**{**encoder.config.to_dict(), "num_hidden_layers": len(layers)})
    smaller = new_encoder(config)
    smaller.embeddings.load_state_dict(encoder.embeddings.state_dict())
    for target, source in zip(smaller.encoder.layer, layers, strict=True):
        target.load_state_dict(encoder.encoder.layer[source].state_dict())
    return smaller


def save_network(network: CommentNetwork, folder: Path) -> None:
    """Write config and weights, so that `load_network` restores the network."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        **network.encoder.config.to_dict(),
        "outputs": network.head.out_features,
        "window_tokens": network.window_tokens,
        "wide": list(network.wide.table.shape) if network.wide else None,
    }
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=1, default=str), encoding="utf-8")
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / WEIGHTS_FILE)


def load_network(folder: Path) -> CommentNetwork:
    """The network that `save_network` wrote, ready to be evaluated."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    outputs = config.pop("outputs")
    window_tokens, shape = config.pop("window_tokens", 0), config.pop("wide", None)
    wide = Wide(shape[0], config["vocab_size"], shape[1], outputs) if shape else None
    network = CommentNetwork(new_encoder(BertConfig(**config)), outputs, window_tokens, wide)
    network.load_state_dict(load_file(folder / WEIGHTS_FILE))
    return network.eval()
