"""Deal the stimuli that two networks answered: one part trains sparse autoencoders, the other is scored in folds."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from lib.blocks import SWEEP, Rows, Summary, block_of, joined, room, summary
from lib.checks import as_tensor, check_pair, check_responses
from lib.correlation import centre_and_scale
from lib.crossval import copies_among, grouped_order, k_folds
from lib.features import seeded
from lib.geometry import participation_ratio

MASSIVE = 5  # median deviations that a unit may have before it is scaled down
MOST_SCORED = 50_000  # stimuli that are scored, unless asked for more
FEW_LAGS, LAGS = 8, 2**15  # up to which stimuli are looked at for what they share with later ones


class Split(NamedTuple):
    """Responses of both networks, centred and of total variance 1, the smaller one padded with units that answer 0."""

    units: tuple[int, int]  # that are compared
    fit: torch.Tensor  # (2, stimuli, larger number of units), for the SAEs
    scored: torch.Tensor  # (2, other stimuli, the same), for the scores
    folds: list[tuple[torch.Tensor, torch.Tensor]]  # of the scored stimuli, on which all scores are read
    distinct: tuple[int, int]  # stimuli of either part, copies and groups counted once
    constant: tuple[int, int]  # units of a and b left out, as they never change in some part
    massive: tuple[dict, dict]  # scaled down: number of the unit, from 0, and its share of the variance
    halves: torch.Tensor | None  # (2 halves of the repeats, 2, scored stimuli, units), if there are repeats
    repeats: tuple[int, int]
    at: tuple[torch.Tensor, torch.Tensor]  # where `fit` and `scored` stood
    independent: float  # stimuli, groups counted once, that would make chance as large: `independent_stimuli`

    def of(self, side: int) -> torch.Tensor:
        """The scored responses of network 0 or 1 without padding, `(stimuli, units)`."""
        return self.scored[side, :, : self.units[side]]

    def all_of(self, side: int) -> torch.Tensor:
        """The fitted, then the scored responses of network 0 or 1 without padding, `(stimuli, units)`."""
        return joined([self.fit[side, :, : self.units[side]], self.of(side)])


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

    Responses are any arrays (`lib.checks.as_tensor`), also mapped from files, `(stimuli, units)`, or `(stimuli, units,
    repeats)` of which the mean is compared. `groups`, a number for each stimulus, keeps those of one number in one part
    and one fold; without, copies are kept together. Units constant in the SAEs' part or in some fold are left out, and
    those of more than MASSIVE median deviations are scaled down to that. Raises ValueError on bad input, units that
    never change, and fewer than ten stimuli for the SAEs or four in a fold.
    """
    trials, y, known = _checked(y_a, y_b, share, folds)
    groups = _groups(y, known, groups)
    at, parts = _dealt(groups, share, seed, folds)
    fitted = [summary(Rows.of(one, at[0])) for one in y]
    kept = [_changing(*one, at, parts) for one in zip(y, "ab", fitted, strict=True)]
    tamed = [_tame(one.deviation * keep) for one, keep in zip(fitted, kept, strict=True)]
    plan = [(one.mean, factor, keep) for one, (factor, _), keep in zip(known, tamed, kept, strict=True)]
    fit, scored = (_prepared(y, plan, part, device) for part in at)
    centre, scale = centre_and_scale(fit)
    return Split(
        units=(int(kept[0].sum()), int(kept[1].sum())),
        fit=_scaled(fit, centre, scale),
        scored=_scaled(scored, centre, scale),
        folds=parts,
        distinct=(len(groups[at[0]].unique()), len(groups[at[1]].unique())),
        constant=(int((~kept[0]).sum()), int((~kept[1]).sum())),
        massive=(tamed[0][1], tamed[1][1]),
        halves=_halves(trials, plan, at[1], centre, scale),
        repeats=(trials[0].shape[2], trials[1].shape[2]),
        at=at,
        independent=_independent(*(Rows.of(one, _firsts(groups)) for one in y)),
    )


def fitted_share(stimuli: int, share: float = 0.5, most_scored: int = MOST_SCORED) -> float:
    """`share` of the stimuli for the SAEs, or more of them, so that no more than `most_scored` are left to score."""
    return max(share, 1 - most_scored / stimuli)


