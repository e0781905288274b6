"""Folds over stimuli, units that never fire, and scores with their spread."""

from typing import NamedTuple

import torch


class Scores(NamedTuple):
    """A score over folds."""

    mean: float
    standard_error: float  # standard deviation over folds / sqrt(folds)
    folds: list[float]  # the held-out score of each fold
    constant_units: float  # share of the units of both systems that are constant, and so score 0

    def __float__(self) -> float:
        return self.mean

    def __format__(self, spec: str) -> str:
        return format(self.mean, spec) if spec else repr(self)

    def __repr__(self) -> str:
        return f"{self.mean:.4f} ± {self.standard_error:.4f}"


def k_folds(stimuli: int, folds: int = 5, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Random (train, test) index pairs; test sets are disjoint and cover all stimuli.

    Raises ValueError unless 2 <= folds <= stimuli / 2, so that every test fold has two stimuli.
    """
    if not 2 <= folds <= stimuli / 2:
        raise ValueError(f"{folds} folds of {stimuli} stimuli: choose from 2 to {stimuli // 2} folds")
    order = torch.randperm(stimuli, generator=torch.Generator().manual_seed(seed))
    parts = order.tensor_split(folds)
    return [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]


def silent_units(y: torch.Tensor, folds: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Units of `y: (stimuli, units)` that are 0 for every stimulus of some test fold; boolean `(units,)`.

    They are collected over all folds and removed from all before scoring. Source: Longon et al. 2025, section 4.1.
    """
    return torch.stack([(y[test.to(y.device)] == 0).all(0) for _, test in folds]).any(0)


def summarise(folds: list[float], constant_units: float = 0.0) -> Scores:
    """Mean and standard error of the folds' scores."""
    values = torch.tensor(folds, dtype=torch.float64)
    return Scores(float(values.mean()), float(values.std() / len(folds) ** 0.5), folds, constant_units)
