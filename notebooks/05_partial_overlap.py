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
# (ch-overlap)=
# # Partial overlap
#
# Two networks are each compared with a third. One shares only part of its features, the other shares all of them. Can
# the one that shares less look *more* alike?
#
# **In short.** In {term}`CKA` it can, if it is compressed less: with {glue:text}`main_overlap` of the features in
# common and as many units as features a pair scores {glue:text}`cka_partial:.2f`, with all of them in far fewer units
# {glue:text}`cka_full:.2f`. A formula says at how many units the order turns. Regression ranks the pairs rightly, on
# average, if it predicts the network whose number of units varies; if it predicts *from* that network, it does not.
#
# :::{glue:figure} fig-overlap-inversion
# :name: fig-overlap-inversion
#
# Every pair that shares less climbs past the pair that shares everything in {glue:text}`m_0` units (dashed), given
# enough units (corresponds to figure 3 of {cite:t}`liu2026`). Lines: {prf:ref}`prop-overlap-factor`. Markers: mean
# over {glue:text}`figure_draws` draws, one for each active fraction of the features; they coincide. Grey: where
# sparsity does matter, the units $\delta^*$ from which b's features can be read back.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - where a pair that shares less overtakes a pair that shares everything;
# - in which direction of regression that cannot happen;
# - how far a score splits into sharing and compression.
#
# **What the paper claims.** Section 4.2, appendix D.2 and figure 3 of {cite:t}`liu2026`, by simulation of linear CKA:
#
# | claim | in our words |
# |---|---|
# | B7 | rank inversion: a pair that shares less, with more units, can score above a pair that shares all, with fewer |
#
# The paper finds sharing and compression hard to disentangle and turns to simulation. In the mean over random
# projections they come apart completely: first we derive the expected score and where the order inverts, then test
# both on stimuli. And we ask what the paper does not: does a single draw show the inversion, and does regression?
# ::::

# %% [markdown]
# ## The idea
#
# System a has $n_a$ features, system b has $n_b$, and $n_s$ of them are shared, so there are $n_a + n_b - n_s$ features
# in all. The *overlap* is $\rho = n_s / \sqrt{n_a n_b}$, as in the paper. The systems have $m_a$ and $m_b$ units and
# respond with $A z$ and $B z$ to the vector $z$ of all features. If only b has a feature, a's column for it is zero,
# and vice versa; the remaining entries are random. With fewer units than features a system is in
# {term}`superposition`.
#
# As stimuli grow in number, RSA and linear CKA tend to the cosine of the Gram matrices $G_A = A^\top A$ and $G_B$
# ({prf:ref}`thm-rsa`, {prf:ref}`thm-cka`), and least squares projects on the row space of $A$ ({prf:ref}`thm-ols`).
# {ref}`ch-linear` found what both give on average over random projections, by an argument from symmetry. It works for
# features that only one system has, too, if we apply it to each system's own.

# %% [markdown]
# ## Content times compression
#
# ````{prf:proposition} The expected score factorises (ours)
# :label: prop-overlap-factor
#
# Let features be {term}`white` (mean 0, covariance the identity), and let the entries of $A$ and $B$ on their own
# features be independent, each projection's from one distribution symmetric about 0, and not all 0. With
# the {term}`participation ratio` $d(A) = (\operatorname{tr} G_A)^2/|G_A|^2$,
#
# $$
# \begin{aligned}
# \mathrm{E}\cos(G_A, G_B) = {}& \underbrace{\rho}_{\text{content}} \\
# &\times
# \underbrace{\frac{\mathrm{E}\sqrt{d(A)}\,\mathrm{E}\sqrt{d(B)}}{\sqrt{n_an_b}}}_{\text{compression}} ,
# \end{aligned}
# $$
#
# where the second factor does not depend on $n_s$. As a ratio of expectations, for entries of {term}`kurtosis`
# $\kappa$, it is a discount $g$ for each system:
#
# $$
# \begin{aligned}
# \mathrm E\,\mathrm{CKA} &\approx \rho \; g(n_a, m_a)\; g(n_b, m_b) , \\
# g(n, m) &= \sqrt{\frac{m}{n + m + \kappa - 2}} .
# \end{aligned}
# $$
#
# For regression, if $A$ has full row rank, $\mathrm{E}\,R^2(a\to b) = n_sm_a/(n_an_b)$, for any $m_b$ and $\kappa$.
# ````
#
# ````{prf:proof}
# The symmetries in the proof of {prf:ref}`prop-linear-exact`, used within a's own features and within b's, give
# $\mathrm{E}\,G_A/|G_A| = \frac1{n_a}\mathrm{E}\sqrt{d(A)}\;I_a$, with $I_a$ the diagonal matrix that is 1 on a's
# features and 0 elsewhere, and likewise for b. By independence the mean cosine is the inner product of the two
# expectations, and $\langle I_a, I_b\rangle = n_s$. For the ratio form, $\mathrm{E}\langle G_A, G_B\rangle$ is
# $m_am_b\langle I_a, I_b\rangle = n_sm_am_b$, and each norm is that of {prf:ref}`prop-linear-moments` with the system's
# own number of features.
#
# For regression the same symmetries hold for the projection $P_A$ on the row space (with $A$ replaced by $AD$, $D$ a
# sign flip or a permutation of a's features, $P_A$ becomes $D^\top P_AD$), so $\mathrm{E}\,P_A = \frac{m_a}{n_a}I_a$,
# and $\mathrm{E}\,G_B/\operatorname{tr}G_B = \frac1{n_b}I_b$. Their inner product is $n_sm_a/(n_an_b)$.
# ````
#
# In words: take the share of features in common, then discount it for the compression of a and again for that of b. The
# score is only the product, so it cannot tell little in common from much in common, tightly packed.

# %%
import numpy as np
import torch

from lib import theory
from lib.chapter.plotting import COLOURS, INK, Slider, SliderFigure, k_styles, log_ticks, panels
from lib.chapter.run import Run
from lib.features import seeded, topk_uniform
from lib.geometry import linear_cka
from lib.projections import gaussian, overlap_masks, signs

