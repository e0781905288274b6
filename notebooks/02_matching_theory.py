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
# (ch-matching)=
# # Matching units under superposition
#
# Two networks carry the same features, mixed differently into their neurons. What does a metric say that pairs neurons
# of one with neurons of the other, and does recovering the features repair it?
#
# **In short.** Such a metric compares how features are *arranged*, not which are there: neurons of two random systems
# with the same features score {glue:text}`a4_neuron_score:.2f` of 1. If the features are sparse, the projections known
# and the units a little more than twice $k \log(n/k)$, sparse recovery brings the score to
# {glue:text}`a4_recovered_score:.3f` (the condition for this in {cite:t}`longon2025` is not enough). If half of all
# features are active at a time, recovery changes the score by {glue:text}`a4_control_gain:.3f`.
#
# :::{glue:figure} fig-matching-recovery
# :name: fig-matching-recovery
#
# Recovered features align two systems as long as they are sparse, and not beyond. Large markers: means over pairs of
# random projections; small dots: single pairs; shuffled: the stimuli of one system in another order, a control; grey
# line: the most that neurons can score on average, by {eq}`eq-matching-random`.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - how a permutation score follows from the weights alone, and when it is 1;
# - what mixing costs, what shifted grouping costs, and why;
# - why a matching is scored on stimuli that it was not fitted on, and what sparse recovery restores.
#
# **What the paper claims.** {cite:t}`longon2025`, section 3:
#
# - **A1** The permutation score, which pairs units one to one, is a linear assignment on the matrix of inner products
#   of the mixing weights, and is 1 only if the weights agree up to a permutation (and, they say, sign flips).
# - **A2** Units of one feature, matched with units that mix $q$ features equally, score $1/\sqrt q$.
# - **A3** Units that group neighbouring features, in groups shifted between the networks, lose score in proportion to
#   the mismatch of their {term}`supports <support>`.
# - **A4** Exact sparse recovery of the features restores the score to 1, if the projections satisfy a restricted
#   isometry property.
#
# Each becomes a statement with a proof, followed by a cell that checks it.
# ::::

# %% [markdown]
# ## The idea
#
# As in {ref}`ch-superposition`, a stimulus is a vector $z$ of $n$ latent features, and two systems answer to it with
# $y_a = Az$ and $y_b = Bz$. Row $a_i$ of $A$ holds the weights with which unit $i$ of system a mixes the features.
# (The paper writes $Y = ZA$ with a transposed matrix, so what it calls the columns of $\mathbf A_a$ are our rows.)
#
# In {term}`superposition`, $m < n$ units must share the features. If the features are uncorrelated and of equal
# variance, the correlation of two units is the cosine of their weight vectors: features that only one of the two mixes
# in lower it. So a matching score says whether the networks *arrange* their features alike, and little about whether
# they *have* the same features.

# %%
from itertools import permutations

import ot
import pandas as pd
import torch
from torch.nn.functional import normalize

from lib.chapter.plotting import COLOURS, k_styles, panels
from lib.chapter.run import Run
from lib.correlation import unit_correlations
from lib.crossval import k_folds, silent_units
from lib.features import k_sparse, seeded, white
from lib.matching import permutation_score, semi_matching_score, soft_matching_score
from lib.projections import gaussian, restricted_isometry_constant
from lib.recovery import nonnegative_basis_pursuit, support_recovered
from lib.theory import compressed_sensing_units, shifted_grouping_score

# %% [markdown]
# The first parameters size the small exact checks; those with `fold` the comparison of fitted with
# {term}`held-out <held out>` scores; the rest the recovery experiment, which takes most of the time.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
pairs: int = 20  # random pairs of small systems checked against all permutations
units: int = 5  # units of these systems, at most 8
features: int = 12  # features of these systems
mixed_units: int = 24  # units of the systems that mix or group features, at least q_max
q_max: int = 8  # largest number of features mixed by a unit
fold_units: int = 32  # units of the unrelated systems
fold_stimuli: list[int] = [50, 100, 200, 400, 800]  # numbers of stimuli for the unrelated systems
fold_pairs: int = 5  # pairs of unrelated systems for each number of stimuli
n: int = 64  # features of the recovery experiment
k: int = 4  # active features for each stimulus
dense: list[int] = [8, 16, 32]  # larger numbers of active features, the last one is the control
ratio: float = 2.25  # units of the recovery experiment, as a multiple of k log(n/k)
stimuli: int = 400  # stimuli for each pair of systems
draws: int = 5  # pairs of random projections
frames: int = 5  # pairs of systems with isometry constants below the bound, for each number of active features

# %%
run = Run("02_matching_theory", globals())
generator = seeded(seed, run.device)
options = {"dtype": torch.float64, "device": run.device}
m = round(ratio * compressed_sensing_units(n, k))

# %% [markdown]
# ## The metrics
#
# The paper compares units in three ways: by {term}`permutation score`, {term}`soft-matching` and {term}`semi-matching`.
# Write $c_{ij}$ for the Pearson correlation, over stimuli, of unit $i$ of system a with unit $j$ of system b. A unit
# that never changes gets correlation 0.
#
# ```{prf:definition} Permutation score
# :label: def-matching-permutation
#
# For two systems with $m$ units each,
#
# $$ s_{\mathrm{perm}} = \frac1m \max_{\pi} \sum_{i=1}^m c_{i\,\pi(i)}, $$
#
# where $\pi$ runs over all permutations of $1, \dots, m$.
# ```
#
# ```{prf:definition} Soft-matching score
# :label: def-matching-soft
#
# For systems with $m_a$ and $m_b$ units {cite:p}`khosla2024`,
#
# $$ s_{\mathrm{soft}} = \max_{\Pi} \sum_{i,j} \Pi_{ij}\, c_{ij}, $$
#
# where the plan $\Pi \ge 0$ has row sums $1/m_a$ and column sums $1/m_b$: every unit hands out the same total weight,
# and may split it. (The paper writes $P$, which this book keeps for projections.)
# ```
#
# ```{prf:definition} Semi-matching score
# :label: def-matching-semi
#
# Every unit of a takes the unit of b with which it correlates most, however often that unit is taken:
#
# $$ s_{\mathrm{semi}}(a \to b) = \frac{1}{m_a} \sum_{i=1}^{m_a} \max_j c_{ij}. $$
# ```
#
# On data, partners are chosen on one part of the stimuli and correlations are read on the rest
# ({prf:ref}`prop-matching-bias` shows why). For the theory, think of infinitely many stimuli, or of latent features
# that are exactly {term}`white` in the sample.

