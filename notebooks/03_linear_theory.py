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
# (ch-linear)=
# # What linear metrics measure
#
# Two networks encode the same features, each through a projection of its own into fewer units than there are features.
# What number do {term}`RSA`, linear {term}`CKA` and {term}`linear regression <OLS>` give for them?
#
# **In short.** Over many stimuli each becomes a function of the two projections and the covariance of the features. For
# unrelated projections of $n$ {term}`white` features to $m$ units, RSA and CKA are about $m/(n+m)$ and the explained
# variance of regression is $m/n$: next to nothing if $m \ll n$, although both networks hold the same features. This
# assumes weights of mean zero: with a mean as large as their standard deviation, CKA at $m/n =$
# {glue:text}`b4_smallest_ratio:.3f` goes from {glue:text}`b4_cka_at_smallest_ratio:.3f` to
# {glue:text}`shifted_cosine:.2f`.
#
# :::{glue:figure} fig-linear-geometry
# :name: fig-linear-geometry
#
# The fewer the units, the more the features of a system overlap, and the less two systems with the same
# {glue:text}`slider_features` features score. Scores are the expectations derived below. (On paper, and without
# JavaScript: {glue:text}`slider_start` units.)
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - what RSA, linear CKA and regression become for features in {term}`superposition`, what the formulas ask of the
#   features, and how to derive them;
# - what two unrelated networks with the same features score, from the numbers of units and features and the
#   {term}`kurtosis` of the weights.
#
# **What the paper claims.** {cite:t}`liu2026` state, for latent features that are white (mean zero, covariance the
# identity):
#
# - **B1** (theorem 3.1): as the number of stimuli grows, RSA tends to the cosine between the Gram matrices of the two
#   projections.
# - **B2** (theorem 3.2): linear CKA tends to the same cosine.
# - **B3** (theorem 3.3): least squares has weights, error, explained variance and correlation in closed form.
# - **B4** (section 3.1): for random projections with $m$ units and $n$ features the cosine is about $m/(n+m)$, so it
#   vanishes as $m/n \to 0$ although both networks hold the same features.
#
# All data are simulated. *Ours* marks what we found in neither paper nor elsewhere. A first reading may skip the
# proofs. Systems that share only part of their features follow in {ref}`ch-overlap`, ranks in {ref}`ch-fast-rsa`.
# ::::

# %% [markdown]
# ## The idea
#
# A linear metric never sees the features $z$. It sees responses $y = Az$, and if it is built on dot products, as linear
# CKA, regression and RSA in the form used here are, averages over many stimuli keep of the features nothing but their
# covariance. So each metric must become a function of the projections and one covariance matrix, into which we can put
# random projections. (Distances and ranks keep more of the features.)

# %% [markdown]
# ## Setting up
#
# There are $n$ latent *features*, or latents, $z \in \mathbb{R}^n$, and $M$ *stimuli* $z_1, \dots, z_M$, drawn
# independently; $Z$ is the $M \times n$ matrix with rows $z_i^\top$. Systems a and b have $m_a$ and $m_b$ *units* and
# respond with $y = Az$ and $y = Bz$; the matrices of responses are $Y_a = ZA^\top$ and $Y_b = ZB^\top$, one row a
# stimulus. The *Gram matrix* of a system is $G_A = A^\top A$, of size $n \times n$.
#
# For matrices of one shape, $\langle G, H \rangle = \operatorname{tr}(G^\top H)$ is the sum of the products of their
# entries, $|G| = \sqrt{\langle G, G \rangle}$ the Frobenius norm, and $\cos(G, H) = \langle G, H \rangle / (|G| |H|)$.
# Because the trace is cyclic,
#
# $$
# \langle G_A, G_B \rangle = \operatorname{tr}(A^\top A B^\top B) = |AB^\top|^2 ,
# $$ (eq-linear-cyclic)
#
# where the last matrix has $m_a m_b$ entries in place of $n^2$. White latents have mean 0 and covariance $I$.

# %%
from itertools import permutations
from math import sqrt

import numpy as np
import pandas as pd
import torch
from matplotlib import ticker
from scipy import stats

from lib.chapter.plotting import COLOURS, Slider, SliderFigure, k_styles, panels
from lib.chapter.run import Run
from lib.correlation import centred
from lib.features import bernoulli_uniform, seeded, topk_uniform, white
from lib.geometry import linear_cka, participation_ratio, rsa
from lib.projections import gaussian, signs
from lib.regression import ols_fit, ols_score
from lib.theory import (
    expected_cka,
    expected_r,
    expected_r2,
    gram_cosine,
    ols_mse,
    ols_r,
    ols_r2,
    ols_weights,
)

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
n: int = 32  # latent features in the checks of the theorems
m_a: int = 12  # units of system a
m_b: int = 20  # units of system b
active: float = 0.1  # probability that a latent feature is active, from 0 to 1
stimuli: list[int] = [128, 512, 2048, 8192, 32768]  # numbers of stimuli M, in rising order
draws: int = 40  # draws of latents and projections at each number of stimuli
pairs: int = 100  # pairs of large random projections behind each mean
small_pairs: int = 2000  # pairs of small random projections behind each mean
many_features: int = 512  # features n where units are few
many_units: list[int] = [8, 16, 32, 64, 128, 256]  # units m of both systems beside many features
few_features: int = 16  # features n where the kurtosis of the entries shows
few_units: list[int] = [1, 2, 4, 8, 16]  # units m of both systems beside few features
entry_mean: float = 1.0  # mean of the entries of a projection where it is not 0
targets: int = 4000  # predicted units in the histogram of correlations
slider_features: int = 64  # features of the interactive figure
slider_units: list[int] = [2, 4, 8, 16, 32, 64]  # units of the interactive figure, rising
topk_features: int = 128  # features of the last exercise
topk_units: int = 32  # units of the last exercise
topk_active: list[int] = [2, 8, 32]  # active features of the last exercise
topk_draws: int = 8  # pairs of projections of the last exercise
topk_stimuli: int = 2000  # stimuli of the last exercise

# %%
run = Run("03_linear_theory", globals())
generator = seeded(seed, run.device)
entries = {3: gaussian, 1: signs}
largest, smallest_ratio = stimuli[-1], many_units[0] / many_features

# %% [markdown]
# `entries` holds two kinds of random projection, by the kurtosis of their entries: 3 for Gaussian entries, 1 for
# entries of $\pm 1$.

# %% tags=["hide-input"]
for name in ["n", "m_a", "m_b", "draws", "pairs", "small_pairs", "many_features", "few_features"]:
    run.record(**{name: globals()[name]})
run.record(largest=largest)

