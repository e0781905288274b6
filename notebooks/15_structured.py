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
# (ch-structured)=
# # Structured features
#
# Real features differ in strength, and networks that see the same world may mix them in related ways. What is left of
# the laws for equal, independent features ({ref}`ch-linear`)?
#
# **In short.** Nearly all of it, if features are counted by their variance: many equal ones bring CKA down to
# {glue:text}`cka_flat:.3f`, while with the steepest variances tried it stops at {glue:text}`cka_steep:.2f`. If two
# networks mix features in related ways, the score rises as it does if they share more features, and the score alone
# cannot tell the two apart. Nor can two learned dictionaries tell how much of a low score is due to mixing.
#
# :::{glue:figure} fig-structured-effective
# :name: fig-structured-effective
#
# One law for every spectrum, the line, least exact where few features decide: however fast variances fall with the rank
# $i$ of a feature, as $i^{-\alpha}$, CKA goes by the number of *effective* features. Each mark is a mean over
# {glue:text}`draws` pairs.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - what linear CKA and regression give for features of any spectrum;
# - when deflation stops growing with the number of features;
# - what related mixing does to a score, and how to look for it;
# - why a prediction made from two dictionaries needs a random dictionary beside it.
#
# **What the papers claim.** {cite:t}`liu2026` take features of equal variance and name structured ones as a limitation.
# Their scores vanish as features become many (claim B4). What follows is ours unless a source is named, and carries
# their argument over.
# ::::

# %% [markdown]
# ## The idea
#
# Let the features $z$ be uncorrelated with variances $s_1, \dots, s_n$ (any other covariance can be turned into this
# one by choosing axes), and $y_a = A z$, $y_b = B z$ as before, $m$ units each. The number that counts is
#
# $$
# n_\text{eff} = \frac{(\sum_i s_i)^2}{\sum_i s_i^2} ,
# $$ (eq-structured-n)
#
# the {term}`participation ratio` of the features: $n$ if all vary alike, about 1 if one outweighs the rest.
#
# ```{prf:proposition} CKA counts effective features
# :label: prop-structured-cka
#
# Let the entries of $A$ and $B$ be independent with mean 0, variance 1 and {term}`kurtosis` $\kappa$. As a ratio of
# expectations
#
# $$
# \mathrm{CKA} \approx \frac{m}{n_\text{eff} + m + \kappa - 2} .
# $$
# ```
#
# ````{prf:proof}
# With $S = \operatorname{diag}(s)$ the numerator is $\mathrm E\, |A S B^\top|^2 = m^2 \sum_i s_i^2$. In
# $|A S A^\top|^2$ each of the $m(m-1)$ entries beside the diagonal has mean square $\sum_i s_i^2$. Each of the $m$ on
# it is $\sum_i s_i a_i^2$, with mean square $(\sum_i s_i)^2 + (\kappa - 1) \sum_i s_i^2$. Divide by
# $m \sum_i s_i^2$.
# ````
#
# For neurons sampled from a population the law is known: the participation ratio of $m$
# of them and that of all go together as $1/d \approx 1/m + 1/n_\text{eff}$ {cite:p}`chun2026`. What is added here is
# $\kappa$. So `theory.expected_cka` holds as it is, with $n_\text{eff}$ for $n$. (Turned to other axes, entries are no
# longer independent unless they are Gaussian.) Regression hears the spectrum in another way. It reads what lies in the
# row space of $A S^{1/2}$, and that space leans towards strong features. {cite:t}`derezinski2020` prove that the mean
# projection off it is close to $\lambda (S + \lambda)^{-1}$, from which follows
#
# $$
# R^2 \approx 1 - \frac{\lambda m}{\sum_i s_i} , \qquad \sum_i \frac{s_i}{s_i + \lambda} = m .
# $$ (eq-structured-r2)
#
# For equal variances this is $m / n$.
#
# *What saturates.* Take a power law, $s_i = i^{-\alpha}$. As $n$ grows $n_\text{eff}$ grows without end for $\alpha \le
# 1$, though only like a squared logarithm at 1. For $\alpha > 1$ both sums converge, and $n_\text{eff} \to
# \zeta(\alpha)^2 / \zeta(2\alpha)$. Then CKA has a floor, and so has $R^2$: scores do not vanish, and B4's statement
# needs variances that fall no faster than $1/i$.

