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
# (ch-settings)=
# # What the settings decide
#
# The SAEs of {ref}`ch-disentangling` were trained by the settings of the authors' code, some of which the paper's text
# leaves out. Change them one at a time: which of the paper's results survive?
#
# **In short.** {term}`Soft-matching <soft-matching>` hangs on $k$, how many {term}`latents <latent>` are active:
# between latents it lies below that between neurons at 8 neurons and above it at 16 and 32, as the paper reports, for
# {glue:text}`scan_soft_all:.0%` of the values of $k$ that were tried. Latents predict neurons better than neurons do
# for {glue:text}`sn_k_share:.0%` of all $k$, sizes and pairs. After {glue:text}`curve_first` training steps matching
# loses at every size; at 32 neurons a {term}`dictionary` with half as many latents as features costs every score.
#
# :::{glue:figure} fig-settings-k
# :name: fig-settings-k
#
# Whether SAEs help depends on $k$. (a) soft-matching between latents, S-S, (b) ridge S-S, (c) ridge from latents to
# neurons, S-N; dashed: between neurons, N-N, of the same models. Dotted: the mean number of active features,
# {glue:text}`active_mean:.1f`. Curves that cross their dashed line change the sign of a claim; a sign in (a) and
# (b) counts if all pairs have it, by {glue:text}`effect` in the mean.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - which results on toy models depend on $k$, on the length of training and on the number of latents, and how;
# - what two SAEs that start at the same weights, and dropped silent units, do to a score;
# - how high two SAEs of one and the same model match, and why that belongs beside each score.
#
# **What the paper claims.** Nothing new: A7 to A11 of {cite:t}`longon2025` are judged by the authors' settings in
# {ref}`ch-disentangling`, and by a recipe of our own here. The paper itself supposes that latents match badly at 8
# neurons because the two models share few features; a smaller $k$ and smaller dictionaries test that.
# ::::

# %% [markdown]
# ## The idea
#
# A researcher who meets a trained network does not know how many features it has, nor how many are active at a time. So
# the number $F$ of latents, the number $k$ of those that may be active, and the steps of training are chosen, and a
# score between two SAEs depends on the choice.
#
# The letters are those of {numref}`fig-disentangling-letters`: N-N compares neurons with neurons, S-S the latents of
# two trained SAEs, S-N predicts neurons from latents, R stands for an SAE before its training. A *gain* is the
# difference of two scores on the same pair of toy models, and one below {glue:text}`effect` counts as none. Toy models,
# SAEs, folds and scores are those of {ref}`ch-disentangling`; all scores are {term}`held out`.

# %%
from dataclasses import replace

import pandas as pd
import torch

from lib.chapter.plotting import COLOURS, Slider, SliderFigure, k_styles, log_ticks, panels
from lib.chapter.run import Run
from lib.chapter.setting_plots import draw_recipes, draw_scan, draw_sizes, series
from lib.chapter.toy_pairs import GAINS, ToyPairs, active, all_scores, axes_and_seeds, evidence, one_alpha, recovery
from lib.crossval import k_folds
from lib.features import seeded
from lib.matching import soft_matching_score
from lib.pairings import gain, means
from lib.regression import ridge_correlations
from lib.sae import STREAM, Recipe, untrained
from lib.toy_models import ToyModels, shared_features, train_toy_models
from lib.training import Training

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
sizes: list[int] = [8, 16, 32]  # numbers of neurons N, the claims are about these three
pairs: int = 1  # pairs of toy models for each size, 1 to 100
toy_steps: int = 3000  # training steps of the toy models, batches of 1024
k: int = 7  # latents that may be active, the authors' number
ours_k: int = 6  # the same in our recipe
sae_steps: int = 5000  # training steps of the SAEs outside the scans
batch: int = 256  # stimuli in a training step of the SAEs
stimuli: int = 20000  # fresh stimuli for the scores
scan_pairs: int = 1  # pairs of toy models in the scans, at most as many as above
scan_steps: list[int] = [250, 500, 1000, 2500]  # SAE steps at which the scans read the scores, rising
scan_k: list[int] = [3, 5, 10]  # active latents scanned, besides the authors' k
ridge_stimuli: int = 10000  # fresh stimuli for ridge with one alpha, and for other axes
scan_latents: list[int] = [32, 64, 128]  # dictionary sizes scanned at the largest N, rising, each at least k
small_k: int = 3  # active latents in the scan of dictionary sizes at the smallest N
small_latents: list[int] = [12, 16, 20, 32, 64]  # dictionary sizes of that scan, rising

# %%
run = Run("18_settings", globals())
n, p = 64, 0.1  # features and their probability of being active
scan_k, last_step = sorted({*scan_k, k}), scan_steps[-1]
effect = 0.02  # of a score, the smallest that matters
world = ToyPairs(n, p, batch, seed, run.device)

# %% tags=["hide-input"]
run.record(k=k, n=n, active_mean=n * p, pairs=pairs, sae_steps=sae_steps, effect=effect)
run.record(scan_steps=last_step, scan_pairs=scan_pairs)

# %% [markdown]
# The toy models are the first ones of {ref}`ch-disentangling`. A pair shares fewer of the {glue:text}`n` features than
# there are, and the number shared will matter.

# %%
toys = {N: world.train(N, 2 * pairs, toy_steps) for N in sizes}
for N in sizes:
    weight = toys[N].model.weight
    shared = shared_features(weight[::2], weight[1::2]).sum(-1).double()
    run.record(**{f"shared_{N}": shared, f"active_shared_{N}": p * shared.mean()})

