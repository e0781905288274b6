# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-ceiling)=
# # A ceiling for superposition
#
# Two networks squeeze many features into few units. Can a score tell how many of them they share, without finding the
# features first?
#
# **In short.** Yes, if each network was trained from two random starts and mixes features at random. Divide the score
# between the networks by those between two seeds of each: compression lowers both alike, and the overlap is left, in
# the mean within {glue:text}`largest_bias:.3f`, where CKA of identical features reads {glue:text}`raw_full:.2f`.
# Related mixing and a few dominant features break it, and near 1 does not mean learned: untrained networks get there
# too.
#
# :::{glue:figure} fig-ceiling-overlap
# :name: fig-ceiling-overlap
#
# Compression holds CKA far below the {term}`overlap` that was put in, the diagonal. Corrected by a second seed of each
# network, the score lies on it. Bars: standard deviations over {glue:text}`draws` draws.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - which part of linear CKA counts features and which part counts dimensions;
# - how to estimate an overlap from two seeds of each network, and how sure to be of it;
# - which networks break the estimate, and in which direction.
#
# **What the papers leave open.** Both papers end with the same advice: measure in latent space, so learn a sparse code
# first. {ref}`ch-overlap` ended with a doubt: without the number of features, a score cannot be corrected. Everything
# below is ours unless a source is named.
# ::::

# %% [markdown]
# ## The idea
#
# Two networks respond to a stimulus with $y_a = A z$ and $y_b = B z$. The features $z$ have mean 0, are uncorrelated
# and of equal variance. Network a has $n_a$ of them in $m_a$ units, b has $n_b$ in $m_b$, and they share $n_s$. If only
# b has a feature, its column in $A$ is zero, and vice versa. $S_{ab}$ is the covariance of the units of a with those of
# b, $S_a$ that of a with itself. Take the squared covariances as a share of the total variances:
#
# $$
# T_{ab} = \frac{|S_{ab}|^2}{\operatorname{tr} S_a \operatorname{tr} S_b} .
# $$ (eq-ceiling-t)
#
# ```{prf:proposition} Shared variance counts features
# :label: prop-ceiling-count
#
# Let $A$ and $B$ be independent and never 0. Let the law of $B$ be unchanged when features of b are exchanged or
# change sign, and that of $A$ when features of a are exchanged. Then
#
# $$
# \mathrm E\, T_{ab} = \frac{n_s}{n_a n_b} .
# $$
# ```
#
# ````{prf:proof}
# $S_{ab} = A B^\top$, so $T_{ab}$ is the inner product of $\hat G_A = A^\top A / |A|^2$ and $\hat G_B$, both of
# trace one. A sign flip turns the entries of $\hat G_B$ beside the diagonal into their negatives, so their mean is 0;
# exchanges make its $n_b$ diagonal means equal, so each is $1/n_b$. With $A$ held fixed the mean of $T_{ab}$ is the
# part of the trace of $\hat G_A$ on shared features, over $n_b$. Exchanges in $A$ make that part $n_s / n_a$ in the
# mean.
# ````
#
# Units, their mixing and {term}`kurtosis` do not enter, and traces need not be fixed, since each matrix is divided by
# its own. The step is that of {prf:ref}`prop-linear-exact`, with the trace in place of the norm. What the norm adds
# is visible at once: with $d = (\operatorname{tr} S)^2 / |S|^2$, the {term}`participation ratio`,
#
# $$
# \mathrm{CKA} = T_{ab} \sqrt{d_a d_b} .
# $$ (eq-ceiling-cka)
#
# $T$ counts features, $d$ counts dimensions, and compression acts on $d$ alone. So the {term}`rank inversion` of
# {ref}`ch-overlap` should disappear if we rank by $T$.

# %%
from itertools import combinations, permutations, product
from math import sqrt
from pathlib import Path

import pandas as pd
import torch

from lib import theory
from lib.ceiling import corrected_cka, effective_features, overlap, shared_variance
from lib.chapter.calculator import Calculator
from lib.chapter.network_overlaps import draw_overlaps, expectations, network_overlaps
from lib.chapter.overlaps import PROMISED, draw_grid, grid_cells, pooled
from lib.chapter.plotting import INK, k_styles, panels
from lib.chapter.results import recorded_results
from lib.chapter.run import Run
from lib.features import bernoulli_uniform, k_sparse, seeded
from lib.geometry import linear_cka
from lib.matching import soft_matching_score
from lib.projections import gaussian, overlap_masks
from lib.recovery import nonnegative_basis_pursuit, support_recovered
from lib.sae import Recipe, TopKSAE, fit
from lib.toy_models import ToyModels, feature_norms, train_toy_models

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
n: int = 128  # features of each system
m_a: int = 48  # units of system a
m_b: int = 16  # units of system b
active: float = 0.1  # probability that a feature is active
overlaps: list[float] = [0.0, 0.25, 0.5, 0.75, 0.9, 1.0]  # shares of features in common, rising, one half among them
stimuli: int = 4000  # stimuli of each draw
draws: int = 20  # draws of features and projections for each overlap
many: int = 400  # draws where projections alone are needed
grid: str = "book/results/overlap.jsonl"  # what benchmarks/overlap.py measured
sizes: list[int] = [8, 16, 32]  # neurons of the toy models
toy_steps: int = 2000  # training steps of the toy models
sae_steps: int = 1500  # training steps of their sparse autoencoders
solved: int = 30  # stimuli whose features are recovered
runs_a: list[str] = []  # runs of one network, two or more, as lib.data.vision names them, none to skip that part
runs_b: list[str] = []  # runs of another network
images: str = ""  # images in class folders that they see, as lib.data.images names them
sites: list[str] = []  # where both are read, as layer:position