# %%
from functools import partial

import numpy as np
import pandas as pd
import torch

from lib import theory
from lib.chapter.plotting import INK, k_styles, log_ticks, panels
from lib.chapter.run import Run
from lib.correlation import unit_correlations
from lib.features import bernoulli_uniform, seeded
from lib.geometry import linear_cka, participation_ratio
from lib.matching import best_permutation
from lib.projections import gaussian
from lib.report import Settings, all_codes, fit_saes, random_saes
from lib.split import split_stimuli
from lib.toy_models import ToyModels
from lib.training import train

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
powers: list[float] = [0.0, 0.5, 1.0, 1.5, 2.0]  # of the variances' fall
sizes: list[int] = [32, 128, 512, 2048]  # numbers of features
units: int = 16  # of each network
draws: int = 20  # pairs of projections for each power and size
toys: int = 16  # toy models of each kind
toy_steps: int = 2000  # their training steps, batches of 1024
stimuli: int = 8000  # of the pairs with known features, half of them train the SAEs
sae_steps: int = 1000  # training steps of these SAEs
repeats: int = 3  # pairs for each overlap

# %%
run = Run("15_structured", globals())
run.record(draws=draws, units=units)

# %%
generator = seeded(seed)

# %% [markdown]
# ## Features of unequal variance
#
# {glue:text}`draws` pairs of Gaussian projections on {glue:text}`units` units for each power and number of features.
# The scores are those of infinitely many stimuli, computed from the projections and the covariance.


# %%
def simulated(power, n):
    """CKA and explained variance of each pair, and the closed forms."""
    variances = torch.arange(1, n + 1, dtype=torch.float64) ** -power
    a, b = (gaussian(units, n, generator, draws) * variances.sqrt() for _ in "ab")
    scores = theory.gram_cosine(a, b), theory.ols_r2(a, b)
    effective = float(participation_ratio(variances))
    laws = theory.expected_cka(effective, units, units), theory.expected_r2_of_spectrum(variances, units)
    return effective, scores, laws


# %% tags=["hide-input"]
for power in powers:
    for n in sizes:
        effective, scores, laws = simulated(power, n)
        for metric, found, law in zip(("cka", "r2"), scores, laws, strict=True):
            run.tabulate("laws", power=power, n=n, metric=metric, effective=effective, score=float(found.mean()),
                         spread=float(found.std()), law=law, off=float(found.mean()) / law - 1)  # fmt: skip
laws = pd.DataFrame(run.tables["laws"])

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.6, height=3.0)
cka = laws[laws.metric == "cka"]
for power, style in zip(powers, k_styles(powers), strict=True):
    found = cka[cka.power == power]
    ax.plot(found.effective, found.score, ls="", label=rf"$\alpha$ = {power:g}", **style)
counts = np.geomspace(1, max(sizes), 100)
ax.plot(counts, [theory.expected_cka(count, units, units) for count in counts], color=INK, lw=0.8)
log_ticks(ax, [1, 4, 16, 64, 256, 1024])
ax.set(xlabel="effective features", ylabel="linear CKA", ylim=(0, 1))
ax.legend(loc="lower left")

# %% tags=["hide-input", "remove-output"]
run.figure(
    [ax],
    "fig-structured-effective",
    alt="Linear CKA against the number of effective features, on a logarithmic axis: marks for five ways in which "
    "variances fall lie on or near one falling line, the closed form.",
    title="Simulated: features of unequal variance, counted by their variance",
)

# %% tags=["hide-input", "remove-output"]
axes = panels(2)
for ax, metric, name in zip(axes, ("cka", "r2"), ("linear CKA", "$R^2$ of regression"), strict=True):
    for power, style in zip(powers, k_styles(powers), strict=True):
        found = laws[(laws.metric == metric) & (laws.power == power)]
        ax.errorbar(found.n, found.score, found.spread / draws**0.5, ls="", **style)
        ax.plot(found.n, found.law, color=style["color"], label=rf"$\alpha$ = {power:g}")
    log_ticks(ax, sizes)
    ax.set(xlabel="features", ylabel=name, ylim=(0, 1))
axes[1].legend(loc=(0.26, 0.36), ncol=2)
run.figure(
    axes,
    "fig-structured-laws",
    alt="Linear CKA and explained variance of regression against the number of features, for variances that fall with "
    "several powers: both go to zero for equal variances and level off where variances fall fast.",
    title="Simulated: more features, and what their variances allow",
)