# %% tags=["trained"]
main_recipe = Recipe.authors(latents=n, k=k, steps=sae_steps)
saes = {N: world.fit_saes(toys[N], 2 * pairs, main_recipe) for N in sizes}
with_silent = {N: world.measure(toys[N], saes[N].model, stimuli) for N in sizes}
moments = {N: active(with_silent[N]) for N in sizes}
main = {N: all_scores(moments[N]) for N in sizes}

# %% tags=["hide-input"]
for N in sizes:
    kept = torch.tensor([[len(m.places[f"s_{side}"]) for side in "ab"] for m in moments[N]])
    run.record(**{f"silent_share_{N}": 1 - kept.flatten().double() / n})

# %% [markdown]
# Of {glue:text}`n` features, a pair shares {glue:text}`shared_8:.1f` at 8 neurons, {glue:text}`shared_16:.1f` at 16 and
# {glue:text}`shared_32:.1f` at 32 (means over pairs).

# %% [markdown]
# ## How much depends on k?
#
# The authors have $k$ = 7 at every $N$, and their text none. Here is every score against $k$, with all else as they
# have it, from SAEs trained {glue:text}`scan_steps` steps on {glue:text}`scan_pairs` pair(s). With $k$ below the
# number of active features the code must drop some of them. With $k$ far above, the SAE can use many latents for one
# feature and no longer has to find the features at all. Scores are read on the way too, for the section after this one.


# %%
def follow(toy, k):
    """Scores of the first pairs after more and more steps of one training."""
    models = 2 * scan_pairs
    sae = world.new_saes(toy, models, replace(main_recipe, k=k))
    training = Training(sae, world.stream(toy, models), STREAM, sae.recipe.lr, weight_decay=sae.recipe.weight_decay)
    return {steps: all_scores(active(world.measure(toy, training.run(steps).model, stimuli))) for steps in scan_steps}


# %%
scans = {N: {chosen: follow(toys[N], chosen) for chosen in scan_k} for N in sizes}
by_k = {N: {chosen: scores[last_step] for chosen, scores in scans[N].items()} for N in sizes}

# %% tags=["hide-input", "remove-output"]
axes = panels(3, width=2.5, height=2.3)
wanted = ("ss", "soft", "soft-matching, S-S"), ("ss", "ridge_ab", "ridge, S-S"), ("sn", "ridge_ab", "ridge, S-N")
for ax, what in zip(axes, wanted, strict=True):
    draw_scan(ax, by_k, *what)
    ax.set(xlabel="active latents k", xticks=scan_k)
    ax.axvline(n * p, color=COLOURS["grey"], ls=":", lw=1)
axes[2].legend(loc="lower right", ncol=2)
alt = """Three panels against the number k of active latents, one curve for each number of neurons, dashed lines for
neurons: soft-matching S-S, ridge S-S, ridge S-N. S-S falls for large k and crosses dashed lines; S-N stays above them
nearly everywhere."""
run.figure(axes, "fig-settings-k", alt, title="Simulated: scores against k")

# %% [markdown]
# Each curve of {numref}`fig-settings-k`, at the top of the chapter, belongs to one size.
#
# For which $k$ do the signs come out as the paper reports them? For A8, S-S must lie below N-N at $N$ = 8 and above it
# at 16 and 32; for A11, below at 8 and 16 and above at 32; each in every scanned pair, and by {glue:text}`effect` in
# the mean.

# %%
PAPER = {"soft_gain": {8: -1, 16: 1, 32: 1}, "ridge_ss_gain": {8: -1, 16: -1, 32: 1}}


def as_in_paper(name, N, chosen):
    """Whether the gain S-S minus N-N has the paper's sign in every scanned pair and matters in the mean."""
    gains = gain(by_k[N][chosen], *GAINS[name]) * PAPER[name].get(N, 1)
    return bool((gains > 0).all() and gains.mean() >= effect)


# %% tags=["hide-input"]
for name, short in (("soft_gain", "soft"), ("ridge_ss_gain", "ridge")):
    good = {N: [chosen for chosen in scan_k if as_in_paper(name, N, chosen)] for N in sizes}
    good["all"] = [chosen for chosen in scan_k if all(chosen in good[N] for N in sizes)]
    for where, values in good.items():
        ends = {"low": min(values, default=0), "high": max(values, default=0)}
        run.tabulate("scan", metric=short, N=where, share=len(values) / len(scan_k), **ends)
run.tell(**{f"scan_{short}_all": f"max(scan.share where metric = {short} and N = all)" for short in ("soft", "ridge")})
above = [gain(scores, "ridge_ab", "sn", "nn") > 0 for row in by_k.values() for scores in row.values()]
run.record(scan_k_low=scan_k[0], scan_k_high=scan_k[-1], sn_k_share=torch.cat(above).double().mean())

# %% [markdown]
# Of the $k$ scanned, from {glue:text}`scan_k_low` to {glue:text}`scan_k_high`, the share with the paper's sign, and the
# smallest (low) and largest (high) of them, 0 if there is none. The last row asks for all $N$ at once.

# %% tags=["hide-input"]
kinds = [(metric, what) for metric in ("soft", "ridge") for what in ("share", "low", "high")]
rows = {f"{metric}, {what}": [run.ask(f"max(scan.{what})", metric=metric, N=where) for where in (*sizes, "all")]
        for metric, what in kinds}  # fmt: skip
pd.DataFrame(rows, index=[*(f"N = {N}" for N in sizes), "all"]).map("{:g}".format)