# %% [markdown]
# ## Representational similarity
#
# ```{prf:definition} Similarity matrix and RSA
# :label: def-linear-rsa
#
# The *representational similarity matrix* of responses $Y$ is $K = YY^\top$, so $K_{ij} = y_i^\top y_j$. *RSA* is
# the Pearson correlation, over the pairs of stimuli $i < j$, of the entries of $K^a$ with those of $K^b$
# {cite:p}`kriegeskorte2008`. We subtract from each unit its mean over stimuli first.
# ```
#
# With $y = Az$ an entry is $K^a_{ij} = z_i^\top A^\top A z_j = z_i^\top G_A z_j$: an inner product of latents, with
# $G_A$ in the place of the identity. If $G_A$ and $G_B$ differ, the two systems disagree on which stimuli are alike,
# even if neither has lost anything.
#
# ```{prf:theorem} RSA in the limit of many stimuli
# :label: thm-rsa
#
# Let $z_1, z_2, \dots$ be independent draws of a white latent, and let $A$ and $B$ be fixed and not 0. Then almost
# surely
#
# $$
# \mathrm{RSA} \;\longrightarrow\; \cos(G_A, G_B) \qquad (M \to \infty).
# $$
#
# ({cite:t}`liu2026`, theorem 3.1. No moment beyond the second is needed.)
# ```
#
# ````{prf:proof}
# *Where the limit comes from.* Take two different stimuli $z$ and $w$. They are independent with mean 0, so the entry
# $z^\top G_Aw$ has mean $0^\top G_A 0 = 0$. Its covariance with the same entry of system b is
#
# $$
# \begin{aligned}
# \mathrm{E}\,&(z^\top G_Aw)(z^\top G_Bw) \\
# &= \mathrm{E} \operatorname{tr}\bigl(G_A\, ww^\top\, G_B\, zz^\top\bigr) \\
# &= \operatorname{tr}\bigl(G_A\, \mathrm{E}\,ww^\top\; G_B\, \mathrm{E}\,zz^\top\bigr) \\
# &= \langle G_A, G_B \rangle ,
# \end{aligned}
# $$
#
# and with b = a its variance is $|G_A|^2$. Covariance over the root of the variances is the cosine.
#
# *Why the sample gets there.* The pairs are not independent (each stimulus is in $M - 1$ of them), so the law of large
# numbers does not apply to them directly. We write sums over pairs as sums over stimuli. Centre the latents,
# $\tilde z_i = z_i - \bar z$, and let $S = \frac1M \sum_i \tilde z_i \tilde z_i^\top$ be their sample covariance,
# $u_i = K^a_{ii}$, $v_i = K^b_{ii}$. Since $\sum_{ij} K^a_{ij} K^b_{ij} = M^2 |ASB^\top|^2$ and $\sum_j K_{ij} = 0$,
# averages over the pairs $i<j$ are
#
# $$
# \begin{aligned}
# \mathrm{av}\, K^a_{ij} &= -\frac{\operatorname{tr}(ASA^\top)}{M-1}, \\
# \mathrm{av}\, K^a_{ij}K^b_{ij} &= \frac{M^2 |ASB^\top|^2 - \sum_i u_i v_i}{M(M-1)} .
# \end{aligned}
# $$ (eq-linear-pairs)
#
# By the law of large numbers, applied to $\bar z$ and to $\frac1M\sum z_iz_i^\top$, almost surely $S \to I$. So the
# mean over pairs goes to 0 and $|ASB^\top|^2 \to |AB^\top|^2 = \langle G_A, G_B \rangle$. What is left is the diagonal.
# Let $\lambda$ be the larger of the greatest eigenvalues of $G_A$ and $G_B$; then $u_i$ and $v_i$ are at most
# $\lambda |\tilde z_i|^2$, and
#
# $$
# \begin{aligned}
# \frac{1}{M^2}&\sum_i u_i v_i \\
# &\le \lambda^2\; \frac{\max_i |\tilde z_i|^2}{M} \cdot \frac1M\sum_i |\tilde z_i|^2 .
# \end{aligned}
# $$
#
# The last factor tends to $n$. The middle one tends to 0: $|z_M|^2/M$ is the difference of two successive averages,
# up to a factor $(M-1)/M$ on the second, and both have the limit $n$; so $|z_i|^2 / i \to 0$, hence
# $\max_{i \le M}|z_i|^2/M \to 0$, and centring changes nothing because $\bar z \to 0$. Therefore the covariance over
# pairs tends to $\langle G_A, G_B\rangle$, the variances to $|G_A|^2$ and $|G_B|^2$, which are not 0.
# ````
#
# ```{prf:remark} How fast
# :label: rem-linear-rate
#
# If the latents have finite fourth moments, the central limit theorem gives $S - I$ a size of order $M^{-1/2}$, and the
# cosine is a smooth function of $S$. So we expect errors to fall with slope $-1/2$ on doubly logarithmic axes (except
# where $G_A$ and $G_B$ are proportional: there the derivative of the cosine vanishes, and both metrics are 1 at every
# $M$). The diagonal and the curvature of the cosine add a bias of order $1/M$. Linear CKA keeps the diagonal; there the
# bias carries a factor $n$ and dominates while $M$ is small, so the slope should start near $-1$ and end at $-1/2$.
# ```

# %% [markdown]
# **The check.** White latents need not be Gaussian. Ours are {term}`sparse`: each feature is active with a small
# probability $p$, its size is uniform on $(0, 1)$, its sign random, and a factor $\sqrt{3/p}$ makes its variance 1.


# %%
def sparse_white(count, features):
    z = bernoulli_uniform(count, features, active, generator) * signs(count, features, generator)
    return z * sqrt(3 / active)


# %% [markdown]
# Each draw takes new projections and latents, and compares RSA and linear CKA with the cosine of *those* projections.


# %%
def deviations(count, **options):
    a, b, z = gaussian(m_a, n, generator), gaussian(m_b, n, generator), sparse_white(count, n)
    y_a, y_b = z @ a.mT, z @ b.mT
    return torch.stack([rsa(y_a, y_b), linear_cka(y_a, y_b, **options)]) - gram_cosine(a, b)


# %%
def absolute_errors(count):
    return torch.stack([deviations(count) for _ in range(draws)]).abs().cpu()


errors = torch.stack([absolute_errors(count) for count in stimuli])  # (stimuli, draws, metrics)

# %% [markdown]
# What would count as agreement? A mean error at the largest $M$ below one hundredth, and a slope of the error against
# $M$, fitted to the logarithms, between $-2/3$ and $-1/3$ for RSA, between $-1$ and $-1/3$ for linear CKA because of
# its bias.


# %% tags=["hide-input"]
def slope(values):
    return float(np.polyfit(np.log(stimuli), np.log(values.numpy()), 1)[0])


for metric, key in enumerate(["b1_rsa", "b2_cka"]):
    run.record(**{f"{key}_error": float(errors[-1, :, metric].mean())})
    run.record(**{f"{key}_error_over_draws": errors[-1, :, metric]})
    run.record(**{f"{key[:2]}_slope": slope(errors.mean(1)[:, metric])})

# %% tags=["hide-input", "remove-output"]
drawn = panels(2)
for metric, (ax, name) in enumerate(zip(drawn, ["RSA", "linear CKA"], strict=True)):
    mean = errors[:, :, metric].mean(1)
    ax.errorbar(stimuli, mean, errors[:, :, metric].std(1) / sqrt(draws), fmt="o", label=name, color=COLOURS["blue"])
    line = float(mean[-1]) * np.sqrt(largest / np.array(stimuli))
    ax.plot(stimuli, line, color=COLOURS["red"], label="slope -1/2")
    ax.set(xscale="log", yscale="log", xlabel="stimuli M", ylabel=f"mean |{name} - cosine|")
    ax.legend()

# %% tags=["hide-input", "remove-output"]
alt = "Two panels on doubly logarithmic axes: the mean error of RSA and of linear CKA falls as stimuli grow in number, "
alt += "for RSA near a line of slope -1/2, for linear CKA well above it while stimuli are few."
run.figure(drawn, "fig-linear-convergence", alt, "Simulated: error against stimuli")

# %% [markdown]
# :::{glue:figure} fig-linear-convergence
# :name: fig-linear-convergence
#
# Both metrics approach the cosine of the Gram matrices as stimuli are added. Fitted slopes: {glue:text}`b1_slope:.2f`
# for RSA (a), {glue:text}`b2_slope:.2f` for linear CKA (b). Dots: means over {glue:text}`draws` draws with standard
# errors; line: slope $-1/2$ through the last dot.
# :::
#
# Here $n =$ {glue:text}`n`, $m_a =$ {glue:text}`m_a` and $m_b =$ {glue:text}`m_b`. At {glue:text}`largest` stimuli the
# mean error of RSA is {glue:text}`b1_rsa_error:.4f` $\pm$ {glue:text}`b1_rsa_error_over_draws_error:.4f`, from a cosine
# that is computed from the projections alone.

