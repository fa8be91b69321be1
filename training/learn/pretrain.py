"""Further pre-training: the encoder reads the comments themselves, pieces left out, before it learns any label.

Masked language modelling on the texts of the task (Devlin et al., 2019; Gururangan et al., 2020, "Don't Stop
Pretraining"). The encoder was made for the sentences of many languages; the slang, spellings and tone of Korean
comments are what it has seen least of.
"""

import torch
from torch import Tensor, nn
from transformers import BertModel

_MASKED_SHARE = 0.2
_HIDDEN, _SWAPPED = 0.8, 0.1  # of the masked: shown as a blank, as another piece; the rest stay as they are
_SPECIAL_IDS = 4  # <s>, <pad>, </s>, <unk>: nothing to guess


class MaskedLanguage(nn.Module):
    """Token ids `[batch, length]` and their mask -> the cross-entropy of each piece left out, `[pieces]`.

    The vocabulary has no piece for a blank, so its vector is learnt here and thrown away with the head.
    """

    def __init__(self, encoder: BertModel, seed: int) -> None:
        super().__init__()
        width, pieces = encoder.config.hidden_size, encoder.config.vocab_size
        self.encoder = encoder
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.head_bias = nn.Parameter(torch.zeros(pieces))
        self.blank = nn.Parameter(encoder.embeddings.word_embeddings.weight.detach().mean(dim=0))
        self._seed = seed
        self._generator = torch.Generator()
        self.register_buffer("passes", torch.zeros((), dtype=torch.long))  # saved, so that a resumed run draws the same
        self.passes: Tensor

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The losses; which pieces are left out is drawn anew each time."""
        self._generator.manual_seed(hash((self._seed, int(self.passes))))
        self.passes += 1
        asked, hidden, swapped = self._draw(input_ids)
        words = self.encoder.embeddings.word_embeddings
        shown = words(torch.where(swapped, self._random(input_ids), input_ids))
        shown = torch.where(hidden.unsqueeze(-1), self.blank.to(shown.dtype), shown)
        states = self.encoder(inputs_embeds=shown, attention_mask=attention_mask).last_hidden_state
        guesses = nn.functional.linear(self.head(states[asked]), words.weight, self.head_bias)
        return nn.functional.cross_entropy(guesses.float(), input_ids[asked], reduction="none")

    def _draw(self, input_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        drawn, fate = (torch.rand(input_ids.shape, generator=self._generator).to(input_ids.device) for _ in range(2))
        asked = (drawn < _MASKED_SHARE) & (input_ids >= _SPECIAL_IDS)
        hidden = asked & (fate < _HIDDEN)
        return asked, hidden, asked & ~hidden & (fate < _HIDDEN + _SWAPPED)

    def _random(self, like: Tensor) -> Tensor:
        pieces = self.encoder.config.vocab_size
        return torch.randint(_SPECIAL_IDS, pieces, like.shape, generator=self._generator).to(like.device)


def mean_loss(losses: Tensor, _targets: Tensor) -> Tensor:
    """What `Fit` minimises here; nothing but the text itself is asked for."""
    return losses.sum() / max(len(losses), 1)  # a batch of short texts may have none to guess