# %% [markdown]
# The overlaps ($0.7$ to 1) and the active fractions are the paper's; numbers of features, units and stimuli are ours
# ({ref}`gaussian-settings`). Parameters from `fraction` on are for the close look at the crossing, the last three for
# the check of the proposition.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
n_f: int = 128  # features of each system
m_a: int = 96  # units of system a
m_0: int = 8  # units of b in the fully shared pair, the main reference, one of every list of units below
fractions: list[float] = [0.05, 0.1, 0.15, 0.2]  # active share of all features
overlaps: list[float] = [0.7, 0.8, 0.9, 1.0]  # shared share of the features of a system, rising to 1
stimuli: int = 5000  # stimuli of the simulated figure
figure_units: list[int] = [8, 16, 32, 64, 128]  # units m_b of the simulated figure, rising
figure_draws: int = 8  # pairs of projections of the simulated figure
batch: int = 4  # pairs of projections computed at once, more is faster on a GPU
fraction: float = 0.1  # active share of all features in everything after the main figure
references: list[int] = [8, 16, 32]  # reference units m_0 whose crossing is tested
systems_a: list[int] = [48, 96]  # units m_a for which the crossing is tested, the one above among them
units: list[int] = [4, 6, 8, 10, 13, 16, 20, 26, 32, 44, 64, 90, 128]  # units m_b of the fine curves, rising to n_f
draws: int = 300  # pairs of projections of the fine curves
covariance_stimuli: int = 20000  # stimuli whose covariance the fine curves use
regression_draws: int = 60  # pairs of projections scored by regression
slider_overlaps: list[float] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]  # overlaps of the interactive figure
slider_references: list[int] = [4, 8, 16, 26, 44, 64]  # reference units m_0 of the interactive figure
unlike_features: list[int] = [64, 48]  # features of a and of b where the closed forms are checked
unlike_units: list[int] = [12, 20]  # units of a and of b there
unlike_draws: int = 200  # pairs of projections there

# %%
run = Run("05_partial_overlap", globals())
generator = seeded(seed, run.device)
main_overlap = overlaps[-2]

run.record(n_f=n_f, m_a=m_a, m_0=m_0, main_overlap=main_overlap, fraction=fraction)
run.record(draws=draws, figure_draws=figure_draws)

# %% [markdown]
# **The check.** We take systems of unlike sizes and sweep the overlap from none to all that the smaller one has, with
# Gaussian entries ($\kappa = 3$) and entries $\pm1$ ($\kappa = 1$). Mean CKA and $R^2$ should both stay within one
# hundredth of the closed forms.

