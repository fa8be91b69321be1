"""Logistic regression by Newton's method, in plain numpy: for calibration, and to tell kinds of text apart."""

import numpy as np

from training.data.batches import Floats
from training.learn.metrics import Flags

_RIDGE = 1e-3
_NEWTON_STEPS = 30


def newton(features: Floats, truth: Flags) -> tuple[Floats, float]:
    """Weights and bias of a ridge logistic regression."""
    design = np.hstack([features, np.ones((len(features), 1), dtype=np.float32)]).astype(np.float64)
    ridge = np.diag([_RIDGE * len(features)] * features.shape[1] + [1e-9])
    beta = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (truth - probability) - ridge @ beta
        hessian = (design * (probability * (1 - probability))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian + 1e-6 * np.eye(len(beta)), gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta[:-1].astype(np.float32), float(beta[-1])