# %% [markdown]
# ## Linear CKA
#
# ```{prf:definition} HSIC and linear CKA
# :label: def-linear-cka
#
# Let $H = I - \frac1M 11^\top$, the $M \times M$ matrix that centres (HSIC stands for Hilbert-Schmidt independence
# criterion). For similarity matrices $K$ and $L$,
#
# $$
# \begin{aligned}
# \mathrm{HSIC}(K, L) &= \frac{\operatorname{tr}(KHLH)}{(M-1)^2}, \\
# \mathrm{CKA} &= \frac{\mathrm{HSIC}(K, L)}{\sqrt{h_K\, h_L}} ,
# \end{aligned}
# $$
#
# with $h_K = \mathrm{HSIC}(K, K)$ and $h_L = \mathrm{HSIC}(L, L)$. *Linear* CKA takes $K = Y_aY_a^\top$ and
# $L = Y_bY_b^\top$ {cite:p}`kornblith2019`.
# ```
#
# Linear CKA *is* the RV coefficient, which statistics has used since {cite:t}`robert1976` to compare two tables of
# variables on the same individuals. Two things set it apart from RSA: it centres the rows and columns of the similarity
# matrices rather than the list of their entries, and it keeps the diagonal. {cite:t}`williams2024` shows how far the
# two agree once RSA is centred like CKA.
#
# ```{prf:theorem} Linear CKA in the limit of many stimuli
# :label: thm-cka
#
# Under the conditions of {prf:ref}`thm-rsa`, almost surely $\mathrm{CKA} \to \cos(G_A, G_B)$.
#
# ({cite:t}`liu2026`, theorem 3.2.)
# ```
#
# ````{prf:proof}
# $H$ is symmetric and $HH = H$, so with $\tilde Z = HZ$ and $S = \tilde Z^\top\tilde Z/M$
#
# $$
# \begin{aligned}
# (M-1)^2\, &\mathrm{HSIC}(K, L) \\
# &= \operatorname{tr}\bigl(\tilde Z A^\top A \tilde Z^\top\; \tilde Z B^\top B \tilde Z^\top\bigr) \\
# &= M^2 \operatorname{tr}\bigl(A S B^\top\, B S A^\top\bigr) \\
# &= M^2 |ASB^\top|^2 .
# \end{aligned}
# $$
#
# The powers of $M$ and $M-1$ cancel in the quotient, and for *every* $M$
#
# $$
# \mathrm{CKA} = \frac{|ASB^\top|^2}{|ASA^\top|\,|BSB^\top|} .
# $$ (eq-linear-cka)
#
# As $M \to \infty$, $S \to I$ almost surely, and the right side is continuous in $S$ at $I$, where its denominator
# $|AA^\top||BB^\top|$ is not 0. Its value there is $\cos(G_A, G_B)$ by {eq}`eq-linear-cyclic`.
# ````
#
# The check is panel (b) of {numref}`fig-linear-convergence`: a mean error of {glue:text}`b2_cka_error:.4f` $\pm$
# {glue:text}`b2_cka_error_over_draws_error:.4f` at the largest $M$. At small $M$ most of it is the positive bias of the
# plain estimator, which an exercise removes.

# %% [markdown]
# ## Correlated latents, and what is exact
#
# Real features co-occur. The proof of {prf:ref}`thm-cka` says what happens then, as it keeps $S$ up to the last line.
#
# ```{prf:proposition} Exact at every number of stimuli
# :label: prop-linear-covariance
#
# Let $Z$ be any latents, random or not, with sample covariance $S$, and write $A_S = AS^{1/2}$, $B_S = BS^{1/2}$.
# 1. Linear CKA of the responses *equals* $\cos(A_S^\top A_S,\, B_S^\top B_S)$, whatever $M$.
# 2. If the latents are independent draws with covariance $\Sigma$, RSA and linear CKA tend to
#    $\cos(A_\Sigma^\top A_\Sigma,\, B_\Sigma^\top B_\Sigma)$.
#
# (Part 1 puts $y = Az$ into the covariance form of {cite:t}`kornblith2019`.)
# ```
#
# ````{prf:proof}
# By {eq}`eq-linear-cyclic`, $|ASB^\top|^2 = |A_S B_S^\top|^2$ equals $\langle A_S^\top A_S, B_S^\top B_S\rangle$, and
# the same holds for the two norms: put this into {eq}`eq-linear-cka`. For the second part write
# $z = \Sigma^{1/2} w + \mathrm{E}\,z$ with white $w$ (if $\Sigma$ is singular, fill its null space with independent
# noise, which $\Sigma^{1/2}$ removes): then $Az$ is $A_\Sigma w$ up to a constant, and {prf:ref}`thm-rsa` and
# {prf:ref}`thm-cka` apply to $A_\Sigma$ and $B_\Sigma$, if these are not 0.
# ````
#
# So alignment does *not* depend on the latents if these are white. In general it depends on $AS^{1/2}$, and a strong
# factor common to all features can make unlike projections look alike.
#
# **The check.** Neighbouring features correlate strongly, every feature has a mean other than 0, and there are few
# stimuli. Agreement means $10^{-12}$.

# %%
steps = torch.arange(n, device=run.device, dtype=torch.float64)
mixing = torch.linalg.cholesky(0.9 ** (steps[:, None] - steps).abs())
z = sparse_white(stimuli[0], n) @ mixing.mT + 1
covariance = centred(z).mT @ centred(z) / len(z)

# %%
a, b = gaussian(m_a, n, generator), gaussian(m_b, n, generator)
y_a, y_b = z @ a.mT, z @ b.mT
exact = gram_cosine(a, b, covariance)
run.record(b2_covariance_error=float((linear_cka(y_a, y_b) - exact).abs()))
run.record(correlated_cosine=float(exact))
run.record(white_cosine=float(gram_cosine(a, b)))

# %% [markdown]
# Linear CKA and the cosine with the sample covariance differ by {glue:text}`b2_covariance_error:.0e`. The formula for
# white latents would have said {glue:text}`white_cosine:.3f`; with these latents the same projections score
# {glue:text}`correlated_cosine:.3f`.
#
# RSA leaves the diagonal out, so by {eq}`eq-linear-pairs` it needs the squared lengths $u_i$ and $v_i$ of the responses
# too. For finite $M$ the covariance over pairs is
#
# $$
# \begin{aligned}
# C_{ab} = {}&\frac{M^2|ASB^\top|^2 - \sum_i u_iv_i}{M(M-1)} \\
# &- \frac{\operatorname{tr}(ASA^\top)\operatorname{tr}(BSB^\top)}{(M-1)^2},
# \end{aligned}
# $$ (eq-linear-rsa-exact)
#
# and $\mathrm{RSA} = C_{ab}/\sqrt{C_{aa}C_{bb}}$. Both corrections to $|ASB^\top|^2$ are of order $1/M$.


# %%
def pair_covariance(a, b, u, v, covariance, count):
    products = count**2 * (a @ covariance @ b.mT).square().sum() - (u * v).sum()
    traces = (a @ covariance * a).sum() * (b @ covariance * b).sum()
    return products / (count * (count - 1)) - traces / (count - 1) ** 2


# %%
u, v = (centred(y).square().sum(1) for y in (y_a, y_b))
cross, own_a, own_b = (pair_covariance(*s, covariance, len(z)) for s in [(a, b, u, v), (a, a, u, u), (b, b, v, v)])
run.record(rsa_identity_error=float((rsa(y_a, y_b) - cross / (own_a * own_b).sqrt()).abs()))
run.record(rsa_remainder=float((rsa(y_a, y_b) - exact).abs()))

# %% [markdown]
# With the lengths the difference from the metric is {glue:text}`rsa_identity_error:.0e`; from the covariance alone it
# is {glue:text}`rsa_remainder:.3f` at this small $M$.