# %% [markdown]
# Soft-matching has the paper's signs at all three sizes for a share of {glue:text}`scan_soft_all:.2f` of these $k$,
# ridge S-S for {glue:text}`scan_ridge_all:.2f`. In short runs the scan trains fewer steps, here
# {glue:text}`scan_steps`, than the SAEs of {ref}`ch-disentangling`, which matters for ridge S-S at 32 neurons, as the
# next section shows.
#
# Of all {glue:text}`n` features {glue:text}`active_mean:.1f` are active at a time. But of the features that a pair
# shares only {glue:text}`active_shared_8:.1f`, {glue:text}`active_shared_16:.1f` and
# {glue:text}`active_shared_32:.1f` are, at 8, 16 and 32 neurons. So one $k$ cannot be the natural choice for all three
# sizes.
#
# For S-N against N-N, claim A10, the sign is as claimed in a share of {glue:text}`sn_k_share:.2f` of all $k$, $N$ and
# pairs scanned. A linear fit can put a feature that is split over latents together again; a matching cannot.
#
# Could $k$ be chosen from the data? Reconstruction always prefers a larger $k$, and choosing by alignment would be
# choosing the answer. On real data the right $k$ is not known, so a scan like this one belongs to every result.

# %% [markdown]
# ## How much depends on training?
#
# The paper stops after one epoch. The same SAEs, with the authors' $k$ of {glue:text}`k`, were read on the way. At the
# first reading they are still close to their random start, so expect scores like those of random SAEs. Then the latents
# turn towards features, at different speeds, and two SAEs can agree only on what both have found.

# %% tags=["hide-input"]
by_steps = {N: scans[N][k] for N in sizes}
run.record(curve_first=scan_steps[0], curve_last=last_step)
for N, row in by_steps.items():
    gains = [gain(scores, "soft", "ss", "nn").mean() for scores in row.values()]
    run.record(**{f"curve_gain_first_{N}": gains[0], f"curve_gain_last_{N}": gains[-1]})


# %% tags=["hide-input", "remove-output"]
axes = panels(2)
draw_scan(axes[0], by_steps, "ss", "soft", "soft-matching, S-S")
draw_scan(axes[1], by_steps, "ss", "ridge_ab", "ridge, S-S")
for ax in axes:
    ax.set_xlabel("SAE steps")
    log_ticks(ax, scan_steps)
axes[0].legend(loc="upper left")
alt = """Scores between SAEs against training steps, logarithmic, one curve for each number of neurons, with dashed
lines for the neurons. Curves rise at 16 and 32 neurons; at few steps all lie below their dashed lines."""
run.figure(axes, "fig-settings-steps", alt, title="Simulated: scores while the SAEs train")

# %% [markdown]
# :::{glue:figure} fig-settings-steps
# :name: fig-settings-steps
#
# SAEs that are not fully trained make two models look *less* alike than their neurons do (dashed): the soft-matching
# gain S-S minus N-N at 32 neurons goes from {glue:text}`curve_gain_first_32:.3f` after {glue:text}`curve_first` steps
# to {glue:text}`curve_gain_last_32:.3f` at the end.
# :::
#
# At 16 neurons it goes from {glue:text}`curve_gain_first_16:.3f` to {glue:text}`curve_gain_last_16:.3f`, at 8 from
# {glue:text}`curve_gain_first_8:.3f` to {glue:text}`curve_gain_last_8:.3f`: there, with this $k$, more training does
# not carry it across the dashed line. Where a curve still rises at its end, a claim that SAEs *lower* the score is a
# claim about an amount of training. A claim that SAEs raise it is safer at 16 and 32 neurons, where more training works
# in its favour; at 8, with this $k$, it does not.

# %% [markdown]
# ### Both at once
#
# The whole scan, all three sizes at once. Start with soft-matching and move $k$ up, watching the dashed line of the
# trained SAEs against that of the neurons. Then move the training back: from which step on is the order of the lines
# what it is at the end? Do the same with ridge to neurons. The dotted line of the random SAEs says how much is due to
# training.

# %% tags=["hide-input", "remove-output"]
METRICS = {
    "soft-matching": ("soft", "nn", "ss", "rs"),
    "ridge to latents": ("ridge_ab", "nn", "ss", "rs"),
    "ridge to neurons": ("ridge_ab", "nn", "sn", "rn"),
}


# %% tags=["hide-input", "remove-output"]
def slider_state(k, steps, metric):
    """Lines over N for one k, training and metric, and their values in words."""
    field, *pairings = METRICS[metric]
    values = [series({N: scans[N][k][steps] for N in sizes}, ab, field) for ab in pairings]
    lines = dict(zip(("neurons", "trained", "random"), values, strict=True))
    words = "; ".join(f"{name} {', '.join(f'{v:.2f}' for v in line)}" for name, line in lines.items())
    return {name: (range(len(sizes)), line) for name, line in lines.items()} | {"words": words}


# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.2)
knobs = {"k": Slider(scan_k, "active latents k", scan_k.index(k)), "metric": Slider(list(METRICS), "metric")}
knobs["steps"] = Slider(scan_steps, "SAE steps", len(scan_steps) - 1)
first = slider_state(k, last_step, "soft-matching")
for name, style, line in zip(("neurons", "trained", "random"), k_styles("abc"), ("-", "--", ":"), strict=True):
    ax.plot(*first[name], gid=name, color=style["color"], ls=line, label=name)
ax.set(xticks=range(len(sizes)), xticklabels=[f"N = {N}" for N in sizes], ylabel="score", ylim=(0, 1))
ax.legend(title="source", loc="upper left")
name, alt = "fig-settings-slider", "Score against the number of neurons for neurons, trained and random SAEs."
run.figure(SliderFigure(ax, name, alt, knobs, slider_state, "Simulated: move k, steps and metric"), name)