# %% [markdown]
# ## The score is an assignment on the weights
#
# ```{prf:proposition} Correlations are cosines of weights
# :label: prop-matching-cosines
#
# Let the latent features be *white*: mean 0, covariance the identity. Then $c_{ij} = a_i^\top b_j / (|a_i|\,|b_j|)$.
# With rows of length 1 the matrix of correlations is $G = A B^\top$ [the paper's $\mathbf G$].
# ```
#
# ```{prf:proof}
# The means vanish. The covariance of $a_i^\top z$ and $b_j^\top z$ is $a_i^\top \mathrm{E}[z z^\top]\, b_j = a_i^\top
# b_j$, and their variances are $|a_i|^2$ and $|b_j|^2$.
# ```
#
# ```{prf:proposition} When the score is 1 (claim A1)
# :label: prop-matching-one
#
# For white latents $s_{\mathrm{perm}} = \frac1m \max_\pi \sum_i G_{i\,\pi(i)}$, a linear assignment problem on the
# cosines. It is 1 if and only if the rows of $A$ and $B$, none of them 0, agree up to their order and positive factors.
# ```
#
# ```{prf:proof}
# The first part inserts {prf:ref}`prop-matching-cosines` into the definition. Every cosine is at most 1, so the mean
# over $i$ is 1 only if all $G_{i\,\pi(i)} = 1$ for the best $\pi$. By the Cauchy-Schwarz inequality that means that
# $b_{\pi(i)}$ is a positive multiple of $a_i$.
# ```
#
# ```{prf:remark} Latents that are not white (ours)
# :label: rem-matching-covariance
#
# For latents with covariance $S$ the same holds with $A S^{1/2}$ and $B S^{1/2}$ in place of $A$ and $B$, whatever
# the mean. Two systems with no feature in common can then score above 0, if their features are correlated.
# ```
#
# We compute the score of random pairs from their *responses*, as one would in practice, and compare it with the best of
# all permutations of the *weights*, tried one by one. `white` gives latents that are white in the sample, so the two
# should agree to rounding; we call them equal if they differ by less than $10^{-9}$.


# %%
def response_score(a, b):
    """Permutation score of the responses of two systems to white latents."""
    z = white(10 * a.shape[1], a.shape[1], generator)
    return permutation_score(unit_correlations(z @ a.mT, z @ b.mT))


def best_of_all(c):
    """The same by trying every permutation of the columns of `c`."""
    rows = range(len(c))
    return max(float(c[rows, order].mean()) for order in permutations(rows))


# %%
systems = [normalize(gaussian(units, features, generator, draws=2), dim=-1) for _ in range(pairs)]
scores = torch.tensor([response_score(a, b) for a, b in systems], dtype=torch.float64)
brute = torch.tensor([best_of_all((a @ b.mT).cpu()) for a, b in systems], dtype=torch.float64)
run.record(pairs=pairs, a1_assignment_error=(scores - brute).abs().max(), a1_generic_max=scores.max())

# %% [markdown]
# They do: over {glue:text}`pairs` pairs the two differ by at most {glue:text}`a1_assignment_error:.1e`. The largest
# score of a random pair is {glue:text}`a1_generic_max:.3f`, although both systems of a pair carry the same features.
# And a system scored against itself with its units reordered?

# %%
a = systems[0][0]
order = torch.randperm(units, generator=generator, device=run.device)
run.record(a1_permuted_score=response_score(a, a[order]))

# %% [markdown]
# {glue:text}`a1_permuted_score:.6f`.
#
# ### Equal sizes: soft matching is a permutation
#
# ```{prf:proposition} Soft matching at equal sizes
# :label: prop-matching-birkhoff
#
# If $m_a = m_b = m$, then $s_{\mathrm{soft}} = s_{\mathrm{perm}}$.
# ```
#
# ```{prf:proof}
# $\Pi$ is allowed in {prf:ref}`def-matching-soft` exactly when $m\Pi$ is doubly stochastic, its rows and columns adding
# up to 1. By the theorem of Birkhoff and von Neumann these matrices are the averages of permutation matrices. The sum
# $\sum \Pi_{ij} c_{ij}$ is linear in $\Pi$, so its value at an average of permutations is at most its value at the best
# of them.
# ```
#
# The same correlations go to a solver for optimal transport, which knows nothing of permutations.

# %%
c = [(a @ b.mT).cpu().numpy() for a, b in systems]
transport = torch.tensor([float((ot.emd([], [], -x) * x).sum()) for x in c], dtype=torch.float64)
run.record(birkhoff_gap=(transport - brute).abs().max())

# %% [markdown]
# The largest difference is {glue:text}`birkhoff_gap:.1e`. With unequal sizes the plan has to split weights. A case with
# a known answer: let b hold every unit of a twice. Then each unit of a gives half of its weight to each of its copies,
# and the score is 1.
#
# Semi-matching does not ask that every unit of b be used, so it depends on the direction. Let a have eight units, one
# feature each, and b only the first four of them. Half of the units of a then have no twin in b, and their best partner
# is an accident of the stimuli it was chosen on. (Over *all* stimuli such correlations are exactly 0 here, so one that
# is positive on the training stimuli is a little negative on the others.)

# %%
z = white(2000, 8, generator)
run.record(doubled_score=soft_matching_score(z, z.repeat(1, 2)).mean)
run.record(semi_small_to_large=semi_matching_score(z[:, :4].contiguous(), z).mean)
run.record(semi_large_to_small=semi_matching_score(z, z[:, :4].contiguous()).mean)
run.record(soft_unequal=soft_matching_score(z, z[:, :4].contiguous()).mean)

# %% [markdown]
# | systems | score |
# |---|---|
# | soft matching, all units of a doubled in b | {glue:text}`doubled_score:.3f` |
# | semi-matching from the four units to the eight | {glue:text}`semi_small_to_large:.3f` |
# | semi-matching from the eight units to the four | {glue:text}`semi_large_to_small:.3f` |
# | soft matching of the eight with the four | {glue:text}`soft_unequal:.3f` |
#
# So semi-matching has to be reported in both directions. Soft matching is symmetric and gives nearly one half: each
# unit of b has to take twice the weight of a unit of a, and half of it comes from units with which it has nothing in
# common.