# %% [markdown]
# ## Linear regression
#
# Regression asks how well the units of one system predict those of the other: another function of the projections and
# $S$.
#
# ```{prf:definition} Least squares and its scores
# :label: def-linear-ols
#
# *OLS* predicts $y_b$ by $\hat y_b = Wy_a + c$ with the $W$ ($m_b \times m_a$) and $c$ that minimise the summed
# squared error over the stimuli. Its *MSE* is that sum divided by $M m_b$; its $R^2$ is one minus the squared error
# over the squared deviations of $y_b$ from its mean, both summed over all units; $r_j$ is the Pearson correlation of
# unit $j$ with its prediction.
# ```
#
# ```{prf:theorem} Linear regression in superposition
# :label: thm-ols
#
# Let $S$ be the sample covariance of the latents, $A_S = AS^{1/2}$ of full row rank, $B_S = BS^{1/2}$, and
# $P = A_S^\top(A_SA_S^\top)^{-1}A_S$. Write $b_j^\top$ for row $j$ of $B_S$, not 0. Then, for every $M$,
#
# $$
# \begin{aligned}
# W^* &= B_SA_S^\top(A_SA_S^\top)^{-1}, \\
# \mathrm{MSE} &= \tfrac{1}{m_b}\operatorname{tr}\bigl(B_S(I-P)B_S^\top\bigr), \\
# R^2 &= \frac{\operatorname{tr}(B_SPB_S^\top)}{\operatorname{tr}(B_SB_S^\top)}, \\
# r_j &= \sqrt{\frac{b_j^\top Pb_j}{b_j^\top b_j}} .
# \end{aligned}
# $$
#
# For independent draws of a white latent all four tend almost surely to the same expressions with $S = I$, in which $P$
# is $P_A = A^\top(AA^\top)^{-1}A$.
#
# ({cite:t}`liu2026`, theorem 3.3, is the limit; exactness with $S$ needs only the sample covariance in the place of
# $I$.)
# ```
#
# ````{prf:proof}
# *$P$ is a projection.* It is symmetric, and $PP = P$ by cancelling $A_SA_S^\top$ against its inverse. Its range lies
# in the row space of $A_S$, and $PA_S^\top = A_S^\top$, so it is the orthogonal projection onto that row space. Its
# trace is the rank, $m_a$.
#
# *The loss.* For given $W$ the best intercept makes the residuals' mean 0, which is the same as centring both systems.
# Then the residual of stimulus $i$ is $(B - WA)\tilde z_i$, and
#
# $$
# \begin{aligned}
# \tfrac1M &\textstyle\sum_i |(B-WA)\tilde z_i|^2 \\
# &= \operatorname{tr}\bigl((B-WA)\,S\,(B-WA)^\top\bigr) \\
# &= |B_S - WA_S|^2 .
# \end{aligned}
# $$
#
# Rows of $WA_S$ are arbitrary vectors of the row space of $A_S$. The nearest such vector to a row of $B_S$ is its
# orthogonal projection, so the minimum is at $WA_S = B_SP$, which $W^* = B_SA_S^\top(A_SA_S^\top)^{-1}$ solves; it is
# the only solution as the rows of $A_S$ are independent.
#
# *The scores.* The residual matrix is $B_S(I - P)$ and $I - P$ is a projection too, so its squared norm is
# $\operatorname{tr}(B_S(I-P)B_S^\top)$. Dividing by $m_b$ gives the MSE; by $\operatorname{tr}(B_SB_S^\top)$, which is
# $\frac1M$ times the summed squared deviations of $y_b$, gives $1 - R^2$. For a single unit, the centred target is
# $b_j^\top w$ and the centred prediction $b_j^\top Pw$ if we write $\tilde z = S^{1/2}w$ with $w$ of covariance $I$ on
# the range of $S$. Hence their covariance is $b_j^\top Pb_j$, the prediction's variance $b_j^\top PPb_j$ is the same
# number, and the target's is $b_j^\top b_j$; the correlation is the root of $b_j^\top Pb_j/b_j^\top b_j$ (and 0 if that
# is 0).
#
# *The limit.* $S \to I$ almost surely and all four expressions are continuous at $S = I$ if $A$ has full row rank.
# ````
#
# Two readings. Regression depends on $A$ through its *row space* alone: any invertible mixing of a's units leaves $R^2$
# as it was, whereas it changes $G_A$ and so RSA and CKA. And $r_j^2$ is the {term}`explained variance` of unit $j$; the
# pooled $R^2$ averages these with weights $b_j^\top b_j$.
#
# **The check.** Once with latents whose sample covariance is exactly $I$ (`lib.features.white`), where the paper's own
# formulas must hold, and once with the correlated latents above. Agreement means $10^{-10}$ in every entry.


# %%
def regression_errors(z, covariance):
    y_a, y_b = z @ a.mT, z @ b.mT
    weights, fit = ols_fit(y_a, y_b)[0], ols_score(y_a, y_b)
    found = [weights.mT, fit.mse, fit.r2, fit.r]
    stated = [formula(a, b, covariance) for formula in (ols_weights, ols_mse, ols_r2, ols_r)]
    return [float((x - y).abs().max()) for x, y in zip(found, stated, strict=True)]


# %%
whitened = regression_errors(white(stimuli[0], n, generator), None)
correlated = regression_errors(z, covariance)
for key, *both in zip(["weights", "mse", "r2", "r"], whitened, correlated, strict=True):
    run.record(**{f"b3_{key}_error": max(both)})

# %% [markdown]
# | quantity | largest difference between fit and formula |
# |---|---|
# | weights $W^*$ | {glue:text}`b3_weights_error:.0e` |
# | MSE | {glue:text}`b3_mse_error:.0e` |
# | $R^2$ | {glue:text}`b3_r2_error:.0e` |
# | $r_j$, worst unit | {glue:text}`b3_r_error:.0e` |

# %% [markdown]
# ## Random projections
#
# Two networks that share features, but nothing about how they mix them, are modelled by two independent random
# projections. Let all entries have mean 0, variance 1 and kurtosis $\kappa = \mathrm{E}\,a^4$ (for variance $\sigma^2$
# divide by $\sigma^4$; the cosine does not change).
#
# ```{prf:proposition} Moments of a random Gram matrix
# :label: prop-linear-moments
#
# If $A$ and $B$ are independent, each with independent entries of mean 0, variance 1 and kurtosis $\kappa$, then
#
# $$
# \begin{aligned}
# \mathrm{E}\langle G_A, G_B\rangle &= n\,m_a\,m_b, \\
# \mathrm{E}\,|G_A|^2 &= n\,m_a\,(n + m_a + \kappa - 2) .
# \end{aligned}
# $$
# ```
#
# ````{prf:proof}
# Entry $(i, j)$ of $G_A$ is $\sum_u a_{ui}a_{uj}$, with mean 0 if $i \ne j$ and $m_a$ if $i = j$: so
# $\mathrm{E}\,G_A = m_a I$. By independence
# $\mathrm{E}\langle G_A, G_B \rangle = \langle m_aI, m_bI\rangle = n m_am_b$.
#
# For the norm, $|G_A|^2 = |AA^\top|^2 = \sum_{u,v}(a_u^\top a_v)^2$ over pairs of rows. Two different rows are
# independent, and $\mathrm{E}\,(a_u^\top a_v)^2 = \sum_{ij}\mathrm{E}\,a_{ui}a_{uj}\,\mathrm{E}\,a_{vi}a_{vj} = n$;
# there are $m_a(m_a-1)$ such pairs. A row with itself gives the fourth moment,
#
# $$
# \begin{aligned}
# \mathrm{E}\,|a_u|^4 &= \sum_i \mathrm{E}\,a_{ui}^4 + \sum_{i\ne j}\mathrm{E}\,a_{ui}^2\,\mathrm{E}\,a_{uj}^2 \\
# &= n\kappa + n(n-1),
# \end{aligned}
# $$
#
# $m_a$ times. The sum is $n m_a(m_a - 1) + n m_a(n + \kappa - 1)$.
# ````
#
# (For Gaussian entries $G_A$ is a Wishart matrix and these are its moments, known since {cite:t}`wishart1928`.)
#
# Dividing the first expectation by the square roots of the second, for a and for b, gives the paper's prediction
#
# $$
# \begin{aligned}
# \mathrm{E}\,\mathrm{CKA} \approx{}&
# \sqrt{\frac{m_a}{n+m_a+\kappa-2}} \\
# &\times \sqrt{\frac{m_b}{n+m_b+\kappa-2}} ,
# \end{aligned}
# $$ (eq-linear-ratio)
#
# for $m_a = m_b = m$ about $m/(n+m)$, and about $m/n$ if $m \ll n$. We call it the *ratio form*. It is an
# approximation, as the expectation of a quotient is not the quotient of expectations. The expectation itself has a
# simple form too.
#
# ```{prf:proposition} The mean over random projections, exactly
# :label: prop-linear-exact
#
# Let $B$ be almost surely not 0, and let $BD$ have the same distribution as $B$ for every signed permutation $D$, an $n
# \times n$ matrix with a single entry $\pm1$ in each row and column. Let $A$ be independent of $B$, random or fixed,
# not 0, and let $d(A) = (\operatorname{tr} G_A)^2/|G_A|^2$. Then
#
# $$
# \begin{aligned}
# \mathrm{E}\cos(G_A, G_B) &= \tfrac1n\,\mathrm{E}\sqrt{d(A)}\;\mathrm{E}\sqrt{d(B)} , \\
# \mathrm{E}\,R^2(a \to b) &= \tfrac1n\,\mathrm{E}\operatorname{rank}(A) .
# \end{aligned}
# $$
#
# In particular $\mathrm{E}\,R^2(a\to b) = m_a/n$ if the rows of $A$ are linearly independent almost surely, whatever
# $m_b$ and whatever $\kappa$.
# ```
#
# The law of $B$ prefers no feature and no sign. Independent entries of one distribution symmetric about 0 are one
# example. Units may also depend on each other, $B = TC$ with such a $C$ and any mixing $T$ independent of it; $B$ may
# even be a *fixed* matrix whose features are renamed and flipped at random.
#
# ````{prf:proof}
# Let $\hat G = G_B/|G_B|$, a matrix with entries of size at most 1. For a signed permutation $D$ the projection $BD$
# has the Gram matrix $D^\top G_B D$, of the same norm, so $\mathrm{E}\hat G = D^\top(\mathrm{E}\hat G)D$. If $D$ flips
# one sign, this says that the entries beside the diagonal in that row are their own negatives: $\mathrm{E}\hat G_{ij} =
# 0$ for $i \ne j$. If $D$ exchanges two features, it says that two diagonal entries are equal. Hence $\mathrm{E}\hat G
# = cI$ with $nc = \mathrm{E}\operatorname{tr}\hat G = \mathrm{E}\sqrt{d(B)}$. By independence
#
# $$
# \begin{aligned}
# \mathrm{E}\cos(G_A, G_B) &= \bigl\langle \mathrm{E}\tfrac{G_A}{|G_A|}, cI\bigr\rangle \\
# &= c\;\mathrm{E}\,\frac{\operatorname{tr}G_A}{|G_A|} = c\;\mathrm{E}\sqrt{d(A)} .
# \end{aligned}
# $$
#
# The same two symmetries for $G_B/\operatorname{tr}G_B$, whose trace is 1, give it the expectation $I/n$. With
# $R^2 = \langle P_A, G_B\rangle/\operatorname{tr}G_B$ from {prf:ref}`thm-ols`, the mean given $A$ is
# $\operatorname{tr}(P_A)/n$, the rank over $n$.
# ````
#
# The first line is known in another setting: if the individuals of one of two centred tables are permuted at random,
# the mean of their RV coefficient is the same product with $n - 1$ in the place of $n$
# {cite:p}`kaziaoual1995,josse2008`. Features take the place of individuals, flipped signs that of centring.
#
# $d(A)$ is the {term}`participation ratio` of the eigenvalues of $AA^\top$: $m_a$ if all are equal and 1 if one
# dominates. So the mean alignment of unrelated projections is an effective dimension divided by the number of features.
# (Without sign symmetry the argument fails, and the ratio of expectations remains. For $R^2$ it is $m_a/n$ too, since
# $\mathrm{E}\operatorname{tr}(BP_AB^\top) = m_b\operatorname{tr}P_A$.)
#
# For entries $\pm1$ and $m_a = m_b = m$ the trace of $G$ is the constant $nm$, so
# $\mathrm{E}\sqrt d = nm\,\mathrm{E}\,|G|^{-1} \ge nm\,(\mathrm{E}\,|G|^2)^{-1/2}$, and the ratio form is a lower
# bound. For other entries the trace varies as well, $\mathrm{E}\,(\operatorname{tr}G)^2 = n^2m^2 + nm(\kappa-1)$. With
# this the prediction becomes $d/n$, which we call the *refined form*, with
#
# $$
# d \approx \frac{nm + \kappa - 1}{n + m + \kappa - 2} .
# $$ (eq-linear-refined)
#
# It is exact for $m = 1$, where $d = 1$ and two unrelated units have mean squared cosine $1/n$; the ratio form says
# $1/(n + \kappa - 1)$ there.