# %%
run = Run("14_ceiling", globals())
generator = seeded(seed, run.device)
run.record(n=n, m_a=m_a, m_b=m_b, draws=draws, stimuli=stimuli, many=many)

# %% [markdown]
# **A check without chance.** Of five features a has the first four and b the last four, mixed by two fixed matrices.
# Average over *all* permutations of a's features and all signed permutations of b's. Agreement means $10^{-12}$.


# %%
def t_of(a, b):
    """T from projections."""
    return (a @ b.mT).square().sum((-2, -1)) / (a.square().sum((-2, -1)) * b.square().sum((-2, -1)))


# %%
orders = [list(order) for order in permutations(range(4))]
flips = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64, device=run.device)] * 4)
fixed_a, fixed_b = (gaussian(m, 4, generator) * torch.tensor([1, 5, 2, 1], device=run.device) for m in (2, 3))
all_a = torch.nn.functional.pad(torch.stack([fixed_a[:, order] for order in orders]), (0, 1))
all_b = torch.nn.functional.pad(torch.cat([fixed_b[:, order] * flips[:, None] for order in orders]), (1, 0))
run.record(turns=len(all_a) * len(all_b), exact_error=abs(t_of(all_a[:, None], all_b).mean() - 3 / 16))

# %% [markdown]
# Over all {glue:text}`turns` pairs the mean differs from $3/16$ by {glue:text}`exact_error:.1g`.
#
# **The inversion.** {ref}`ch-overlap` set nine tenths of the features, in as many units as features, against all of
# them in eight units. We expect CKA to put nearly every pair of draws in the wrong order, and $T$ fewer than one in
# ten.


# %%
def masked(share):
    """Which features each of two systems has that have this share in common."""
    return [mask.to(run.device) for mask in overlap_masks(n, n, round(share * n))]


def laid_out(share, units, count):
    """Projections of all features for two systems, (count, units, features)."""
    return [gaussian(m, len(mask), generator, count) * mask for m, mask in zip(units, masked(share), strict=True)]


# %%
partial, full = laid_out(0.9, (96, n), many), laid_out(1, (96, 8), many)
for name, metric in {"cka": theory.gram_cosine, "t": t_of}.items():
    run.record(**{f"inverted_{name}": (metric(*partial)[:, None] > metric(*full)).double().mean()})

# %% [markdown]
# CKA inverts a share of {glue:text}`inverted_cka:.3f` of the pairs, $T$ one of {glue:text}`inverted_t:.3f`.

# %% [markdown]
# ## A second seed
#
# $T$ still needs $n_a$ and $n_b$. A second training run of each network supplies them: seeds a and a′ hold the same
# features, so $\mathrm E\, T_{aa'} = 1 / n_a$, and
#
# $$
# \hat\rho = \frac{T_{ab}}{\sqrt{T_{aa'} T_{bb'}}}
# $$ (eq-ceiling-rho)
#
# estimates the overlap $\rho = n_s / \sqrt{n_a n_b}$. In the same way $T_{ab} / T_{aa'}$ estimates $n_s / n_b$, and
# $1 / T_{aa'}$ the number of features. With CKA in place of $T$ the participation ratios cancel, so CKA over the
# geometric mean of the seeds' own CKA is nearly the same number: what two seeds score is the *ceiling* of a score.
#
# This is the correction for attenuation of {cite:t}`spearman1904`, who divided the correlation of two unreliable
# measurements by the root of each one's correlation with its repetition. Here a second seed takes the place of the
# repetition. Neuroscience asks, in the same spirit, that a model differ from a brain no more than another brain does
# {cite:p}`feather2025`; what the theory adds is what the quotient counts.
#
# ```{prf:proposition} Regression
# :label: prop-ceiling-regression
#
# Let $B$ and $A'$ be as $B$ above, and let $A$, independent of both, have linearly independent rows, at most $n_a$,
# and a law unchanged when features of a are exchanged. Then
#
# $$
# \frac{\mathrm E R^2(a \to b)}{\mathrm E R^2(a \to a')} = \frac{n_s}{n_b} ,
# $$
#
# and the same holds for the squared correlation of a single predicted unit.
# ```
#
# ````{prf:proof}
# $R^2$ is the inner product of $P_A$, the projection on the row space, and $\hat G_B$ ({prf:ref}`thm-ols`). As above
# the mean over $B$ is the trace of $P_A$ on shared features over $n_b$. The trace is $m_a$, so by exchange the mean
# is $n_s m_a / (n_a n_b)$; for a′ it is $m_a / n_a$. A single unit is a $B$ with one row.
# ````
#
# **A matching score is not undone.** For few units, correlations between units of two networks are nearly normal with
# variance $n_s / (n_a n_b)$, and the best matching earns a multiple of their deviation that depends on $m_a$ and
# $m_b$ alone. So {term}`soft-matching`, corrected by seeds, should give $\sqrt\rho$ if all networks are of one size,
# and another number otherwise. This is an argument, not a proof. The mean correlation $r$ of regression should give
# about $\sqrt{n_s / n_b}$, the root of what is corrected.
#
# ### On stimuli
#
# With $M$ stimuli the plain $|S_{ab}|^2$ is too large by about $\operatorname{tr} S_a \operatorname{tr} S_b / M$:
# chance covariances add up. `lib.ceiling` uses the unbiased estimate of {cite:t}`song2012`, for each pair of units.