def further(split: Split, y: torch.Tensor, name: str = "y") -> torch.Tensor:
    """Responses of one more network `(stimuli, units)` as those of the split are: `(fitted and scored stimuli, units)`.

    Raises ValueError on bad input, another number of stimuli, and units that never change.
    """
    y, stimuli = check_responses(y, name), sum(map(len, split.at))
    if y.shape[:-1] != (stimuli,):
        raise ValueError(f"{name} has shape {tuple(y.shape)}: give ({stimuli}, units), a row for each stimulus")
    fitted = summary(Rows.of(y, split.at[0]))
    kept = _changing(y, name, fitted, split.at, split.folds)
    plan = [(summary(Rows.of(y)).mean, _tame(fitted.deviation * kept)[0], kept)]
    whole = _prepared([y], plan, torch.cat(split.at), split.fit.device)
    return _scaled(whole, *centre_and_scale(whole[:, : len(split.at[0])]))[0]


def _prepared(responses, plan, at, device):
    """Responses at some places about the means of `plan`, scaled unit by unit, those kept, padded to one width."""
    whole = room(len(responses), len(at), max(int(kept.sum()) for *_, kept in plan), device=device)
    for one, y, (mean, factor, kept) in zip(whole, responses, plan, strict=True):
        sweep, units = SWEEP // (4 * y.shape[1]), int(kept.sum())
        for into, places in zip(one.split(sweep), at.split(sweep), strict=True):
            for part in places.argsort().split(block_of(y.shape[1])):
                into[part, :units] = ((y[places[part]].double() - mean) * factor)[:, kept].to(into)
    return whole


def _scaled(y, centre, scale):
    """`(y - centre) / scale`, in place."""
    for part in y.split(block_of(y.shape[0] * y.shape[2]), 1):
        part.sub_(centre).div_(scale)
    return y


def _checked(y_a, y_b, share, folds):
    """Both networks' trials `(stimuli, units, repeats)`, their means over repeats, and what these are like."""
    given = [as_tensor(y, name) for y, name in ((y_a, "a"), (y_b, "b"))]
    trials = [y[:, :, None] if y.ndim == 2 else y for y in given]
    y = [_mean_response(one, name) for one, name in zip(trials, "ab", strict=True)]
    check_pair(y[0], y[1], names=("a", "b"))
    known = [summary(Rows.of(one)) for one in y]
    for name, one in zip("ab", known, strict=True):
        if not one.varies.any():
            raise ValueError(f"no unit of {name} ever changes: check that its rows are stimuli and its columns units")
    _check_counts(len(y[0]), share, folds)
    return trials, y, known


def _dealt(groups, share, seed, folds):
    """Stimuli of the SAEs and of the scores, and the folds of the latter."""
    order, middle = grouped_order(groups, seeded(seed))
    at = order[middle < share], order[middle >= share]
    alone = len(groups.unique()) == len(groups)
    return at, k_folds(len(at[1]), folds, seed, None if alone else groups[at[1]])


def _mean_response(trials, name):
    if trials.ndim != 3 or 0 in trials.shape:
        raise ValueError(f"{name} has shape {tuple(trials.shape)}: give (stimuli, units) or (stimuli, units, repeats)")
    return trials.double().mean(2) if trials.shape[2] > 1 else trials[:, :, 0]


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


def _groups(y, known, groups):
    """The groups given, or those of copies."""
    if groups is None:
        return _alike(y, known)
    groups = as_tensor(groups, "groups")
    if groups.shape != (len(y[0]),):
        raise ValueError(f"groups have shape {tuple(groups.shape)}: give one number for each of {len(y[0])} stimuli")
    return groups


def answered_alike(*responses: torch.Tensor) -> torch.Tensor:
    """A number for each stimulus, the same for those that all networks answer alike; each `(stimuli, units)`."""
    y = [as_tensor(one, "responses") for one in responses]
    return _alike(y, [summary(Rows.of(one)) for one in y])


def _alike(y, known: Sequence[Summary]):
    """`answered_alike`: each network's units are scaled as for the SAEs, and all networks' variances are the same."""
    each = []
    for one, (mean, deviation, varies) in zip(y, known, strict=True):
        factor = _tame(deviation * varies)[0]
        by = factor / (2 * len(y) * (factor * deviation).square().sum()).sqrt()
        each.append(Rows.of(one).then(lambda part, mean=mean, by=by: (part - mean) * by))
    return copies_among(Rows(lambda at: torch.cat([one.take(at) for one in each], 1), torch.arange(len(y[0]))))


