"""The training loop: AdamW, warm-up and linear decay, bfloat16, checkpoints that a rerun resumes from."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from shared.processors import available_cpus
from training.data.batches import Batch, TrainingSet, training_batches

log = logging.getLogger(__name__)

# A rare label's texts count up to so many times.
_MOST_WEIGHT = 10.0
CHECKPOINT_FILE = "checkpoint.pt"
Network = TypeVar("Network", bound=nn.Module)  # token ids and mask in, `[batch, outputs]` out
EpochData = Callable[[int, np.random.Generator], TrainingSet]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class FitPlan:
    """How to train. `head_learning_rate` is for the new layer, which starts from nothing."""

    epochs: int
    learning_rate: float = 5e-5
    head_learning_rate: float = 1e-3
    tokens_per_batch: int = 1_536
    warmup_share: float = 0.06
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 20
    checkpoint_every_s: float = 240.0
    threads: int = 0  # 0: as many as torch takes, and no more than this process may use
    device: str = field(default_factory=lambda: "cuda" if torch.cuda.is_available() else "cpu")


def masked_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy over the known targets (not NaN), summed over a row's signals, averaged over rows."""
    known = ~torch.isnan(targets)
    losses = nn.functional.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets), reduction="none")
    return (losses * known).sum() / max(len(targets), 1)


def class_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of one class a row, targets one-hot or soft, averaged over rows."""
    return -(targets * nn.functional.log_softmax(logits, dim=1)).sum() / max(len(targets), 1)


def balanced_class_loss(counts: Sequence[int]) -> Callable[[Tensor, Tensor], Tensor]:
    """`class_loss` in which every class weighs the same, whatever its number of rows in `counts`."""
    present = sum(count > 0 for count in counts)
    weights = torch.tensor([sum(counts) / (present * count) if count else 1.0 for count in counts])

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return class_loss(logits, targets * weights.to(targets.device))

    return loss


def balanced_label_loss(targets: Sequence[Sequence[float]]) -> Callable[[Tensor, Tensor], Tensor]:
    """`masked_loss` in which the texts that have a label weigh as much as those that lack it, up to ten times.

    `targets` are those of the training rows, `[rows, labels]`. The weight is that of `pos_weight` in PyTorch; without a
    bound, a label of five texts in ten thousand would be learnt by heart and found everywhere.
    """
    known = torch.tensor(targets, dtype=torch.float32)
    having, lacking = torch.nansum(known, dim=0), torch.nansum(1 - known, dim=0)
    weights = torch.where(having > 0, lacking / having.clamp(min=1e-9), torch.ones(())).clamp(1.0, _MOST_WEIGHT)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        known = ~torch.isnan(targets)
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, torch.nan_to_num(targets), reduction="none", pos_weight=weights.to(targets.device)
        )
        return (losses * known).sum() / max(len(targets), 1)

    return loss


class Fit(Generic[Network]):
    """One training run in a folder; `run` starts it, or goes on where an interrupted one stopped.

    `loss` and `after_epoch` (which says whether to stop) may be set before `run`.
    """

    def __init__(self, network: Network, plan: FitPlan, folder: Path, *, pad_id: int) -> None:
        self.network = network.to(plan.device)
        self.plan = plan
        self.pad_id = pad_id
        self.checkpoint = folder / CHECKPOINT_FILE
        self.optimiser = torch.optim.AdamW(_parameter_groups(network, plan), fused=True)
        self.epochs_run = 0
        self.loss: Callable[[Tensor, Tensor], Tensor] = masked_loss
        self.after_epoch: Callable[[int], bool] = lambda _epoch: False
        self._saved_at = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, epoch_data: EpochData, progress: Progress | None = None) -> Network:
        """Train on the set that `epoch_data(epoch, generator)` gives each epoch. Returns the network in eval mode."""
        torch.set_num_threads(self.plan.threads or min(torch.get_num_threads(), available_cpus()))
        first_epoch, skip = self._resume()
        for epoch in range(first_epoch, self.plan.epochs):
            batches = list(self._batches(epoch, epoch_data))
            self._train_epoch(epoch, batches[skip:], skip, progress)
            skip = 0
            self.epochs_run = epoch + 1
            if self.after_epoch(epoch):
                break
        return self.network.eval()

    def _batches(self, epoch: int, epoch_data: EpochData) -> Iterator[Batch]:
        generator = np.random.default_rng([self.plan.seed, epoch])
        data = epoch_data(epoch, generator)
        return training_batches(data, self.plan.tokens_per_batch, self.pad_id, generator)

    def _train_epoch(self, epoch: int, batches: list[Batch], done: int, progress: Progress | None) -> None:
        self.network.train()
        total = done + len(batches)
        smooth = None
        bar = tqdm(batches, initial=done, total=total, desc=f"epoch {epoch + 1}/{self.plan.epochs}", mininterval=5)
        for index, batch in enumerate(bar, start=done):
            share = (epoch + index / total) / self.plan.epochs
            loss = self._train_step(batch, share)
            smooth = loss if smooth is None else 0.98 * smooth + 0.02 * loss
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            if progress:
                progress(epoch * total + index + 1, self.plan.epochs * total, smooth)
            self._save_if_due(epoch, index + 1)

    def _train_step(self, batch: Batch, share: float) -> float:
        self._set_rate(share)
        device = self.plan.device
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = self.network(batch.input_ids.to(device), batch.attention_mask.to(device))
        loss = self.loss(logits.float(), batch.targets.to(device))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip_norm)
        self.optimiser.step()
        return float(loss.detach())

    def _set_rate(self, share: float) -> None:
        warm = self.plan.warmup_share
        factor = share / warm if share < warm else (1 - share) / (1 - warm)
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest_lr"] * max(factor, 0.01)

    def _save_if_due(self, epoch: int, batches_done: int) -> None:
        if time.monotonic() - self._saved_at < self.plan.checkpoint_every_s:
            return
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "position": [epoch, batches_done],
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        self._saved_at = time.monotonic()

    def _resume(self) -> tuple[int, int]:
        if not self.checkpoint.is_file():
            return 0, 0
        state = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        epoch, batches_done = state["position"]
        log.info("resuming from %s: epoch %d, batch %d", self.checkpoint, epoch + 1, batches_done)
        return epoch, batches_done


def _parameter_groups(network: nn.Module, plan: FitPlan) -> list[dict[str, Any]]:
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decays = parameter.ndim > 1 and "embeddings" not in name
        groups.setdefault(("head" in name.split("."), decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": plan.weight_decay if decays else 0.0,
            "highest_lr": plan.head_learning_rate if in_head else plan.learning_rate,
            "lr": 0.0,
        }
        for (in_head, decays), parameters in groups.items()
    ]