# %%
entries = {3: gaussian, 1: signs}
(n_a, n_b), own = unlike_features, seeded(seed + 1, run.device)
shared = [min(n_a, n_b) * step // 4 for step in range(5)]


def unlike(draw, n_s):
    """Cosine and R2 of systems of unlike sizes that share n_s features: (metrics, draws)."""
    masks = [mask.to(run.device) for mask in overlap_masks(n_a, n_b, n_s)]
    a, b = (draw(m, len(mask), own, unlike_draws) * mask for m, mask in zip(unlike_units, masks, strict=True))
    return torch.stack([theory.gram_cosine(a, b), theory.ols_r2(a, b)]).cpu()


# %%
def closed_forms(kappa, n_s):
    """What the proposition says of both."""
    cka = theory.expected_cka(n_a, *unlike_units, kappa, n_b, n_s)
    return torch.tensor([cka, theory.expected_r2(n_a, unlike_units[0], n_b, n_s)])


scores = {kappa: torch.stack([unlike(draw, n_s) for n_s in shared]) for kappa, draw in entries.items()}
stated = {kappa: torch.stack([closed_forms(kappa, n_s) for n_s in shared]) for kappa in entries}
run.record(overlap_error_max=max((scores[kappa].mean(2) - stated[kappa]).abs().max() for kappa in entries))

# %% tags=["hide-input", "remove-output"]
drawn = panels(2)
for metric, (ax, name) in enumerate(zip(drawn, ["CKA", "R² of a to b"], strict=True)):
    ax.plot(shared, stated[3][:, metric], color=COLOURS["grey"], label="closed form")
    for kappa, style in zip(entries, k_styles(entries), strict=True):
        values, beside = scores[kappa][:, metric], [n_s + (kappa == 1) for n_s in shared]
        error = values.std(1) / unlike_draws**0.5
        ax.errorbar(beside, values.mean(1), error, label=f"kurtosis {kappa}", ls="", **style)
    ax.set(xlabel=f"shared features ($n_a$ = {n_a}, $n_b$ = {n_b})", ylabel=f"mean {name}")
    ax.legend()
alt = "Mean CKA and mean R2 against the number of shared features: both are straight lines through the origin."
run.figure(drawn, "fig-overlap-content", alt, "Simulated: partial overlap of features")

# %% [markdown]
# :::{glue:figure} fig-overlap-content
# :name: fig-overlap-content
#
# Mean alignment is proportional to the number of shared features. (a) Linear CKA in its limit, (b) $R^2$ of b regressed
# on a. Lines: the closed forms for $\kappa = 3$; dots: simulated means with standard errors (moved sideways for
# $\kappa = 1$). Largest deviation, both metrics and kinds of entry: {glue:text}`overlap_error_max:.4f`.
# :::

# %% [markdown]
# ## When the pair that shares less overtakes
#
# A product can be large because of either factor. So content can be traded against compression, and the formula says
# when.
#
# ````{prf:proposition} Where the order inverts (ours)
# :label: prop-overlap-crossing
#
# Let all systems have $n_f$ features. Pair 1 shares all of them and its system b has $m_0$ units. Pair 2 has
# {term}`overlap` $\rho$ and $m_b$ units. Both have the same $m_a$. In the ratio form of
# {prf:ref}`prop-overlap-factor`, let $t = m_0 / (n_f + m_0 + \kappa - 2)$. If $\rho^2 > t$, pair 2 reaches the expected
# CKA of pair 1 exactly at
#
# $$
# m_b^* = \frac{t\,(n_f + \kappa - 2)}{\rho^2 - t}
# $$ (eq-overlap-crossing)
#
# and exceeds it for every larger $m_b$, whatever $m_a$ is. If $\rho^2 \le t$, it never does.
# ````
#
# ````{prf:proof}
# The factor of system a is in both scores and cancels. What is left, squared, is
# $\rho^2 m_b / (n_f + m_b + \kappa - 2)$ against $t$. The left side rises strictly in $m_b$ from 0 towards $\rho^2$
# (for $n_f + \kappa > 2$). It therefore takes the value $t$ once if $\rho^2 > t$, at the solution of
# $\rho^2m_b = t(n_f + \kappa - 2) + t\,m_b$, and never otherwise.
# ````
#
# If the fully shared pair, our *reference*, is strongly compressed, $m_0 \ll n_f$, the partial pair overtakes at about
# $m_0 / \rho^2$ units. With nine tenths of the features in common, about a quarter more units are enough.
#
# The effect is the paper's. Notice what the formula does not contain: the number $k$ of features active at a time, the
# number of stimuli, and the size of system a.
#
# The algebra is checked first: at $m_b^*$ both pairs must have the same expected CKA, for every overlap, reference and
# $m_a$ of this chapter. Entries are Gaussian from here on.


# %%
def predicted(overlap, reference):
    """The crossing of the proposition, for the overlap in whole features."""
    return theory.crossing_units(n_f, round(overlap * n_f) / n_f, reference)


def expected(overlap, m_a, m_b):
    return theory.expected_cka(n_f, m_a, m_b, n_s=round(overlap * n_f))


# %%
partial = [o for o in overlaps if o < 1]
cases = [(o, m, system) for system in systems_a for o in partial for m in references if np.isfinite(predicted(o, m))]
differences = [expected(o, system, predicted(o, m)) - expected(1, system, m) for o, m, system in cases]
run.record(crossing_algebra_error=max(map(abs, differences)), crossing_first=predicted(main_overlap, m_0))

# %% [markdown]
# They differ by at most {glue:text}`crossing_algebra_error:.0e`.
#
# In the main comparison the partial pair has the overlap {glue:text}`main_overlap` and as many units in b as features;
# the fully shared pair has {glue:text}`m_0` units in b. The partial pair should draw level at
# {glue:text}`crossing_first:.1f` units, so it ends far beyond. The product predicts both scores.


# %%
def squeeze(m):
    """The factor g(n_f, m) by which compression to m units discounts the score."""
    return (m / (n_f + m + 1)) ** 0.5


run.record(g_a=squeeze(m_a), g_many=squeeze(n_f), g_few=squeeze(m_0))
run.record(cka_guess=main_overlap * squeeze(m_a) * squeeze(n_f), cka_full_guess=squeeze(m_a) * squeeze(m_0))

# %% [markdown]
# | pair | shared | discount of a | discount of b | product |
# |---|---|---|---|---|
# | partial | {glue:text}`main_overlap` | {glue:text}`g_a:.3f` | {glue:text}`g_many:.3f` | {glue:text}`cka_guess:.3f` |
# | all shared | 1 | {glue:text}`g_a:.3f` | {glue:text}`g_few:.3f` | {glue:text}`cka_full_guess:.3f` |
#
# Content differs by the factor {glue:text}`main_overlap`, compression by the ratio of the two discounts of b, and
# that is the larger difference.
#
# ## Features and projections
#
# The features are the {term}`sparse` ones of {ref}`ch-gaussian`: uniform numbers of which the $k$ largest are kept. As
# in the paper, $k$ is a fraction of the features of both systems together.


# %%
def draw_latents(overlap, fraction, stimuli):
    """Stimuli over all features of both systems."""
    total = 2 * n_f - round(overlap * n_f)
    return topk_uniform(stimuli, total, round(fraction * total), generator)


# %% [markdown]
# Projections are drawn once for $n_f$ features and then *laid out* for each overlap, so that a shared feature keeps its
# two columns at every overlap. The paper draws new masked matrices each time. The distribution is the same, but here
# pairs with different overlap share their luck, and differences between them need far fewer draws.


# %%
def lay_out(a, b, overlap):
    """Column-masked projections of all features from `a, b: (..., units, n_f)`."""
    n_s = round(overlap * n_f)
    wide = []
    for x, mask in zip((a, b.roll(n_s - n_f, -1)), overlap_masks(n_f, n_f, n_s), strict=True):
        whole = x.new_zeros(*x.shape[:-1], len(mask))
        whole[..., mask.to(x.device)] = x
        wide.append(whole)
    return wide


# %% [markdown]
# A check before we use it: features that only the other system has must be invisible.

# %%
n_s = round(main_overlap * n_f)
wide_a, wide_b = lay_out(*(gaussian(3, n_f, generator) for _ in "ab"), main_overlap)
assert (wide_a[:, n_f:] == 0).all() and (wide_b[:, : n_f - n_s] == 0).all()

# %% [markdown]
# Can the systems keep their features? By {term}`compressed sensing` that takes well over $m_{CS} = k \log(n/k)$ units,
# with $n$ a system's own features and $k$ those of them that are active. Sharper than $m_{CS}$ is $\delta^*$, the
# number of units around which {term}`basis pursuit` with a known Gaussian projection sets in
# ({prf:ref}`thm-superposition-transition`).

# %% tags=["hide-input"]
densest = round(fractions[-1] * n_f)
run.record(densest_k=densest, densest_m_cs=theory.compressed_sensing_units(n_f, densest))
for share in fractions:
    k = round(share * n_f)
    needed = {"m_cs": theory.compressed_sensing_units(n_f, k), "recovery": theory.recovery_units(n_f, k)}
    run.tabulate(
        "regimes", fraction=share, k=k, above=m_a - needed["recovery"], short=needed["recovery"] - m_0, **needed
    )
run.tell(recovery_first="min(regimes.recovery)", recovery_last="max(regimes.recovery)")
run.tell(m_cs_first="min(regimes.m_cs)", a_spare="min(regimes.above)", reference_short="min(regimes.short)")

# %% [markdown]
# From the sparsest fraction to the densest, with about {glue:text}`densest_k` active features of a, $m_{CS}$ goes from
# {glue:text}`m_cs_first:.1f` to {glue:text}`densest_m_cs:.1f` and $\delta^*$ from {glue:text}`recovery_first:.1f` to
# {glue:text}`recovery_last:.1f`. System a, with {glue:text}`m_a` units, has at least {glue:text}`a_spare:.1f` more than
# $\delta^*$; the reference's system b, with {glue:text}`m_0`, at least {glue:text}`reference_short:.1f` too few.
#
# ## The inversion, simulated
#
# The metric is linear CKA on stimuli, {term}`debiased <debiased CKA>` since their number is moderate. One set of
# stimuli is drawn for each overlap and active fraction, and every pair of projections answers to all of them. A curve
# over $m_b$ shows one system b that is given more and more units.

# %%
figure_a = gaussian(m_a, n_f, generator, figure_draws)
figure_b = gaussian(figure_units[-1], n_f, generator, figure_draws)


# %%
def simulated_cka(overlap, fraction):
    """Debiased CKA on stimuli for each m_b and draw: (units, draws)."""
    z = draw_latents(overlap, fraction, stimuli)
    rows = []
    for pair in zip(figure_a.split(batch), figure_b.split(batch), strict=True):
        y_a, y_b = (z @ x.mT for x in lay_out(*pair, overlap))
        rows.append(torch.stack([linear_cka(y_a, y_b[..., :m].contiguous(), debiased=True) for m in figure_units]))
    return torch.cat(rows, 1).cpu()


# %%
simulated = torch.stack([torch.stack([simulated_cka(o, f) for o in overlaps]) for f in fractions])
closed = torch.tensor([[round(o * n_f) / n_f * squeeze(m_a) * squeeze(m) for m in figure_units] for o in overlaps])
run.record(overlap_rms=(simulated.mean(-1) - closed).square().mean().sqrt())

# %% [markdown]
# The mean over draws lies within {glue:text}`overlap_rms:.4f` (rms) of {prf:ref}`prop-overlap-factor`. Between active
# fractions no mean over draws differs by more than {glue:text}`fraction_spread:.4f`.

# %% tags=["hide-input"]
means = simulated.mean(-1)
run.record(fraction_spread=(means.amax(0) - means.amin(0)).max(), fractions=len(fractions))


# %% tags=["hide-input"]
def log_axis(ax, ticks, **settings):
    """Make x a logarithmic axis of the units of b with these ticks."""
    log_ticks(ax, ticks)
    ax.set(xlabel="units of b", **settings)


# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.6, height=3.1)
few, level = run.ask("min(regimes.recovery)"), float(means[:, -1, figure_units.index(m_0)].mean())
ax.axvspan(few, run.ask("max(regimes.recovery)"), color=COLOURS["grey"], alpha=0.2, lw=0)
for i, (overlap, line, style) in enumerate(zip(overlaps, closed, k_styles(overlaps), strict=True)):
    ax.plot(figure_units, line, color=style["color"], lw=1.2)
    ax.plot(figure_units, means[:, i].T, ls="", **style)
    name = f"{overlap:g} shared" if overlap < 1 else "all shared"
    ax.text(1.12 * figure_units[-1], line[-1], name, color=style["color"], va="center")
ax.axhline(level, ls="--", color=INK, lw=1)
ax.text(figure_units[-1], 0.9 * level, f"all shared, {m_0} units", ha="right", va="top")
log_axis(ax, figure_units, ylabel="linear CKA", ylim=(0, None), xlim=(None, 2.2 * figure_units[-1]))
ax.text(few, ax.get_ylim()[1], " δ* of b", va="top")

# %% tags=["hide-input", "remove-output"]
alt = """Linear CKA against the units of system b, logarithmic, one rising curve per overlap, higher for higher overlap.
A dashed line marks the fully shared pair at its fewest units; all curves of partial overlap start below it and rise
above it as units are added. Markers for all active fractions lie on the curves, also within a grey band, where b
becomes able to keep its features."""
run.figure([ax], "fig-overlap-inversion", alt, title="Simulated: less shared, yet more similar")

# %% [markdown]
# {numref}`fig-overlap-inversion`, at the top of the chapter, shows these means. At one $m_b$ the order of the curves is
# the order of the overlap. The inversion appears when pairs with *different* $m_b$ are compared, as they are whenever
# two networks of different width are ranked by their similarity to a third. Left of the grey band b has fewer units
# than $\delta^*$ at every active fraction, right of it more at every one; the curves pass through without a bend.

# %% [markdown]
# Does the inversion need a reference that has lost its features? For the sparsest features we take as reference the
# fully shared pair with the fewest units above $\delta^*$, and as its rival the pair with overlap
# {glue:text}`main_overlap` and the most units.

# %% tags=["hide-input"]
kept = next(i for i, m in enumerate(figure_units) if m > min(run.ask("min(regimes.recovery)"), figure_units[-1] - 1))
run.record(kept_reference=figure_units[kept], kept_margin=simulated[0, -2, -1] - simulated[0, -1, kept])

# %% [markdown]
# Against a reference of {glue:text}`kept_reference` units the rival is ahead by {glue:text}`kept_margin:.3f` ±
# {glue:text}`kept_margin_error:.3f`: the order inverts among systems with more units than $\delta^*$, too. (Recovery
# itself was not tried here.)

# %% [markdown]
# ## Where the curves cross
#
# Means of {glue:text}`figure_draws` draws are too coarse to test a formula. By {prf:ref}`prop-linear-covariance`, plain
# CKA on stimuli *equals* the cosine of the Gram matrices, taken with the stimuli's own covariance. We check this once
# for masked projections, then leave the stimuli out: {term}`Gram cosines <Gram cosine>` cost little.

# %%
z = draw_latents(main_overlap, fraction, stimuli)
pair = lay_out(figure_a, figure_b, main_overlap)
on_stimuli = linear_cka(*(z @ x.mT for x in pair))
run.record(gram_rounding=(on_stimuli - theory.gram_cosine(*pair, torch.cov(z.T))).abs().max())

# %% [markdown]
# The largest difference is {glue:text}`gram_rounding:.0e`. From here on, "simulated" means Gram cosines with the
# covariance of drawn stimuli, at the active fraction {glue:text}`fraction`. The covariance is taken from more stimuli
# than above: a finite sample adds a little correlation between features that are nearly unrelated, and a partial pair
# has more of those.

# %%
fine_a = gaussian(max(systems_a), n_f, generator, draws)
fine_b = gaussian(units[-1], n_f, generator, draws)

# %%
roots = {o: theory.matrix_root(torch.cov(draw_latents(o, fraction, covariance_stimuli).T)) for o in slider_overlaps}


def whitened(units_a, overlap):
    """Projections times the root of the latents' covariance, ready for Gram cosines and regression."""
    return [x @ roots[overlap] for x in lay_out(fine_a[:, :units_a], fine_b, overlap)]


# %% [markdown]
# The crossings, the sliders and the single draws below are read from one table of cosines for each overlap.


# %%
def cosine_table(units_a, overlap):
    """Simulated CKA for each m_b and draw."""
    a, b = whitened(units_a, overlap)
    return torch.stack([theory.gram_cosine(a, b[:, :m]) for m in units]).cpu()


# %%
tables = {m_a: {o: cosine_table(m_a, o) for o in slider_overlaps}}
for other in set(systems_a) - {m_a}:
    tables[other] = {o: cosine_table(other, o) for o in overlaps}

# %% [markdown]
# First the size of the effect in the main comparison. If content decided, the difference would be negative.

# %% tags=["hide-input"]
row = {m: i for i, m in enumerate(units)}
gain = tables[m_a][main_overlap][row[n_f]] - tables[m_a][1.0][row[m_0]]
run.record(b7_margin=gain.mean(), b7_margin_error=gain.std() / draws**0.5)
run.record(cka_partial=tables[m_a][main_overlap][row[n_f]].mean(), cka_full=tables[m_a][1.0][row[m_0]].mean())

# %% [markdown]
# The pair that shares less scores {glue:text}`cka_partial:.3f`, the pair that shares everything
# {glue:text}`cka_full:.3f`: a margin of {glue:text}`b7_margin:.3f`, standard error {glue:text}`b7_margin_error:.4f`.
#
# That is the paper's point in one number, and the products in the table above predicted it without any simulation.
#
# Now the crossing, interpolated between the values of $m_b$ on logarithmic axes. The tolerance was fixed beforehand:
# the simulated and the predicted $m_b^*$ should agree within 3 parts in 100, for every combination of reference,
# overlap and $m_a$ whose predicted crossing lies within the table.


# %%
def crossing(table, level):
    """Units m_b at which the mean curve reaches the level; infinite if it never does."""
    curve = table.mean(1).log()
    found = float(np.exp(np.interp(np.log(level), curve, np.log(units))))
    return found if np.log(level) <= curve[-1] else float("inf")


# %%
tested = [(o, m, system) for system in systems_a for o in partial for m in references if predicted(o, m) < n_f]
found = [crossing(tables[system][o], float(tables[system][1.0][row[m]].mean())) for o, m, system in tested]
relative = torch.tensor([x / predicted(o, m) - 1 for x, (o, m, _) in zip(found, tested, strict=True)])
run.record(b7_crossing_error=relative.abs().max(), crossings=len(tested), crossing_bias=relative.mean())

# %% [markdown]
# Over {glue:text}`crossings` combinations the largest relative error is {glue:text}`b7_crossing_error:.3f` and the mean
# {glue:text}`crossing_bias:.4f`.
#
# Does $m_a$ matter? In the formula it cancels, because a discount that both pairs suffer cannot change their order. One
# might hope otherwise: that a system a with many units would see through the compression of the others.

# %% tags=["hide-input"]
by_system = torch.tensor(found).reshape(len(systems_a), -1)
run.record(system_spread=(by_system.amax(0) / by_system.amin(0) - 1).max())

# %% [markdown]
# Between the sizes of system a the crossings differ by at most a relative {glue:text}`system_spread:.3f`: more units in
# system a do not protect the ranking.


# %% tags=["hide-input"]
def draw_reference(ax, m, style):
    """Predicted crossing over the overlap for one reference, and the simulated crossings for each system a."""
    grid = np.linspace(0.3, 1, 200)
    ax.plot(grid, [theory.crossing_units(n_f, o, m) for o in grid], color=style["color"], lw=1.2)
    ax.text(1.01, m, f"$m_0$ = {m}", color=style["color"], va="center")
    for system in systems_a:
        points = [(o, x) for (o, r, s), x in zip(tested, found, strict=True) if (r, s) == (m, system)]
        looks = {"ms": 4} if system == m_a else {"ms": 8, "mfc": "none"}
        ax.plot(*zip(*points, strict=True), ls="", **looks, **style)


# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.2)
for m, style in zip(references, k_styles(references), strict=True):
    draw_reference(ax, m, style)
ax.axhline(n_f, ls=":", color=COLOURS["grey"], lw=1.2)
ax.set(yscale="log", xlabel="overlap", ylabel="units of b at the crossing", xlim=(0.3, 1.16), ylim=(6, 600))
ax.set(yticks=(8, 32, 128, 512), yticklabels=(8, 32, 128, 512), xticks=(0.4, 0.6, 0.8, 1.0))
ax.minorticks_off()
alt = """Units of system b at the crossing, logarithmic, against the overlap, one falling curve per reference. At
overlap one each curve equals its reference; towards low overlap it grows and becomes infinite. Simulated crossings for
two sizes of system a lie on the curves."""
run.figure([ax], "fig-overlap-crossing", alt, title="Simulated crossings and the formula")

# %% [markdown]
# :::{glue:figure} fig-overlap-crossing
# :name: fig-overlap-crossing
#
# The formula of {prf:ref}`prop-overlap-crossing` (lines) predicts where the partial pair overtakes; simulated crossings
# lie within a relative {glue:text}`b7_crossing_error:.3f` of it, for {glue:text}`m_a` units in system a (filled) and
# for the other choice (open). Where a line goes to infinity, $\rho^2 = t$. Dotted: as many units as features.
# :::

# %% [markdown]
# ## Where there is no inversion
#
# The trade has a limit. However many units b has, missing content keeps the score below $\rho$ times the factor of
# system a. We take the lowest overlap of the tables and the largest reference, and let b grow to four times as many
# units as features.

# %%
low, high = slider_overlaps[0], slider_references[-1]
grown = gaussian(4 * n_f, n_f, generator, 20)
a, b = (x @ roots[low] for x in lay_out(fine_a[:20, :m_a], grown, low))
shortfall = theory.gram_cosine(a, b).cpu().mean() - tables[m_a][1.0][row[high]].mean()
run.record(low=low, low_squared=low**2, high=high, high_t=high / (n_f + high + 1))
run.record(shortfall=shortfall, below=-shortfall)

# %% [markdown]
# With overlap {glue:text}`low` and reference {glue:text}`high`, $\rho^2$ = {glue:text}`low_squared:.3f` and $t$ =
# {glue:text}`high_t:.3f`. Even with four times as many units as features the partial pair stays
# {glue:text}`below:.3f` below: content wins.

# %% [markdown]
# ## Try it
#
# Before you move a slider, guess in which direction the crossing will go.


# %% tags=["hide-input"]
def slider_state(overlap, m_0):
    """Curve, reference, crossing and a sentence for one position of the sliders."""
    table, level = tables[m_a][overlap], float(tables[m_a][1.0][row[m_0]].mean())
    at, formula = crossing(table, level), predicted(overlap, m_0)
    lines = {"curve": (units, table.mean(1).tolist()), "reference": ([units[0], n_f], [level] * 2)}
    lines["crossing"] = ([at if at <= n_f else 1e6] * 2, [0, level])
    if at <= n_f:
        sentence = f"Overtakes at {at:.1f} units of b; the formula says {formula:.1f}."
    else:
        sentence = f"Does not overtake with up to {n_f} units of b; the formula says "
        sentence += f"{formula:.0f}." if np.isfinite(formula) else "never."
    return lines | {"sentence": sentence if overlap < 1 else f"All shared: equal at {m_0} units, no inversion."}


# %% tags=["hide-input", "remove-output"]
first = slider_state(main_overlap, m_0)
(ax,) = panels(1, width=4.2, height=3.0)
ax.plot(*first["curve"], color=COLOURS["blue"], lw=2, gid="curve", label="pair with this overlap")
ax.plot(*first["reference"], "--", color=COLOURS["red"], gid="reference", label="all shared, $m_0$ units")
ax.plot(*first["crossing"], ":", color=INK, gid="crossing", label="crossing")
log_axis(ax, (4, 8, 16, 32, 64, 128), ylabel="linear CKA", ylim=(0, 0.56))
ax.legend(loc="upper left")

# %% tags=["hide-input", "remove-output"]
name = "fig-overlap-slider"
alt = """Linear CKA of a pair with the chosen overlap against the units of b, a dashed reference line for the fully
shared pair, and a dotted line where they cross. A sentence below says where."""
knobs = {
    "overlap": Slider(slider_overlaps, "overlap", slider_overlaps.index(main_overlap)),
    "m_0": Slider(slider_references, "units of the fully shared pair", slider_references.index(m_0)),
}
title = "Simulated: move the overlap and the compression of the reference"
run.figure(SliderFigure(ax, name, alt, knobs, slider_state, title), name)

# %% [markdown]
# :::{glue:figure} fig-overlap-slider
# :name: fig-overlap-slider
#
# Less overlap lowers the whole curve, a less compressed reference raises the dashed line; both move the crossing
# (dotted) to the right, until there is none. Means over {glue:text}`draws` draws. (On paper, and without JavaScript:
# overlap {glue:text}`main_overlap`, reference {glue:text}`m_0` units.)
# :::

# %% [markdown]
# ## Is it only the mean?
#
# A user of a metric has one pair of each kind. How often does one partial pair beat one fully shared pair, both drawn
# at random? Each draw of the partial pair meets every *other* draw of the fully shared one, so that no luck is shared.


# %%
def inversion_probability(reference):
    """Share of independent pairs of draws in which the partial pair scores higher, for each m_b."""
    full, part = tables[m_a][1.0][row[reference]], tables[m_a][main_overlap]
    higher = (part[:, :, None] > full).double()
    return (higher.sum((1, 2)) - higher.diagonal(dim1=1, dim2=2).sum(1)) / (draws * (draws - 1))


probabilities = {m: inversion_probability(m) for m in references}
run.record(b7_probability_at_full=probabilities[m_0][row[n_f]], probability_same=probabilities[m_0][row[m_0]])

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.2)
for m, style in zip(references, k_styles(references), strict=True):
    ax.plot(units, probabilities[m], label=f"$m_0$ = {m}", **style)
    ax.axvline(predicted(main_overlap, m), ls=":", color=style["color"], lw=1.2)