# %% [markdown]
# **A check without chance.** With four features we can average over *all* signed permutations. $B$ is fixed and its
# features are plainly unlike. Agreement means $10^{-12}$.

# %%
fixed_a, fixed_b = gaussian(2, 4, generator), gaussian(3, 4, generator) * torch.tensor([1, 5, 2, 1], device=run.device)
flips = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64, device=run.device)] * 4)
turned = torch.cat([fixed_b[:, list(order)] * flips[:, None] for order in permutations(range(4))])
dimensions = [participation_ratio(torch.linalg.eigvalsh(x @ x.mT)) for x in (fixed_a, fixed_b)]

# %%
run.record(exact_turns=len(turned))
cosine_gap = gram_cosine(fixed_a, turned).mean() - (dimensions[0] * dimensions[1]).sqrt() / 4
run.record(exact_mean_error=max(abs(cosine_gap), abs(ols_r2(fixed_a, turned).mean() - 2 / 4)))

# %% [markdown]
# Over all {glue:text}`exact_turns` the means of the cosine and of $R^2$ differ from the proposition by at most
# {glue:text}`exact_mean_error:.0e`.
#
# **The check by simulation** needs no stimuli. For each number of units and kind of entry, with
# {glue:text}`many_features` features, the mean of {glue:text}`pairs` pairs should agree with {eq}`eq-linear-ratio` to
# one hundredth, and lie below $1/32$ at the smallest ratio $m/n$. With {glue:text}`few_features` features and
# {glue:text}`small_pairs` pairs the refined form should be the closer one.


# %%
def cosines(draw, features, units, count):
    a, b = (draw(units, features, generator, count) for _ in range(2))
    return gram_cosine(a, b).cpu()


def sweep(features, units, count):
    return {kappa: torch.stack([cosines(draw, features, m, count) for m in units]) for kappa, draw in entries.items()}


# %%
many = sweep(many_features, many_units, pairs)
few = sweep(few_features, few_units, small_pairs)


# %%
def ratio_form(features, units, kappa):
    return torch.tensor([expected_cka(features, m, m, kappa) for m in units], dtype=torch.float64)


def refined_form(features, units, kappa):
    m = torch.tensor(units, dtype=torch.float64)
    return (features * m + kappa - 1) / (features + m + kappa - 2) / features


# %% tags=["hide-input"]
def largest_error(simulated, features, units, form):
    return max(float((x.mean(1) - form(features, units, kappa)).abs().max()) for kappa, x in simulated.items())


def relative_error(simulated, features, units, form):
    """The largest error in units of the closed form, where the mean is known to a hundredth of it."""
    found = []
    for kappa, x in simulated.items():
        closed = form(features, units, kappa)
        known = x.std(1) / x.shape[1] ** 0.5 < 0.01 * closed
        found += ((x.mean(1) - closed).abs() / closed)[known].tolist()
    return max(found)


# %% tags=["hide-input"]
run.record(b4_expectation_error=largest_error(many, many_features, many_units, ratio_form))
run.record(b4_relative_error=relative_error(many, many_features, many_units, ratio_form))
run.record(b4_smallest_ratio=smallest_ratio)
run.record(b4_cka_at_smallest_ratio=many[3][0])
run.record(smallest_predicted=expected_cka(many_features, many_units[0], many_units[0]))
run.record(few_ratio_error=largest_error(few, few_features, few_units, ratio_form))
run.record(few_refined_error=largest_error(few, few_features, few_units, refined_form))

# %% tags=["hide-input", "remove-output"]
drawn = panels(2)
ratios = np.array(many_units) / many_features
drawn[0].plot(ratios, ratio_form(many_features, many_units, 3), color=COLOURS["grey"], label="closed form")
for (kappa, values), style in zip(many.items(), k_styles(entries), strict=True):
    beside = 1.06 if kappa == 1 else 0.94
    spread = values.std(1) / sqrt(pairs)
    drawn[0].errorbar(ratios * beside, values.mean(1), spread, ls="", label=f"kurtosis {kappa}", **style)
drawn[0].set(xscale="log", yscale="log", xlabel="units / features, m / n", ylabel="mean cosine")
drawn[0].xaxis.set_minor_formatter(ticker.NullFormatter())

# %% tags=["hide-input", "remove-output"]
for (kappa, values), style in zip(few.items(), k_styles(entries), strict=True):
    closed = ratio_form(few_features, few_units, kappa)
    spread = values.std(1) / sqrt(small_pairs)
    drawn[1].errorbar(few_units, values.mean(1) - closed, spread, ls="", label=f"kurtosis {kappa}", **style)
    drawn[1].plot(few_units, refined_form(few_features, few_units, kappa) - closed, color=style["color"])
drawn[1].set(xscale="log", xlabel=f"units m (n = {few_features})", ylabel="mean cosine - ratio form")

# %% tags=["hide-input", "remove-output"]
for ax in drawn:
    ax.legend()