# %% [markdown]
# :::{glue:figure} fig-settings-slider
# :name: fig-settings-slider
#
# Matching and regression between latents move a lot with $k$ and with training. Regression to neurons moves less with
# $k$, and at 32 neurons as much with training: after few steps it, too, lies below the neurons. (On paper, and without
# JavaScript: soft-matching at the authors' $k$, trained to the end.) Values below: the three $N$ in order.
# :::

# %% [markdown]
# ## How much depends on the rest?
#
# Three smaller choices of the authors, one changed at a time:
#
# - **Starts apart.** The SAEs of a pair start at the same weights, and a latent that hardly moves matches its twin
#   without having learned anything. We train another SAE for each model, each from a start of its own.
# - **Silent units kept.** They are dropped from both populations; kept, each counts as a correlation of 0.
# - **One alpha.** The authors' ridge takes one penalty for all targets by leave-one-out; ours takes one for each.
#
# We expect the first to matter, if at all, where latents mean least, at 8 neurons; the other two not. A difference
# below {glue:text}`effect` is none.


# %% tags=["hide-input"]
def keep_choice(choice, by_size):
    """Keep what the claims rest on for each pair, under the name of a choice."""
    for N, scores in by_size.items():
        names = ("soft_gain", "soft_over_random", "ridge_sn_gain", "ridge_ss_gain")
        columns = {"soft_ss": means(scores, "soft", "ss")} | {name: gain(scores, *GAINS[name]) for name in names}
        run.tabulate("choices", choice=choice, N=N, pair=range(len(columns["soft_ss"])), **columns)


# %%
apart = {N: world.fit_saes(toys[N], 2 * pairs, main_recipe, apart=True).model for N in sizes}
keep_choice("authors", main)
keep_choice("apart", {N: all_scores(active(world.measure(toys[N], apart[N], stimuli))) for N in sizes})
keep_choice("kept", {N: all_scores(with_silent[N]) for N in sizes})

# %% [markdown]
# Now ridge as in the authors' code, on the first pair: scikit-learn's `RidgeCV`, no intercept, each part about its own
# mean.


# %% tags=["hide-input"]
def mean_of(choice, column, N):
    """Mean over those pairs that all choices have."""
    return run.ask(f"mean(choices.{column} where choice = {choice})", N=N)


# %% tags=["hide-input"]
for N in sizes:
    run.record(**{f"apart_{N}": mean_of("apart", "soft_gain", N) - mean_of("authors", "soft_gain", N)})
    run.record(**{f"kept_loss_{N}": mean_of("authors", "soft_ss", N) - mean_of("kept", "soft_ss", N)})
run.record(**{f"margin_{choice}": mean_of(choice, "soft_over_random", sizes[0]) for choice in ("authors", "apart")})

# %%
folds = k_folds(ridge_stimuli, 5, seed)

# %% tags=["hide-input"]
for N in sizes:
    y = toys[N].model.responses(world.features(ridge_stimuli, seeded(1000 * seed + 903, run.device)))
    of = {"n": y, "s": saes[N].model.latents(y)}
    for ab in ("nn", "sn", "ss"):
        x, y = (of[letter][side].double() for side, letter in enumerate(ab))
        own = float(ridge_correlations(x, y, folds).mean())
        one = one_alpha(x, y, folds)
        run.tabulate("alphas", N=N, pairing=ab, own=own, one=one, difference=abs(own - one))
run.record(alpha_most=run.ask("max(alphas.difference)"))
run.record(**{f"main_ss_{N}": mean_of("authors", "soft_ss", N) for N in sizes})

# %% tags=["hide-input"]
rows, asked = {}, {"soft S-S minus N-N": "soft_gain", "soft S-S minus R-S": "soft_over_random"}
asked |= {"ridge S-N minus N-N": "ridge_sn_gain", "ridge S-S minus N-N": "ridge_ss_gain"}
for words, name in asked.items():
    for choice, told in {"authors": "authors'", "apart": "starts apart", "kept": "silent kept"}.items():
        rows[f"{words}, {told}"] = f"mean(choices.{name} where choice = {choice})"
for ab in ("nn", "sn", "ss"):
    rows |= {f"ridge {ab.upper()}, {told}": f"mean(alphas.{name} where pairing = {ab})"
             for name, told in {"own": "alpha per target", "one": "one alpha"}.items()}  # fmt: skip
run.table({N: f"N = {N}" for N in sizes}, rows, "N")

# %% [markdown]
# - **Starts apart** move the mean gain in soft-matching by {glue:text}`apart_8:.3f`, {glue:text}`apart_16:.3f` and
#   {glue:text}`apart_32:.3f` at 8, 16 and 32 neurons. At 8 neurons the margin of trained over random latents is
#   {glue:text}`margin_authors:.3f` on these pairs, and {glue:text}`margin_apart:.3f` with starts apart.
# - **Silent units,** kept, lower S-S in soft-matching by {glue:text}`kept_loss_8:.3f`, {glue:text}`kept_loss_16:.3f`
#   and {glue:text}`kept_loss_32:.3f`. So dropping them can be worth more than the smallest effect that matters, in
#   favour of the SAEs and most in the smaller models. A latent that never fires is something the SAE made; the share
#   that was dropped, at 8 neurons {glue:text}`silent_share_8:.3f`, belongs beside each score.
# - **One alpha** changes no score by more than {glue:text}`alpha_most:.4f`.
#
# The first is not to rely on, since the recorded run has next to nothing of it at 8 neurons. The second we had not
# expected.