ax.axhline(0.5, color=COLOURS["grey"], lw=0.8)
log_axis(ax, (4, 8, 16, 32, 64, 128), ylabel="share inverted")
ax.legend(loc="lower right")
alt = """Share of single comparisons in which the partial pair scores higher, against its units of b, logarithmic. One
curve per reference climbs from near zero to near one and passes one half close to the predicted crossing."""
run.figure([ax], "fig-overlap-probability", alt, title=f"Simulated: single draws, overlap {main_overlap:g}")

# %% [markdown]
# :::{glue:figure} fig-overlap-probability
# :name: fig-overlap-probability
#
# Single draws invert too. The share passes one half near the predicted crossing (dotted) and climbs quickly: with as
# many units as features it is {glue:text}`b7_probability_at_full:.4f` against a reference of {glue:text}`m_0` units. At
# *equal* units the partial pair still wins a share of {glue:text}`probability_same:.3f`, by luck alone.
# :::
#
# The curves are steep because single scores hardly scatter: a cosine of Gram matrices averages over all pairs of units,
# and even ten units have many pairs. A metric with so little noise looks trustworthy, and for the question it answers
# it is. Here it is precise about the wrong thing.

# %% [markdown]
# ## Regression: one direction is safe
#
# The paper says that the other metrics behave like CKA. For {term}`linear regression <OLS>`, scored by {term}`explained
# variance` $R^2$, that holds in one direction only. With $n_f$ features in each system {prf:ref}`prop-overlap-factor`
# says
#
# $$
# \begin{aligned}
# \mathrm E R^2(a \to b) &= \rho\, m_a / n_f , \\
# \mathrm E R^2(b \to a) &= \rho\, m_b / n_f .
# \end{aligned}
# $$ (eq-overlap-r2)
#
# Predicting b from a, $m_b$ does not appear: with $m_a$ fixed, the pair with less overlap always has the lower
# expectation. Predicting a from b, $m_b$ counts the predictors. A fully shared pair with $m_0$ units has $m_0 / n_f$,
# and the partial pair overtakes at
#
# $$
# m_b^* = m_0 / \rho ,
# $$ (eq-overlap-r2-crossing)
#
# which is *earlier* than for CKA. (The first exercise shows that it always is.)
#
# The asymmetry has a plain reason. Least squares can undo any invertible mixing of its predictors, so only the
# dimension of the space that they span matters. The targets are averaged over, so their number does not.
#
# We simulate both directions with the closed form of {prf:ref}`thm-ols` (claim B3) and the covariance of the stimuli.