alt = "Left: the mean cosine rises with m/n along the closed form for both kinds of entries. Right: with few features, "
alt += "the small deviation from the ratio of expectations, with the refined form as a line."
run.figure(drawn, "fig-random-projections", alt, "Simulated: unrelated projections of the same features")

# %% [markdown]
# :::{glue:figure} fig-random-projections
# :name: fig-random-projections
#
# Alignment of identical features falls with $m/n$, as {eq}`eq-linear-ratio` says. (a) $n =$ {glue:text}`many_features`;
# line: the closed form for $\kappa = 3$; dots: simulated, with standard errors (moved sideways a little). (b) What the
# ratio form lacks at $n =$ {glue:text}`few_features`; lines: what {eq}`eq-linear-refined` adds to it.
# :::
#
# At $m/n =$ {glue:text}`b4_smallest_ratio:.4f` the mean cosine of Gaussian projections is
# {glue:text}`b4_cka_at_smallest_ratio:.4f` $\pm$ {glue:text}`b4_cka_at_smallest_ratio_error:.4f` (closed form
# {glue:text}`smallest_predicted:.4f`): two systems that hold the same features, all of them, and look unrelated. Over
# both kinds of entry the largest deviation from the ratio form is {glue:text}`b4_expectation_error:.4f`, and
# {glue:text}`b4_relative_error:.3f` of the form itself where the mean is known to a hundredth.
#
# At the small $n$ the ratio form is off by at most {glue:text}`few_ratio_error:.4f`, the refined form by at most
# {glue:text}`few_refined_error:.4f`; both include sampling noise. The refinement is a factor of about
# $1 + (\kappa-1)/(nm)$, which does not matter for the sizes of real networks. What remains of the error, for entries
# $\pm1$ too, is the gap in Jensen's inequality between $\mathrm{E}\sqrt d$ and the root of a quotient of means.
#
# Now regression, for $m_a$ fixed and growing $m_b$: the mean $R^2$ should stay at $m_a/n$, to one hundredth.

# %%
r2_units = [1, 4, 16]


def explained(draw, m):
    return ols_r2(draw(m_a, n, generator, small_pairs), draw(m, n, generator, small_pairs)).cpu()


r2 = {kappa: torch.stack([explained(draw, m) for m in r2_units]) for kappa, draw in entries.items()}

# %% tags=["hide-input"]
run.record(r2_expectation_error=max(float((x.mean(1) - m_a / n).abs().max()) for x in r2.values()))
run.record(r2_single_target=r2[3][0])
run.record(r2_many_targets=r2[3][-1])
run.record(r2_expected=expected_r2(n, m_a))

# %% [markdown]
# Expected: {glue:text}`r2_expected:.3f`. Simulated with Gaussian entries: {glue:text}`r2_single_target:.3f` $\pm$
# {glue:text}`r2_single_target_error:.3f` with one target unit, {glue:text}`r2_many_targets:.3f` $\pm$
# {glue:text}`r2_many_targets_error:.3f` with the most. The largest deviation over all $m_b$ and both kinds of entry is
# {glue:text}`r2_expectation_error:.4f`. More target units make the score vary less but do not move its mean. So
# $R^2(a \to b)$ measures how much *room* a has, and is blind to how compressed b is.

# %% [markdown]
# ### Geometry and score, side by side
#
# Why does the score fall with the number of units? {numref}`fig-linear-geometry` sorts the cosines between columns of
# $A$, for all pairs of features. Features at right angles would give a flat line at 0. With few units there is no room
# for right angles; two random directions in $m$ dimensions have a cosine of about $1/\sqrt m$ in size. A second system
# has other overlaps, and the two Gram matrices agree in little more than their diagonals.

# %%
drawn = gaussian(slider_units[-1], slider_features, seeded(seed + 1))
first, second = torch.triu_indices(slider_features, slider_features, 1)
share = torch.linspace(0, 1, 101, dtype=torch.float64)


# %% tags=["hide-input"]
def geometry_state(m):
    """Sorted cosines of all pairs of features in m units, their typical size, and what two such systems score."""
    columns = torch.nn.functional.normalize(drawn[:m], dim=0)
    cosines = (columns.mT @ columns)[first, second].quantile(share)
    size, scores = 1 / sqrt(m), (expected_cka(slider_features, m, m), expected_r2(slider_features, m))
    sentence = f"{m} units for {slider_features} features: cosines of about {size:.2f} in size. "
    sentence += f"Two such systems: CKA {scores[0]:.2f}, R² {scores[1]:.2f}."
    typical = [0, 1, float("nan"), 0, 1], [size, size, float("nan"), -size, -size]
    return {"cosines": (share.tolist(), cosines.tolist()), "typical": typical, "sentence": sentence}


# %% tags=["hide-input", "remove-output"]
middle = len(slider_units) // 2
drawing = geometry_state(slider_units[middle])
(ax,) = panels(1, width=4.2, height=3.0)
ax.plot(*drawing["cosines"], color=COLOURS["blue"], lw=2, gid="cosines", label="pairs of features")
ax.plot(*drawing["typical"], "--", color=COLOURS["red"], lw=1, gid="typical", label="$\\pm 1/\\sqrt{m}$")
ax.set(xlabel="pairs of features, sorted", ylabel="cosine", ylim=(-1.05, 1.05))
ax.legend(loc="upper left")

# %% tags=["hide-input", "remove-output"]
name = "fig-linear-geometry"
figure = SliderFigure(
    ax,
    name,
    alt="Cosines between all pairs of features of one random projection, sorted, with dashed lines at plus and minus "
    "one over the root of the number of units. With more units the curve flattens. A sentence below gives the scores.",
    sliders={"m": Slider(slider_units, "units", middle)},
    draw=geometry_state,
    title="Simulated: features in one system, and what two systems score",
)
run.record(slider_features=slider_features, slider_start=slider_units[middle])
run.figure(figure, name)

# %% [markdown]
# Even with as many units as features random directions are not at right angles. So CKA is only about one half there,
# while regression, which undoes any invertible map, is perfect.

# %% [markdown]
# ### Entries whose mean is not zero
#
# According to a footnote of the paper, entries with a mean other than 0 change the formulas but not how they scale.
# Which quantity is meant cannot be read any more ({ref}`gaussian-settings`). If it is $m/n$, the scaling does change.
#
# ```{prf:proposition} A common mean puts a floor under alignment (ours)
# :label: prop-linear-mean
#
# Let all entries of $A$ and $B$ be independent draws of one distribution with mean $\mu$ and variance $\sigma^2$, and
# $m_a = m_b = m$. As $n \to \infty$ with $m$ fixed, almost surely
#
# $$
# \cos(G_A, G_B) \to \frac{m\mu^4}{(\sigma^2+\mu^2)^2 + (m-1)\mu^4} .
# $$
# ```
#
# ````{prf:proof}
# By the law of large numbers $a_u^\top b_v/n \to \mu^2$ for all rows $u$, $v$, $a_u^\top a_v/n \to \mu^2$ for
# $u \ne v$, and $|a_u|^2/n \to \sigma^2 + \mu^2$. So $|AB^\top|^2/n^2 \to m^2\mu^4$, and $|AA^\top|^2/n^2$ and
# $|BB^\top|^2/n^2$ tend to $m(\sigma^2+\mu^2)^2 + m(m-1)\mu^4$. Take the quotient.
# ````
#
# With $\mu = 0$ this is 0. With $\mu \ne 0$ it is positive although $m/n \to 0$, and grows to 1 with $m$: every unit of
# both systems contains the sum of all features, and on that one direction they agree. So B4 needs entries of mean zero.
# At the smallest $m/n$ above we shift Gaussian entries by `entry_mean` and ask for agreement with the limit to one
# hundredth (at the default; for small means the remainder of order $m/n$ is larger).

# %%
m = many_units[0]
shifted = gram_cosine(*(gaussian(m, many_features, generator, pairs) + entry_mean for _ in range(2)))
run.record(shifted_cosine=shifted.cpu())
run.record(shifted_limit=m * entry_mean**4 / ((1 + entry_mean**2) ** 2 + (m - 1) * entry_mean**4))