# %% [markdown]
# ## Other axes, and how high a match could be
#
# For regression, readouts that know nothing of features were a control ({ref}`ch-disentangling`). Their counterpart in
# matching is another choice of axes: the principal axes of the neurons (PCA) or their independent ones (ICA), as many
# as there are neurons, found on stimuli of their own. Both are linear, so neither can name more features than there are
# neurons. ICA looks for axes of long tails, which sparse features have; so we expect it above neurons and, where
# features outnumber neurons, below latents. Of PCA, which looks for variance, we expect little.
#
# And how high could S-S be at all? Two SAEs of *one* model, from two starts, do not match perfectly either. If aa and
# bb are the scores of the two SAEs of model a and of those of model b, we call S-S $/ \sqrt{aa \cdot bb}$ the share of
# the *seed ceiling*: near 1, all that S-S lacks is lacking between SAEs of one model already. Where two models share
# few features, at 8 neurons, we expect a share well below 1.


# %%
def matches(N, pair):
    """Soft-matching of neurons, other axes and latents of one pair, and of two SAEs of one model."""
    at = slice(2 * pair, 2 * pair + 2)
    draws = [world.features(ridge_stimuli, seeded(1000 * seed + number, run.device)) for number in (904, 905)]
    fitted, y = (toys[N].model.responses(z) for z in draws)
    return axes_and_seeds(fitted[at], y[at], saes[N].model.latents(y)[at], apart[N].latents(y)[at], folds)


# %% tags=["hide-input"]
for N in sizes:
    rows = pd.DataFrame([matches(N, pair) for pair in range(pairs)])
    share = rows.ss / (rows.aa * rows.bb) ** 0.5
    columns = {name: rows[name].tolist() for name in rows} | {"share": share.tolist()}
    columns |= {f"over_{name}": (rows.ss - rows[name]).tolist() for name in ("pp", "ii")}
    run.tabulate("axes", N=N, pair=range(pairs), **columns)
    run.tell(**{f"axes_{name}_{N}": f"mean(axes.{name} where N = {N})" for name in columns})

# %% tags=["hide-input"]
rows = {"neurons": "nn", "principal axes": "pp", "independent axes": "ii", "latents (S-S)": "ss"}
rows |= {"two SAEs of a": "aa", "two SAEs of b": "bb", "S-S, share of the seed ceiling": "share"}
run.table({N: f"N = {N}" for N in sizes}, {words: f"mean(axes.{name})" for words, name in rows.items()}, "N")

# %% [markdown]
# Where latents gain, other axes do not replace them. At 32 neurons independent axes match at
# {glue:text}`axes_ii_32:.3f`, above the neurons' {glue:text}`axes_nn_32:.3f` and far below the latents'
# {glue:text}`axes_ss_32:.3f`. So ICA finds something of what SAEs find only in the largest models. At 8 and 16 neurons
# it is no better than neurons in a way to rely on: which of the two is ahead differs between this run and the recorded
# one at the end of the chapter. At 8 neurons latents lie below both.
#
# The share of the seed ceiling is {glue:text}`axes_share_8:.3f`, {glue:text}`axes_share_16:.3f` and
# {glue:text}`axes_share_32:.3f` at 8, 16 and 32 neurons. Two SAEs of one model with 32 neurons match at
# {glue:text}`axes_aa_32:.3f`, with 8 at {glue:text}`axes_aa_8:.3f` only. At 8 neurons S-S is low for both reasons: the
# SAEs do not settle, and the two models differ.

# %% [markdown]
# ## How many latents?
#
# The paper gives the SAE as many latents as the world has features, a number that nobody knows outside a toy world.
# Here are other sizes of this *dictionary* for the largest toy models, at the authors' $k$.


# %%
def scan(N, latents, k):
    """Scores of the first pairs with SAEs trained as long as those above."""
    fitted = world.fit_saes(toys[N], 2 * scan_pairs, Recipe.authors(latents=latents, k=k, steps=last_step))
    measured = active(world.measure(toys[N], fitted.model, stimuli))
    scores = all_scores(measured)
    columns = {name: gain(scores, *GAINS[name]) for name in ("soft_gain", "ridge_sn_gain", "ridge_ss_gain")}
    kept = [sum(len(m.places[f"s_{side}"]) for side in "ab") / 2 for m in measured]
    run.tabulate("dictionary", N=N, k=k, latents=latents, pair=range(scan_pairs), kept=kept, **columns)
    return scores


# %%
largest = sizes[-1]
by_latents = {count: scan(largest, count, k) for count in scan_latents}

# %% tags=["hide-input"]
soft = series(by_latents, "ss", "soft")
to_neurons = series(by_latents, "sn", "ridge_ab")
run.record(latents_few=scan_latents[0], latents_many=scan_latents[-1], latents_best=scan_latents[soft.index(max(soft))])
run.record(latents_soft_few=soft[0], latents_soft_many=soft[-1], latents_soft_nn=series(by_latents, "nn", "soft")[0])
run.record(latents_sn_few=to_neurons[0], latents_sn_many=to_neurons[-1])
run.tell(latents_kept=f"mean(dictionary.kept where N = {largest} and latents = {scan_latents[-1]})")

# %% tags=["hide-input", "remove-output"]
axes = panels(2)
draw_sizes(axes[0], by_latents, ("nn", "ss", "rs"), "soft", "soft-matching")
draw_sizes(axes[1], by_latents, ("nn", "ss", "sn", "rn"), "ridge_ab", "ridge correlation")
alt = """Scores against the number of latents, logarithmic. Left, soft-matching: latents to latents is below neurons
for the smallest dictionary and above for larger. Right, ridge: latents to neurons rises too."""
run.figure(axes, "fig-settings-latents", alt, title=f"Simulated: dictionary size, N = {largest}")