# %%
def r2_forward(overlap):
    """R2 of a to b for each m_b and draw, by running sums over the units of b."""
    a, b = (x[:regression_draws] for x in whitened(m_a, overlap))
    explained = (b @ theory.row_space(a)).square().sum(-1).cumsum(-1)
    total = b.square().sum(-1).cumsum(-1)
    return (explained / total).T.cpu()[torch.tensor(units) - 1]


# %%
def r2_backward(overlap):
    """R2 of b to a for each m_b and draw."""
    a, b = (x[:regression_draws] for x in whitened(m_a, overlap))
    return torch.stack([theory.ols_r2(b[:, :m], a) for m in units]).cpu()


# %% [markdown]
# An inversion of $R^2(a \to b)$ is counted at each overlap and $m_b$ where the partial pair exceeds the fully shared
# pair at $m_0$ by more than three standard errors of the difference.

# %%
forward = {o: r2_forward(o) for o in overlaps}
difference = torch.stack([forward[o] - forward[1.0][row[m_0]] for o in partial])
inverted = difference.mean(-1) > 3 * difference.std(-1) / regression_draws**0.5
run.record(b7_r2_inversions=int(inverted.sum()), r2_grid=inverted.numel())
run.record(forward_full=forward[1.0][row[m_0]].mean(), forward_partial=forward[main_overlap][row[n_f]].mean())

