"""Deal the stimuli that two networks answered: one part trains sparse autoencoders, the other is scored in folds."""

from typing import NamedTuple

import torch

from lib.checks import as_tensor, check_pair, check_responses
from lib.correlation import centre_and_scale, constant_units
from lib.crossval import copies, grouped_order, k_folds
from lib.features import seeded
from lib.geometry import participation_ratio
from lib.joint_sae import padded

MASSIVE = 5  # median deviations that a unit may have before it is scaled down


class Split(NamedTuple):
    """Responses of both networks, centred and of total variance 1, the smaller one padded with units that answer 0."""

    units: tuple[int, int]  # that are compared
    fit: torch.Tensor  # (2, stimuli, larger number of units), for the SAEs
    scored: torch.Tensor  # (2, other stimuli, the same), for the scores
    folds: list[tuple[torch.Tensor, torch.Tensor]]  # of the scored stimuli, on which all scores are read
    distinct: tuple[int, int] = (0, 0)  # stimuli of either part, copies and groups counted once
    constant: tuple[int, int] = (0, 0)  # units of a and b left out, as they never change in some part
    massive: tuple[dict, dict] = ({}, {})  # scaled down: number of the unit, from 0, and its share of the variance
    halves: torch.Tensor | None = None  # (2 halves of the repeats, 2, scored stimuli, units)
    repeats: tuple[int, int] = (1, 1)
    at: tuple[torch.Tensor, torch.Tensor] = (torch.empty(0), torch.empty(0))  # where `fit` and `scored` stood
    independent: float = (
        torch.inf
    )  # stimuli, groups counted once, that would make chance as large: `independent_stimuli`

    def of(self, side: int) -> torch.Tensor:
        """The scored responses of network 0 or 1 without padding, `(stimuli, units)`."""
        return self.scored[side, :, : self.units[side]]


def split_stimuli(
    y_a: torch.Tensor,
    y_b: torch.Tensor,
    share: float = 0.5,
    seed: int = 0,
    device: str | torch.device = "cpu",
    folds: int = 5,
    groups: torch.Tensor | None = None,
) -> Split:
    """Deal stimuli at random: a `share` trains the SAEs, the rest is scored. Centre and scale come from the former.

    Responses are any arrays (`lib.checks.as_tensor`), `(stimuli, units)`, or `(stimuli, units, repeats)` of which the
    mean is compared. `groups`, a number for each stimulus, keeps those of one number together, in one part and one
    fold, as frames of one film; without, copies are found and kept together. Units constant in the SAEs' part or in
    some fold are left out, and those of more than MASSIVE median deviations are scaled down to that.

    Raises ValueError on bad input, units that never change, and fewer than ten stimuli for the SAEs or four in a fold.
    """
    trials, y = _checked(y_a, y_b, share, folds)
    groups = _groups(y, groups)
    at, parts = _dealt(groups, share, seed, folds)
    kept = [_changing(one, name, at, parts) for one, name in zip(y, "ab", strict=True)]
    tamed = [_tame(one[at[0]], keep) for one, keep in zip(y, kept, strict=True)]
    units, gone = [int(keep.sum()) for keep in kept], [int((~keep).sum()) for keep in kept]
    plan = list(zip(y, [factor for factor, _ in tamed], kept, strict=True))
    whole = _prepared(y, plan).to(device)
    centre, scale = centre_and_scale(whole[:, at[0]])
    return Split(
        units=(units[0], units[1]),
        fit=(whole[:, at[0]] - centre) / scale,
        scored=(whole[:, at[1]] - centre) / scale,
        folds=parts,
        distinct=(len(groups[at[0]].unique()), len(groups[at[1]].unique())),
        constant=(gone[0], gone[1]),
        massive=(tamed[0][1], tamed[1][1]),
        halves=_halves(trials, plan, at[1], centre, scale),
        repeats=(trials[0].shape[2], trials[1].shape[2]),
        at=at,
        independent=independent_stimuli(*(one[_firsts(groups)] for one in y)),
    )


def further(split: Split, y: torch.Tensor, name: str = "y") -> torch.Tensor:
    """Responses of one more network `(stimuli, units)` as those of the split are: `(fitted and scored stimuli, units)`.

    Raises ValueError on bad input, another number of stimuli, and units that never change.
    """
    y, stimuli = check_responses(y, name).double(), sum(map(len, split.at))
    if y.shape[:-1] != (stimuli,):
        raise ValueError(f"{name} has shape {tuple(y.shape)}: give ({stimuli}, units), a row for each stimulus")
    kept = _changing(y, name, split.at, split.folds)
    whole = _prepared([y], [(y, _tame(y[split.at[0]], kept)[0], kept)]).to(split.fit.device)
    centre, scale = centre_and_scale(whole[:, split.at[0]])
    return ((whole - centre) / scale)[0, torch.cat(split.at)]


def _prepared(responses, plan):
    """Both networks' responses about the means of `plan`, scaled unit by unit, those kept, padded to one width."""
    each = zip(responses, plan, strict=True)
    return padded([((one - y.mean(0)) * factor)[:, keep].float() for one, (y, factor, keep) in each])


def _checked(y_a, y_b, share, folds):
    """Both networks' trials `(stimuli, units, repeats)` and their means over repeats."""
    given = [as_tensor(y, name) for y, name in ((y_a, "a"), (y_b, "b"))]
    trials = [y[:, :, None] if y.ndim == 2 else y for y in given]
    y = [_mean_response(one, name) for one, name in zip(trials, "ab", strict=True)]
    check_pair(y[0].float(), y[1].float(), names=("a", "b"))
    _check_counts(len(y[0]), share, folds)
    return trials, y