# %% [markdown]
# ### Sign flips
#
# ```{prf:remark} A sign flip is not forgiven (ours)
# :label: rem-sign-flip
#
# {cite:t}`longon2025` state that the score is 1 exactly when the weights agree up to a permutation *and sign flips*.
# With the correlation of their definition, which has a sign, {prf:ref}`prop-matching-one` allows positive factors only:
# a flipped unit correlates $-1$ with its twin. Flipping $f$ of $m$ units of an identical system leaves a score of at
# least $1 - 2f/m$, from pairing every unit with its twin, and more if another pairing is better. The statement holds as
# printed if *absolute* correlations are matched.
# ```
#
# We flip more and more units of one system. The signed score lies on the line $1 - 2f/m$ for one flip and may then
# leave it only upwards; that of absolute correlations should not notice.

# %%
c = normalize(gaussian(mixed_units, 2 * mixed_units, generator), dim=-1)
signs = [torch.where(torch.arange(mixed_units, device=run.device) < f, -1.0, 1.0) for f in range(mixed_units + 1)]
signed = [permutation_score(c @ (c * sign[:, None]).mT) for sign in signs]
absolute = [permutation_score((c @ (c * sign[:, None]).mT).abs()) for sign in signs]

# %% tags=["hide-input"]
flips = mixed_units // 4
run.record(mixed_units=mixed_units, flips=flips, a1_sign_flip_bound=1 - 2 * flips / mixed_units)
run.record(a1_sign_flip_score=signed[flips], a1_sign_flip_absolute=min(absolute))

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1)
count = range(mixed_units + 1)
signed_style, absolute_style = k_styles("ab")
ax.plot(count, signed, linestyle="none", label="signed", **signed_style)
ax.plot(count, absolute, linestyle="none", label="absolute", **absolute_style)
ax.plot(count, [1 - 2 * f / mixed_units for f in count], color=COLOURS["blue"], label="twins paired")
ax.set(xlabel="flipped units f", ylabel="permutation score")
ax.legend()
run.figure(
    [ax],
    "fig-matching-flips",
    alt="Permutation score against the number of flipped units. With signed correlations it falls from 1, on the "
    "line one minus two f over m for one flip and well above it from two on; with absolute correlations it stays at 1.",
    title="Computed: flipping the sign of units",
)

# %% [markdown]
# :::{glue:figure} fig-matching-flips
# :name: fig-matching-flips
#
# Only absolute correlations forgive sign flips. With {glue:text}`flips` of {glue:text}`mixed_units` units flipped the
# signed score is {glue:text}`a1_sign_flip_score:.3f`; line: every unit paired with its twin.
# :::
#
# At the same point pairing twins gives {glue:text}`a1_sign_flip_bound:.3f`: from two flipped units on, it pays to pair
# them with each other's twins or with other units. With absolute correlations the score stays at
# {glue:text}`a1_sign_flip_absolute:.3f` for any number of flips.
#
# In networks with rectified units and in non-negative {term}`codes <code>` a flipped unit cannot occur. In neurons
# before the rectifier it can, and the sign is then part of what is compared. We keep the signed score, as the paper's
# experiments do.

# %% [markdown]
# ## Why scores are read on held-out stimuli
#
# A maximum over permutations finds something even where there is nothing. How much?
#
# ```{prf:proposition} Bias of the fitted score
# :label: prop-matching-bias
#
# Let the responses of two systems with $m$ units each to $M$ stimuli be independent Gaussian numbers. The score fitted
# and read on these stimuli has expectation at least 0 and at most
#
# $$ \sqrt{\frac{2 \log m!}{m\,(M - 1)}}. $$
# ```
#
# ```{prf:proof}
# A sample correlation of two independent Gaussian units is distributed as one coordinate $u$ of a random direction in
# $\nu = M - 1$ dimensions. Its even moments are at most those of a Gaussian of variance $1/\nu$, so
# $\mathrm{E}\, e^{tu} \le e^{t^2/2\nu}$. For one permutation the score is the mean $x_\pi$ of $m$ such correlations of
# disjoint pairs of units, which are independent, so $\mathrm{E}\, e^{t x_\pi} \le e^{t^2 / 2\nu m}$. Then
#
# $$
# \begin{aligned}
# t\, \mathrm{E} \max_\pi x_\pi &\le \log \mathrm{E} \sum_\pi e^{t x_\pi} \\
# &\le \log m! + \frac{t^2}{2\nu m}.
# \end{aligned}
# $$
#
# Divide by $t$ and choose $t^2 = 2\nu m \log m!$. The lower bound holds because the maximum is at least the score of
# the identity, which has mean 0.
# ```
#
# The last step is the textbook bound for the largest of many sub-Gaussian numbers {cite:p}`boucheron2013`; for a square
# of independent Gaussian numbers it is attained to first order as $m$ grows {cite:p}`mordant2021`. The bound grows like
# $\sqrt{\log m / M}$: worse with more units, better with more stimuli, but slowly.
#
# The argument has a second use. The weights of random Gaussian projections are random directions in $n$ dimensions, so
# $n$ takes the place of $M - 1$: *with white latents, two random systems of $m$ units with the same $n$ features score
# at most*
#
# $$ \sqrt{\frac{2 \log m!}{m\,n}} $$ (eq-matching-random)
#
# *on average*, although they carry exactly the same features. It is the grey line of {numref}`fig-matching-recovery`.
#
# The check: we score unrelated random responses on the stimuli that the matching was fitted to, and on others. The
# first score should stay below the bound, the second near 0.


# %%
def bound(size, d):
    return float((2 * torch.lgamma(torch.tensor(size + 1.0)) / (size * d)) ** 0.5)


def unrelated_scores(count):
    """Fitted and held-out score of two systems whose responses are independent noise."""
    y_a, y_b = torch.randn(2, count, fold_units, generator=generator, **options)
    return permutation_score(unit_correlations(y_a, y_b)), soft_matching_score(y_a, y_b).mean