# %%
backward = {o: r2_backward(o) for o in (main_overlap, 1.0)}
backward_level = float(backward[1.0][row[m_0]].mean())
run.record(backward_crossing=crossing(backward[main_overlap], backward_level), backward_predicted=m_0 * n_f / n_s)
run.record(backward_full=backward_level, backward_partial=backward[main_overlap][row[n_f]].mean())


# %% tags=["hide-input"]
def draw_direction(ax, scores, predictors, label):
    """R2 over the units of b for two overlaps; lines are closed forms, dashed is the reference."""
    for overlap, style in zip((main_overlap, 1.0), k_styles(overlaps)[-2:], strict=True):
        line = [theory.expected_r2(n_f, m, n_b=n_f, n_s=round(overlap * n_f)) for m in predictors]
        ax.plot(units, line, color=style["color"], lw=1.2)
        ax.plot(units, scores[overlap].mean(1), ls="", label=f"overlap {overlap:g}", **style)
    ax.axhline(scores[1.0][row[m_0]].mean(), ls="--", color=INK, lw=1)
    log_axis(ax, (4, 8, 16, 32, 64, 128), ylabel=label, ylim=(0, 1.05))


# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
draw_direction(left, forward, [m_a] * len(units), "R² of a to b")
draw_direction(right, backward, units, "R² of b to a")
right.legend(loc="upper left")
alt = """Explained variance against the units of b. Left, predicting b from a: two flat lines, the lower overlap below.
Right, predicting a from b: two rising curves; the partial pair passes the dashed reference as units are added."""
run.figure([left, right], "fig-overlap-regression", alt, title="Simulated: regression in both directions")

