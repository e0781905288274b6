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
# (ch-fast-rsa)=
# # Appendix: RSA without a similarity matrix
#
# {term}`RSA` compares every stimulus with every other one, so its cost grows with the square of their number. Does it
# need these comparisons?
#
# **In short.** Not for dot products, correlations of patterns and squared distances: sums over units give the same
# number, to {glue:text}`rsa_linear_error:.0e`, and at {glue:text}`timing_stimuli` stimuli the matrices took
# {glue:text}`rsa_speedup:.0f` times the processor time. Ranks do need every pair, and with {term}`sparse` features RSA
# by ranks is another measure, up to {glue:text}`rank_sparse_loss:.2f` lower.
#
# :::{glue:figure} fig-fast-time
# :name: fig-fast-time
#
# Without the matrices the time of RSA grows much more slowly with the number of stimuli. Processor time, the least of
# three runs each, on the machine of this run.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - how RSA on dot products, correlations and squared distances follows from sums over units, and what that saves;
# - which similarities allow it;
# - what changes when similarities are ranked.
#
# **What the paper claims.** Nothing on cost. A footnote of {cite:t}`liu2026` says that with Spearman's correlation, the
# one on ranks, the scaling carries over qualitatively.
#
# All data are simulated. The theory behind both sections is that of {ref}`ch-linear`.
# ::::

# %% [markdown]
# ## The idea
#
# RSA is usually computed from two matrices of similarities, with an entry for each pair of the $M$ stimuli, so that
# time and memory grow with $M^2$. But the proof of {prf:ref}`thm-rsa` never needed these matrices: it writes sums over
# pairs as sums over stimuli. For {term}`CKA` this is well known: {cite:t}`kornblith2019` compute it from sums over
# units, and the unbiased HSIC of {cite:t}`song2012` takes the diagonal off. The same two steps serve RSA.
#
# Responses $Y_a$ and $Y_b$ have a row $y_i$ for each stimulus and a column for each unit, $m_a$ and $m_b$ of them;
# $K = Y_aY_a^\top$ and $L = Y_bY_b^\top$ are the similarity matrices, and $|\cdot|$ is the root of the sum of squares.
# RSA correlates the entries above their diagonals; on the diagonal a stimulus is compared with itself, and RSA leaves
# that out.
#
# ```{prf:proposition} RSA in time linear in the stimuli
# :label: prop-fast-rsa
#
# Let $Y_a$ and $Y_b$ be centred, $u_i = K_{ii}$ and $v_i = L_{ii}$. Then
#
# $$
# \begin{aligned}
# 2\sum_{i<j}K_{ij}L_{ij} &= |Y_a^\top Y_b|^2 \\
# &\quad - \textstyle\sum_i u_iv_i , \\
# 2\sum_{i<j}K_{ij} &= |\textstyle\sum_i y_i|^2 - \sum_i u_i .
# \end{aligned}
# $$ (eq-fast-dot)
#
# For squared distances $D_{ij} = |y_i - y_j|^2$ in a, and $E_{ij}$ in b,
#
# $$
# \begin{aligned}
# \sum_{i<j}D_{ij}E_{ij} &= M\textstyle\sum_i u_iv_i + \sum_iu_i\sum_iv_i \\
# &\quad + 2|Y_a^\top Y_b|^2, \\
# \sum_{i<j}D_{ij} &= M\textstyle\sum_i u_i .
# \end{aligned}
# $$
#
# With b = a these also give the sums of squares, hence RSA exactly, in $O(M(m_a+m_b)^2)$ operations. RSA on the
# correlations of response patterns is the first case with each row of $Y$ centred and scaled to length 1.
# ```
#
# ````{prf:proof}
# Over **all** $i, j$, the sum $\sum_{ij}K_{ij}L_{ij}$ is
# $\operatorname{tr}(Y_aY_a^\top Y_bY_b^\top) = |Y_a^\top Y_b|^2$ and $\sum_{ij}K_{ij} = |\sum_iy_i|^2$. Take the
# diagonal off and halve, by symmetry. This did not use that units are centred, so it serves for rows that were
# normalised afterwards, whose dot products are correlations.
#
# For distances, $D_{ij} = u_i + u_j - 2K_{ij}$ and $E_{ij} = v_i + v_j - 2L_{ij}$. As units are centred, each row of
# $K$ and $L$ sums to 0, so all products of a $u$ with an $L$ or of a $v$ with a $K$ vanish in the sum. What remains is
# $4\sum K_{ij}L_{ij}$ and
#
# $$
# \begin{aligned}
# \sum_{ij}&(u_i+u_j)(v_i+v_j) \\
# &= 2M\sum_i u_iv_i + 2\sum_i u_i\sum_i v_i .
# \end{aligned}
# $$
#
# The diagonal of $D$ is 0, so halving is enough. In the same way $\sum_{ij}D_{ij} = 2M\sum_iu_i$.
# ````