# %% [markdown]
# :::{glue:figure} fig-settings-latents
# :name: fig-settings-latents
#
# With fewer latents than features every score suffers. Soft-matching S-S (a) is highest at {glue:text}`latents_best`
# latents, ridge S-N (b) goes from {glue:text}`latents_sn_few:.3f` with the fewest to {glue:text}`latents_sn_many:.3f`
# with the most.
# :::
#
# Soft-matching S-S is {glue:text}`latents_soft_few:.3f` with {glue:text}`latents_few` latents, each of which is then a
# mixture, and {glue:text}`latents_soft_many:.3f` with {glue:text}`latents_many`; neurons have
# {glue:text}`latents_soft_nn:.3f`. A dictionary that is too large could split features over several latents,
# differently in two SAEs, and leave the rest without a partner ({prf:ref}`prop-disentangling-cap`). Some latents
# without use fall silent and are dropped: of {glue:text}`latents_many` {glue:text}`latents_kept:.1f` are kept. In a
# training as short as this one a surplus helps to find the features at all. At full length it does the harm that the
# proposition allows: the recorded gain with 128 latents is a fraction of that with 64, in the table at the end.
#
# ### Eight neurons, once more
#
# The paper suspects that latents match badly at 8 neurons because the two models share few features. But that should
# matter only as far as the dictionary, and $k$, are too large for them. So we give the smallest models dictionaries of
# about the number of features that they share, {glue:text}`shared_8:.1f`, and $k$ = {glue:text}`small_k`, nearer to the
# number of those that are active at a time.

# %%
by_small = {count: scan(sizes[0], count, small_k) for count in small_latents}

# %% tags=["hide-input"]
soft_gains = [float(gain(scores, "soft", "ss", "nn").mean()) for scores in by_small.values()]
ridge_gains = [float(gain(scores, "ridge_ab", "ss", "nn").mean()) for scores in by_small.values()]

# %% tags=["hide-input"]
run.record(small_k=small_k, small_best=small_latents[soft_gains.index(max(soft_gains))], small_full=small_latents[-1])
run.record(small_soft_gain=max(soft_gains), small_ridge_gain=max(ridge_gains))
run.record(small_soft_gain_full=soft_gains[-1], small_ridge_gain_full=ridge_gains[-1])
run.record(**{f"small_main_{short}_gain": gain(by_k[sizes[0]][k], field, "ss", "nn").mean()
              for short, field in {"soft": "soft", "ridge": "ridge_ab"}.items()})  # fmt: skip
run.tell(small_kept=f"mean(dictionary.kept where N = {sizes[0]} and latents = {small_latents[-1]})")

# %% tags=["hide-input", "remove-output"]
axes = panels(2)
for ax, field, name in zip(axes, ("soft", "ridge_ab"), ("soft-matching", "ridge correlation"), strict=True):
    draw_sizes(ax, by_small, ("nn", "ss"), field, name)
    ax.axvline(run.values[f"shared_{sizes[0]}"]["mean"], color=COLOURS["grey"], ls=":", lw=1)
alt = """Soft-matching and ridge correlation between SAEs of the smallest toy models against the number of latents,
with flat lines for neurons. SAE curves are highest at more latents than there are shared features, a dotted line."""
run.figure(axes, "fig-settings-small", alt, title=f"Simulated: dictionary size, N = {sizes[0]}")

# %% [markdown]
# :::{glue:figure} fig-settings-small
# :name: fig-settings-small
#
# At 8 neurons a smaller $k$ closes much of the gap, or more than that: the soft-matching gain S-S minus N-N is at most
# {glue:text}`small_soft_gain:.3f` with $k$ = {glue:text}`small_k`, where the authors' $k$ has
# {glue:text}`small_main_soft_gain:.3f`. Dotted: the number of shared features.
# :::
#
# The best dictionary has {glue:text}`small_best` latents; with {glue:text}`small_full`, of which
# {glue:text}`small_kept:.1f` do not fall silent, the gain is {glue:text}`small_soft_gain_full:.3f`. The ridge gain is
# at most {glue:text}`small_ridge_gain:.3f`, and {glue:text}`small_ridge_gain_full:.3f` with {glue:text}`small_full`,
# against {glue:text}`small_main_ridge_gain:.3f`. We expected the best dictionary near the number of shared features; it
# is larger, here and in the recorded run. What the best setting has over the authors' is the part of the exceptions at
# 8 neurons, in A8 and A11, that a setting can make. It is an upper end: the best of several, picked by the score
# itself, on one pair.

# %% [markdown]
# (disentangling-choices)=
# ## Our recipe, and the model as printed
#
# | choice | main line: the authors' | our recipe, for comparison |
# |---|---|---|
# | toy models | Xavier start, AdamW with decay: code ({ref}`ch-toy-models`) | wider start, Adam |
# | $k$ | 7 at every $N$: code; the text gives none | 6, near the number of active features |
# | start of an SAE | $E$ and $D$ Xavier normal, apart: code | random directions, $E = D^\top$ |
# | starts of a pair | the same for both models: code | one each |
# | before TopK | ReLU: code | nothing |
# | auxiliary loss | weight one tenth: text; its form and "dead": code | the same weight; $e$ held fixed, no $d$ |
# | optimiser | AdamW, rate one thousandth: text; decay one hundredth: code | Adam, the same rate |
# | random SAE | the trained one as it started: code | other random directions |
# | silent units | dropped, latents and neurons: text and code | dropped |
# | steps | one epoch over four fifths of the stimuli: text; `paper` takes all, this run fewer | the same |
#
# Our recipe is older than our knowledge of the code. Its $k$ was set after a trial in which alignments at several $k$
# had been seen, so it is no independent choice; how the authors came to theirs is not known.
#
# And the text's formula for the toy models has no rectifier at the output. By {prf:ref}`thm-toys-printed` such models
# do not superpose: nearly every neuron carries one feature, and an SAE can only add latents without a partner. We
# expect our recipe to agree wherever a gain is large, and the printed model to turn the signs of matching.