# %% [markdown]
# :::{glue:figure} fig-overlap-regression
# :name: fig-overlap-regression
#
# Only one direction of regression keeps the order. (a) Predicting b from a does not depend on the units of b:
# {glue:text}`b7_r2_inversions` of {glue:text}`r2_grid` grid points invert. (b) Predicting a from b inverts at
# {glue:text}`backward_crossing:.2f` units. Dashed: the fully shared pair with the fewest units.
# :::
#
# Predicting b, the overlap {glue:text}`main_overlap` gives {glue:text}`forward_partial:.3f` and full overlap
# {glue:text}`forward_full:.3f`. Predicting a, the formula puts the crossing at {glue:text}`backward_predicted:.2f`
# units, and the inversion is stronger than that of CKA: the partial pair ends at {glue:text}`backward_partial:.3f`,
# close to its overlap, while the reference stays at {glue:text}`backward_full:.3f`, the share of features that its few
# units can carry.
#
# This is no praise of regression. $R^2$ depends on the compression of the *predictor*, so only a comparison that holds
# the predictor fixed is safe. If networks of different width predict one brain area, the width of the predictor is
# exactly what varies.

# %% [markdown]
# ## Can the score be corrected?
#
# Divide the score by the two discounts of {prf:ref}`prop-overlap-factor`, and the overlap remains. But this needs the
# numbers of features, and projections that are random and independent of each other: if two networks mix their features
# in related ways, dividing can give an overlap above 1. We apply it to the simulated mean with the true $n_f$, and with
# half and twice that number.