# %% [markdown]
# Simulated mean cosine: {glue:text}`shifted_cosine:.3f` $\pm$ {glue:text}`shifted_cosine_error:.3f`; limit:
# {glue:text}`shifted_limit:.3f`; with mean 0 we had {glue:text}`b4_cka_at_smallest_ratio:.3f`.

# %% [markdown]
# ## The law of one unit's correlation
#
# For Gaussian projections we know more than a mean: the whole distribution of a unit's $r^2$.
#
# ```{prf:proposition} Beta law
# :label: prop-linear-beta
#
# Let $A$ have rank $m < n$ and let the row $b$ of $B$ be Gaussian, $b \sim N(0, I)$, independent of $A$. For white
# latents
#
# $$
# \begin{aligned}
# r^2 &\sim \mathrm{Beta}\bigl(\tfrac m2, \tfrac{n-m}2\bigr), \\
# \mathrm{E}\,r &= \frac{\Gamma(\frac{m+1}2)\,\Gamma(\frac n2)}{\Gamma(\frac m2)\,\Gamma(\frac{n+1}2)} .
# \end{aligned}
# $$
# ```
#
# ````{prf:proof}
# Take an orthonormal basis of $\mathbb{R}^n$ whose first $m$ vectors span the row space of $A$. In it $b$ has
# coordinates $x \sim N(0, I)$, and $b^\top P_Ab = x_1^2 + \dots + x_m^2 = X$, while $b^\top b = X + Y$ with
# $Y = x_{m+1}^2 + \dots + x_n^2$. $X$ and $Y$ are independent, with densities proportional to $X^{m/2-1}e^{-X/2}$ and
# $Y^{(n-m)/2-1}e^{-Y/2}$. Change variables to $t = X + Y$ and $s = X/t = r^2$, whose Jacobian is $t$: the joint density
# is proportional to
#
# $$
# s^{m/2-1}(1-s)^{(n-m)/2-1}\cdot t^{n/2-1}e^{-t/2} .
# $$
#
# The factor in $s$ is the Beta density, whose integral is
#
# $$
# \int_0^1 s^{p-1}(1-s)^{q-1}\,ds = \frac{\Gamma(p)\,\Gamma(q)}{\Gamma(p+q)} .
# $$
#
# So its mean of $\sqrt s$ is the quotient of two such integrals, with $p = \frac{m+1}2$ and $p = \frac m2$ and the same
# $q = \frac{n-m}2$: the stated quotient of Gamma functions.
# ````
#
# This is the classical law of a squared multiple correlation between unrelated variables
# {cite:p}`fisher1928,muirhead1982`, with features in the place of observations; {prf:ref}`thm-ols` makes it apply. Its
# mean is $m/n$, so $\mathrm{E}\,r \le \sqrt{m/n}$ by Jensen's inequality, with near equality unless $m$ is small. When
# $m \ll n$, $r$ therefore looks much better than CKA: the same pair, on two scales. (For other symmetric entries only
# the mean $\mathrm{E}\,r^2 = m/n$ carries over, by {prf:ref}`prop-linear-exact`.)
#
# **The check.** One projection $A$ and many target units, which are then independent draws of this law. Let $\Delta$ be
# the largest distance between the empirical and the stated distribution function. If the law is right, $\Delta$ exceeds
# $2/\sqrt{m_b}$ for $m_b$ target units with probability below $2e^{-8}$; that is our threshold.

# %%
squared = ols_r(gaussian(m_a, n, generator), gaussian(targets, n, generator)).square().cpu().numpy()
law = stats.beta(m_a / 2, (n - m_a) / 2)
run.record(beta_distance=float(stats.kstest(squared, law.cdf).statistic))
run.record(beta_threshold=2 / sqrt(targets))

# %% [markdown]
# The mean of $r$, for a range of $m_a$, should agree with its closed form to one hundredth.

# %%
beta_units = [m for m in (1, 2, 4, 8, 16, 24) if m < n]
mean_r = [float(ols_r(gaussian(m, n, generator), gaussian(targets, n, generator)).mean()) for m in beta_units]
run.record(mean_r_error=max(abs(x - expected_r(n, m)) for x, m in zip(mean_r, beta_units, strict=True)))

# %% tags=["hide-input", "remove-output"]
drawn = panels(2)
drawn[0].hist(squared, bins=30, density=True, color=COLOURS["blue"], alpha=0.5, label="simulated")
grid = np.linspace(0.001, 0.999, 300)
drawn[0].plot(grid, law.pdf(grid), color=COLOURS["red"], label="Beta density")
drawn[0].set(xlabel="$r^2$ of one unit", ylabel="density")

# %% tags=["hide-input", "remove-output"]
drawn[1].plot(beta_units, mean_r, linestyle="", marker="o", color=COLOURS["blue"], label="simulated r")
drawn[1].plot(range(1, n), [expected_r(n, m) for m in range(1, n)], color=COLOURS["red"], label="E r")
drawn[1].plot(range(1, n), [expected_cka(n, m, m) for m in range(1, n)], color=COLOURS["grey"], label="E CKA")
drawn[1].set(xlabel=f"units m (n = {n})", ylabel="alignment")

# %% tags=["hide-input", "remove-output"]
for ax in drawn:
    ax.legend()
alt = "Left: histogram of squared correlations with the Beta density on top. Right: the mean correlation against the "
alt += "number of units lies on its closed form, well above the curve for CKA."
run.figure(drawn, "fig-linear-beta", alt, "Simulated: correlation of one regressed unit")

# %% [markdown]
# :::{glue:figure} fig-linear-beta
# :name: fig-linear-beta
#
# A unit's explained variance follows the Beta law. (a) $r^2$ for $m_a =$ {glue:text}`m_a` and $n =$ {glue:text}`n`. (b)
# The mean of $r$ and its closed form; the expected CKA of the same pair in grey.
# :::
#
# The distance between distribution functions is {glue:text}`beta_distance:.4f` (threshold
# {glue:text}`beta_threshold:.4f`); the mean of $r$ is off by at most {glue:text}`mean_r_error:.4f`. Panel (b) says how
# far the metrics "track one another", as the paper puts it: $r$ and CKA both rise with $m$, on different scales.

# %% [markdown]
# ## What to take away
#
# - RSA and linear CKA approach the cosine of the Gram matrices, at {glue:text}`largest` stimuli to
#   {glue:text}`b1_rsa_error:.4f` and {glue:text}`b2_cka_error:.4f` (B1, B2). Linear CKA and least squares are *equal*
#   to their formulas with the sample covariance (B3).
# - For unrelated projections with entries of mean 0 the mean cosine follows {eq}`eq-linear-ratio` to
#   {glue:text}`b4_expectation_error:.4f` and vanishes with $m/n$ (B4).
#
# Where we depart from the paper, and why:
#
# - The paper's proofs treat a limit in which the sample covariance is $I$. We keep the covariance, which turns theorems
#   3.2 and 3.3 into identities and says what correlated features do to given projections. That is not the limitation
#   that the paper names: it expects features that co-occur to make the *projections* of two networks correlated, and
#   whatever we derive from independent projections leaves that open. (An exercise of {ref}`ch-gaussian` takes a first
#   look.)
# - The paper's RSA leaves the responses as they are. For latents of mean 0 that has the same limit; we subtract each
#   unit's mean, so that the theorem holds for latents of any mean.
# - Its ratio of expectations is a good approximation; {prf:ref}`prop-linear-exact` gives the expectation itself.
# - Its footnote on entries with an arbitrary mean does not hold if it means scaling with $m/n$
#   ({prf:ref}`prop-linear-mean`).
# - "Vanishing" is about RSA, CKA and $R^2$. The correlation $r$ vanishes as well, but as $\sqrt{m/n}$.
# - Theorem 3.1 is about dot products and Pearson's correlation. With squared distances the limit also depends on the
#   fourth moments of the latents (last exercise), and with ranks on their whole distribution ({ref}`ch-fast-rsa`).
#
# **What changed our mind.** We expected these formulas to be good for many stimuli only. With the covariance of the
# sample in place of the identity, they are exact for linear CKA and regression at every number of stimuli. That number
# only decides how far the sample is from white.
#
# ## Exercises
#
# :::{exercise} Rotate, stretch, mix
# :label: ex-linear-invariance
#
# (Recall, easy, 5 minutes.) System a is replaced by (i) $QA$ with an orthogonal $Q$, (ii) $3A$, (iii) $TA$ with any
# invertible $T$. Which of CKA and $R^2(a\to b)$ stay the same, and which line of which proof says so?
# :::
#
# :::{dropdown} Hint
# Write down the Gram matrix $G$ and the row space of each replacement. CKA reads the first ({prf:ref}`thm-cka`),
# $R^2(a \to b)$ the second ({prf:ref}`thm-ols`).
# :::
#
# :::{solution-start} ex-linear-invariance
# :label: sol-linear-invariance
# :class: dropdown
# :::
#
# (i) $G$ does not change, so neither does anything. (ii) $G$ is multiplied by 9 and the cosine does not see it; the row
# space is the same. (iii) $G = A^\top T^\top TA$ is another matrix, so CKA changes in general; the row space is the
# same, so $R^2$ is too. The cell prints both scores for a and for the three replacements.