# %%
def responses(share, units, seeds=2):
    """Responses to the same stimuli of seeds of two systems."""
    z = bernoulli_uniform(stimuli, 2 * n - round(share * n), active, generator)
    parts = [z[:, mask] for mask in masked(share)]
    return [[part @ gaussian(m, n, generator).T for _ in range(seeds)] for m, part in zip(units, parts, strict=True)]


# %% [markdown]
# For every overlap: raw CKA of single networks, here and with both systems in {glue:text}`m_b` units, and the corrected
# score. We expect its mean within three standard errors and two hundredths of the overlap. Beside it stands a
# correction by one network of each kind, of CKA for few neurons {cite:p}`chun2025`. Units are independent here, as it
# assumes, so it should do as well.


# %%
def raw_cka(a, b):
    """CKA of two networks without what few stimuli add."""
    return float(linear_cka(a, b, debiased=True))


# %%
def measure(share, draw):
    """Tabulate raw CKA and the corrected score of one draw."""
    a, b = responses(share, (m_a, m_b))
    found, small = overlap(a, b), [one[0] for one in responses(share, (m_b, m_b), 1)]
    ceiling = sqrt(max(raw_cka(*a) * raw_cka(*b), 1e-9))
    run.tabulate("draws", share=share, draw=draw, raw=raw_cka(a[0], b[0]), small=raw_cka(*small), found=found.estimate,
                 by_cka=raw_cka(a[0], b[0]) / ceiling, held=float(found.low <= share <= found.high),
                 by_one=float(corrected_cka(a[0], b[0])), features=found.features[0])  # fmt: skip


# %%
for share, draw in product(overlaps, range(draws)):
    measure(share, draw)

# %% [markdown]
# Means over draws. Of any overlap raw CKA shows a fraction, all corrected scores show all of it, and the number of
# features comes out whatever is shared. So here nobody needs a second seed; trained units are {ref}`another case
# <ceiling-one-seed>`.

# %% tags=["hide-input"]
columns = {"raw CKA": "raw", "corrected": "found", "by CKA of seeds": "by_cka", "by one of each": "by_one"}
columns["features of a"] = "features"
asked = {head: {o: run.ask(f"mean(draws.{name})", share=o) for o in overlaps} for head, name in columns.items()}
run.record(largest_bias=max(abs(asked["corrected"][o] - o) for o in overlaps))
run.tell(held_here="mean(draws.held)", **{f"{x}_full": f"mean(draws.{x} where share = 1.0)" for x in ("raw", "small")})
pd.DataFrame(asked).rename_axis("overlap").round(3)


# %% tags=["hide-input"]
def draw_spread(ax, column, label, style):
    """Mean and standard deviation of a column over the overlap."""
    spreads = [run.ask(f"draws.{column}", share=o) for o in overlaps]
    errors = [one["standard_error"] * draws**0.5 for one in spreads]
    ax.errorbar(overlaps, [one["mean"] for one in spreads], errors, ls="", capsize=2, label=label, **style)


# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.6, height=3.2)
drawn = {"found": f"corrected, {m_a} and {m_b} units", "raw": f"CKA, {m_a} and {m_b} units"}
drawn |= {"small": f"CKA, {m_b} and {m_b} units"}
for (column, label), style in zip(drawn.items(), k_styles(drawn), strict=True):
    draw_spread(ax, column, label, style)
ax.plot([0, 1], [0, 1], color=INK, lw=0.8, label="overlap")
ax.set(xlabel="overlap", ylabel="score", ylim=(-0.05, 1.25))
ax.legend(loc="upper left")

# %% tags=["hide-input", "remove-output"]
run.figure(
    [ax],
    "fig-ceiling-overlap",
    alt="Scores against the overlap. Linear CKA makes two rising rows of marks far below the diagonal but at 0, the "
    "lower for fewer units; the score corrected by second seeds lies on the diagonal.",
    title="Simulated: two systems that share part of their features",
)

# %% [markdown]
# In {numref}`fig-ceiling-overlap` the mean corrected score is off by at most {glue:text}`largest_bias:.3f` at
# any overlap, while raw CKA of identical features is {glue:text}`raw_full:.3f`, and {glue:text}`small_full:.3f` with
# both systems in {glue:text}`m_b` units. The interval (below) held the truth in a share of {glue:text}`held_here:.3f`
# of the draws.
#
# The predictions about the other metrics, from projections alone: $R^2$ should be corrected to $n_s / n_b$, $r$ to
# its root, and soft-matching to $\sqrt\rho$ only between systems of one size.