# %%
for guess in (n_f // 2, n_f, 2 * n_f):
    discount = (m_a / (guess + m_a + 1) * n_f / (guess + n_f + 1)) ** 0.5
    print(f"{guess} features assumed: overlap {run.values['cka_partial'] / discount:.3f}")

# %% [markdown]
# With the true number the overlap {glue:text}`main_overlap` comes out nearly as it was put in; with a wrong one it does
# not.
#
# If the units of a system are a random sample of many more of the same kind, then $g(n, m)$ is what sampling few of
# them costs. {cite:t}`chun2025` correct CKA for that, and {ref}`ch-ceiling` tries it. Finding the features is another
# way, and that is what {term}`sparse autoencoders <SAE>` are for.
#
# A second seed of each system does without the number. {ref}`ch-ceiling` proves that squared covariances, as a share of
# the product of both total variances, have the mean $n_s / (n_a n_b)$ whatever the compression. Two seeds of one system
# share all their features, so they supply $1 / n_a$ and $1 / n_b$. We apply it to the two pairs that CKA puts in the
# wrong order, with fresh projections as second seeds.


# %%
def shared_variance(a, b):
    """Squared covariances as a share of the product of the total variances, for each draw."""
    return (a @ b.mT).square().sum((1, 2)) / (a.square().sum((1, 2)) * b.square().sum((1, 2)))


# %%
second_a, second_b = (gaussian(x.shape[1], n_f, generator, draws) for x in (fine_a, fine_b))
for name, overlap, m_b in (("partial", main_overlap, n_f), ("full", 1.0, m_0)):
    a, b = lay_out(fine_a[:, :m_a], fine_b[:, :m_b], overlap)
    again = lay_out(second_a[:, :m_a], second_b[:, :m_b], overlap)
    ceilings = [shared_variance(*seeds).mean() for seeds in zip((a, b), again, strict=True)]
    run.record(**{f"corrected_{name}": shared_variance(a, b).mean() / (ceilings[0] * ceilings[1]) ** 0.5})

# %% [markdown]
# Over all draws the pair that shares {glue:text}`main_overlap` comes to {glue:text}`corrected_partial:.3f` and the one
# that shares everything to {glue:text}`corrected_full:.3f`: the order is right. How sure a single draw is, and which
# networks break the assumption that seeds mix independently, is the subject of that chapter.

# %% [markdown]
# ## What to take away
#
# - **Linear CKA trades content for compression.** For random projections its expectation is a product, overlap times a
#   discount for each system ({prf:ref}`prop-overlap-factor`), and the crossing follows. RSA shares this expectation.
# - **The trade has conditions.** There is no inversion where $\rho^2 \le t$. It is easiest to see at high overlap
#   ($0.7$ and up, as in the paper) and with a reference whose system b has too few units for basis pursuit, but systems
#   with more units than $\delta^*$ invert too.
# - **A single pair shows it,** not only the mean.
# - **Regression is safe in one direction only.** Explained variance does not invert from a to b, and inverts earlier
#   than CKA from b to a.
#
# Where we depart from the paper:
#
# - Numbers of features, units and stimuli are ours. The paper gives 200 draws for its figure 2 and no number for figure
#   3; our {term}`profile` `paper` takes 200.
# - The paper uses plain CKA on stimuli. Our main figure uses debiased CKA, the precise crossings only the covariance of
#   the stimuli.
# - Its captions mark $m_{CS}$, our figure $\delta^*$.
# - It leaves sharing and compression to simulation and shows CKA only; algebra and regression are ours.
#
# **What changed our mind.** The paper calls sharing and compression hard to disentangle. For random projections the
# expected score is their product, and a formula says where the order turns. We did not expect regression to be safe in
# one direction. A measured score alone does not tell the two apart. The same responses hold more that does, if there is
# a second seed.
#
# ## Exercises
#
# :::{exercise} How compressed must the reference be?
# :label: ex-overlap-limit
#
# (Recall, easy, 10 minutes.) Both systems have $n_f$ features and b may have at most $n_f$ units. Up to which $m_0$ can
# a pair with overlap $\rho$ invert the order of CKA? Solve it by hand, then evaluate it for the overlaps of this
# chapter as listed, not rounded to whole features. Show also that the crossing of $R^2(b \to a)$, $m_0 / \rho$, always
# comes before that of CKA.
# :::
#
# :::{dropdown} Hint
# Set $m_b^* = n_f$ and $\kappa = 3$ in {eq}`eq-overlap-crossing`, solve for $t$, and from $t$ get $m_0$. Then write
# both crossings, this one and {eq}`eq-overlap-r2-crossing`, in terms of $t$.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the largest m_0 for the main overlap of this chapter as it is listed, to one decimal
limit, unsquared = (t * (n_f + 1) / (1 - t) for t in (main_overlap**p * n_f / (2 * n_f + 1) for p in (2, 1)))
mistakes = {unsquared: "That has the overlap in t: CKA falls by it, so t has its square."}
mistakes |= {main_overlap * n_f: "That is the limit for R2 of b to a, where m_0 / overlap reaches n_f."}
check(mine, limit, mistakes, digits=1)

# %% [markdown]
# :::{solution-start} ex-overlap-limit
# :label: sol-overlap-limit
# :class: dropdown
# :::

# %%
for overlap in partial:
    t = overlap**2 * n_f / (2 * n_f + 1)
    print(f"overlap {overlap:g}: m_0 up to {t * (n_f + 1) / (1 - t):.1f}")

# %% [markdown]
# Set $m_b^* = n_f$: the reference must satisfy $t = \rho^2 n_f / (2 n_f + 1)$, about $\rho^2 / 2$, and
# $m_0 = t (n_f + 1) / (1 - t)$. For the second part, $m_b^* = t (n_f+1) / (\rho^2 - t)$ and
# $m_0 = t (n_f + 1) / (1 - t)$, so the claim $m_0 / \rho < m_b^*$ says $\rho^2 - t < \rho (1 - t)$, that is,
# $t (1 - \rho) > -\rho (1 - \rho)$, which is true.
#
# :::{solution-end}
# :::
#
# :::{exercise} Signs instead of Gaussians
# :label: ex-overlap-signs
#
# (Rerun, easy, 10 minutes.) With entries $\pm 1$ the kurtosis is 1 in place of 3. Predict the crossing for
# the main overlap and the references of this chapter. Could one tell the two kinds of projection apart by it?
# :::
#
# :::{dropdown} Hint
# In {eq}`eq-overlap-crossing` look at the number to which $\kappa$ is added, and by what share a step from 3 to 1
# changes that sum. `theory.crossing_units` takes `kurtosis`.
# :::
#
# :::{solution-start} ex-overlap-signs
# :label: sol-overlap-signs
# :class: dropdown
# :::

# %%
a, b = lay_out(*(signs(m, n_f, generator, 50) for m in (m_a, n_f)), main_overlap)
print(f"CKA: Gaussian {run.values['cka_partial']:.3f}, signs {theory.gram_cosine(a, b).mean():.3f}")
for m in references:
    with_signs = theory.crossing_units(n_f, n_s / n_f, m, kurtosis=1)
    print(f"m_0 {m}: {predicted(main_overlap, m):.2f}, signs {with_signs:.2f}")

# %% [markdown]
# The crossings hardly move: they depend on the kurtosis only through $n_f + \kappa - 2$. One cannot tell them
# apart without far more draws than anyone has networks.
#
# :::{solution-end}
# :::
#
# :::{exercise} A system with more features
# :label: ex-overlap-sizes
#
# (Extend, medium, 20 minutes.) System b now contains *all* features of a and as many again of its own: $n_b = 2 n_a$
# and $n_s = n_a$. What are $\rho$ and the expected CKA? Compare with a fully shared pair at the same units, and with
# $R^2$ in both directions. Which of the four numbers tells that b contains a?
# :::
#
# :::{dropdown} Hint
# Put $n_b = 2 n_a$ and $n_s = n_a$ into $\rho = n_s / \sqrt{n_a n_b}$ and {prf:ref}`prop-overlap-factor`. For
# regression, `theory.expected_r2` takes `n_a`, `n_b` and `n_s`: which system predicts in which direction, and whose
# features are then `n_a`?
# :::
#
# :::{solution-start} ex-overlap-sizes
# :label: sol-overlap-sizes
# :class: dropdown
# :::

# %%
a, b = gaussian(m_a, 2 * n_f, generator, 50), gaussian(m_a, 2 * n_f, generator, 50)
a[..., n_f:] = 0
print(
    f"CKA {theory.gram_cosine(a, b).mean():.3f}, closed {theory.expected_cka(n_f, m_a, m_a, n_b=2 * n_f, n_s=n_f):.3f}"
)
print(f"all shared {theory.expected_cka(n_f, m_a, m_a):.3f}")
print(f"R2 a to b {theory.ols_r2(a, b).mean():.3f}, b to a {theory.ols_r2(b, a).mean():.3f}")

# %% [markdown]
# $\rho = 1/\sqrt 2$, and the factor $g(2 n_a, m)$ is smaller as well, so CKA falls for two reasons. $R^2(b \to a)$ has
# expectation $n_s m_b / (n_a n_b) = m_b / (2 n_a)$, and $R^2(a \to b)$ has $m_a / (2 n_a)$: the same number at equal
# units. None of them tells that b contains a.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# A narrower system a, or a stronger reference:
#
# ```
# make chapter NAME=05_partial_overlap ARGS="-p m_a 48"
# make chapter NAME=05_partial_overlap ARGS="-p m_0 16 -p figure_draws 20"
# ```
#
# $m_0$ should be one of the values in `references`, `units` and `slider_references`. The profile `paper` takes 200
# draws on stimuli and a fine grid of $m_b$.

# %%
run.save(data="simulated: top-k uniform features, masked Gaussian projections")