# %% tags=["hide-input"]
run.tell(cka_flat=f"mean(laws.score where metric = cka and power = 0 and n = {sizes[-1]})")
run.tell(cka_steep=f"mean(laws.score where metric = cka and power = {powers[-1]} and n = {sizes[-1]})")
run.tell(cka_steep_before=f"mean(laws.score where metric = cka and power = {powers[-1]} and n = {sizes[-2]})")
run.tell(steep_effective=f"mean(laws.effective where metric = cka and power = {powers[-1]} and n = {sizes[-1]})")

# %% tags=["hide-input"]
for metric in ("cka", "r2"):
    off = laws[(laws.metric == metric)].groupby("power").off.apply(lambda each: float(each.abs().max()))
    run.record(
        **{f"{metric}_off_flat": off.iloc[0], f"{metric}_off_one": off[1.0], f"{metric}_off_steep": off.iloc[-1]}
    )

# %% [markdown]
# :::{glue:figure} fig-structured-laws
# :name: fig-structured-laws
#
# More features lower CKA (a) and regression (b) without end if their variances fall slowly, and stop doing so if they
# fall fast. Lines are the closed forms, marks means.
# :::
#
# With equal variances CKA falls to {glue:text}`cka_flat:.3f` at the largest number of features. With the steepest fall
# it is {glue:text}`cka_steep:.3f` there and {glue:text}`cka_steep_before:.3f` at a quarter as many: the floor is
# reached, since all these features count as {glue:text}`steep_effective:.2f`. Plotted against that count, all powers
# fall on one line ({numref}`fig-structured-effective`).
#
# Relative to the law, the forms are off by at most {glue:text}`cka_off_flat:.3f` for CKA and
# {glue:text}`r2_off_flat:.3f` for regression where variances are equal, and by {glue:text}`cka_off_one:.3f` and
# {glue:text}`r2_off_one:.3f` at $\alpha$ = 1. *Where they fail*: a ratio of expectations is not the expectation of a
# ratio. At the steepest fall, where one or two features decide, CKA is off by {glue:text}`cka_off_steep:.3f`.
#
# For your own scores this cuts both ways. A moderate CKA between compressed networks need not mean that they share many
# features: a few strong ones suffice, such as the brightness of a picture or the length of a text. And a low one is
# stronger evidence against sharing than the formula for equal features makes it, since that formula takes $n$ where
# fewer count. Two seeds count the right number ({ref}`ch-ceiling`): theirs is $n_\text{eff}$, not $n$.
#
# ## Related mixing
#
# Let two networks mix their features in related ways, $B = c A + \sqrt{1 - c^2}\, C$ with Gaussian $A$ and $C$
# independent of each other. The cross term has mean 0 since $C$ may change sign, so
#
# $$
# \mathrm{CKA} \approx c^2 + (1 - c^2)\, \frac{m}{n_\text{eff} + m + 1} .
# $$ (eq-structured-related)
#
# It adds to a score just as shared features do, and no one number tells the two apart. Does it happen? Features that
# *occur together* are a reason to expect it. Any network gains if it gives them directions that do not disturb each
# other, or, if they are one thing to the task, the same direction.
#
# To see it we train toy models as in {ref}`ch-toy-models`, on features of equal importance that come in groups of four.
# A group is switched on as a whole, and then each of its features is active with probability $t$. Each feature is
# active equally often whatever $t$ is; at the smallest $t$ features are independent. We compare two models from other
# starts. Chance is the same with the features of one model permuted, which keeps all its angles. A trial with half as
# many models had shown an implied $c^2$ of a few hundredths wherever features come together, so this is no prediction:
# the run repeats it with more models.

# %%
N, M, GROUP, ACTIVE = 32, 10, 4, 0.05