# %%
from math import sqrt
from time import process_time

import numpy as np
import pandas as pd
import torch
from scipy import stats

from lib.chapter.plotting import COLOURS, log_ticks, panels
from lib.chapter.run import Run
from lib.correlation import centred, paired_correlations
from lib.features import bernoulli_uniform, seeded, white
from lib.geometry import rsa
from lib.projections import gaussian, signs
from lib.regression import ols_fit
from lib.theory import gram_cosine

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
n: int = 32  # latent features
m_a: int = 12  # units of system a
m_b: int = 20  # units of system b
active: float = 0.1  # probability that a latent feature is active, from 0 to 1
stimuli: int = 128  # stimuli M where both ways are compared
timed_stimuli: list[int] = [250, 500, 1000, 2000]  # numbers of stimuli M at which both ways are timed, rising
rank_stimuli: int = 600  # stimuli M where similarities are ranked
rank_units: list[int] = [2, 8, 16, 32]  # units m of both systems where similarities are ranked
rank_draws: int = 8  # pairs of projections where similarities are ranked

# %%
run = Run("24_fast_rsa", globals())
generator = seeded(seed, run.device)

# %% [markdown]
# The latents are the sparse ones of {ref}`ch-linear`: each is active with a small probability $p$, its size is uniform
# on $(0, 1)$, its sign random, and a factor $\sqrt{3/p}$ makes its variance 1. In the check each also gets a mean of 1,
# so that centring counts.


# %%
def sparse_white(count):
    z = bernoulli_uniform(count, n, active, generator) * signs(count, n, generator)
    return z * sqrt(3 / active)


# %%
a, b = gaussian(m_a, n, generator), gaussian(m_b, n, generator)
z = sparse_white(stimuli) + 1
y_a, y_b = z @ a.mT, z @ b.mT

# %% [markdown]
# For dot products the proposition is a few lines of code: the two sums of {eq}`eq-fast-dot`, once for a with b and
# once for each system with itself, give a covariance over pairs and two variances. Nothing in it is as large as
# $M \times M$.


# %%
def pair_covariance(x, y):
    """Covariance over the pairs of stimuli of the dot products in x with those in y, both centred."""
    pairs = len(x) * (len(x) - 1) / 2
    products = ((x.mT @ y).square().sum() - (x.square().sum(1) * y.square().sum(1)).sum()) / 2
    sums = [(side.sum(0).square().sum() - side.square().sum()) / 2 for side in (x, y)]
    return products / pairs - sums[0] * sums[1] / pairs**2


# %%
def rsa_by_sums(y_a, y_b):
    x, y = centred(y_a), centred(y_b)
    return pair_covariance(x, y) / (pair_covariance(x, x) * pair_covariance(y, y)).sqrt()


# %% [markdown]
# **The check.** We build the matrices the long way, with torch's own routines, one entry for each pair, and correlate
# the entries above the diagonal. We compare the result with these sums and, for all three kinds of similarity, with
# `lib.geometry.rsa`, which is what this book uses everywhere. Agreement means $10^{-12}$.

# %%
matrices = {
    "dot": lambda y: y @ y.mT,
    "correlation": torch.corrcoef,
    "sqeuclidean": lambda y: torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist").square(),
}


def explicit_rsa(y_a, y_b, similarity="dot"):
    upper = torch.triu_indices(len(y_a), len(y_a), 1, device=y_a.device)
    pairs_of = [matrices[similarity](centred(y))[upper[0], upper[1]] for y in (y_a, y_b)]
    return torch.corrcoef(torch.stack(pairs_of))[0, 1]


# %%
long_way = {similarity: explicit_rsa(y_a, y_b, similarity) for similarity in matrices}
differences = [float((rsa(y_a, y_b, similarity, centre=True) - x).abs()) for similarity, x in long_way.items()]
differences.append(float((rsa_by_sums(y_a, y_b) - long_way["dot"]).abs()))
run.record(rsa_linear_error=max(differences))