# %%
noise = [[unrelated_scores(count) for _ in range(fold_pairs)] for count in fold_stimuli]
noise = torch.tensor(noise, dtype=torch.float64)
run.record(fold_units=fold_units, fold_pairs=fold_pairs, fold_stimuli=fold_stimuli[0], fitted_score=noise[0, :, 0])
run.record(fitted_bound=bound(fold_units, fold_stimuli[0] - 1), held_out_score=noise[0, :, 1])

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1)
for name, values, style in zip(["fitted", "held out"], noise.unbind(-1), k_styles("ab"), strict=True):
    ax.errorbar(fold_stimuli, values.mean(1), values.std(1) / fold_pairs**0.5, linestyle="none", label=name, **style)
ax.plot(fold_stimuli, [bound(fold_units, count - 1) for count in fold_stimuli], color=COLOURS["blue"], label="bound")
ax.set(xlabel="stimuli", ylabel="score of unrelated systems", xscale="log")
ax.set_xticks(fold_stimuli, fold_stimuli, rotation=45)
ax.minorticks_off()
ax.legend()
run.figure(
    [ax],
    "fig-matching-bias",
    alt="Score of two unrelated systems against the number of stimuli on a logarithmic axis. Fitted and read on the "
    "same stimuli it is well above zero and falls slowly, below the theoretical bound; held out it is near zero.",
    title="Simulated: independent noise",
)

# %% [markdown]
# :::{glue:figure} fig-matching-bias
# :name: fig-matching-bias
#
# A score read on the stimuli it was fitted to finds alignment in noise. Two systems of {glue:text}`fold_units` units;
# line: the bound of {prf:ref}`prop-matching-bias`; bars: standard error over {glue:text}`fold_pairs` pairs.
# :::
#
# With {glue:text}`fold_stimuli` stimuli the fitted score is {glue:text}`fitted_score:.3f` (bound
# {glue:text}`fitted_bound:.3f`) and the held-out one {glue:text}`held_out_score:.3f` ±
# {glue:text}`held_out_score_error:.3f`. All scores on data in this book are held out: the matching is fitted on four
# fifths of the stimuli, read on the rest, and averaged over five such folds, as in the paper.

# %% [markdown]
# ## Two ways to deflate the score
#
# Two systems can have the same features in different {term}`arrangements <arrangement>`. The paper gives an example of
# each of two kinds; we prove the general case and sweep it.
#
# ```{prf:proposition} Mixing (claim A2)
# :label: prop-matching-mixing
#
# Let a have one unit for each of $n$ features, $A = I$, and let b have $n$ units too, each mixing $q$ features with
# equal positive weights. For white latents
#
# $$ s_{\mathrm{perm}} \le \frac{1}{\sqrt q}, $$
#
# with equality if and only if the units of b can be paired with the features so that each mixes its own partner.
# ```
#
# ```{prf:proof}
# A row of $B$ of length 1 has $q$ entries $1/\sqrt q$ and zeros elsewhere. So every entry of $G = B^\top$ is 0 or
# $1/\sqrt q$. No pairing gives a mean above $1/\sqrt q$, and one that avoids all zeros attains it.
# ```
#
# The condition is ours. It holds if every feature is mixed into $q$ units as well, by Hall's theorem, as on the circle
# below, where unit $j$ mixes the features $j, j + 1, \dots, j + q - 1$. It fails if all units mix the *same* $q$
# features: then only $q$ units of a find a partner, and the score is $\sqrt q / n$.
#
# ```{prf:proposition} Shifted groups (claim A3)
# :label: prop-matching-groups
#
# Arrange $n = mq$ features on a circle. Let each unit of a sum one of $m$ groups of $q$ neighbours, and let the groups
# of b be those of a moved on by $s$ features. For white latents, with $\bar s = s \bmod q$,
#
# $$
# \begin{aligned}
# s_{\mathrm{perm}} &= \frac{\max(\bar s,\; q - \bar s)}{q} \\
# &= 1 - \frac{\min(\bar s,\; q - \bar s)}{q}.
# \end{aligned}
# $$
# ```
#
# ```{prf:proof}
# The cosine of two groups is the number of features they share, divided by $q$. Each group of b shares $q - \bar s$
# features with one group of a and $\bar s$ with the next one on the circle. No unit can do better than the larger of
# the two; all units choosing the same side is a permutation, so this is attained. (For $m = 1$ there is one group, and
# the score is 1.)
# ```
#
# The paper's example is $q = 2$, $s = 1$: one half. The loss is the share of a unit's features that its *best* partner
# lacks. So the score falls only up to a shift of $q/2$ and then *rises again*, to 1 at $s = q$, where the groups
# coincide once more.
#
# Both scores are computed from responses to white latents (the circle is `roll`) and compared with the formulas for
# every $q$ up to `q_max` and every shift from 0 to $q$. Nothing here is approximate, so we expect agreement to
# rounding. Where all units mix the same features, we take the first three.

# %%
qs = list(range(1, q_max + 1))
pure = torch.eye(mixed_units, **options)
mixed = [sum(pure.roll(j, 1) for j in range(q)) / q**0.5 for q in qs]
mixing = [response_score(pure, b) for b in mixed]
same = (torch.arange(mixed_units, **options) < 3).to(pure).expand(mixed_units, mixed_units)

# %% tags=["hide-input"]
run.record(a2_error_max=max(abs(score - q**-0.5) for q, score in zip(qs, mixing, strict=True)), a2_q3=mixing[2])
run.record(same_mixture_score=response_score(pure, same), same_mixture_theory=3**0.5 / mixed_units)


# %%
def shifted_score(q, shift, groups=6):
    """Score of two systems of `groups` units that sum q neighbours on a circle, b's groups moved by `shift`."""
    a = torch.eye(groups, **options).repeat_interleave(q, dim=1)
    return response_score(a, a.roll(shift, 1))


# %%
shifts = {q: list(range(q + 1)) for q in qs}
grouping = {q: [shifted_score(q, s) for s in shifts[q]] for q in qs}
errors = [abs(grouping[q][s] - shifted_grouping_score(q, s)) for q in qs for s in shifts[q]]
run.record(a3_error_max=max(errors), a3_pairs_score=grouping[2][1], q_max=q_max)