# %%
def with_our_recipe(N):
    """Moments of toy models and SAEs by our recipe, with other random SAEs."""
    seeds = [1000 * seed + i for i in range(2 * pairs)]
    toy = train_toy_models(ToyModels(n, N, seeds, device=run.device), toy_steps)
    recipe = Recipe(latents=n, k=ours_k, steps=sae_steps)
    sae = world.fit_saes(toy, 2 * pairs, recipe, apart=True).model
    control = untrained(sae, [1000 * seed + 900 + i for i in range(2 * pairs)])
    return active(world.measure(toy, sae, stimuli, control))


def as_printed(N):
    """Moments of the toy models as printed, with the authors' SAEs."""
    toy = world.train(N, 2 * scan_pairs, toy_steps, "printed")
    sae = world.fit_saes(toy, 2 * scan_pairs, Recipe.authors(latents=n, k=k, steps=last_step)).model
    return active(world.measure(toy, sae, stimuli))


# %%
recipes = {"authors": moments}
recipes |= {name: {N: made(N) for N in sizes} for name, made in (("ours", with_our_recipe), ("printed", as_printed))}

# %% tags=["hide-input"]
for toys_of, by_size in recipes.items():
    found, scores = ({N: make(of) for N, of in by_size.items()} for make in (recovery, all_scores))
    for name, columns in evidence(scores, found, effect):
        run.tabulate(name, toys=toys_of, **columns)
    for N in sizes:
        for question in ("scores.soft_nn", "scores.soft_ss", "gains.soft_gain"):
            run.tell(**{f"{toys_of}_{question.split('.')[1]}_{N}": f"{question} where toys = {toys_of} and N = {N}"})
run.record(ours_k=ours_k)

# %% tags=["hide-input", "remove-output"]
axes = panels(len(sizes), width=2.5, height=2.3)
draw_recipes(axes, sizes, run.ask)
alt = """What latents gain over neurons in feature recovery, soft-matching and ridge, a panel for each number of
neurons, a mark for each recipe. Two recipes lie close at 32; the printed model gains nothing in matching."""
run.figure(axes, "fig-settings-recipe", alt, title="Simulated: gains by three recipes")

# %% [markdown]
# :::{glue:figure} fig-settings-recipe
# :name: fig-settings-recipe
#
# Two recipes agree where a gain is large: soft-matching at 32 neurons gains {glue:text}`authors_soft_gain_32:.2f` by
# the authors' and {glue:text}`ours_soft_gain_32:.2f` by ours. The toy model as printed, which does not superpose,
# changes by {glue:text}`printed_soft_gain_32:.2f`. Means over pairs.
# :::
#
# The signs of both recipes are the same at 16 and 32 neurons, at 32 nearly the numbers. At 8 neurons the gain in
# soft-matching is {glue:text}`authors_soft_gain_8:.3f` by the authors' recipe and {glue:text}`ours_soft_gain_8:.3f` by
# ours. Where they differ, what the paper reports at 8 neurons is in part a fact about its recipe. Which of the choices
# makes the difference is not shown: in $k$ the two differ by one only.
#
# In the printed model neurons are aligned already, up to their order, which the matching forgives: soft-matching N-N is
# {glue:text}`printed_soft_nn_32:.3f` at 32 neurons, where the rectified models have
# {glue:text}`authors_soft_nn_32:.3f`. The SAE has to do something with its surplus of latents and lowers the score at
# every $N$, and ridge to neurons gains less than the effect that matters. So SAEs have something to gain only where
# models are in superposition.

# %% [markdown]
# ## At the paper's full length
#
# The profile `paper` trains as long as the paper does, on batches of its size. Its results were recorded with the book;
# beside this run:

# %% tags=["hide-input"]
rows = {f"share of k with the paper's signs, {metric}": f"max(scan.share where metric = {metric} and N = all)"
        for metric in ("soft", "ridge")}  # fmt: skip
for words, name in {
    "neurons": "nn",
    "independent axes": "ii",
    "latents": "ss",
    "share of the seed ceiling": "share",
}.items():
    rows |= {f"soft-matching, {words}, N = {N}": f"axes.{name} where N = {N}" for N in sizes}
for choice, words in {"authors": "authors'", "apart": "starts apart", "kept": "silent kept"}.items():
    rows |= {f"soft-matching gain, {words}, N = {N}": f"choices.soft_gain where choice = {choice} and N = {N}"
             for N in sizes}  # fmt: skip
for N, counts in {sizes[-1]: [*scan_latents, 256], sizes[0]: small_latents}.items():
    rows |= {f"soft-matching gain, {F} latents, N = {N}": f"dictionary.soft_gain where N = {N} and latents = {F}"
             for F in counts}  # fmt: skip
run.beside_recorded(rows)