# %% [markdown]
# The largest difference is {glue:text}`rsa_linear_error:.0e`, which is rounding. And the time? Both ways get the same
# responses at each number of stimuli. We take processor time, so that a busy machine does not count, and of three runs
# the shortest.


# %%
def best_time(metric, *responses):
    seconds = []
    for _ in range(3):
        start = process_time()
        float(metric(*responses))
        seconds.append(process_time() - start)
    return min(seconds)


# %%
for count in timed_stimuli:
    z = sparse_white(count)
    long_a, long_b = z @ a.mT, z @ b.mT
    run.tabulate(
        "times", stimuli=count, matrices=best_time(explicit_rsa, long_a, long_b), sums=best_time(rsa, long_a, long_b)
    )
times = pd.DataFrame(run.tables["times"])
run.record(timing_stimuli=timed_stimuli[-1], rsa_speedup=times["matrices"].iloc[-1] / times["sums"].iloc[-1])

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.6, height=3.0)
for name, colour, marker in (("matrices", "red", "s"), ("sums", "blue", "o")):
    ax.plot(times["stimuli"], 1000 * times[name], marker=marker, color=COLOURS[colour], label=name)
log_ticks(ax, timed_stimuli)
ax.set(yscale="log", xlabel="stimuli M", ylabel="processor time, ms")
ax.legend()
alt = (
    "Time of RSA against the number of stimuli, logarithmic: the matrices rise steeply, far above the sums over units."
)
run.figure([ax], "fig-fast-time", alt, title="Simulated responses: time of RSA, both ways")

# %% [markdown]
# For dot products at $M =$ {glue:text}`timing_stimuli` the matrices took {glue:text}`rsa_speedup:.0f` times the
# processor time of the sums ({numref}`fig-fast-time`); the ratio depends on the machine and mostly grows with $M$ (in
# the recorded run it does not at the largest). With few stimuli the two ways take about as long, since both then mostly
# prepare. Memory is the stronger argument: room for the products of pairs of units instead of $M \times M$ numbers.

# %% [markdown]
# ## Ranks in the place of similarities
#
# RSA is often computed with Spearman's correlation, which is Pearson's on ranks. A footnote of the paper says that the
# scaling carries over qualitatively. How far? For two variables that are jointly normal with correlation $c$,
# Spearman's correlation is $\frac6\pi \arcsin\frac c2$, close to $c$ everywhere. So here is our prediction, made before
# the run: for Gaussian latents and many units, similarities are sums of many products and nearly normal, and Spearman
# lies on this curve, a little below Pearson. For sparse latents few terms make up a similarity, and no theorem says
# anything.
#
# {term}`Regression <OLS>` can be asked the same, by ranking the responses of each unit of b and its predictions. Ranks
# need the similarity matrices, so there are fewer stimuli here.


# %%
def rank_scores(z, m):
    """RSA and mean r of a random pair of systems of m units, by Pearson and by Spearman, and the Gram cosine."""
    a, b = gaussian(m, n, generator, 2)
    y_a, y_b = z @ a.mT, z @ b.mT
    first, second = torch.triu_indices(len(z), len(z), 1)
    entries_of = [(centred(y) @ centred(y).mT).cpu()[first, second] for y in (y_a, y_b)]
    fitted = (y_a @ ols_fit(y_a, y_b)[0]).cpu()
    ranked = [torch.as_tensor(stats.rankdata(y, axis=0)) for y in (fitted, y_b.cpu())]
    r, rank_r = paired_correlations(fitted, y_b.cpu()).mean(), paired_correlations(*ranked).mean()
    rank_rsa = stats.spearmanr(*entries_of).statistic
    return [float(x) for x in (rsa(y_a, y_b), rank_rsa, r, rank_r, gram_cosine(a, b))]


# %%
kinds = {"Gaussian": lambda: white(rank_stimuli, n, generator), "sparse": lambda: sparse_white(rank_stimuli)}
for kind, draw_latents in kinds.items():
    for m in rank_units:
        rows = [rank_scores(draw_latents(), m) for _ in range(rank_draws)]
        columns = dict(zip(["rsa", "rank_rsa", "r", "rank_r", "cosine"], zip(*rows, strict=True), strict=True))
        run.tabulate("ranks", latents=kind, m=m, draw=range(rank_draws), **columns)

