"""Sums and products of units, fold by fold: all that correlations and linear regressions need of the responses.

They add up over batches, so a score over millions of stimuli never holds the responses.
"""

import copy
from collections.abc import Iterable
from typing import NamedTuple

import torch

from lib.checks import check_responses

CONSTANT = 1e-12  # a variance below this share of the mean square is rounding


class Covariances(NamedTuple):
    """Of two populations over one set of stimuli, as sums of products about the means; 0 for a constant unit."""

    stimuli: float
    aa: torch.Tensor  # (units_a, units_a)
    ab: torch.Tensor  # (units_a, units_b)
    bb: torch.Tensor  # of each unit with itself, (units_b,)

    def constant_units(self) -> float:
        """Share of the units of both populations that are constant."""
        return float((torch.cat([self.aa.diagonal(), self.bb]) == 0).double().mean())

    def correlations(self) -> torch.Tensor:
        """Pearson correlation of every unit of a with every unit of b, 0 where one is constant."""
        sizes = self.aa.diagonal().sqrt()[:, None] * self.bb.sqrt()
        return torch.where(sizes > 0, self.ab / sizes, 0)


class FoldMoments:
    """Moments of named populations that answer the same stimuli, for each of some folds, in double precision.

    `units` gives the size of each population, `models` the leading dimension of all responses if they have one:
    `moments.add(fold, neurons=y, latents=z)` takes a batch of each, `(models, stimuli, units)` or `(stimuli, units)`.
    `moments[p]` are the moments of model p.
    """

    def __init__(self, units: dict[str, int], folds: int = 5, models: tuple = (), device: str | torch.device = "cpu"):
        places = torch.arange(sum(units.values()), device=device).split(list(units.values()))
        self.places = dict(zip(units, places, strict=True))
        options = {"dtype": torch.float64, "device": device}
        size = sum(units.values())
        self.count = torch.zeros(folds, **options)
        self.total = torch.zeros(folds, *models, size, **options)
        self.products = torch.zeros(folds, *models, size, size, **options)
        self.fires = torch.zeros(folds, *models, size, dtype=torch.bool, device=device)
        self.origin = None

    def add(self, fold: int, **responses: torch.Tensor) -> None:
        """Add a batch of stimuli to a fold. Raises ValueError if a population is missing or not finite."""
        if responses.keys() != self.places.keys():
            raise ValueError(f"responses of {', '.join(responses)} given: give those of {', '.join(self.places)}")
        models = self.total.shape[1:-1]
        for name, y in responses.items():
            if y.shape[-1] != len(self.places[name]):
                raise ValueError(f"{name} has {y.shape[-1]} units: give the {len(self.places[name])} announced")
        y = torch.cat([responses[name].expand(*models, -1, -1) for name in self.places], dim=-1)
        y = check_responses(y, "responses", min_stimuli=1).double()
        self.fires[fold] |= (y != 0).any(-2)
        # About a value of its own, sums lose no unit whose mean is large, and a constant unit is exactly 0.
        self.origin = y.median(-2, keepdim=True).values if self.origin is None else self.origin
        y = y - self.origin
        self.count[fold] += y.shape[-2]
        self.total[fold] += y.sum(-2)
        self.products[fold] += y.mT @ y

    def __getitem__(self, model: int) -> "FoldMoments":
        one = copy.copy(self)
        one.total, one.products, one.fires = self.total[:, model], self.products[:, model], self.fires[:, model]
        return one

    def without_silent(self, *names: str) -> "FoldMoments":
        """The moments less those units of the named populations that are 0 for every stimulus of some fold.

        They are collected over all folds and removed from all. [Longon et al. 2025, section 4.1]
        """
        self._check_one_model()
        fires, some = self.fires.all(0), copy.copy(self)
        some.places = {name: at[fires[at]] if name in names else at for name, at in self.places.items()}
        if empty := [name for name, at in some.places.items() if not len(at)]:
            raise ValueError(f"no unit of {', '.join(empty)} fires in every fold: train longer or give more stimuli")
        return some

    def splits(self, a: str, b: str) -> list[tuple[Covariances, Covariances]]:
        """For each fold, the covariances of two populations over the other folds and over this one."""
        return [
            (self._covariances(a, b, [other for other in range(len(self.count)) if other != fold]),
             self._covariances(a, b, [fold]))
            for fold in range(len(self.count))
        ]  # fmt: skip

    def constant_units(self, a: str, b: str) -> float:
        """Share of the units of two populations that have one value for every stimulus."""
        return self._covariances(a, b, list(range(len(self.count)))).constant_units()

    def _covariances(self, a, b, folds):
        self._check_one_model()
        both = torch.cat([self.places[a], self.places[b]])
        count = self.count[folds].sum()
        total = self.total[folds].sum(0)[both]
        products = self.products[folds].sum(0)[both][:, both]
        about = products - total[:, None] * total / count
        varies = about.diagonal() > CONSTANT * products.diagonal()
        about = about * varies * varies[:, None]
        units = len(self.places[a])
        return Covariances(float(count), about[:units, :units], about[:units, units:], about.diagonal()[units:])

    def _check_one_model(self):
        if self.total.ndim != 2:
            raise ValueError(f"moments of models {tuple(self.total.shape[1:-1])}: pick one first, as in moments[0]")


def stream_moments(batches: Iterable[dict[str, torch.Tensor]], folds: int = 5) -> FoldMoments:
    """Moments of batches `{population: responses}`, dealt to the folds in turn.

    Raises ValueError if there are fewer batches than folds.
    """
    moments = None
    for number, responses in enumerate(batches):
        if moments is None:
            first = max(responses.values(), key=lambda y: y.ndim)
            units = {name: y.shape[-1] for name, y in responses.items()}
            moments = FoldMoments(units, folds, first.shape[:-2], first.device)
        moments.add(number % folds, **responses)
    if moments is None or not moments.count.all():
        raise ValueError(f"fewer batches than the {folds} folds: give smaller batches or more stimuli")
    return moments