def _changing(y, name, fitted: Summary, at, parts):
    """Units that change in the SAEs' part and in each fold of the others, as latents must; boolean `(units,)`."""
    each = [fitted.varies, *(summary(Rows.of(y, at[1][test])).varies for _, test in parts)]
    kept = torch.stack(each).all(0)
    if not kept.any():
        raise ValueError(f"no unit of {name} changes in every fold: give more stimuli, or more varied ones")
    return kept


def _tame(deviation):
    """What each unit is multiplied by, `(units,)`, and the ones scaled down, with their share of the variance.

    `deviation` is 0 for units that are left out.
    """
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
        half = _prepared([one.double().mean(2) for one in each], plan, at, centre.device)
        found.append(_scaled(half, centre, scale))
    return torch.stack(found)


def independent_stimuli(y_a: torch.Tensor, y_b: torch.Tensor) -> float:
    """How many independent stimuli would relate two unrelated networks as much by chance as these M, in their order.

        M / (1 + 2 sum_l r_a(l) r_b(l)),   r(l) = sum_t y_t . y_(t+l) / sum_t |y_t|^2

    of centred responses `(stimuli, units)`: 1 / M times the denominator is what E |S_ab|_F^2 / (tr S_a tr S_b) is for
    two stationary series that know nothing of each other. The sum ends at the first lag l at which either
    autocorrelation is below 2 / sqrt(M), which chance reaches, and before LAGS. About M if each stimulus stands alone,
    few for frames of a film. Source: Bartlett 1935, of one unit each.
    """
    return _independent(Rows.of(y_a), Rows.of(y_b))


def _independent(*responses: Rows) -> float:
    stimuli = len(responses[0].places)
    for autocorrelation, lags in ((_by_products, FEW_LAGS), (_by_transforms, LAGS)):  # the first few mostly do
        product, ended = torch.ones(1, dtype=torch.float64), []
        for rows in responses:
            along = autocorrelation(rows, min(stimuli, lags))
            r = along / along[0]
            low = (r < 2 / stimuli**0.5).nonzero()[:, 0]
            ended += [len(low) > 0]
            r[int(low[0]) if len(low) else len(r) :] = 0
            product = product * r
        if any(ended):
            break
    return stimuli / float(1 + 2 * product[1:].sum())


def _by_products(rows, lags):
    """sum_t y_t . y_(t+l) of centred responses for l < `lags`, one lag at a time."""
    mean, found = summary(rows).mean, torch.zeros(lags, dtype=torch.float64)
    for places in torch.arange(len(rows.places)).split(block_of(len(mean))):
        y = rows[places[0] : places[-1] + lags].sub(mean).cpu()
        for lag in range(lags):
            later = y[lag : lag + len(places)]
            found[lag] += torch.vdot(y[: len(later)].flatten(), later.flatten())
    return found


def _by_transforms(rows, lags):
    """The same for many lags, by transforms of stretches so long and of the next."""
    mean, power = summary(rows).mean, torch.zeros(1)
    for start in range(0, len(rows.places), lags):
        both = rows[start : start + 2 * lags].sub(mean).cpu()
        for unit in both.split(64, 1):
            one, two = (torch.fft.rfft(y, 2 * lags, dim=0) for y in (unit[:lags], unit))
            power = power + (one.conj() * two).sum(1)
    return torch.fft.irfft(power, 2 * lags)[:lags]


def _firsts(groups):
    """Where the first stimulus of each group stands, in the order of the stimuli."""
    _, number = groups.unique(return_inverse=True)
    first = torch.full((int(number.max()) + 1,), len(groups))
    return first.scatter_reduce(0, number.cpu(), torch.arange(len(groups)), "amin").sort().values


def dimensions(split: Split) -> tuple[float, float]:
    """Participation ratio of each network over the scored stimuli."""
    each = [Rows.of(split.of(i)).blocks() for i in (0, 1)]
    products = [sum(part.mT @ part for part in parts) / split.scored.shape[1] for parts in each]
    a, b = (float(participation_ratio(torch.linalg.eigvalsh(product))) for product in products)
    return a, b