# %% tags=["hide-input"]
frame = pd.DataFrame(run.tables["ranks"]).drop(columns="draw").groupby(["latents", "m"]).mean()
frame["normal"] = 6 / np.pi * np.arcsin(frame["cosine"] / 2)
run.record(rank_units_few=rank_units[0], rank_units_many=rank_units[-1], rank_draws=rank_draws)
run.record(rank_normal_gap=(frame["rank_rsa"] - frame["normal"]).loc["Gaussian"].abs().max())
run.record(rank_sparse_loss=(frame["rsa"] - frame["rank_rsa"]).loc["sparse"].max())
run.record(rank_r_gap=(frame["r"] - frame["rank_r"]).abs().max())
frame.round(3)

# %% tags=["hide-input"]
for kind in ("Gaussian", "sparse"):
    for end, m in {"few": rank_units[0], "many": rank_units[-1]}.items():
        where = f"where latents = {kind} and m = {m}"
        names = {"rsa": "rsa", "ranks": "rank_rsa"}
        run.tell(**{f"{kind.lower()}_{key}_{end}": f"mean(ranks.{name} {where})" for key, name in names.items()})

# %% [markdown]
# | latents, units | RSA by Pearson | RSA by Spearman |
# |---|---|---|
# | Gaussian, {glue:text}`rank_units_few` | {glue:text}`gaussian_rsa_few:.3f` | {glue:text}`gaussian_ranks_few:.3f` |
# | Gaussian, {glue:text}`rank_units_many` | {glue:text}`gaussian_rsa_many:.3f` | {glue:text}`gaussian_ranks_many:.3f` |
# | sparse, {glue:text}`rank_units_few` | {glue:text}`sparse_rsa_few:.3f` | {glue:text}`sparse_ranks_few:.3f` |
# | sparse, {glue:text}`rank_units_many` | {glue:text}`sparse_rsa_many:.3f` | {glue:text}`sparse_ranks_many:.3f` |
#
# For Gaussian latents Spearman lies within {glue:text}`rank_normal_gap:.3f` of the curve (means of
# {glue:text}`rank_draws` draws). For sparse latents it loses up to {glue:text}`rank_sparse_loss:.3f` against Pearson:
# ranks count the many pairs of stimuli that have little in common as much as the few that share a feature. Both
# correlations rise with the number of units, so the footnote is right about the direction, and the closed form holds
# for Pearson only. Of regression, ranking changes the mean $r$ by at most {glue:text}`rank_r_gap:.3f`.

# %% [markdown]
# ## What to take away
#
# - RSA on dot products, on correlations of patterns and on squared distances is a function of sums over stimuli and
#   products of units, exactly and at every $M$. As soon as stimuli outnumber units, that is the cheaper way.
# - Ranks have no such form. Spearman's RSA of Gaussian latents lies on the curve for normal variables to
#   {glue:text}`rank_normal_gap:.3f`; of sparse latents it falls short of Pearson's by up to
#   {glue:text}`rank_sparse_loss:.3f`, and depends on how sparse they are ({ref}`ch-gaussian`).
#
# Where we depart from the paper: its footnote holds for the direction, more units and a higher score. Its closed form
# does not carry over to ranks unless similarities are nearly normal.
#
# **What changed our mind.** The similarity matrix looks like what RSA *is*. It is one way to write a number down, and
# the proof that seemed to be theory only is the better algorithm. Of ranks we had a prediction for Gaussian latents and
# none for sparse ones; these are where it matters.
#
# ## Exercises
#
# :::{exercise} Which similarities allow it?
# :label: ex-fast-which
#
# (Recall, easy, 10 minutes.) Which of these can RSA use without a matrix: cosines between patterns, plain (not squared)
# Euclidean distances, squares of dot products, ranks?
# :::
#
# :::{dropdown} Hint
# Try to write each similarity as a finite sum of products with one factor from stimulus $i$ and one from $j$. You may
# change each row of $Y$ beforehand.
# :::
#
# :::{solution-start} ex-fast-which
# :label: sol-fast-which
# :class: dropdown
# :::
#
# Cosines can: scale each row to length 1. Squares of dot products can, too, since $(y_i^\top y_j)^2$ is the dot product
# of $y_i$ and $y_j$ with all products of two units in the place of the units. That makes $m^2$ columns of $m$, so it
# pays only where stimuli outnumber $m^2$. A root or a rank is no finite sum of products. The cell compares the squares
# with dot products of products, for system a of the check.