def grouped(together, generator):
    """A batch of features in groups that are switched on as a whole."""
    on = torch.rand(1024, N // GROUP, generator=generator) < ACTIVE / together
    active = torch.rand(1024, N, generator=generator) < together
    return torch.rand(1024, N, generator=generator) * (on.repeat_interleave(GROUP, 1) & active)


# %%
def learned(together):
    """Weights of toy models trained on such features, `(models, units, features)`."""
    model = ToyModels(N, M, list(range(seed, seed + toys)), "linear_hidden", device=run.device, start="xavier")
    model.importance.fill_(1.0)
    trained = train(model, partial(grouped, together), toy_steps, f"structured-{together:g}", seed)
    return trained.model.weight.detach().double().cpu().mT


# %%
def related(weights):
    """Gram cosine of models 2i and 2i + 1, the same by chance, and the c^2 that would explain the difference."""
    a, b = weights[::2], weights[1::2]
    cosine = theory.gram_cosine(a, b)
    orders = [torch.randperm(N, generator=generator) for _ in range(50)]
    chance = torch.stack([theory.gram_cosine(a, b[..., order]) for order in orders]).mean(0)
    return cosine, chance, (cosine - chance) / (1 - chance)


# %%
mates = torch.block_diag(*[torch.ones(GROUP, GROUP)] * (N // GROUP)).bool() & ~torch.eye(N).bool()
rows = {}
for together in (ACTIVE, 0.25, 0.5, 0.9):
    weights = learned(together)
    cosine, chance, implied = related(weights)
    products = (weights.mT @ weights)[:, mates].mean()
    name = f"{100 * together:.0f}"
    run.record(**{f"implied_{name}": implied, f"mates_{name}": float(products)})
    rows[f"t = {together:g}"] = [float(x.mean()) for x in (cosine, chance, implied, products)]
pd.DataFrame(rows, ["cosine", "by chance", "implied $c^2$", "product of mates"]).T.map("{:.3f}".format)

# %% [markdown]
# The implied $c^2$ is {glue:text}`implied_5:.3f` (error {glue:text}`implied_5_error:.3f`) for independent features, and
# {glue:text}`implied_25:.3f`, {glue:text}`implied_50:.3f` and {glue:text}`implied_90:.3f`
# ({glue:text}`implied_90_error:.3f`) as they come together: a few hundredths, two errors or more above nothing at each
# of these, and no more as $t$ grows.
#
# Mates, features of one group, have products of {glue:text}`mates_5:.3f` at first and {glue:text}`mates_25:.3f`,
# {glue:text}`mates_50:.3f` and {glue:text}`mates_90:.3f` then. So models do learn that features belong together, and
# turn them towards each other. But each model puts its groups anywhere, so two models are hardly more alike for it:
# co-occurrence of this kind leaves a score nearly where independent mixing puts it.
#
# ## How much of a gap is geometry?
#
# Two networks score low. Do they share little, or do they compress? With an SAE on each there seems to be a way to
# tell. Match the latents, assume that matched ones are the same feature, and predict the raw score from the two
# {term}`dictionaries <dictionary>` $D_a$, $D_b$ and the covariance $C$ of the codes: it is
# `theory.gram_cosine(D_a, D_b, C)`. The prediction is what geometry alone would leave of 1; what the measured score
# lacks beyond that would be what is not shared.
#
# A first trial on the networks of {ref}`ch-pairs`, not kept, gave geometry the larger part of the gap. Is the split
# right? That can be seen where the truth is known: sparse features in superposition, of which the networks share a part
# $\rho$. The true prediction uses the true projections and features. And there are controls that have to fail:
# dictionaries of random SAEs, which know no feature, and trained ones matched at random. A trial on fewer pairs had
# shown what comes of it, so this too repeats and does not predict.


# %%
def known_pair(overlap, generator, n=48, units=20):
    """Responses of two networks that share a part of n sparse features, and what geometry truly leaves of CKA."""
    shared = round(overlap * n)
    z = bernoulli_uniform(stimuli, 2 * n - shared, 2.5 / n, generator, torch.float32)
    a, b = (gaussian(units, n, generator, dtype=torch.float32) for _ in "ab")
    z_b = torch.cat([z[:, :shared], z[:, n:]], 1)
    true = theory.gram_cosine(a, b, torch.cov(z[:, :n].mT))
    return split_stimuli(z[:, :n] @ a.mT, z_b @ b.mT, seed=seed, groups=torch.arange(stimuli)), float(true)


# %%
def predicted(sae, split, order=None):
    """CKA that the dictionaries predict if matched latents are one feature; `order` matches them in another way."""
    fitted, codes = (all_codes(sae, y).double() for y in (split.fit, split.scored))
    order = best_permutation(unit_correlations(*fitted)) if order is None else order
    a, b = (one.detach().double().mT for one in sae.decoder)
    return float(theory.gram_cosine(a, b[:, order], torch.cov(codes[0].mT)))


# %%
for overlap in (1.0, 0.75, 0.5, 0.25):
    for i in range(repeats):
        split, true = known_pair(overlap, seeded(1000 * seed + 10 * i + round(100 * overlap)))
        settings = Settings(latents=48, k=3, steps=sae_steps, seeds=1, first_seed=seed + i)
        sae = fit_saes(split, settings).model
        anyhow = torch.randperm(48, generator=generator)
        run.tabulate("gap", overlap=overlap, pair=i, raw=float(linear_cka(split.of(0), split.of(1), debiased=True)),
                     true=true, trained=predicted(sae, split), random=predicted(random_saes(sae, settings), split),
                     shuffled=predicted(sae, split, anyhow))  # fmt: skip

# %% tags=["hide-input"]
gap = pd.DataFrame(run.tables["gap"])
WORDS = {"raw": "measured", "true": "by true features", "trained": "by dictionaries", "shuffled": "matched at random",
         "random": "by random SAEs"}  # fmt: skip
gap.groupby("overlap", sort=False)[[*WORDS]].mean().rename(columns=WORDS).map("{:.3f}".format)

# %% tags=["hide-input"]
run.record(**{f"gap_{name}": gap[name].tolist() for name in WORDS if name != "raw"})

# %% tags=["hide-input"]
half = gap[gap.overlap == 0.5]
run.record(true_part=((1 - half.true) / (1 - half.raw)).mean())
run.record(found_part=((1 - half.trained) / (1 - half.raw)).mean())

# %% [markdown]
# The split comes out wrong. Over all pairs geometry truly leaves {glue:text}`gap_true:.3f` of CKA; the
# dictionaries say {glue:text}`gap_trained:.3f` (error {glue:text}`gap_trained_error:.3f`), matched at random
# {glue:text}`gap_shuffled:.3f`, and random SAEs {glue:text}`gap_random:.3f`. Where half of the features are shared,
# geometry is {glue:text}`true_part:.2f` of the gap and the dictionaries call it {glue:text}`found_part:.2f`.
#
# Two things are wrong with the idea. The prediction hardly depends on *which* latents are matched: by
# {prf:ref}`prop-structured-cka` any two unrelated dictionaries give $m / (n_\text{eff} + m + 1)$, so it is a count of
# effective features in another guise. And it counts too few, perhaps because latents of an SAE are correlated and of
# unequal variance where the features are not, which was not measured. The same count comes from the responses alone,
# without an SAE, in {ref}`ch-ceiling`. We leave such shares out of this book, and {ref}`ch-own` does not print them.
#
# ## What to take away
#
# - The closed form of CKA for equal features holds for unequal ones with $n_\text{eff}$ for $n$, least exactly where
#   one or two features decide. Regression hears the whole spectrum ({eq}`eq-structured-r2`).
# - Scores vanish as features become many if variances fall no faster than $1/i$; where they fall faster, CKA and
#   regression have a floor.
# - A score adds related mixing to shared features and does not tell them apart. In toy models of one size, features
#   that occur together made two models related by a few hundredths.
# - Two dictionaries do not say how much of a gap is geometry; a random dictionary beside them shows it.
#
# Where we depart from the paper: its features are of equal variance, and ours follow power laws or come in groups.
# Projections here are Gaussian, features uncorrelated or in simple groups, toy models small. The spectrum of a real
# network's features is not known; that of its responses is not it, since compression flattens it.
#
# **What changed our mind.** That geometry is most of a gap between real networks looked like a finding, and we had
# meant to report it. A random SAE in place of the trained one gave a prediction of the same kind. Without that row we
# would have believed it.
#
# ## Exercises
#
# :::{exercise} A floor by hand
# :label: ex-structured-floor
#
# (Recall, easy, 10 minutes.) For $\alpha = 2$ both sums are known: $\zeta(2) = \pi^2 / 6$ and $\zeta(4) = \pi^4 / 90$.
# To what number of effective features do infinitely many features come, and what is then the least CKA of two networks
# of the size used here?
# :::
#
# :::{dropdown} Hint
# With variances $i^{-\alpha}$ the two sums in {eq}`eq-structured-n` are $\zeta(\alpha)$ and $\zeta(2\alpha)$. What
# comes out takes the place of $n_\text{eff}$ in {prf:ref}`prop-structured-cka`, with `units` as $m$.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the least CKA, to three decimals
least = (np.pi**2 / 6) ** 2 / (np.pi**4 / 90)
mistakes = {least: "That is the number of effective features: put it into the law of CKA."}
mistakes |= {units / (least + units): "Gaussian entries have kurtosis 3, which adds 1 below."}
check(mine, right=theory.expected_cka(least, units, units), mistakes=mistakes)

# %% [markdown]
# :::{solution-start} ex-structured-floor
# :label: sol-structured-floor
# :class: dropdown
# :::

# %%
floor_n = (np.pi**2 / 6) ** 2 / (np.pi**4 / 90)
run.record(floor_n=floor_n, floor_cka=theory.expected_cka(floor_n, units, units))

# %% [markdown]
# $n_\text{eff} \to 90 / 36$, or {glue:text}`floor_n:.2f`, and the law of CKA goes to {glue:text}`floor_cka:.3f`, where
# the figure's steepest line ends. The marks lie higher, at {glue:text}`cka_steep:.3f`: with so few features the mean of
# ratios is not the ratio of means.
#
# :::{solution-end}
# :::
#
# :::{exercise} A few strong features
# :label: ex-structured-strong
#
# (Rerun, medium, 15 minutes.) Take many weak features of equal variance and a few strong ones. How strong must these be
# for CKA to hear little of the others, and does regression hear as little of them?
# :::
#
# :::{dropdown} Hint
# Raise the variances of a few features in steps of ten. `participation_ratio` gives the $n_\text{eff}$ that CKA hears,
# `theory.expected_r2_of_spectrum` what regression hears; see at which strength each has lost the weak features.
# :::
#
# :::{solution-start} ex-structured-strong
# :label: sol-structured-strong
# :class: dropdown
# :::

# %%
rows = {}
for strength in (1, 10, 100, 1000):
    variances = torch.ones(512, dtype=torch.float64)
    variances[:8] = strength
    effective = float(participation_ratio(variances))
    r2 = theory.expected_r2_of_spectrum(variances, units)
    rows[strength] = [effective, theory.expected_cka(effective, units, units), r2]
pd.DataFrame(rows, ["effective features", "CKA", "$R^2$"]).T.map("{:.3f}".format).rename_axis("strength")

# %% [markdown]
# When the strong ones hold most of the squared variance, they are nearly all that CKA hears. Regression goes by
# variance and not by its square; of that the strong ones have a smaller share.
#
# :::{solution-end}
# :::
#
# :::{exercise} Related, or shared?
# :label: ex-structured-related
#
# (Extend, hard, 20 minutes.) Two networks hold the same features with related mixing, $c$ = one half; two others mix
# independently and are less compressed, so that CKA is the same. What does a second seed of each tell, if seeds of one
# network are independent, and if they are as related as the networks?
# :::
#
# :::{dropdown} Hint
# Divide the score between the networks by that between a network and its second seed. {eq}`eq-structured-related` gives
# both: which $c$ belongs to independent seeds and which to related ones, and can the quotient come out above 1?
# :::
#
# :::{solution-start} ex-structured-related
# :label: sol-structured-related
# :class: dropdown
# :::

# %%
a, fresh, seed_a = gaussian(3 * units, 64, generator, 200).split(units, 1)
b = 0.5 * a + 0.75**0.5 * fresh
kin = 0.5 * a + 0.75**0.5 * seed_a
cross = theory.gram_cosine(a, b).mean()
for words, second in (("independent seeds", seed_a), ("seeds as related as the networks", kin)):
    print(f"{words}: CKA {cross:.3f}, corrected {cross / theory.gram_cosine(a, second).mean():.3f}")

# %% [markdown]
# With independent seeds the corrected score exceeds 1: more in common than the same network trained anew has with
# itself, so the mixing must be related. With seeds that are as related as the networks it is 1, as it should be. The
# correction of {ref}`ch-ceiling` asks only that pairs be related alike, within and between.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# ```
# make chapter NAME=15_structured ARGS="-p units 64 -p draws 50"
# make chapter NAME=15_structured ARGS="-p toys 64 -p toy_steps 6000"
# ```

# %%
run.save(data="simulated: features of known variances, toy models, sparse features in superposition")