def _dealt(groups, share, seed, folds):
    """Stimuli of the SAEs and of the scores, and the folds of the latter."""
    order, middle = grouped_order(groups, seeded(seed))
    at = order[middle < share], order[middle >= share]
    alone = len(groups.unique()) == len(groups)
    return at, k_folds(len(at[1]), folds, seed, None if alone else groups[at[1]])


def _mean_response(trials, name):
    if trials.ndim != 3 or 0 in trials.shape:
        raise ValueError(f"{name} has shape {tuple(trials.shape)}: give (stimuli, units) or (stimuli, units, repeats)")
    y = trials.double().mean(2)
    if constant_units(y).all():
        raise ValueError(f"no unit of {name} ever changes: check that its rows are stimuli and its columns units")
    return y


def _check_counts(stimuli, share, folds):
    if not 0 < share < 1 or folds < 2:
        raise ValueError(
            f"share of stimuli for the SAEs {share}, folds {folds}: give 0 < share < 1 and two or more folds"
        )
    fitted = round(share * stimuli)
    if fitted < 10 or stimuli - fitted < max(10, 4 * folds):
        raise ValueError(
            f"{stimuli} stimuli, {fitted} of them for the SAEs: these need ten or more, the others ten and four for "
            f"each of {folds} folds; give more stimuli"
        )


def _groups(y, groups):
    """The groups given, or those of copies."""
    if groups is None:
        return answered_alike(*y)
    groups = as_tensor(groups, "groups")
    if groups.shape != (len(y[0]),):
        raise ValueError(f"groups have shape {tuple(groups.shape)}: give one number for each of {len(y[0])} stimuli")
    return groups


def answered_alike(*responses: torch.Tensor) -> torch.Tensor:
    """A number for each stimulus, the same for those that all networks answer alike; each `(stimuli, units)`."""
    y = [as_tensor(one, "responses").double() for one in responses]
    scaled = [(one - one.mean(0)) * _tame(one, ~constant_units(one))[0] for one in y]
    return copies(torch.cat([one / one.square().sum(1).mean().sqrt() for one in scaled], 1))


def _changing(y, name, at, parts):
    """Units that change in the SAEs' part and in each fold of the others, as latents must; boolean `(units,)`."""
    each = [y[at[0]], *(y[at[1]][test] for _, test in parts)]
    kept = ~torch.stack([constant_units(part) for part in each]).any(0)
    if not kept.any():
        raise ValueError(f"no unit of {name} changes in every fold: give more stimuli, or more varied ones")
    return kept


def _tame(y, kept):
    """What each unit is multiplied by, `(units,)`, and the kept ones scaled down, with their share of the variance."""
    deviation = y.std(0, correction=0) * kept
    most = MASSIVE * deviation[deviation > 0].median() if (deviation > 0).any() else torch.inf
    factor = torch.where(deviation > most, most / deviation, 1.0)
    share = (deviation / deviation.max()).square()
    return factor, {i: float(share[i] / share.sum()) for i in (factor < 1).nonzero()[:, 0].tolist()}


def _halves(trials, plan, at, centre, scale):
    """Scored responses by halves of the repeats, `(2, 2, stimuli, units)`; None if nothing is repeated.

    Means over the even and the odd repeats, one of an odd number left out; the same twice if there is but one.
    """
    if max(one.shape[2] for one in trials) == 1:
        return None
    found = []
    for start in (0, 1):
        each = [one[:, :, start : one.shape[2] // 2 * 2 : 2] if one.shape[2] > 1 else one for one in trials]
        half = _prepared([one.double().mean(2) for one in each], plan)[:, at].to(centre.device)
        found.append((half - centre) / scale)
    return torch.stack(found)


def independent_stimuli(y_a: torch.Tensor, y_b: torch.Tensor) -> float:
    """How many independent stimuli would relate two unrelated networks as much by chance as these M, in their order.

        M / (1 + 2 sum_l r_a(l) r_b(l)),   r(l) = sum_t y_t . y_(t+l) / sum_t |y_t|^2

    of centred responses `(stimuli, units)`: 1 / M times the denominator is what E |S_ab|_F^2 / (tr S_a tr S_b) is for
    two stationary series that know nothing of each other. The sum ends at the first lag l at which either
    autocorrelation is below 2 / sqrt(M), which chance reaches. About M if each stimulus stands alone, few for
    frames of a film. Source: Bartlett 1935, of one unit each.
    """
    stimuli, product = len(y_a), torch.ones(1, dtype=torch.float64)
    for y in (y_a, y_b):
        power = sum(
            torch.fft.rfft(part, 2 * stimuli, dim=0).abs().square().sum(1)
            for part in (y.double() - y.double().mean(0)).cpu().split(64, 1)
        )
        along = torch.fft.irfft(power)[:stimuli]
        r = along / along[0]
        low = (r < 2 / stimuli**0.5).nonzero()[:, 0]
        r[int(low[0]) if len(low) else stimuli :] = 0
        product = product * r
    return stimuli / float(1 + 2 * product[1:].sum())


def _firsts(groups):
    """Where the first stimulus of each group stands, in the order of the stimuli."""
    _, number = groups.unique(return_inverse=True)
    first = torch.full((int(number.max()) + 1,), len(groups))
    return first.scatter_reduce(0, number.cpu(), torch.arange(len(groups)), "amin").sort().values


def dimensions(split: Split) -> tuple[float, float]:
    """Participation ratio of each network over the scored stimuli."""
    products = [split.of(i).double().mT @ split.of(i).double() / split.scored.shape[1] for i in (0, 1)]
    a, b = (float(participation_ratio(torch.linalg.eigvalsh(product))) for product in products)
    return a, b