# %% [markdown]
# ## What to take away
#
# - **One-to-one scores between codes are fragile.** They need the right number of latents, the right $k$ and enough
#   training. Where one of these is off they fall, in many cases below the neurons, and the difference lies in the SAEs.
#   A low score between codes is no evidence of different features.
# - **Predicting neurons from codes depends little on $k$** and on a dictionary that is too large. It fails as matching
#   does with too short a training, and with fewer latents than a model represents features.
# - **The exceptions at 8 neurons come from settings in large part.** By the authors' $k$ and number of latents SAEs
#   change soft-matching by {glue:text}`small_main_soft_gain:.3f`, by the best setting tried by
#   {glue:text}`small_soft_gain:.3f`.
# - **Report the seed ceiling and the share of silent latents** beside a score: two SAEs of *one* model with 8 neurons
#   match at {glue:text}`axes_aa_8:.3f` only.
#
# Where we depart from the paper: it shows one setting, and one pair of seeds; its penalty for ridge is one for all
# targets, which changes nothing here. Other axes and the seed ceiling are controls of ours.
#
# **What changed our mind.** We expected $k$ to be a detail, since the text leaves it out. It moves every score between
# latents and can turn signs; we had to know the authors' to see that their signs come out by their own settings. And we
# took the low scores at 8 neurons for a fact about small networks. In the recorded run a smaller $k$ with a smaller
# dictionary turns them; in this short one starts apart move them as much as $k$ does.
#
# ## Exercises
#
# Solutions are folded below each exercise and were run with the chapter.
#
# :::{exercise} Which way does it go wrong?
# :label: ex-settings-ways
#
# (Recall, easy, 5 minutes.) For each of these, does soft-matching between the latents of two SAEs come out too low, and
# why: a $k$ far above the number of active features, fewer latents than the models represent features, a training that
# stops early? Does ridge regression from latents to neurons suffer too?
# :::
#
# :::{dropdown} Hint
# Ask of each whether two SAEs get more freedom to *choose* differently, or have to mix or stop differently, and then
# whether information about the neurons is lost on the way. A linear fit can recombine latents, a matching cannot.
# :::
#
# :::{solution-start} ex-settings-ways
# :label: sol-settings-ways
# :class: dropdown
# :::
#
# Too low, each time. With a large $k$ the neurons can be rebuilt from almost any directions, so two SAEs choose
# different ones. With too few latents each has to be a mixture, and two SAEs mix differently. After a short training
# latents are still near their start. Regression to neurons suffers little from the first, since a linear fit can put a
# split feature together again; it does suffer from the other two, which lose information.
#
# :::{solution-end}
# :::
#
# :::{exercise} The right size in a known world
# :label: ex-settings-size
#
# (Rerun, medium, 15 minutes.) Predict, from the number of shared features at the middle $N$ and from the number of
# those active at a time, which dictionary size and $k$ give the best soft-matching there. Then scan.
# :::
#
# :::{dropdown} Hint
# Give each feature that both models represent one latent, and each that is active at a time one place in $k$: the text
# on shared features has both counts. `scan(sizes[1], count, k)` trains with `count` latents.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the number of shared features active at a time at the middle N, to one decimal
both = run.values[f"shared_{sizes[1]}"]["mean"]
mistakes = {
    both: "That is how many are shared: of these count the active ones.",
    p * n: "That counts features that only one model represents, or none.",
    p * sizes[1]: "That counts one feature for each neuron: the models represent more.",
}
check(mine, right=p * both, mistakes=mistakes, digits=1)

# %% [markdown]
# :::{solution-start} ex-settings-size
# :label: sol-settings-size
# :class: dropdown
# :::

# %%
for count in (24, 32, 48):
    scores = scan(sizes[1], count, 3)
    soft = {ab: means(scores, "soft", ab).mean() for ab in ("ss", "nn")}
    print(f"{count} latents: soft S-S {soft['ss']:.3f}, N-N {soft['nn']:.3f}")

# %% [markdown]
# A pair shares {glue:text}`shared_16:.1f` features there, of which {glue:text}`active_shared_16:.1f` are active at a
# time, so about that many latents with $k$ = 3 should do best. Compare with {glue:text}`main_ss_16:.3f` for
# {glue:text}`n` latents and $k$ = {glue:text}`k`, trained longer.
#
# :::{solution-end}
# :::
#
# :::{exercise} A $k$ that needs no truth
# :label: ex-settings-seeds
#
# (Extend, medium, 15 minutes.) {ref}`ch-own` chooses $k$ by asking where two SAEs of *one* network agree best. Would
# that rule have found, at the largest $N$, the $k$ at which two *different* toy models match best? Write down your
# guess before you run it.
# :::
#
# :::{dropdown} Hint
# `world.fit_saes(toys[largest], 2, recipe, apart)` fits both models, from other starts if `apart`. For each of `scan_k`
# match latents of one model across the two fits, and of two models within one.
# :::
#
# :::{solution-start} ex-settings-seeds
# :label: sol-settings-seeds
# :class: dropdown
# :::

# %%
y = toys[largest].model.responses(world.features(10000, seeded(seed + 906, run.device)))[:2]
for chosen in scan_k:
    recipe = replace(main_recipe, k=chosen, steps=last_step)
    one, other = (world.fit_saes(toys[largest], 2, recipe, apart).model.latents(y) for apart in (False, True))
    own, between = soft_matching_score(one[0], other[0]).mean, soft_matching_score(*one).mean
    print(f"k = {chosen}: two SAEs of one model {own:.3f}, two models {between:.3f}")

# %% [markdown]
# Compare where each column has its maximum. The rule looks at one model only, so it cannot be accused of choosing the
# answer; whether its choice is also the best one for the pair is a question that this world can answer and a real
# network cannot.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# Another range of $k$, or a longer training:
#
# ```
# make chapter NAME=18_settings ARGS="-p scan_k '[2,4,8,16]'"
# make chapter NAME=18_settings ARGS="-p sae_steps 8000 -p batch 1024"
# ```
#
# Trained models are kept, so a second run with the same settings takes seconds. The profile `paper` takes the lengths
# and batches of the paper.

# %%
run.save(data="simulated: sparse uniform features, trained toy models and sparse autoencoders")