# %%
def corrected_regression(share):
    """R2, squared r of units, and r: from a to b over from a to its seed, as ratios of means."""
    (a, b), (seed_a, _) = (laid_out(share, (m_a, m_b), many // 4) for _ in "12")
    r_b, r_a = theory.ols_r(a, b), theory.ols_r(a, seed_a)
    return [theory.ols_r2(a, b).mean() / theory.ols_r2(a, seed_a).mean(),
            r_b.square().mean() / r_a.square().mean(), r_b.mean() / r_a.mean()]  # fmt: skip


# %%
def corrected_matching(share, units):
    """Soft-matching over the root of what seeds of a and of b score."""
    a, b = responses(share, units)
    score = [float(soft_matching_score(*pair)) for pair in ((a[0], b[0]), (a[0], a[1]), (b[0], b[1]))]
    return score[0] / sqrt(score[1] * score[2])


# %% tags=["hide-input"]
same, others = ([corrected_matching(0.5, (m, m_b)) for _ in range(draws)] for m in (m_b, m_a))
names = ["R²", "r² of units", "r", "matching, units alike", "matching, units unlike"]
found = [float(x) for x in corrected_regression(0.5)] + [sum(scores) / draws for scores in (same, others)]
run.tabulate("metrics", metric=names, expected=[0.5, 0.5] + 3 * [0.5**0.5], found=found)
pd.DataFrame(run.tables["metrics"]).set_index("metric").round(3)

# %% [markdown]
# At an overlap of one half the first two rows come out as proved. The next two estimate roots: square such a score
# before you read it as an overlap. The last row is off by an amount that depends on the widths and that no second seed
# tells, so do not compare systems of unlike width by matching.

# %% [markdown]
# ## How sure?
#
# The error has two sources: which units, and which stimuli. For Gaussian rows the squared cosine of two units is Beta
# distributed with relative variance about 2, and cosines that share a unit are uncorrelated. So $T$ of one pair
# varies by about $\sqrt{2 / (m_a m_b)}$ of itself, and the estimate from $R$ seeds with $m$ units each by about
#
# $$
# \frac{1}{m} \sqrt{\frac{2}{R^2} + \frac{2}{R(R-1)}} .
# $$ (eq-ceiling-spread)
#
# The library does not assume this. It adds up what each unit contributes over all its partners, counting a pair of
# units once: the robust variance for data on pairs of {cite:t}`aronow2015`. Of that and the sum over pairs alone, which
# is steadier for few units, it takes the larger, adds the variance over stimuli, and uses Student's quantile. The root
# in {eq}`eq-ceiling-rho` makes few units read high, so three eighths of the squared relative errors of the denominators
# are taken off.
#
# `benchmarks/overlap.py` measured bias, spread and coverage on a random sample of the full grid: overlap from none to
# all, units from a sixteenth of the features to all, active fractions from one in a hundred, 500 to 50,000 stimuli, 2
# to 8 seeds. What we expected stands at its head, written before it ran. We began with the normal law's quantile, and
# the first 80 cells chose Student's; the cells after them, which nobody had seen, report.

# %% tags=["hide-input"]
cells = grid_cells(Path(grid))
choosing, reported = (cells[cells.part == part] for part in ("choose", "report"))
fair, few = reported[(reported.fewest >= 8) & (reported.stimuli >= 2000)], choosing[choosing.fewest == 4]
for rule in choosing.held.iloc[0]:
    run.tabulate("intervals", rule=rule, all_cells=pooled(rule, choosing), four_units=pooled(rule, few))
pd.DataFrame(run.tables["intervals"]).set_index("rule").round(3)

# %% tags=["hide-input"]
run.record(cells=len(cells), grid_draws=int(cells.draws.sum()), refused=int(cells.refused.sum()))
run.record(coverage=pooled("chosen", reported), lowest=reported.coverage.min(), highest=reported.coverage.max())
run.record(within=reported.coverage.between(*PROMISED).mean(), below=(reported.coverage < PROMISED[0]).mean())
run.record(coverage_fair=pooled("chosen", fair), bias_fair=fair.bias.abs().max(), fair_cells=len(fair))
run.record(bias_all=reported.bias.abs().max())

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
draw_grid(left, right, reported)
run.figure(
    [left, right],
    "fig-ceiling-grid",
    alt="Left: share of draws in which the interval held the overlap, one mark for each cell, against the units of the "
    "smaller system, with a band around the promised share. Right: mean estimate less overlap, near zero.",
    title="Simulated: coverage and bias over the grid",
)

# %% [markdown]
# :::{glue:figure} fig-ceiling-grid
# :name: fig-ceiling-grid
#
# Over the reporting cells together the interval holds the overlap in a share of {glue:text}`coverage:.3f`, in single
# cells from {glue:text}`lowest:.3f` to {glue:text}`highest:.3f` (a), and the estimate has little bias (b). Grey: within
# two parts in a hundred of the promise.
# :::
#
# The sample has {glue:text}`cells` cells and {glue:text}`grid_draws` draws. A share of {glue:text}`within:.3f` of the
# reporting cells lies in the grey band and {glue:text}`below:.3f` below it; with so few draws a cell scatters by two or
# three hundredths by chance. The interval is too wide where systems share nothing or stimuli are few, and with the most
# stimuli it may be too narrow: all such cells of the sample lie below the band. With at least eight units and 2,000
# stimuli the coverage is {glue:text}`coverage_fair:.3f` and the largest bias {glue:text}`bias_fair:.3f` over
# {glue:text}`fair_cells` cells; over all reporting cells the bias reaches {glue:text}`bias_all:.3f`. Draws in which
# seeds shared no more than chance, and which the library refused: {glue:text}`refused`.
#
# The table above compares intervals on the choosing cells, and on those where a system has four units: *bootstrap*
# resamples units, *twice* counts pairs of units from both sides, *units* and *lone* take one of the two variances,
# *no stimuli* leaves stimuli out. The bootstrap, which we expected to be too wide, misses the part of few stimuli.

# %% [markdown]
# ## Where it fails
#
# (ceiling-one-seed)=
# ### One seed, and rows that repel
#
# ```{prf:proposition} One seed
# :label: prop-ceiling-one
#
# If the rows of $A$ are independent with mean 0 and covariance proportional to $I$, then
#
# $$
# \mathrm E \sum_{i \ne j} S_{ij}^2 = \frac1n\, \mathrm E \sum_{i \ne j} S_{ii} S_{jj} .
# $$
# ```
#
# ````{prf:proof}
# For rows with covariance $\sigma^2 I$ the mean of $(a_i^\top a_j)^2$ is the trace of $\sigma^4 I$, $n \sigma^4$, and
# that of $|a_i|^2 |a_j|^2$ is $n^2 \sigma^4$.
# ````
#
# So one network could count its features (`effective_features`). The count is known as the participation ratio of the
# population that the units sample {cite:p}`chun2026`, and CKA is corrected for few neurons by the same pairs of
# different units (`corrected_cka`). But training makes units divide the work: they repel. Two seeds need no
# independence *within* a network. On toy models ({ref}`ch-toy-models`) the truth is known, and we set both beside the
# effective number of features of {cite:t}`bereska2025`, the exponential of the entropy of each latent's share of an
# {term}`SAE`'s activation. Trials showed the two-seed count near the truth and the other far above it; we expect this
# to repeat.


# %%
def entropy_count(toys, size):
    """Effective number of latents of an SAE for each of the first two models: (2,)."""

    def draw(generator, count=256):
        return toys.model.responses(bernoulli_uniform(count, 64, 0.1, generator, torch.float32))[:2]

    saes = fit(TopKSAE(size, Recipe.authors(latents=64, k=7, steps=sae_steps), [500, 501], run.device), draw)
    share = saes.model.latents(draw(seeded(seed + 7, run.device), 10000)).abs().sum(1)
    share = share / share.sum(1, keepdim=True)
    return torch.special.entr(share).sum(1).exp().cpu()


# %%
def trained(size):
    """Four toy models of one size, and their responses."""
    models = ToyModels(64, size, [0, 1, 2, 3], device=run.device, start="xavier")
    toys = train_toy_models(models, toy_steps, weight_decay=0.01)
    return toys, toys.model.responses(bernoulli_uniform(20000, 64, 0.1, seeded(seed + 1, run.device), torch.float32))


# %%
for size in sizes:
    toys, y = trained(size)
    t = torch.tensor([float(shared_variance(y[i], y[j])) for i, j in combinations(range(4), 2)])
    held = (feature_norms(toys.model.weight) > 0.7).sum(1).double().mean()
    counts = {"represented": held, "two_seeds": 1 / t.mean(), "one_seed": effective_features(y).median(),
              "entropy": entropy_count(toys, size).mean()}  # fmt: skip
    found = overlap(y[:2], y[2:])
    run.tabulate("toys", neurons=size, **{name: float(one) for name, one in counts.items()}, overlap=found.estimate,
                 low=found.low, high=found.high, by_one=float(corrected_cka(y[:2], y[2:]).mean()))  # fmt: skip
ratios = [(row["two_seeds"] / row["represented"], row["one_seed"] / row["represented"]) for row in run.tables["toys"]]
run.record(two_least=min(ratios)[0], two_most=max(ratios)[0], one_least=min(one for _, one in ratios))
run.tell(by_one_least="min(toys.by_one)")
pd.DataFrame(run.tables["toys"]).set_index("neurons").round(2)

# %% [markdown]
# Two seeds count {glue:text}`two_least:.2f` to {glue:text}`two_most:.2f` times as many features as are represented
# (longer than seven tenths in the weights, as in {ref}`ch-toy-models`), one seed at least {glue:text}`one_least:.0f`
# times as many. Where the two counts differ so, rows are not independent; the estimate survives that, and its interval
# is too wide. Neurons are rectified, so nonlinear mixtures of features count a little too. Models of one kind have the
# overlap 1: the last columns show the estimate with its interval, and CKA corrected by one model of each, at least
# {glue:text}`by_one_least:.1f`. We took the entropy to fall behind as features grow, until the profile
# `paper` trained SAEs at full length.

# %% tags=["hide-input"]
asked = {"two seeds": "two_seeds", "entropy": "entropy", "represented": "represented"}
rows = {f"{head}, {at} neurons": f"mean(toys.{x} where neurons = {at})" for at in sizes for head, x in asked.items()}
run.beside_recorded(rows)

# %% [markdown]
# ### Weights, relations, noise
#
# Four more assumptions, each broken on its own at an overlap of one half, with what algebra says:
#
# - *Unequal variances* $s_i$. Features count by $s_i^2$: the estimate tends to $\sum_{\text{shared}} s_i^2$ over the
#   geometric mean of both systems' sums. We let $s_i = 1/i$ and share the strongest, or the weakest, half.
# - *Related seeds.* If each network of a system is $c\,C + \sqrt{1 - c^2}\,E$ with a common $C$, seeds agree too
#   well: $T_{aa'}$ rises to $1/n + c^4/m$, and the estimate falls by $1 + c^4 n/m$.
# - *Related networks.* If seed i of a starts from the same $C_i$ as seed i of b, the estimate rises.
# - *Noise* of its own in each network lowers all three $T$ alike: the overlap stands, the count of features rises.


# %%
def estimate(a, b):
    """Corrected score from projections of two seeds of each system, as a ratio of means over draws."""
    t_ab = torch.stack([t_of(x, y).mean() for x in a for y in b]).mean()
    return float(t_ab / (t_of(*a).mean() * t_of(*b).mean()).sqrt())


# %%
def pairs_of(scale=None):
    """Two seeds of each system at one half overlap, in m_b units, features scaled."""
    drawn = [laid_out(0.5, (m_b, m_b), many) for _ in "12"]
    return [[one[i] * (1 if scale is None else scale.sqrt()) for one in drawn] for i in (0, 1)]


# %%
falling = 1 / torch.arange(1, n + 1, dtype=torch.float64, device=run.device)
for strong in (True, False):
    common, own = falling.split(n // 2)[:: 1 if strong else -1]
    found = estimate(*pairs_of(torch.cat([own, common, own])))
    predicted = float(common.square().sum() / falling.square().sum())
    run.tabulate("failures", case=f"{'strong' if strong else 'weak'} half shared", predicted=predicted, found=found)

# %%
c = 0.5


def mix(x, common):
    """A projection of which a part is common."""
    return c * common + (1 - c**2) ** 0.5 * x


(a, b), (common_a, common_b) = pairs_of(), laid_out(0.5, (m_b, m_b), many)
alike = estimate([mix(x, common_a) for x in a], [mix(x, common_b) for x in b])
run.tabulate("failures", case="related seeds", predicted=0.5 / (1 + c**4 * n / m_b), found=alike)

# %%
starts = [gaussian(m_b, n + n // 2, generator, many) for _ in "12"]
a, b = ([mix(x, start * mask) for x, start in zip(system, starts, strict=True)]
        for system, mask in zip((a, b), masked(0.5), strict=True))  # fmt: skip
run.tabulate("failures", case="related networks", predicted=0.5 * (1 + c**4 * n / m_b / 4), found=estimate(a, b))


# %%
def noisy(y):
    """Responses with as much noise as signal."""
    return y + (y - y.mean(0)).std() * torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)


# %%
clean = [responses(0.5, (m_b, m_b)) for _ in range(draws)]
with_noise = [[[noisy(y) for y in system] for system in pair] for pair in clean]
for name, some, count in (("without", clean, n), ("as much as signal", with_noise, 4 * n)):
    found = [overlap(*pair) for pair in some]
    features = draws / sum(one.t_aa for one in found)
    run.tabulate("noise", noise=name, overlap=sum(map(float, found)) / draws, expected=count, features=features)
pd.DataFrame(run.tables["failures"]).set_index("case").round(3)

# %% tags=["hide-input"]
pd.DataFrame(run.tables["noise"]).set_index("noise").round(3)

# %% [markdown]
# Algebra's prediction stands beside what is found. All but noise change the estimate, and the responses alone do not
# tell that they do. Features of very unequal variance are counted as few. Networks of one architecture and task may mix
# features alike; then $\hat\rho$ compares geometry too.

# %% [markdown]
# ### Networks that others trained
#
# Others trained ResNet-56 (a) and ResNet-20 (b) on the ten classes of CIFAR-10, four runs of each by one recipe
# ({ref}`page-data`). A trial had given corrected scores above nine tenths; what we expected of the controls stands in
# `notebooks/profiles/cifar_pairs`, written before they ran. Untrained networks have random weights, and normalisation
# that has seen no image.

# %% tags=["hide-input"]
if runs_a:
    run.tabulate("networks", **network_overlaps(runs_a, runs_b, images, sites, device).to_dict("list"))
    run.record(networks_seen=len(runs_a + runs_b))

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.6, height=4.4)
draw_overlaps(ax, pd.DataFrame(run.results("cifar_pairs")["tables"]["networks"]))
ax.set(xlabel="corrected score (marker), linear CKA (stroke)")
run.figure([ax], "fig-ceiling-networks", title="Real networks, images of CIFAR-10: two kinds, and controls",
           alt="Corrected scores at three sites: near one for trained networks and for halves of one kind, and for "
           "untrained networks at the last two; low for trained with untrained; zero if shuffled.")  # fmt: skip

# %% tags=["hide-input"]
places = {"middle": "layer2:centre", "deep": "layer3:centre", "pooled": "layer3:pool"}
columns = {head: f"mean(networks.corrected where site = {site})" for head, site in places.items()}
counts = {f"features of {x}": f"mean(networks.features_{x} where site = layer3:pool)" for x in "ab"}
counts |= {f"by one, {head}": f"mean(networks.by_one where site = {site})" for head, site in places.items()}
asked = {f"cka_{head}": f"mean(networks.cka where pair = trained and site = {site})" for head, site in places.items()}
ends = {f"pooled_{x}": f"mean(networks.{x} where pair = trained and site = layer3:pool)" for x in ("low", "high")}
ends |= {f"one_{x}": f"mean(networks.by_one where pair = halves_{x} and site = layer2:centre)" for x in "ab"}
within = {x: f"mean(networks.{x} where pair = within_class and site = layer3:pool)" for x in ("by_one", "corrected")}
run.quote("cifar_pairs", "networks_seen", **asked, **ends, **within)
outcomes = expectations(pd.DataFrame(recorded_results("cifar_pairs")["14_ceiling"]["tables"]["networks"]))
run.words("held", f"{sum(outcomes.values())} of {len(outcomes)}")
run.recorded_table("cifar_pairs", columns | counts, "pair")

# %% [markdown]
# :::{glue:figure} fig-ceiling-networks
# :name: fig-ceiling-networks
#
# By the corrected score two kinds of network hold nearly the same, and untrained ones do too, while trained and
# untrained share little. Bars are intervals.
# :::
#
# The table has corrected scores, and features counted at the last site, of {glue:text}`networks_seen_quoted` networks
# ({glue:text}`cifar_pairs_source`). Raw CKA between trained kinds is {glue:text}`cka_middle_quoted`,
# {glue:text}`cka_deep_quoted` and {glue:text}`cka_pooled_quoted`. Corrected, it hardly depends on the site, and stays
# below 1: the last interval is {glue:text}`pooled_low_quoted` to {glue:text}`pooled_high_quoted`, while halves of one
# kind come out at their true 1. Without class means less is shared deep down; with images shuffled nothing is.
#
# The last columns correct CKA by one network of each, as {cite:t}`chun2025` do. In the middle halves of one kind come
# out at {glue:text}`one_a_quoted` and {glue:text}`one_b_quoted` in place of 1, and less class means, pooled, the kinds
# share {glue:text}`by_one_quoted` by it and {glue:text}`corrected_quoted` by seeds. These networks need second seeds.
#
# **Near 1 does not mean learned.** Untrained kinds reach it at the last site, on a feature or two; brightness and
# contrast, we suppose. Trained kinds share something else, since trained a and untrained b have little in common.
# Of what we expected of the controls, {glue:md}`held` held in the recorded run; the profile has each with its bounds.

# %% [markdown]
# ## The smallest score that loses nothing
#
# Let $\delta^*$ be the units per feature from which {term}`basis pursuit` reads $k$ of $n$ features back
# ({prf:ref}`thm-superposition-transition`). Two independent Gaussian projections of the same features that are both
# on the right side of it have the expected CKA
#
# $$
# \mathrm E\, \mathrm{CKA} \gtrsim \frac{\delta^*}{1 + \delta^*} .
# $$ (eq-ceiling-floor)

# %% tags=["hide-input"]
for share in (0.01, 0.05, 0.1, 0.2):
    limit = theory.recovery_units(2000, round(2000 * share)) / 2000
    run.tabulate("floor", active_share=share, units_per_feature=limit, smallest_cka=limit / (1 + limit))
pd.DataFrame(run.tables["floor"]).set_index("active_share").round(3)

# %% [markdown]
# As a statement about Gaussian projections, in expectation, this is {eq}`eq-linear-ratio` with the transition. As a
# bound on networks it is false, in two ways. Rows of an orthogonal matrix, the first half for A and the second for B,
# each recover sparse features, and their CKA is exactly 0. And mixing the units, $A \to TA$, changes no recovery but
# can bring $d$ down to 1, and CKA, if both are so mixed, to $1/n$.

# %%
basis = torch.linalg.qr(gaussian(n, n, generator)).Q
first, second = basis[: n // 2], basis[n // 2 :]
z = k_sparse(solved, n, 4, generator)
read = [support_recovered(nonnegative_basis_pursuit(z @ x.T, x), z.cpu()).double().mean() for x in (first, second)]
mixed = torch.logspace(0, 20, n // 2, dtype=torch.float64, device=run.device)[:, None] * first
run.record(halves_read=min(read), halves_cka=theory.gram_cosine(first, second))
at = theory.recovery_units(n, 4) / n
run.record(mixed_cka=theory.gram_cosine(mixed, gaussian(n // 2, n, generator, many)), mixed_floor=at / (1 + at))

# %% [markdown]
# The halves recover a share of at least {glue:text}`halves_read:.3f` of the stimuli and score
# {glue:text}`halves_cka:.0e`; the mixed half scores {glue:text}`mixed_cka:.3f` against independent projections, below
# the {glue:text}`mixed_floor:.3f` of {eq}`eq-ceiling-floor`. So a score below it does not show that anything was
# lost.

# %% [markdown]
# ## A calculator
#
# What would identical features score, and what overlap does your score imply? Fill in the number of features, the units
# or, better, participation ratios, and debiased CKA. The formula is $\sqrt{d_a d_b} / n$ by {eq}`eq-ceiling-cka`;
# from units, $d$ is {eq}`eq-linear-refined`. Without the number of features, use second seeds.

# %% tags=["hide-input", "remove-output"]
name = "fig-ceiling-calculator"
run.figure(Calculator(name, "Computed, not simulated: the ceiling of a score"), name)

# %% [markdown]
# :::{glue:figure} fig-ceiling-calculator
# :name: fig-ceiling-calculator
#
# Change a number and the sentence follows. (On paper, and without JavaScript: the numbers first shown.)
# :::

# %% [markdown]
# ## What to take away
#
# With two seeds of each network, responses alone tell how many features are shared, whatever the compression. Trust it
# if
#
# - **seeds differ in nothing but chance**: training from scratch, other starts and other orders of the data. Seeds that
#   were fine-tuned from one checkpoint are related, and raise the ceiling;
# - **units are eight or more, stimuli thousands**, as the grid says (with tens of thousands the interval is a little
#   too narrow); with fewer the interval tells how little is known;
# - **features vary alike**. If a few directions carry most of it, look at the exercise on brightness first.
#
# Beside it, report two things. *How many features are counted*, by one seed and by two: far apart, rows repel and the
# interval is too wide; if few, untrained networks may share them too, so run those beside. And whether the score is
# *above 1* by more than the interval: then a and b are related to each other more than seeds are.
#
# Where we depart from the papers:
#
# - They ask for features first. Here the responses of two seeds suffice, under stronger assumptions.
# - Features are independent, as the papers' nearly are.
# - The grid is a sample without its largest corners.
#
# **What changed our mind.** We expected to need the number of features, and second seeds made it cancel. We thought a
# single network might do; in trained ones its units repel, and it cannot. A floor under lossless scores, hoped for as
# a bound, has two counterexamples of a line each. And scores near 1 on real networks looked like a finding until
# untrained ones gave the same.
#
# ## Exercises
#
# :::{exercise} Which way does one seed err?
# :label: ex-ceiling-repel
#
# (Recall, easy, 10 minutes.) Let the rows of $A$ be orthogonal and of one length, $m < n$. What do one seed and two
# seeds count? Then let all rows be equal.
# :::
#
# :::{dropdown} Hint
# One seed counts by {prf:ref}`prop-ceiling-one`: what is $S_{ij}$ for $i \ne j$ if rows are orthogonal, and if they are
# equal? Two seeds count by $1 / T$, {eq}`eq-ceiling-t`.
# :::
#
# :::{solution-start} ex-ceiling-repel
# :label: sol-ceiling-repel
# :class: dropdown
# :::

# %%
frames = [torch.linalg.qr(gaussian(n, n, generator)).Q[:m_b] for _ in "12"]
equal = [gaussian(1, n, generator).expand(m_b, n) for _ in "12"]
for name, (x, y) in {"orthogonal": frames, "equal": equal}.items():
    gram = x @ x.T
    off = gram.square().sum() - gram.diagonal().square().sum()
    print(f"{name}: one seed {(m_b**2 - m_b) * gram[0, 0] ** 2 / off:.3g}, two seeds {1 / t_of(x, y):.3g}")

# %% [markdown]
# Orthogonal rows have nothing in common, so one seed counts without end; equal rows are one direction, so it counts
# one. Two seeds count $n$ in the mean in both cases, but with equal rows it is one squared cosine, and a single draw
# says little.
#
# :::{solution-end}
# :::
#
# :::{exercise} More seeds or more units?
# :label: ex-ceiling-seeds
#
# (Rerun, easy, 15 minutes.) You can train four networks of a kind with 16 units, or two with 32. Which does
# {eq}`eq-ceiling-spread` prefer? Check it by drawing.
# :::
#
# :::{dropdown} Hint
# Put $R$ and $m$ of both plans into {eq}`eq-ceiling-spread` and compare the two terms under the root one by one.
# `overlap(*responses(1, (units, units), count))` draws.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the spread with four seeds of 16 units by the formula, to three decimals
square, other = (2 / R**2 + 2 / (R * (R - 1)) for R in (4, 2))
mistakes = {
    square / 16: "Take the root of the bracket.",
    sqrt(square): "Divide by the number of units, too.",
    sqrt(square) / 64: "Divide by the units of one seed, not of all.",
    sqrt(2 / 4**2 + 2 / 4**2) / 16: "A seed makes no pair with itself: the second term has R (R - 1).",
    sqrt(other) / 32: "That is two seeds of 32 units.",
}
check(mine, right=sqrt(square) / 16, mistakes=mistakes)

# %% [markdown]
# :::{solution-start} ex-ceiling-seeds
# :label: sol-ceiling-seeds
# :class: dropdown
# :::

# %%
for count, units in ((4, 16), (2, 32)):
    found = torch.tensor([float(overlap(*responses(1, (units, units), count))) for _ in range(20)])
    law = sqrt(2 / count**2 + 2 / (count * (count - 1))) / units
    print(f"{count} seeds of {units} units: spread {found.std():.3f}, formula {law:.3f}")

# %% [markdown]
# The first term depends on the number of units in all, $R m$. The second counts pairs of seeds, and $R(R-1)$ is small
# for two. So by the formula more seeds win, a little, by less than twenty draws can show; and they alone show whether
# seeds differ by chance.
#
# :::{solution-end}
# :::
#
# :::{exercise} A feature that everybody hears
# :label: ex-ceiling-common
#
# (Extend, medium, 20 minutes.) Add one strong feature, such as brightness, to all networks of two systems that share
# nothing else. What does the estimate tend to? Find a remedy that needs no knowledge of the feature.
# :::
#
# :::{dropdown} Hint
# In {eq}`eq-ceiling-t` a feature counts by the *square* of its variance. For the remedy, ask in which direction of a
# network's responses such a feature lies; `torch.linalg.svd` finds it.
# :::
#
# :::{solution-start} ex-ceiling-common
# :label: sol-ceiling-common
# :class: dropdown
# :::


# %%
def without_first(y):
    """Responses less their strongest direction."""
    u, s, v = torch.linalg.svd(y - y.mean(0), full_matrices=False)
    return u[:, 1:] * s[1:] @ v[1:]


# %%
a, b = responses(0, (m_b, m_b))
bright = torch.randn(stimuli, 1, generator=generator, dtype=a[0].dtype, device=run.device)
a, b = ([y + y.std() * bright for y in system] for system in (a, b))
for name, change in {"as it is": lambda y: y, "strongest direction removed": without_first}.items():
    print(name, overlap(*[[change(y) for y in system] for system in (a, b)]))

# %% [markdown]
# Features count by the square of their variance, so one strong feature makes the overlap nearly 1. Removing the
# strongest direction of each network brings it down. What is removed must be said beside the score: it is a choice of
# which features count.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# More draws, or networks of one size:
#
# ```
# make chapter NAME=14_ceiling ARGS="-p draws 100"
# make chapter NAME=14_ceiling ARGS="-p m_a 16 -p n 64"
# ```
#
# The profile `paper` takes more draws and trains the toy models longer, `cifar_pairs` reads the ResNets. The grid is
# run by `python benchmarks/overlap.py`.

# %%
real = f"; real: {len(runs_a + runs_b)} networks, {images}" if runs_a else ""
run.save(data=f"simulated: sparse uniform features, Gaussian projections, trained toy models{real}")