# %%
rotation = torch.linalg.qr(gaussian(m_a, m_a, generator))[0]
for replaced in [a, rotation @ a, 3 * a, gaussian(m_a, m_a, generator) @ a]:
    print(f"CKA {float(gram_cosine(replaced, b)):.4f}   R2 {float(ols_r2(replaced, b)):.4f}")

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Take the bias out
# :label: ex-linear-debiased
#
# (Rerun, medium, 10 minutes.) Compute the mean *signed* deviation of linear CKA from the cosine at the smallest number
# of stimuli, with the plain and with the {term}`debiased estimator <debiased CKA>` {cite:p}`song2012`
# (`linear_cka(..., debiased=True)`). What do you expect of each, and why does RSA need no such correction? Then change
# `stimuli` and `active` and look again.
# :::
#
# :::{dropdown} Hint
# In {eq}`eq-linear-cka` the same noise in $S$ stands in both arguments of the cosine: in which direction does that move
# it? `deviations(count, debiased=True)` returns the deviations of RSA and CKA with their sign.
# :::
#
# :::{solution-start} ex-linear-debiased
# :label: sol-linear-debiased
# :class: dropdown
# :::
#
# By {eq}`eq-linear-cka` plain CKA is the cosine of $A_S^\top A_S$ and $B_S^\top B_S$. The noise in $S$ is common to
# both, so it makes them more alike: the bias is upward, of order $n/M$. It sits in the diagonal of the similarity
# matrices, which the debiased estimator and RSA both leave out.

# %%
plain, debiased = (
    torch.stack([deviations(stimuli[0], debiased=flag)[1] for _ in range(4 * draws)]).cpu() for flag in (False, True)
)
rsa_too = torch.stack([deviations(stimuli[0])[0] for _ in range(4 * draws)]).cpu()
run.record(bias_plain=plain, bias_debiased=debiased, bias_rsa=rsa_too)

# %% [markdown]
# Plain: {glue:text}`bias_plain:.4f` $\pm$ {glue:text}`bias_plain_error:.4f`. Debiased: {glue:text}`bias_debiased:.4f`
# $\pm$ {glue:text}`bias_debiased_error:.4f`. RSA: {glue:text}`bias_rsa:.4f` $\pm$ {glue:text}`bias_rsa_error:.4f`.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Distances in the place of dot products
# :label: ex-linear-distances
#
# (Extend, hard, 30 minutes.) Let latents have independent entries of mean 0, variance 1 and kurtosis $\kappa_z$. Find
# the limit of RSA on squared Euclidean distances. When is it $\cos(G_A, G_B)$? Check it with the sparse latents of this
# chapter.
# :::
#
# :::{dropdown} Hint
# Write $D_{ij} = u_i + u_j - 2z_i^\top G_Az_j$ with $u_i = z_i^\top G_Az_i$, and ask which terms of $D$ and of $E$ have
# a covariance at all. The kurtosis enters by $\operatorname{cov}(u_i, v_i)$, $v_i$ being $u_i$ of the other system.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the kurtosis of an entry of this chapter's sparse latents
of_entry = 9 / (5 * active)
mistakes = {
    9 / 5: "That is the kurtosis while the entry is active: it is 0 most of the time.",
    of_entry - 3: "That is the excess over a Gaussian: add 3.",
    1 / active: "That leaves out that active values are spread, not all of one size.",
}
check(mine, right=of_entry, mistakes=mistakes, digits=1)

# %% [markdown]
# :::{solution-start} ex-linear-distances
# :label: sol-linear-distances
# :class: dropdown
# :::
#
# Use $D_{ij} = u_i + u_j - 2z_i^\top G_Az_j$ with $u_i = z_i^\top G_Az_i$. The last term has no covariance with the
# first two, since its mean given $z_i$ is 0. For independent entries
#
# $$
# \begin{aligned}
# \operatorname{cov}&(z^\top G_Az, z^\top G_Bz) \\
# &= 2\langle G_A, G_B\rangle + (\kappa_z - 3)\,g_A^\top g_B ,
# \end{aligned}
# $$
#
# with $g_A$ and $g_B$ the diagonals of the Gram matrices (the squared column norms). Each of $u_i$ and $u_j$
# contributes this once, the dot product $4\langle G_A, G_B\rangle$, so up to a factor 2
#
# $$
# \operatorname{cov}(D, E) \propto 4\langle G_A, G_B\rangle + (\kappa_z - 3)\,g_A^\top g_B .
# $$
#
# For Gaussian latents, $\kappa_z = 3$, the limit is the cosine again. Independent sparse latents have a large kurtosis
# (here $9/(5p)$), so the diagonals, which are positive and alike, gain weight: distance-based RSA is *higher* here, and
# depends on the sparsity of the latents as well as on the projections.


# %%
def distance_power(a, b):
    kurtosis = 9 / (5 * active)
    return 4 * (a @ b.mT).square().sum() + (kurtosis - 3) * (a.square().sum(0) * b.square().sum(0)).sum()


# %%
limit = distance_power(a, b) / (distance_power(a, a) * distance_power(b, b)).sqrt()
z_many = sparse_white(largest, n)
run.record(distance_rsa=float(rsa(z_many @ a.mT, z_many @ b.mT, "sqeuclidean")))
run.record(distance_limit=float(limit))

# %% [markdown]
# RSA on squared distances: {glue:text}`distance_rsa:.3f`; the limit above: {glue:text}`distance_limit:.3f`; the cosine
# of the Gram matrices of the same pair: {glue:text}`white_cosine:.3f`.
#
# Independence matters. In the paper's own latents ({ref}`ch-gaussian`) exactly $k$ of the features are active, and the
# law above does not apply. We score pairs of random projections to {glue:text}`topk_units` units of
# {glue:text}`topk_features` such features.

# %%
for k in topk_active:
    for draw in range(topk_draws):
        z = topk_uniform(topk_stimuli, topk_features, k, generator)
        y_a, y_b = (z @ x.mT for x in gaussian(topk_units, topk_features, generator, 2))
        scores = {kind: float(rsa(y_a, y_b, name)) for kind, name in {"dot": "dot", "distance": "sqeuclidean"}.items()}
        run.tabulate("distances", k=k, draw=draw, **scores)

# %% tags=["hide-input"]
run.record(topk_units=topk_units, topk_features=topk_features)
frame = pd.DataFrame(run.tables["distances"]).groupby("k").mean()
run.record(topk_dot_min=frame["dot"].min(), topk_dot_max=frame["dot"].max())
run.record(topk_distance_min=frame["distance"].min(), topk_distance_max=frame["distance"].max())

# %% [markdown]
# Over $k$ the mean RSA on dot products lies between {glue:text}`topk_dot_min:.3f` and {glue:text}`topk_dot_max:.3f`, on
# squared distances between {glue:text}`topk_distance_min:.3f` and {glue:text}`topk_distance_max:.3f`: *lower*, the
# reverse of what independent sparse latents do. So there is no rule without a word about the latents.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Change and rerun
#
# `make chapter NAME=03_linear_theory ARGS="-p draws 200"` repeats the convergence with more draws; `pairs` and
# `small_pairs` do the same for the random projections. Make `active` smaller for sparser latents (slower convergence,
# same limit), or set `entry_mean` to one half and watch the floor sink; below about a fifth the $m/n$ of
# {eq}`eq-linear-ratio` takes over. The {term}`profile` `paper` uses 200 draws, as the paper does, and larger sizes.

# %%
run.save(data="simulated: sparse signed latents, random projections")