# %%
products = torch.einsum("su,sv->suv", y_a, y_a).flatten(1)
print(torch.allclose(products @ products.mT, (y_a @ y_a.mT) ** 2))

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Where sums do not pay
# :label: ex-fast-wide
#
# (Rerun, easy, 10 minutes.) Count the multiplications of both ways. From how many stimuli on are sums the cheaper one?
# Time both with many units and few stimuli.
# :::
#
# :::{dropdown} Hint
# A product of an $m \times M$ and an $M \times m$ matrix takes $M m^2$ multiplications. Count the products of units
# that {eq}`eq-fast-dot` needs for a with a, a with b and b with b; then the two matrices of stimuli.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # from how many stimuli on are sums cheaper with 2,000 units in each system?
by_sums, by_matrices = 3 * 2000**2, 2 * 2000  # for each stimulus, and for each pair of stimuli
mistakes = {
    2000: "There are three products of units, a with a, a with b and b with b, and two matrices.",
    2000 * 2 / 3: "The other way round: three products of units stand against two matrices.",
    3000 * 2: "Both systems need a matrix of stimuli.",
}
check(mine, right=by_sums / by_matrices, mistakes=mistakes, digits=0)

# %% [markdown]
# :::{solution-start} ex-fast-wide
# :label: sol-fast-wide
# :class: dropdown
# :::
#
# With $m$ units in each system the products of units take about $3Mm^2$ multiplications, the two matrices $2M^2m$. So
# sums are cheaper from about $M = \frac32m$ on. Below, the function that has one line for each step pays for its many
# units; `lib.geometry.rsa` looks at the shape and builds the small matrices instead.

# %%
wide = [gaussian(100, 2000, generator) for _ in range(2)]  # 100 stimuli, 2,000 units
for way in (explicit_rsa, rsa_by_sums, rsa):
    print(f"{way.__name__}: {1000 * best_time(way, *wide):.1f} ms")

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Responses that do not fit in memory
# :label: ex-fast-stream
#
# (Extend, medium, 20 minutes.) Responses arrive in pieces of 32 stimuli and are read twice. Compute RSA on dot products
# without ever holding more than one piece.
# :::
#
# :::{dropdown} Hint
# All terms of {eq}`eq-fast-dot` are sums over stimuli, so they can be added up piece by piece. What do you have to know
# *before* the first piece is added?
# :::
#
# :::{solution-start} ex-fast-stream
# :label: sol-fast-stream
# :class: dropdown
# :::
#
# The first reading gives the means. In the second, three sums are kept: of the products of units, of $u_iu_i$, $u_iv_i$
# and $v_iv_i$, and of $u_i$ and $v_i$. As units are centred, $\sum_iy_i = 0$, and {eq}`eq-fast-dot` needs no more.

# %%
pieces, sizes = torch.cat([y_a, y_b], 1).split(32), [m_a, m_b]
mean = sum(piece.sum(0) for piece in pieces) / stimuli
product = powers = lengths = 0
for piece in pieces:
    both = piece - mean
    u_v = torch.stack([part.square().sum(1) for part in both.split(sizes, 1)])
    product, powers, lengths = product + both.mT @ both, powers + u_v @ u_v.mT, lengths + u_v.sum(1)

# %% [markdown]
# The sum of the squared entries of each block of `product` is $|Y_a^\top Y_a|^2$, $|Y_a^\top Y_b|^2$ or
# $|Y_b^\top Y_b|^2$. From here on it is the covariance over pairs as above, for all four combinations at once.

# %%
squares = torch.stack([part.square().sum() for row in product.split(sizes) for part in row.split(sizes, 1)])
twice = stimuli * (stimuli - 1)
found = (squares.reshape(2, 2) - powers) / twice - lengths[:, None] * lengths / twice**2
print(f"difference {float(found[0, 1] / (found[0, 0] * found[1, 1]).sqrt() - rsa(y_a, y_b)):.0e}")

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## Change and rerun
#
# `make chapter NAME=24_fast_rsa ARGS="-p active 0.02"` makes the latents sparser and the loss of ranks larger. The
# {term}`profile` `paper` times more stimuli.

# %%
run.save(data="simulated: sparse signed and Gaussian latents, random projections")