# %% [markdown]
# Markers are measured, lines are the propositions.

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
grid = torch.linspace(1, q_max, 100)
left.plot(grid, grid**-0.5, color=COLOURS["blue"])
left.plot(qs, mixing, linestyle="none", **k_styles("a")[0])
left.set(xlabel="features mixed by a unit, q", ylabel="permutation score", ylim=(0, 1.05))
shown = sorted({2, q_max // 2, q_max})
for q, style in zip(shown, k_styles(shown), strict=True):
    grid = torch.linspace(0, q, 101)
    right.plot(grid, torch.maximum(grid, q - grid) / q, color=style["color"])
    right.plot(shifts[q], grouping[q], linestyle="none", label=f"q = {q}", **style)
right.set(xlabel="shift of the groups, s", ylim=(0, 1.05))
right.legend()
run.figure(
    [left, right],
    "fig-deflation",
    alt="(a) Permutation score against the number of mixed features, markers on the curve one over root q. (b) "
    "Score against the shift for three group sizes; it falls in a straight line to one half and rises again to one.",
    title="Simulated: the same features, arranged differently",
)

# %% [markdown]
# :::{glue:figure} fig-deflation
# :name: fig-deflation
#
# Arrangement alone lowers the score. (a) Units mixing $q$ features against units of one feature; at $q = 3$ the score
# is {glue:text}`a2_q3:.3f`. (b) Groups of neighbours shifted on a circle; pairs shifted by one score
# {glue:text}`a3_pairs_score:.3f`. Lines: {prf:ref}`prop-matching-mixing` and {prf:ref}`prop-matching-groups`.
# :::
#
# Both hold exactly: over all $q$ the score is within {glue:text}`a2_error_max:.1e` of $1/\sqrt q$, and over all group
# sizes up to {glue:text}`q_max` and all shifts within {glue:text}`a3_error_max:.1e` of {prf:ref}`prop-matching-groups`.
# A2 needs an arrangement that admits the pairing: where all units mix the same three features the score is not
# $1/\sqrt3$ but {glue:text}`same_mixture_score:.3f` (theory: {glue:text}`same_mixture_theory:.3f`).
#
# The first example is not in superposition: it has as many units as features. Different mixing is enough to deflate the
# score, and superposition makes different mixing likely.

# %% [markdown]
# ## Recovery restores the score
#
# ```{prf:proposition} Exact recovery (claim A4)
# :label: prop-matching-recovery
#
# Let codes be computed from each system's responses, and let both codes equal the latents $z$ for every stimulus, up
# to the order of the features and positive factors. If every feature varies over stimuli, the permutation score of
# the codes is 1.
# ```
#
# ```{prf:proof}
# Pair each code unit of a with the unit of b that stands for the same feature. Both are positive multiples of the
# same non-constant sequence, so they correlate 1, and 1 is the largest possible mean.
# ```
#
# {cite:t}`longon2025` allow sign flips of the recovered features here too; by {prf:ref}`rem-sign-flip` the signed score
# is then below 1. Non-negative codes exclude them.
#
# So when are the codes exact? Here the paper invokes the {term}`restricted isometry` property, RIP
# ({prf:ref}`def-superposition-rip`): with constant $\delta_j$ of order $j$, a projection changes the squared length of
# any vector with at most $j$ non-zero entries by a factor between $1 - \delta_j$ and $1 + \delta_j$.
#
# ```{prf:remark} The order of the isometry
# :label: rem-rip-order
#
# {cite:t}`longon2025` ask that both projections satisfy the RIP of order $K$ (our $k$) with $\delta < \sqrt2 - 1$ for
# $K$-sparse latents. The theorem they cite ({prf:ref}`thm-superposition-candes`, {cite:t}`candes2008`) asks for it at
# order $2K$. With order $K$ the statement is false for every $K$, as {prf:ref}`prop-matching-order` shows.
#
# A condition of order $K$ does exist for $K \ge 2$, with a smaller constant: $\delta_K < 1/3$ suffices and no larger
# constant does {cite:p}`cai2013`. The best constant for order $2K$, good for all $K$, is $1/\sqrt2$ {cite:p}`cai2014`.
# ```
#
# ```{prf:proposition} Order $K$ is not enough, for any $K$
# :label: prop-matching-order
#
# For every $K \ge 1$ there is a projection with $\delta_K \le 1/3 < \sqrt2 - 1$ and two different non-negative
# $K$-sparse vectors with the same response and the same sum.
# ```
#
# ```{prf:proof}
# For $K = 1$ take two equal columns of length 1: $\delta_1 = 0$ ({prf:ref}`prop-superposition-orders`), and nothing
# tells which of the two features was on.
#
# For $K \ge 2$ take the simplex frame of $2K$ unit vectors $v_i$ in $2K - 1$ dimensions, with
# $v_i^\top v_j = -1/(2K-1)$ for $i \ne j$, like the corners of a tetrahedron. Its vectors sum to 0. Let the columns be
# $c\,v_i$ for the first $K$ and $-c\,v_i$ for the others, with a factor $c > 0$. Then the sum of the first $K$ columns
# equals the sum of the last $K$: the two vectors with ones there are the pair we want.
#
# Changed signs leave the singular values of a set of columns as they were. The matrix of inner products of $K$ of the
# $v_i$ has the eigenvalue $2K/(2K-1)$, and once $K/(2K-1)$, half of it. So $c^2 = \tfrac23 (2K-1)/K$ makes them
# $\tfrac43$ and $\tfrac23$, and $\delta_K = 1/3$.
# ```
#
# No method can recover both vectors of such a pair. By {prf:ref}`prop-superposition-unique` $\delta_{2K} \ge 1$ there,
# so order $2K$ excludes these matrices. We compute the constants and hand both vectors to basis pursuit, which can
# return at most one of them.


# %%
def simplex(count):
    """`count` unit vectors in one dimension less, all inner products -1 / (count - 1); `(count - 1, count)`."""
    _, vectors = torch.linalg.eigh(torch.eye(count, **options) - 1 / count)
    return normalize(vectors[:, 1:].mT, dim=0)


def same_response(order):
    """The projection of the proof, and the two sparse vectors that it cannot tell apart."""
    first = torch.arange(2 * order, device=run.device) < order
    length = (2 / 3 * (2 * order - 1) / order) ** 0.5
    return length * simplex(2 * order) * torch.where(first, 1.0, -1.0), torch.stack([first, ~first]).double()


# %%
for order in range(2, 6):
    a, z = same_response(order)
    y = z @ a.mT
    found = support_recovered(nonnegative_basis_pursuit(y, a), z.cpu())
    deltas = [restricted_isometry_constant(a.cpu(), j) for j in (order, 2 * order)]
    columns = {"delta_K": deltas[0], "delta_2K": deltas[1], "gap": (y[0] - y[1]).abs().max(), "found": int(found.sum())}
    run.tabulate("orders", K=order, **columns)
run.tell(orders_delta_max="max(orders.delta_K)", orders_delta_2k_min="min(orders.delta_2K)")
run.tell(orders_gap="max(orders.gap)", orders_found="max(orders.found)", orders_largest="max(orders.K)")

# %% [markdown]
# For $K$ from 2 to {glue:text}`orders_largest`, $\delta_K$ is at most {glue:text}`orders_delta_max:.4f`, the two
# responses differ by at most {glue:text}`orders_gap:.0e`, $\delta_{2K}$ is at least
# {glue:text}`orders_delta_2k_min:.4f`, and of the two vectors at most {glue:text}`orders_found` is found.
#
# ### What it does to the score
#
# Take $K = 1$: eight features, seven units, one feature at a time. In system a, features 1 and 2 have the same
# direction; in b, features 3 and 4; all other directions are orthogonal. (A random rotation of b's units changes
# neither the isometry constants nor what can be recovered.)


# %%
def merged(i, j, n=8):
    """Projection to n - 1 units with orthonormal columns, but column j equal to column i."""
    columns = torch.eye(n, **options)
    columns[:, j] = columns[:, i]
    return columns[torch.arange(n) != j]


def rotated(a):
    """The same projection in a random orthonormal basis of the units."""
    return torch.linalg.qr(torch.randn(len(a), len(a), generator=generator, **options)).Q @ a


# %% [markdown]
# All cases that follow go the same way: responses of two systems to the same {term}`sparse` stimuli, codes by
# non-negative {term}`basis pursuit` with the known projections, and the held-out score of both. (Entries of a code
# below the solver's tolerance are set to zero; otherwise a unit that is silent in a fold would be scored by its
# rounding errors.)


# %%
def scores_of(a, b, active):
    """Held-out soft-matching scores of neurons and of recovered codes; the codes; the latents."""
    z = k_sparse(stimuli, a.shape[1], active, generator)
    y_a, y_b = z @ a.mT, z @ b.mT
    codes = [nonnegative_basis_pursuit(y, x) for y, x in ((y_a, a), (y_b, b))]
    return soft_matching_score(y_a, y_b).mean, soft_matching_score(*codes).mean, codes, z.cpu()


# %%
a, b = merged(0, 1), rotated(merged(2, 3))
neurons, score, codes, z = scores_of(a, b, active=1)
delta_1, delta_2 = (restricted_isometry_constant(a.cpu(), order) for order in (1, 2))
cases = {"equal columns, K = 1": [delta_1, delta_2, neurons, score]}
run.record(a4_counterexample_delta=delta_1, a4_counterexample_delta_2k=delta_2, a4_counterexample_score=score)

# %% [markdown]
# The matrix has $\delta_1 =$ {glue:text}`a4_counterexample_delta:.1f`, below $\sqrt2 - 1$, and $\delta_2 =$
# {glue:text}`a4_counterexample_delta_2k:.1f`. The codes score {glue:text}`a4_counterexample_score:.3f` instead of 1.
# What did the solver do with two features of the same direction? We count for how many stimuli each code unit is on.

# %% tags=["hide-input"]
rows = {"latents": z, "code of a": codes[0], "code of b": codes[1]}
pd.DataFrame({name: (x > 0).sum(0).tolist() for name, x in rows.items()}, index=range(1, 9)).T

# %% [markdown]
# For features 1 and 2 of system a it has to choose among solutions of equal sum, and gives both to one code unit, while
# the other stays silent; the same happens to features 3 and 4 in b. The silent units score 0, and the merged ones
# correlate only in part with their partners. The paper removes silent units, {term}`dead latents <dead latent>`, before
# scoring. That does not repair the score.

# %%
silent = (codes[0] == 0).all(0) | (codes[1] == 0).all(0)
run.record(equal_kept=soft_matching_score(codes[0][:, ~silent], codes[1][:, ~silent]).mean)

# %% [markdown]
# Without the silent units the score is {glue:text}`equal_kept:.3f`.
#
# ### The condition of order $2K$
#
# For a positive example we need matrices in superposition with small constants. The simplex frame of $m + 1$ vectors in
# $m$ dimensions has $\delta_j = (j-1)/m$ for $j \ge 2$, since the matrix of inner products of $j$ columns has the
# eigenvalue $1 + 1/m$, and once $1 - (j-1)/m$. So it qualifies for $K = 1$ with $m \ge 3$, for $K = 2$ with $m \ge 8$
# and for $K = 3$ with $m \ge 13$.
#
# For each $K$ we take {glue:text}`frames` pairs of systems. Every system has a simplex frame of its own with a little
# room to spare: random signs, every column moved a little at random, units rotated. We *compute* all constants. By the
# theorem all codes score 1.


# %%
def near_simplex(units):
    """A simplex frame with random signs, columns moved a little, and a random basis of the units."""
    moved = simplex(units + 1) + 0.02 / units**0.5 * gaussian(units, units + 1, generator)
    flipped = torch.randint(0, 2, (units + 1,), generator=generator, device=run.device) * 2 - 1
    return rotated(normalize(moved, dim=0) * flipped)


def frame_case(active, units):
    """Largest constants of order K and 2K of a pair of systems, and the scores of neurons and codes."""
    pair = [near_simplex(units) for _ in "ab"]
    deltas = [max(restricted_isometry_constant(x.cpu(), order) for x in pair) for order in (active, 2 * active)]
    return [*deltas, *scores_of(*pair, active)[:2]]


# %%
run.record(frames=frames)
order_2k = {active: torch.tensor([frame_case(active, units) for _ in range(frames)], dtype=torch.float64)
            for active, units in {1: 4, 2: 9, 3: 14}.items()}  # fmt: skip
for active, values in order_2k.items():
    cases[f"near simplex, K = {active}: mean"] = values.mean(0).tolist()
    cases[f"near simplex, K = {active}: spread"] = values.std(0).tolist()
pd.DataFrame(cases, index=["delta_K", "delta_2K", "neurons", "codes"]).T.round(3)

# %% tags=["hide-input"]
_, deltas, neurons, codes = torch.cat(list(order_2k.values())).T
run.record(a4_order_2k_delta=deltas.max(), a4_order_2k_neurons=neurons)
run.record(a4_order_2k_score=codes, a4_order_2k_worst=codes.min())

# %% [markdown]
# The largest $\delta_{2K}$ is {glue:text}`a4_order_2k_delta:.3f`, below $\sqrt2 - 1$. The codes score
# {glue:text}`a4_order_2k_score:.6f` on average and at least {glue:text}`a4_order_2k_worst:.6f`, the neurons
# {glue:text}`a4_order_2k_neurons:.3f` ± {glue:text}`a4_order_2k_neurons_error:.3f`. The condition is sufficient and far
# from necessary: for $K = 1$ and non-negative features it is enough that the columns have length 1 and no two are
# equal, as {ref}`ch-superposition` showed.
#
# ### A realistic size
#
# The constants of large random projections cannot be computed, and small ones in superposition were far from the
# condition ({numref}`fig-superposition-rip`). Still, recovery works for typical stimuli. We take $n$ features of which
# $k$ are active, two independent Gaussian projections to $m$ units, and $m$ a little more than twice $k \log(n/k)$. (At
# twice, {ref}`ch-superposition` found, a stimulus can still fail. Each feature is on for few stimuli, so a single
# failure shows in the score.) We expect codes to score 1, and neurons to stay below the bound {eq}`eq-matching-random`,
# if the features are nearly white.
#
# Two controls. We keep $m$ and make the stimuli denser; at the last default value half of the features are active, and
# there is no sparsity left to use. And we score {term}`shuffled pairs`, the stimuli of b in another order, which should
# give 0.


# %%
def restored(active):
    """Scores of neurons, of codes, of codes with b's stimuli shuffled; share of supports found; silent share."""
    a, b = gaussian(m, n, generator, draws=2)
    neurons, _, codes, z = scores_of(a, b, active)
    silent = silent_units(codes[0], k_folds(stimuli)) | silent_units(codes[1], k_folds(stimuli))
    c_a, c_b = (code[:, ~silent] for code in codes)
    shuffled = c_b[torch.randperm(stimuli, generator=seeded(seed))]
    found = torch.stack([support_recovered(code, z) for code in codes]).double().mean()
    pairs = [soft_matching_score(c_a, c).mean for c in (c_b, shuffled)]
    return [neurons, *pairs, float(found), float(silent.double().mean())]


# %%
counts = [k, *dense]
results = torch.tensor([[restored(active) for _ in range(draws)] for active in counts], dtype=torch.float64)
neuron_scores, code_scores, shuffled_scores, found, silent_share = results.unbind(-1)

# %% tags=["hide-input"]
run.record(n=n, k=k, m=m, draws=draws)
run.record(a4_recovered_score=code_scores[0].mean(), a4_neuron_score=neuron_scores[0].mean())
run.record(a4_neuron_bound=bound(m, n), a4_shuffled_score=shuffled_scores[0].mean())
run.record(a4_found=found[0].mean(), a4_silent=silent_share[0].mean())

# %% tags=["hide-input"]
middle = len(counts) // 2
run.record(middle_k=counts[middle], control_k=counts[-1], a4_middle_found=found[middle].mean())
run.record(a4_middle_score=code_scores[middle].mean(), a4_middle_neurons=neuron_scores[middle].mean())
run.record(a4_control_score=code_scores[-1].mean(), a4_control_neurons=neuron_scores[-1].mean())
run.record(a4_control_found=found[-1].mean(), a4_control_gain=code_scores[-1] - neuron_scores[-1])

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1)
series = {"recovered codes": code_scores, "neurons": neuron_scores, "codes, shuffled": shuffled_scores}
for (name, values), style in zip(series.items(), k_styles(series), strict=True):
    ax.plot(counts, values.mean(1), linestyle=":", label=name, **style)
    ax.plot(counts, values, linestyle="none", marker=".", markersize=3, color=style["color"], alpha=0.5)
ax.axhline(bound(m, n), color=COLOURS["grey"], linewidth=1, label="bound")
ax.set(xlabel="active features k", ylabel="held-out score", xscale="log", ylim=(-0.05, 1.05))
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.legend()
run.figure(
    [ax],
    "fig-matching-recovery",
    alt="Held-out soft-matching score against the number of active features. Recovered codes start near one and fall "
    "as stimuli become dense, at the end below neurons, which stay flat under a grey line; shuffled codes are at 0.",
    title="Simulated: pairs of random projections",
)

# %% [markdown]
# In {numref}`fig-matching-recovery` {glue:text}`n` features share {glue:text}`m` units. At $k =$ {glue:text}`k` codes
# score {glue:text}`a4_recovered_score:.4f` and neurons {glue:text}`a4_neuron_score:.3f`, where
# {eq}`eq-matching-random` allows them {glue:text}`a4_neuron_bound:.3f`; the support is exact for a share of
# {glue:text}`a4_found:.4f` of the stimuli. Shuffled, the same codes score {glue:text}`a4_shuffled_score:z.4f`, so
# sparseness alone earns nothing. (Features that are silent in a fold, a share of {glue:text}`a4_silent:.3f`, were
# removed first, by the paper's rule. All means are over {glue:text}`draws` pairs of projections.)
#
# Partly wrong codes still earn part of the score: at $k =$ {glue:text}`middle_k` a share of
# {glue:text}`a4_middle_found:.3f` of the supports is exact, and codes score {glue:text}`a4_middle_score:.3f` against
# {glue:text}`a4_middle_neurons:.3f` for the neurons. In the dense control, $k =$ {glue:text}`control_k`, a share of
# {glue:text}`a4_control_found:.3f` of the supports is found; codes score {glue:text}`a4_control_score:.3f` and neurons
# {glue:text}`a4_control_neurons:.3f`, a difference of {glue:text}`a4_control_gain:.3f` ±
# {glue:text}`a4_control_gain_error:.3f` over pairs of projections. Without sparsity recovery costs alignment: no
# support is found, basis pursuit names at most as many features as there are units, and which ones depends on the
# projection.

# %% [markdown]
# ## What to take away
#
# - **A1** holds: the score is an assignment on the cosines of the weights.
# - **A2** holds where units can be paired with features that they mix; otherwise the score is lower still.
# - **A3** holds, with mismatch counted to the *best* partner: the score rises again as the shift passes half a group.
# - **A4** holds with the isometry property of order $2K$. Random projections to about twice $k \log(n/k)$ units restore
#   the score without any such guarantee, because typical stimuli are easier than the worst. Where features are not
#   sparse, recovery lowers the score.
# - All of this assumes that the projection is *known*. What a trained {term}`sparse autoencoder <SAE>` achieves is
#   another question, taken up in {ref}`ch-disentangling`.
#
# Where we depart from the paper:
#
# - The words "and sign flips" in A1 need absolute correlations ({prf:ref}`rem-sign-flip`).
# - A4 with the property of order $K$, as printed, fails for every $K$ ({prf:ref}`rem-rip-order`).
#
# **What changed our mind.** We had taken a permutation score of 1 to mean the same network with its units renamed, and
# a lower one to mean another network. A flipped sign shows that the second does not follow. And restricted isometry,
# the condition in the theorem, is much stronger than what recovery needs: the random projections above do without it.
#
# ## Exercises
#
# :::{exercise} By hand
# :label: ex-matching-hand
#
# (Recall, easy, 5 minutes.) Groups of five neighbours, shifted by two: what is the score? By how much does the score
# change if each unit of b is multiplied by 10? By $-1$, for all units?
# :::
#
# :::{dropdown} Hint
# {prf:ref}`prop-matching-groups` has the score for any $q$ and $s$. For the factors, ask what each does to a single
# $c_{ij}$ in {prf:ref}`prop-matching-cosines`.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the score of the shifted groups, to two decimals
mistakes = {
    2 / 5: "That is the smaller overlap: the best pairing takes the larger one.",
    3 / 7: "That divides by all features that either unit has: a cosine divides by the lengths.",
    1: "That pairs each group with itself: b's groups have moved.",
}
check(mine, right=shifted_grouping_score(5, 2), mistakes=mistakes, digits=2)

# %% [markdown]
# :::{solution-start} ex-matching-hand
# :label: sol-matching-hand
# :class: dropdown
# :::
#
# The larger {term}`overlap` is three of five features. A positive factor changes no correlation. With all units of b
# negated, every cosine becomes its negative or stays 0, so the best pairing is one of units that share nothing.

# %%
groups = torch.eye(6, **options).repeat_interleave(5, dim=1)
moved = groups.roll(2, 1)
run.record(hand_score=response_score(groups, moved), hand_scaled=response_score(groups, 10 * moved))
run.record(hand_negated=abs(response_score(groups, -moved)))

# %% [markdown]
# Scores: {glue:text}`hand_score:.2f`, scaled {glue:text}`hand_scaled:.2f`, negated {glue:text}`hand_negated:.2f`.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Fewer units
# :label: ex-matching-rerun
#
# (Rerun, easy, 10 minutes.) {cite:t}`liu2026` call $m \ge k \log(n/k)$ the compressed-sensing regime. What do codes
# score exactly at its border? Rerun with `make chapter NAME=02_matching_theory ARGS="-p ratio 1.0"`, and look at
# {numref}`fig-matching-recovery`. Before you do, predict it from {numref}`fig-superposition-transition`.
# :::
#
# :::{dropdown} Hint
# Read off {numref}`fig-superposition-transition` which share of the supports is found at ratio 1 for $k = 4$. What can
# the two codes agree on where a support is missed?
# :::
#
# :::{solution-start} ex-matching-rerun
# :label: sol-matching-rerun
# :class: dropdown
# :::
#
# At the border only part of the supports is found, so the codes agree for part of the stimuli. A smaller version of the
# experiment:

# %%
border = round(compressed_sensing_units(n, k))
a, b = gaussian(border, n, generator, draws=2)
border_neurons, border_codes, codes, z = scores_of(a, b, k)
run.record(border_found=support_recovered(codes[0], z).double().mean(), border_neurons=border_neurons)
run.record(border_codes=border_codes)

# %% [markdown]
# A share of {glue:text}`border_found:.2f` of the supports is found, and the codes score
# {glue:text}`border_codes:.2f`, neurons {glue:text}`border_neurons:.2f`. (Silent features are not removed here and
# count as 0, which costs the codes a little.)
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} The counterexample for two active features
# :label: ex-matching-k2
#
# (Extend, hard, 30 minutes.) {prf:ref}`prop-matching-order` speaks of two vectors. What does such a matrix do to the
# score of random stimuli? Take its matrix for $K = 2$, the simplex frame of four vectors in three dimensions with the
# signs of vectors 3 and 4 flipped; flip 2 and 4 for system b, and score the codes. Compute $\delta_2$ and $\delta_4$ as
# well.
# :::
#
# :::{dropdown} Hint
# The four vectors of a simplex frame add to 0. Flip two of them and move what is negative to the other side: which two
# sums are equal? `simplex(4)` makes the frame.
# :::
#
# :::{solution-start} ex-matching-k2
# :label: sol-matching-k2
# :class: dropdown
# :::
#
# The four vectors of the simplex frame sum to 0. With two of them flipped, the sum of one pair equals the sum of the
# other: features 1 and 2 together give the same response as features 3 and 4 together, with the same total. Neither
# basis pursuit nor any other method can choose, and the two systems confuse different pairs.

# %%
a, b = (simplex(4) * torch.tensor(sign, device=run.device) for sign in ([1, 1, -1, -1], [1, -1, 1, -1]))
_, k2_score, _, _ = scores_of(a, b, active=2)
run.record(k2_score=k2_score)
for order in (2, 4):
    run.record(**{f"k2_delta_{order}": restricted_isometry_constant(a.cpu(), order)})

# %% [markdown]
# Here $\delta_2 =$ {glue:text}`k2_delta_2:.4f`, which satisfies the printed condition, and $\delta_4 =$
# {glue:text}`k2_delta_4:.4f`, which violates the correct one. The codes score {glue:text}`k2_score:.3f`. The constant
# is $1/3$, the bound of {prf:ref}`rem-rip-order` for order $K$, and the length needs no correction: $c = 1$ at $K = 2$.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Change and rerun
#
# More pairs of projections and more stimuli: `make chapter NAME=02_matching_theory ARGS="-p draws 10 -p stimuli 1000"`.
# A sparser or denser main case: `-p k 2` or `-p k 8`; the number of units follows. The {term}`profile` `paper` repeats
# the recovery experiment with more projections.

# %%
run.save(data="simulated: white and sparse latents, constructed and Gaussian projections")
