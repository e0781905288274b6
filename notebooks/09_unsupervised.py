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
# (ch-unsupervised)=
# # Features from responses alone
#
# A sparse autoencoder that sees the responses of a network, and never its features, learns a sparse {term}`code`. Are
# the codes of two networks with the same features more alike than their responses? How much of what superposition took
# from the score comes back?
#
# **In short.** Codes help only where there are enough units to find the features well, because the errors of both codes
# count. At $m_{CS} = k \log(n/k)$ units, where the paper puts the border, codes of random projections align at
# **{glue:text}`unsup_at_one:.2f`** and the responses themselves at {glue:text}`raw_at_one:.2f`; codes beat responses in
# every pair {glue:md}`codes_pay`. With the most units they are {glue:text}`b9_gauss_last_gap:.3f` short of codes that
# were taught the features.
#
# :::{glue:figure} fig-unsup-curves
# :name: fig-unsup-curves
#
# The codes overtake the raw responses only at some distance from $m_{CS}$ (dotted). Where pursuit has arrived and codes
# have not, information is not what holds them back (corresponds to figure 4 of {cite:t}`liu2026`, whose curves are raw,
# supervised, unsupervised). Solid: held-out $r$, mean and standard error over {glue:text}`pairs` pairs. Dashed, same
# colours: share of stimuli whose active features are exactly found. Line without markers: the closed form for raw
# responses of Gaussian projections. The supervised curve, in the paper as here that of learned systems, is the same in
# both panels.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - from how many units on a learned code aligns better than the responses;
# - how finding features differs from agreeing on them;
# - which part of the training recipe matters most, and why scores on training stimuli mislead.
#
# **What the paper claims.** Section 6, appendix F and figure 4 of {cite:t}`liu2026`:
#
# | claim | in our words |
# |---|---|
# | B9 | unsupervised codes align better than raw responses, and nearly as well as supervised ones in the CS regime |
#
# CS stands for {term}`compressed sensing`. The supervised codes are those of {ref}`ch-supervised`, where the encoder
# was taught the true features. Here nobody teaches them, as with every real network, so this claim is the practical
# one.
# ::::

# %% [markdown]
# ## The idea
#
# A stimulus has $n$ features $z \ge 0$, of which $k$ are active. A system in {term}`superposition` answers with $m < n$
# units, $y = Az$. The sparse autoencoder ({term}`SAE`) of {cite:t}`liu2026`, a {term}`TopK` SAE after
# {cite:t}`gao2025`, codes and rebuilds the *responses*:
#
# $$
# s = \mathrm{TopK}(E y + c) , \qquad \hat y = D s + d ,
# $$ (eq-unsup-sae)
#
# and is trained to make $|y - \hat y|^2$ small. TopK keeps the $k$ largest of the {term}`latents <latent>` $s$ and sets
# the others to 0. $E$ is the encoder, $D$ the decoder or *dictionary*, and $c$, $d$ are biases. The SAE is given $n$,
# its number of latents, and $k$, nothing else. If it succeeds, the columns of $D$ are those of $A$, and $s$ is $z$, up
# to order and scale.
#
# As in the paper, the codes of system b are regressed on those of system a, by ordinary least squares ({term}`OLS`)
# with intercept, which undoes any permutation or rescaling of latents. All scores are {term}`held out`: of stimuli that
# no training has seen, half fit the weights, and $r$ is the mean Pearson correlation over latents on the other half. A
# latent that never changes has correlation 0.
#
# How well must the features be found for this to pay?
#
# ```{prf:proposition} Errors count twice
# :label: prop-unsup-product
#
# Let $s_a = g_a z + e_a$ and $s_b = g_b z + e_b$ be the latents of two codes that stand for the same feature $z$, with
# $g_a, g_b > 0$ and errors that are uncorrelated with $z$ and with each other. Let $r_a$ and $r_b$ be the
# correlations of $s_a$ and $s_b$ with $z$. Then the correlation of $s_a$ with $s_b$ is $r_a r_b$.
# ```
#
# ```{prf:proof}
# The covariance of $s_a$ and $s_b$ is $g_a g_b \operatorname{var} z$, since all terms with errors vanish. Divide by the
# two standard deviations and note that $r_a = g_a\, \mathrm{sd}(z) / \mathrm{sd}(s_a)$, and likewise for b.
# ```
#
# This is the attenuation of {cite:t}`spearman1904`, here a guide rather than a bound: regression may also use other
# latents, and errors that both codes make together help it. A code with correlation $r_a$ to the truth aligns at about
# $r_a^2$ with another of its kind. Raw responses of random projections align at about $\sqrt{m/n}$
# ({ref}`ch-gaussian`). So, by this guide, **codes pay once $r_a > (m/n)^{1/4}$**: a mediocre code should lose. Are
# codes that good at $m = m_{CS}$, where the CS regime is said to begin?
#
# ### Four curves instead of three
#
# The paper plots raw, supervised and unsupervised, and reads the gap between the last two as the price of not knowing
# the features. But both codes are made by one matrix product followed by TopK, and such an encoder can fail where the
# information is all there ({numref}`fig-supervised-recovery`). To see what the responses still contain, we add
# {term}`basis pursuit`, which knows $A$ and looks for the non-negative code of smallest sum that explains $y$.

# %%
from functools import partial

import torch

from lib.chapter.plotting import COLOURS, INK, Slider, SliderFigure, k_styles, log_ticks, panels
from lib.chapter.run import Run
from lib.correlation import constant_units, paired_correlations, unit_correlations
from lib.features import seeded, topk_uniform
from lib.matching import best_permutation
from lib.recovery import nonnegative_basis_pursuit, nonnegative_lasso, support_recovered
from lib.regression import held_out_correlations
from lib.sae import Recipe, TopKSAE, fit, keep_largest
from lib.supervised import SupervisedSAE
from lib.theory import compressed_sensing_units, expected_r, row_space, topk_uniform_moments
from lib.training import train

# %% [markdown]
# Of the paper's sizes only "32/64" is left in the text, so ours are a choice.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
sizes: list[int] = [64]  # features n, the first is the main size
active: list[int] = [4]  # active features k for each stimulus, one for each size
pairs: list[int] = [3]  # pairs of systems at each ratio, one for each size, at least 2
ratios: list[float] = [0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]  # units in multiples of k log(n/k), rising, 1 among them
steps: int = 1600  # training steps of systems and of SAEs
batch: int = 128  # fresh stimuli in a step
rate: float = 0.02  # learning rate of Adam at the start, falling to 0 along a half cosine
aux_weight: float = 0.03125  # weight of the auxiliary loss on dead latents
dead_after: int = 50  # steps without firing after which a latent is dead
stimuli: int = 10000  # held-out stimuli on which codes are compared, even
pursuit_stimuli: int = 400  # held-out stimuli for basis pursuit, at most as many
pursuit_penalty: float = 0.01  # price on the sum of the code, in squared lengths of a mean column
pursuit_steps: int = 300  # gradient steps of basis pursuit
recipe_ratios: list[float] = [1.5, 2.5]  # ratios at which recipes are compared, some of those above
recipe_pairs: int = 1  # pairs at which recipes are compared
stored: list[int] = [1000, 2000, 8000]  # stimuli of fixed training sets, the middle one for the list of recipes
plain_ratio: float = 2.5  # ratio at which the plain recipe is run, one of those compared
plain_steps: int = 1500  # training steps of the plain recipe
plain_stimuli: int = 2000  # fixed training set of the plain recipe, all in every step

# %%
run = Run("09_unsupervised", globals())
n, k, count = sizes[0], active[0], pairs[0]
m_cs = compressed_sensing_units(n, k)
run.record(n=n, k=k, pairs=count, steps=steps, batch=batch, m_cs=m_cs, first=ratios[0], last=ratios[-1])

# %% [markdown]
# ## Two kinds of systems
#
# The main size has $n$ = {glue:text}`n` features, $k$ = {glue:text}`k` of them active, $m_{CS}$ =
# {glue:text}`m_cs:.1f`, and {glue:text}`pairs` pairs of systems at each number of units. As in the paper, they are of
# two kinds:
#
# - **Gaussian y**: $A$ has independent Gaussian entries of variance $1/m$. Nothing is learned.
# - **learned y**: the same systems after training as in {ref}`ch-supervised`, together with a TopK encoder that has to
#   return the features. These encoders give the supervised curve.
#
# All systems are trained as one batched program, the smaller ones padded with units whose weights stay 0. Every system
# and every SAE has a seed of its own: an SAE that shared its system's seed would draw that system's projection as its
# first {term}`dictionary`, and find all features at once.


# %%
def seeds(n, part, models):
    """Seeds that no two models share: part 0 is for systems, part 1 for SAEs."""
    return [((1000 * seed + n) * 10 + part) * 1000 + i for i in range(models)]


# %% [markdown]
# Models stand in one order: ratio by ratio, pair by pair, system a before system b.


# %%
def units_of(n, k, count, at=ratios):
    """Units of all systems: at each ratio in turn, both systems of each pair."""
    return [round(ratio * compressed_sensing_units(n, k)) for ratio in at for _ in range(2 * count)]


# %%
def learn_systems(n, k, units):
    """Systems trained with their encoders on fresh stimuli."""
    model = SupervisedSAE(units, n, k, seeds(n, 0, len(units)), device=run.device)
    draw = partial(topk_uniform, batch, n, k, dtype=torch.float32)
    return train(model, draw, steps, "supervised", seed, rate, cosine=True).model


# %% [markdown]
# ## TopK SAEs on the responses
#
# Our recipe differs from the paper's, for reasons shown below. Each encoder starts as the transpose of its decoder,
# whose columns start as random directions of length 1. Every step sees {glue:text}`batch` fresh stimuli, and the
# learning rate falls along a half cosine. Latents that have not fired for some steps count as {term}`dead <dead
# latent>` and learn to rebuild what the others miss, by the auxiliary loss of {cite:t}`gao2025`. Responses are centred
# at the response to the mean features, which a simulation knows.

# %%
feature_mean = {n: topk_uniform_moments(n, k)[0] for n, k in zip(sizes, active, strict=True)}


def centred(systems, z):
    """Responses less their mean."""
    return systems.responses(z - feature_mean[z.shape[-1]])


# %% [markdown]
# What differs from our recipe comes in as `options`, and `draw` may replace the fresh stimuli.


# %%
OURS = {"steps": steps, "lr": rate, "cosine": True, "aux_weight": aux_weight, "dead_after": dead_after}


def learn_saes(systems, n, k, which, draw=None, **options):
    """SAEs on the systems; `which` are their places in the main experiment, so that each keeps its seed."""
    units = [(systems.weight[i] != 0).any(0).sum().item() for i in range(len(which))]
    chosen = [seeds(n, 1, which[-1] + 1)[i] for i in which]
    recipe = Recipe(**{"latents": n, "k": k} | OURS | options)
    draw = draw or (lambda g: centred(systems, topk_uniform(batch, n, k, g, dtype=torch.float32)))
    return fit(TopKSAE(units, recipe, chosen, run.device), draw, "unsupervised", seed + 1).model


# %% [markdown]
# SAEs see other stimuli than the systems. The two SAEs of a pair see the same stimuli, as two networks would that are
# shown the same images, but share neither seed nor system.


# %%
def learn_all(n, k, count):
    """Systems and SAEs of one size, each by kind."""
    units = units_of(n, k, count)
    gauss = SupervisedSAE(units, n, k, seeds(n, 0, len(units)), device=run.device)
    systems = {"gauss": gauss, "learned": learn_systems(n, k, units)}
    return systems, {kind: learn_saes(s, n, k, range(len(units))) for kind, s in systems.items()}


# %% tags=["trained"]
systems, saes = learn_all(n, k, count)

# %% [markdown]
# ## Scoring
#
# Raw responses are scored without the padding.


# %%
def responses_of(systems, z):
    """Responses without the padding, a list with one entry (systems, stimuli, units) for each ratio."""
    return [y[..., : (y != 0).any((0, 1)).sum()] for y in systems.responses(z).chunk(len(ratios))]


# %%
def alignment(parts):
    """Held-out r, mean over latents, for each ratio and pair, from codes or responses of each ratio."""
    r = [held_out_correlations(x[::2].double(), x[1::2].double()).mean(-1) for x in parts]
    return torch.stack(r).cpu()


# %%
def curves_of(systems, saes, z):
    """Alignment by name and kind, each (ratios, pairs)."""
    curves = {}
    for kind in systems:
        curves["raw", kind] = alignment(responses_of(systems[kind], z))
        curves["unsup", kind] = alignment(saes[kind].encode(centred(systems[kind], z)).chunk(len(ratios)))
    taught = systems["learned"]
    curves["supervised", "learned"] = alignment(taught.encode(taught.responses(z)).chunk(len(ratios)))
    return curves


# %%
z = topk_uniform(stimuli, n, k, seeded(seed + 10**9, run.device), dtype=torch.float32)
curves = curves_of(systems, saes, z)

# %% [markdown]
# Latents that never change are the usual silent failure: they score 0, and a mean over latents hides how many there
# are.

# %%
codes = {kind: saes[kind].encode(centred(systems[kind], z)) for kind in systems}
constant = {kind: constant_units(codes[kind]).float().reshape(len(ratios), -1).mean(1) for kind in codes}
run.record(**{f"constant_{kind}": share.max() for kind, share in constant.items()})
run.record(**{f"constant_{kind}_at_one": share[ratios.index(1.0)] for kind, share in constant.items()})

# %% [markdown]
# :::{dropdown} How many latents are constant
# The largest share over the ratios is {glue:text}`constant_gauss:.3f` for Gaussian y and
# {glue:text}`constant_learned:.3f` for learned y; at $m_{CS}$ the shares are {glue:text}`constant_gauss_at_one:.3f` and
# {glue:text}`constant_learned_at_one:.3f`. The responses of learned systems with very few units hardly vary from
# stimulus to stimulus, and latents that never win a place among the $k$ largest stay silent.
# :::
#
# ### What the responses still contain
#
# We approximate pursuit by a non-negative least-squares fit with a small price on the sum of the code
# {cite:p}`beck2009`, and correlate latent $j$ of a directly with latent $j$ of b.


# %%
def pursue(y, dictionary):
    """Non-negative codes (systems, stimuli, n) of responses for dictionaries (systems, n, m)."""
    scale = dictionary.square().sum(-1).mean(-1)[:, None, None].sqrt()
    y, a = (y / scale).double(), (dictionary / scale).double().mT.contiguous()
    return nonnegative_lasso(y, a, pursuit_penalty, pursuit_steps)


# %%
few = z[:pursuit_stimuli]
pursued = {kind: pursue(s.responses(few), s.weight.detach()) for kind, s in systems.items()}
for kind, code in pursued.items():
    curves["pursuit", kind] = paired_correlations(code[::2], code[1::2]).mean(-1).reshape(len(ratios), -1).cpu()

# %% [markdown]
# :::{dropdown} The fast method, checked against the exact programme; direct correlation, against regression
# Exact basis pursuit is a linear programme for each stimulus; the fit comes close to it and treats all stimuli and
# systems at once. Projections are scaled to columns of mean squared length 1, so that the price means the same
# everywhere. Pursuit knows the true projection, so its latents come in the true order, and direct correlation is fair;
# with few stimuli, fitting a regression would add noise.
#
# Two checks: the fast method against the exact programme at the largest ratio below 2, where recovery is not trivial;
# and direct correlation against regression for one pair at $m_{CS}$, where codes are poor and the two could differ. The
# codes of the two methods correlate at {glue:text}`pursuit_check:.4f`. Read directly, the pair aligns at
# {glue:text}`pursuit_direct:.3f`; by regression, at {glue:text}`pursuit_fitted:.3f`.
# :::

# %%
place = 2 * count * [i for i, ratio in enumerate(ratios) if ratio < 2][-1]
a = systems["gauss"].weight[place].detach().double()
a = a[:, (a != 0).any(0)]
exact = nonnegative_basis_pursuit(few[:50].double() @ a, a.mT)
agreement = paired_correlations(exact, pursued["gauss"][place, :50].cpu())
run.record(pursuit_check=agreement[~constant_units(exact)].mean())

# %%
pair = systems["gauss"].weight.detach()[2 * count * ratios.index(1.0) :][:2]
code_a, code_b = pursue(z[: stimuli // 2] @ pair, pair)
run.record(pursuit_direct=paired_correlations(code_a, code_b).mean())
run.record(pursuit_fitted=held_out_correlations(code_a, code_b).mean())

# %% [markdown]
# ### How well the features are found
#
# An SAE's latents have no given order. We match them to features one to one, by the permutation of largest total
# correlation, fitted on the first half of the stimuli; correlations with the features are read on the second. Two
# features cannot share a latent.


# %%
def in_order(z, code):
    """A code with its latents in the order of the features they match best, one to one, on the first half."""
    half = len(z) // 2
    return code[:, best_permutation(unit_correlations(z[:half], code[:half])).to(code.device)]


# %%
ordered = {("unsup", kind): torch.stack([in_order(z, code) for code in codes[kind]]) for kind in codes}
ordered["supervised", "learned"] = systems["learned"].encode(systems["learned"].responses(z))
ordered |= {("pursuit", kind): code.float() for kind, code in pursued.items()}

# %% [markdown]
# Codes of supervised encoders and of pursuit have the order of the features by construction, so a low correlation
# cannot be blamed on a bad match. Beside it stands the {term}`support rate`: the share of stimuli whose $k$ largest
# latents are exactly the active features, the {term}`support` of the stimulus. It shows whether alignment returns where
# recovery does.


# %%
def against_truth(code):
    """Correlation with the features (ratios, systems, n), and support rates (ratios, systems)."""
    half = code.shape[1] // 2
    truth, code = z[half : 2 * half].expand(len(code), -1, -1), code[:, half:]
    r = paired_correlations(truth, code).reshape(len(ratios), -1, code.shape[-1])
    found = support_recovered(keep_largest(code, k), truth).float().mean(-1)
    return r.cpu(), found.reshape(len(ratios), -1).cpu()


# %%
told = {key: against_truth(code) for key, code in ordered.items()}
recovery, support = ({key: both[i] for key, both in told.items()} for i in (0, 1))

# %% [markdown]
# ## The curves
#
# What to expect in {numref}`fig-unsup-curves`: basis pursuit should jump to 1 once there are enough units. Supervised
# codes follow at some distance, and unsupervised codes, if the claim holds, stay between raw and supervised at every
# ratio from 1 on, for both kinds of systems. "Near supervised" means **within half a tenth of $r$**, above the
# supervised curve as well as below. (With a condition, the ledger asks for a tenth at the largest number of units.)

# %% tags=["hide-input"]
for (name, kind), table in curves.items():
    for ratio, values in zip(ratios, table, strict=True):
        run.tabulate("curves", codes=name, systems=kind, n=n, ratio=ratio, pair=range(len(values)), r=values)

# %% tags=["hide-input"]
CODES = {"pursuit": "basis pursuit (knows A)", "supervised": "supervised SAE", "unsup": "unsupervised SAE"}
CODES |= {"raw": "raw responses"}
looks = dict(zip(("raw", "unsup", "supervised", "pursuit", "learned"), k_styles(range(5)), strict=True))


def draw_kind(ax, kind):
    """Alignment (markers, solid) and support rates (dashed) of one kind of systems over the ratio."""
    for key in [("pursuit", kind), ("supervised", "learned"), ("unsup", kind), ("raw", kind)]:
        r, style = curves[key], looks[key[0]]
        ax.errorbar(ratios, r.mean(1), r.std(1) / r.shape[1] ** 0.5, label=CODES[key[0]], lw=1.4, **style)
        if key in support:
            ax.plot(ratios, support[key].mean(1), ls="--", lw=1, color=style["color"])
    ax.axvline(1, color=COLOURS["grey"], lw=0.8, ls=":")
    ax.set(xlabel="units, in multiples of $m_{CS}$", ylabel="r (solid), share of stimuli (dashed)", ylim=(-0.03, 1.05))
    ax.set_title({"gauss": "Gaussian projections", "learned": "learned projections"}[kind], fontsize=9)


# %% tags=["hide-input", "remove-output"]
left, right = panels(2, height=3.2)
draw_kind(left, "gauss")
draw_kind(right, "learned")
fine = range(units_of(n, k, 1)[0], min(n, units_of(n, k, 1)[-1]) + 1)
left.plot([m / m_cs for m in fine], [expected_r(n, m) for m in fine], color=INK, lw=1)
right.plot([], [], "--", color=COLOURS["grey"], label="all active features found")
right.legend(loc="lower right")
run.figure([left, right], "fig-unsup-curves", title="Simulated: alignment of raw responses and of three codes", alt=(
    "Held-out correlation against units in multiples of m_CS, one panel for Gaussian and one for learned systems. "
    "Left, basis pursuit rises first and steeply, then supervised, then unsupervised codes; right, the codes lie close "
    "together. Raw responses rise slowly and begin above all codes. Dashed shares of stimuli rise later."))  # fmt: skip

# %% [markdown]
# On the left, basis pursuit, in purple, says how much of the features the responses determine. It jumps, and its
# support rate, dashed, at the same place: the recovery transition of {ref}`ch-gaussian` again. When it has arrived, raw
# responses are still low: deflation by superposition, with nothing lost. Supervised codes are on their way.
# Unsupervised codes come last, and their support rate later still: getting *all* active features of a stimulus right is
# much harder than correlating with them.
#
# At $m_{CS}$, the dotted line, pursuit is half-way up its jump, and no code of an encoder has turned. $m_{CS}$ is the
# right unit for the axis, since it takes care of $n$ and $k$, but not the place from which on encoders work.
#
# The {term}`verdict` rests on the gain of unsupervised codes over raw responses, pair by pair, and on the gap to the
# supervised curve.


# %%
def verdict_numbers(kind):
    """Gains over raw by pair, gaps to supervised by ratio, and the ratio from which on the codes lie between."""
    gain = curves["unsup", kind] - curves["raw", kind]
    gap = (curves["supervised", "learned"] - curves["unsup", kind]).mean(1)
    between = (gain > 0).all(1) & (gap >= -0.05)
    good = [ratio for i, ratio in enumerate(ratios) if ratio >= 1 and between[i:].all()]
    return gain[ratios.index(1.0) :], gap[ratios.index(1.0) :], good[0] if good else 100.0


# %% tags=["hide-input"]
for kind in systems:
    gain, gap, start = verdict_numbers(kind)
    run.record(**{f"b9_{kind}_from": start, f"b9_{kind}_least_gain": gain.mean(1).min()})
    run.record(**{f"b9_{kind}_gain_at_one": gain[0]})
    run.tabulate("gaps", systems=kind, largest=gap.max(), last=gap[-1], excess=-gap.min())
    run.tell(**{f"b9_{kind}_{name}_gap": f"max(gaps.{name} where systems = {kind})" for name in ("largest", "last")})
run.tell(b9_largest_excess="max(gaps.excess)")

# %% tags=["hide-input"]
at_one = f"where systems = gauss and n = {n} and ratio = 1"
run.tell(**{f"{name}_at_one": f"mean(curves.r {at_one} and codes = {name})" for name in ("raw", "unsup")})
start = run.values["b9_gauss_from"]
run.words("codes_pay", f"from {start:g} times as many on" if start < 100 else "nowhere by our criteria")

# %% [markdown]
# ```{list-table}
# :header-rows: 1
#
# * -
#   - Gaussian y
#   - learned y
# * - unsupervised minus raw at $m_{CS}$
#   - {glue:text}`b9_gauss_gain_at_one:.3f`
#   - {glue:text}`b9_learned_gain_at_one:.3f`
# * - between raw (every pair) and supervised (mean), from this ratio on
#   - {glue:text}`b9_gauss_from`
#   - {glue:text}`b9_learned_from`
# * - largest gap to supervised, ratios from 1 on
#   - {glue:text}`b9_gauss_largest_gap:.3f`
#   - {glue:text}`b9_learned_largest_gap:.3f`
# * - gap to supervised at {glue:text}`last` $m_{CS}$
#   - {glue:text}`b9_gauss_last_gap:.3f`
#   - {glue:text}`b9_learned_last_gap:.3f`
# ```
#
# (A ratio of 100 would mean that there is none.) Where the first line is negative, codes are *worse* than the responses
# as they are. The largest excess of unsupervised over supervised codes is {glue:text}`b9_largest_excess:.3f`.
#
# On Gaussian y, beyond the jump of pursuit, there are ratios where pursuit has nearly everything and the codes do not:
# the features could be had. Part of this is *the encoder's shortfall*, as one matrix product with TopK does not get
# them; part is the dictionary's, see below. At $m_{CS}$ itself pursuit fails for most stimuli too: there the
# information, or what the smallest code can tell of it, is lost.
#
# :::{dropdown} An excess would be no contradiction, and on learned y pursuit is no upper limit
# The supervised encoder was trained to be right about the features, not to agree with its partner.
#
# On learned y pursuit knows that codes have a small sum, not that just $k$ latents are active, and the columns of a
# learned projection share a direction (measured below), so that the responses fix the sum of every code that explains
# them. What remains of pursuit is non-negativity {cite:p}`bruckstein2008`, while encoders with TopK are told $k$.
#
# From twice $m_{CS}$ on, unsupervised codes come nearer to supervised ones on learned y than on Gaussian y. Learned
# systems were trained so that an encoder of this very form can read them. Nobody arranged random projections for it,
# and there the last stretch costs more units.
# :::

# %% tags=["hide-input"]
for size_n, size_k, size_count in zip(sizes[1:], active[1:], pairs[1:], strict=True):
    other_z = topk_uniform(stimuli, size_n, size_k, seeded(seed + 10**9, run.device), dtype=torch.float32)
    for (name, kind), table in curves_of(*learn_all(size_n, size_k, size_count), other_z).items():
        for ratio, values in zip(ratios, table, strict=True):
            pair = range(len(values))
            run.tabulate("curves", codes=name, systems=kind, n=size_n, ratio=ratio, pair=pair, r=values)
        print(f"n {size_n} {name:10} {kind:8}", *(f"{r:5.2f}" for r in table.mean(1)))

# %% [markdown]
# This repeats the curves for further sizes, of which the quick {term}`profile` has none.
#
# ## Why mediocre codes lose
#
# To test {prf:ref}`prop-unsup-product` we compare, for every pair of systems, the product of the two recoveries
# (correlations with the feature), the correlation of the two latents matched to the same feature, and the regression's
# $r$, all averaged over features.

# %%
predicted = {key: (r[:, ::2] * r[:, 1::2]).mean(-1) for key, r in recovery.items()}
taught = ("supervised", "learned")
run.record(product_supervised=(curves[taught] - predicted[taught]).abs().max())

# %%
for kind in codes:
    code = ordered["unsup", kind]
    matched = paired_correlations(code[::2], code[1::2]).mean(-1).reshape(len(ratios), -1).cpu()
    run.record(**{f"product_{kind}": (matched - predicted["unsup", kind]).abs().max()})
    run.record(**{f"surplus_{kind}": (curves["unsup", kind] - matched).max()})

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
for key in [("pursuit", "gauss"), taught, ("unsup", "gauss"), ("unsup", "learned")]:
    style = looks["learned" if key == ("unsup", "learned") else key[0]]
    words = f"{CODES[key[0]].split(' (')[0].removesuffix(' SAE')}, {key[1].replace('gauss', 'Gaussian')} y"
    left.plot(ratios, recovery[key].mean((1, 2)), label=words, **style)
    if key[0] != "pursuit":
        right.plot(predicted[key].flatten(), curves[key].flatten(), ls="", **style)
left.plot(ratios, [(x * m_cs / n) ** 0.25 for x in ratios], color=INK, lw=1, label="above it codes should pay")
left.set(xlabel="units, in multiples of $m_{CS}$", ylabel="correlation with the features", ylim=(0, 1.05))
left.legend(loc="lower right")
right.plot([0, 1], [0, 1], color=INK, lw=1)
right.set(xlabel="product of both codes' correlations with the features", ylabel="r of the codes")
run.figure([left, right], "fig-unsup-recovery", title="Simulated: finding the features, and agreeing on them", alt=(
    "Left: correlation of latents with the features against units, rising for all codes, highest for basis "
    "pursuit, with a slowly rising line marking where codes begin to pay. Right: alignment of codes against "
    "the product of the recoveries of both; points lie along the diagonal, some above it."))  # fmt: skip

# %% [markdown]
# :::{glue:figure} fig-unsup-recovery
# :name: fig-unsup-recovery
#
# Errors count twice. (a) Held-out correlation of latents with the features they match; the line is $(m/n)^{1/4}$, above
# which codes of random projections should align better than the responses. (b) Alignment against the product of the
# recoveries (line: equal); what lies above the line, regression takes from elsewhere.
# :::
#
# Matched latents follow the product: over all pairs they differ from it by at most {glue:text}`product_gauss:.3f` for
# Gaussian y and {glue:text}`product_learned:.3f` for learned y. For supervised codes, regression and product differ by
# up to {glue:text}`product_supervised:.3f`.
#
# :::{dropdown} Regression gets more out of poor codes than a one-to-one score would
# For unsupervised codes regression has up to {glue:text}`surplus_gauss:.3f` (Gaussian y) and
# {glue:text}`surplus_learned:.3f` (learned y) more than matched latents, from the other latents of the code: it can put
# together a feature that one SAE spreads over several. So part of the alignment of poor codes is regression's doing,
# and a one-to-one score would see less of it.
# :::
#
# ### Found or not found
#
# A mean over latents can be a little of everything or all of some. Sorted by the correlation with their feature, do the
# latents form a slope, or a cliff? Guess before moving the slider.


# %% tags=["hide-input"]
def sorted_recovery(key, ratio):
    """Correlations with the features from best to worst, mean over systems."""
    return recovery[key][ratios.index(ratio)].sort(-1, descending=True).values.mean(0).tolist()


# %% tags=["hide-input"]
def latents_state(kind, ratio):
    """Lines and a sentence for one position of the sliders."""
    short, i = {"Gaussian": "gauss", "learned": "learned"}[kind], ratios.index(ratio)
    keys = {"sae": ("unsup", short), "taught": taught, "pursuit": ("pursuit", short)}
    lines = {gid: (list(range(1, n + 1)), sorted_recovery(key, ratio)) for gid, key in keys.items()}
    raw, sae = curves["raw", short][i].mean(), curves["unsup", short][i].mean()
    found = 100 * (recovery["unsup", short][i] > 0.9).float().mean()
    return lines | {"told": f"Above 0.9: {found:.0f} of 100 SAE latents. Alignment: raw {raw:.2f}, SAE {sae:.2f}."}


# %% tags=["hide-input", "remove-output"]
first = latents_state("Gaussian", recipe_ratios[-1])
(ax,) = panels(1, width=4.2, height=3.0)
ax.plot(*first["pursuit"], "--", color=looks["pursuit"]["color"], gid="pursuit", label="pursuit, true projection")
ax.plot(*first["taught"], "-.", color=looks["supervised"]["color"], gid="taught", label="supervised")
ax.plot(*first["sae"], color=looks["unsup"]["color"], lw=2, gid="sae", label="unsupervised")
ax.set(xlabel="latents, sorted", ylabel="correlation with the feature", ylim=(-0.03, 1.05))
ax.legend(loc="lower left")
name, title = "fig-unsup-latents", "Simulated: latents sorted by how well they match a feature"
start = Slider(ratios, "units, in multiples of m_CS", ratios.index(recipe_ratios[-1]))
sliders = {"kind": Slider(["Gaussian", "learned"], "systems"), "ratio": start}
figure = SliderFigure(ax, name, sliders=sliders, draw=latents_state, title=title, alt=(
    "Correlation of each latent with its feature, sorted from best to worst, one line each for basis pursuit, "
    "supervised and unsupervised codes. A sentence below gives the share of unsupervised latents above 0.9."
))  # fmt: skip
run.figure(figure, name)

# %% [markdown]
# :::{glue:figure} fig-unsup-latents
# :name: fig-unsup-latents
#
# Few units blur all latents; with more units the unsupervised curve becomes a plateau of found features and, where
# training got stuck, a cliff of features that no latent stands for. Supervised codes, whose order was given, have no
# cliff. (On paper, and without JavaScript: Gaussian y at one ratio.)
# :::


# %% [markdown]
# ## Dictionary or encoder?
#
# An unsupervised code can fall short of pursuit because the dictionary $D$ is wrong, or because the encoder is. To tell
# them apart, we keep each SAE's dictionary and replace its encoder by the same non-negative pursuit that served the
# true projection.

# %%
dictionary, bias = saes["gauss"].decoder.detach(), saes["gauss"].decoder_bias.detach()
repaired = pursue(centred(systems["gauss"], few) - bias, dictionary)
in_its_dictionary = against_truth(torch.stack([in_order(few, code) for code in repaired.float()]))[0]
by_itself = against_truth(ordered["unsup", "gauss"][:, :pursuit_stimuli])[0]

# %% tags=["hide-input"]
three = {"own_encoder": by_itself, "own_dictionary": in_its_dictionary, "true_dictionary": recovery["pursuit", "gauss"]}
for name, r in three.items():
    print(f"{name:16}", *(f"{x:5.2f}" for x in r.mean((1, 2))))
    run.record(**{name: r[ratios.index(recipe_ratios[-1])].mean(1)})

# %% [markdown]
# At {glue:text}`middle` $m_{CS}$ the correlation with the features is {glue:text}`own_encoder:.3f` with the SAE's own
# encoder, {glue:text}`own_dictionary:.3f` with pursuit in the SAE's dictionary, and {glue:text}`true_dictionary:.3f`
# with pursuit in the true one (all three on the same few stimuli). The first step is what the encoder lacks, the second
# what the dictionary lacks. Where the features can be had, an SAE can hold more of them than its encoder gets out.
#
# :::{dropdown} Before blaming two networks whose codes disagree, read the same dictionaries better
# Training pays for the dictionary, and reading it better costs some hundreds of products with a small matrix for each
# stimulus. Ask whether a better reading of the same dictionaries agrees more. With few units it may not: the first step
# above may go downwards there, since pursuit does not help where the responses leave many codes open. And a
# disagreement that remains does not convict the networks either: where the dictionary is wrong, no reading helps.
# :::

# %% [markdown]
# ## Which parts of the recipe matter
#
# The paper draws every weight from $N(0, 1)$, keeps a constant rate of one thousandth, uses all of a fixed training set
# in every one of a million steps, and has no remedy for dead latents. We change *one* part of our recipe at a time, on
# some of the systems above, with the same seeds and steps.

# %%
where = [2 * count * ratios.index(ratio) + i for ratio in recipe_ratios for i in range(2 * recipe_pairs)]


def part_of(systems, places):
    """Some of the systems, as a model of their own."""
    weight = systems.weight.detach()[places]
    weight = weight[..., : (weight != 0).any((0, 1)).sum()].clone()
    part = SupervisedSAE(weight.shape[-1], n, k, seeds(n, 0, len(places)), device=run.device)
    part.weight.data = weight
    return part


subset = part_of(systems["gauss"], where)

# %% [markdown]
# Two other ways to feed an SAE: random batches from a fixed set of stimuli, and responses without centring.

# %%
fixed_z = {size: topk_uniform(size, n, k, seeded(seed + 2 * 10**9, run.device), torch.float32) for size in stored}


def from_fixed(size):
    """A draw of responses from a fixed set of stimuli."""
    y = centred(subset, fixed_z[size])
    return lambda g: y[:, torch.randint(size, (batch,), generator=g, device=g.device)]


# %%
def not_centred(systems):
    """A draw of fresh responses as they are."""
    return lambda g: systems.responses(topk_uniform(batch, n, k, g, dtype=torch.float32))


# %% [markdown]
# "Not trained" is the control, a {term}`random SAE`: what does a wide sparse code score before it has learned anything?

# %%
recipes = {"not centred": {"draw": not_centred(subset)}, "untied start": {"start": "untied"}}
recipes |= {"N(0, 1) start": {"start": "gaussian"}, "unit-norm decoder": {"unit_norm": True}}
recipes |= {"pre-bias": {"pre_bias": True}, "constant rate": {"cosine": False}}
recipes |= {"no auxiliary loss": {"dead_after": steps + 1}, "fixed training set": {"draw": from_fixed(stored[1])}}
recipes |= {"not trained": {"steps": 0}}
trained = {name: learn_saes(subset, n, k, where, **options) for name, options in recipes.items()}

# %% [markdown]
# "Ours" are the SAEs of the main experiment.


# %%
def pair_scores(code):
    """Held-out r and share of constant latents at each of the recipes' ratios, means over pairs."""
    r = held_out_correlations(code[::2].double(), code[1::2].double()).mean(-1)
    silent = constant_units(code).double().mean(-1)
    return [x.reshape(len(recipe_ratios), -1).mean(1).cpu() for x in (r, silent)]


# %%
def seen(systems, name):
    """The held-out responses as the SAE of this recipe sees them."""
    return systems.responses(z) if name == "not centred" else centred(systems, z)


recipe_scores = {"ours": pair_scores(codes["gauss"][where])}
recipe_scores |= {name: pair_scores(sae.encode(seen(subset, name))) for name, sae in trained.items()}

# %% tags=["hide-input"]
raw_here = curves["raw", "gauss"][[ratios.index(ratio) for ratio in recipe_ratios], :recipe_pairs].mean(1)
for name, (r, silent) in recipe_scores.items():
    word = "".join(c for c in name if c.isalnum())
    run.tabulate("recipes", recipe=word, r=r[-1])
    run.tell(**{f"recipe_{word}": f"mean(recipes.r where recipe = {word})"})
    print(f"{name:20}", *(f"r {x:.2f}, constant {s:.2f};  " for x, s in zip(r, silent, strict=True)))

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.2, height=3.2)
for i, style in enumerate(k_styles(recipe_ratios)):
    values = [float(r[i]) for r, _ in recipe_scores.values()]
    ax.plot(values, range(len(values)), ls="", label=f"{recipe_ratios[i]:g} $m_{{CS}}$", **style)
    ax.axvline(raw_here[i], ls=":", lw=1.2, color=style["color"])
ax.set(yticks=range(len(recipe_scores)), yticklabels=list(recipe_scores), xlabel="held-out r", xlim=(-0.03, 1.03))
ax.invert_yaxis()
ax.legend(loc="upper left")
run.figure([ax], "fig-unsup-recipe", title="Simulated: one part of the recipe changed at a time", alt=(
    "Held-out alignment of codes, one row for each recipe, one marker for each ratio. The recipe of this chapter "
    "is in the first row. The start with standard normal weights and the SAE that was not trained lie far to the left."
))  # fmt: skip

# %% [markdown]
# :::{glue:figure} fig-unsup-recipe
# :name: fig-unsup-recipe
#
# The start decides most. With weights from $N(0, 1)$ the codes reach {glue:text}`recipe_N01start:.3f` at
# {glue:text}`middle` $m_{CS}$, where our recipe has {glue:text}`recipe_ours:.3f` after the same number of steps.
# Dotted: raw responses.
# :::
#
# An SAE that was not trained at all has {glue:text}`recipe_nottrained:.3f`. The other parts matter less.
#
# :::{dropdown} A likely reason why the standard normal start ends so low
# Its latents read the responses through one set of random directions and write through another, unrelated one, and its
# weights are several times longer than needed. Learning must first shrink the noise, and meanwhile much of TopK's
# choice is settled.
# :::
#
# :::{dropdown} The other parts, each with its score; small differences are within the luck of a seed
# With {glue:text}`recipe_pairs` pair(s) at each ratio, small differences are within the luck of a seed. The list of
# recipes in this run comes from shorter training than the recorded one: trust the order of two rows only where both
# columns of the last table of this page have it.
#
# | changed | $r$ |
# |---|---|
# | untied start of length 1 | {glue:text}`recipe_untiedstart:.3f` |
# | constant rate | {glue:text}`recipe_constantrate:.3f` |
# | unit-norm decoder | {glue:text}`recipe_unitnormdecoder:.3f` |
# | pre-bias: the decoder's bias subtracted before encoding | {glue:text}`recipe_prebias:.3f` |
# | responses not centred | {glue:text}`recipe_notcentred:.3f` |
# | no auxiliary loss | {glue:text}`recipe_noauxiliaryloss:.3f` |
# | fixed training set | {glue:text}`recipe_fixedtrainingset:.3f` |
# :::
#
# ### Centring, where it matters
#
# On Gaussian y centring hardly matters; the decoder's bias learns the mean soon enough. We leave it out for the same
# pairs of *learned* systems.

# %%
learned_subset = part_of(systems["learned"], where)
uncentred = learn_saes(learned_subset, n, k, where, not_centred(learned_subset))
run.record(centred_learned=pair_scores(codes["learned"][where])[0][0], lower=recipe_ratios[0])
run.record(uncentred_learned=pair_scores(uncentred.encode(learned_subset.responses(z)))[0][0])
run.record(raw_learned_lower=curves["raw", "learned"][ratios.index(recipe_ratios[0]), :recipe_pairs].mean())

# %% [markdown]
# At {glue:text}`lower` $m_{CS}$ unsupervised codes of learned y align at {glue:text}`centred_learned:.3f` with centring
# and at {glue:text}`uncentred_learned:.3f` without, where raw responses have {glue:text}`raw_learned_lower:.3f`. A step
# that looks cosmetic moves the score. It moves it across that of the raw responses in neither column of the last table
# of this page.
#
# :::{dropdown} To explain it: all features of a learned projection share a direction
# Two properties of the systems of those pairs: the length of the mean response in standard deviations of the responses,
# and the share of the direction $(1, \dots, 1)$ that lies in the row space of $A$. If that share is 1, the responses
# fix the sum of the features, and of every code that explains them. The mean is {glue:text}`mean_length_gauss:.2f`
# standard deviations long for Gaussian y and {glue:text}`mean_length_learned:.2f` for learned y; the row space holds
# {glue:text}`ones_gauss:.3f` and {glue:text}`ones_learned:.3f` of the direction of ones. Training has turned the
# projections so that all features share a direction, which a supervised TopK encoder can live with.
# :::

# %%
for kind, part in {"gauss": subset, "learned": learned_subset}.items():
    y = part.responses(z)[: 2 * recipe_pairs]
    run.record(**{f"mean_length_{kind}": (y.mean(1).norm(dim=-1) / y.var(1).sum(-1).sqrt()).mean()})
    rows = [row_space(w[:, (w != 0).any(0)].mT.double()) for w in part.weight.detach()[: 2 * recipe_pairs]]
    run.record(**{f"ones_{kind}": torch.stack([x.sum(0).square().sum() / n for x in rows]).mean()})

# %% [markdown]
# ### A fixed training set is memorised
#
# The paper feeds one fixed set in every step. We train on fixed sets of several sizes and compare two scores from
# equally many stimuli: the training stimuli themselves, and new ones.

# %%
for size in stored:
    trained[size] = learn_saes(subset, n, k, where, draw=from_fixed(size))


def on_size(stimuli, size):
    """Alignment on the first stimuli by SAEs trained on a set of this size."""
    return pair_scores(trained[size].encode(centred(subset, stimuli[:size])))[0]


in_training = torch.stack([on_size(fixed_z[size], size) for size in stored])
held_out = torch.stack([on_size(z, size) for size in stored])

# %% tags=["hide-input"]
run.record(smallest_set=stored[0], largest_set=stored[-1], middle=recipe_ratios[-1], recipe_pairs=recipe_pairs)
run.record(memory_smallest=(in_training - held_out)[0, -1], memory_largest=(in_training - held_out)[-1, -1])

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1)
for i, style in enumerate(k_styles(recipe_ratios)):
    ax.plot(stored, in_training[:, i], ls="--", mfc="none", **style)
    ax.plot(stored, held_out[:, i], label=f"{recipe_ratios[i]:g} $m_{{CS}}$", **style)
ax.set(xlabel="stimuli in the training set", ylabel="r", ylim=(0, 1.03))
log_ticks(ax, stored)
ax.legend(loc="lower right")
run.figure([ax], "fig-unsup-memory", title="Simulated: scores on training stimuli and on new ones", alt=(
    "Alignment against the size of a fixed training set, two ratios. Dashed lines for training stimuli lie above "
    "solid lines for new stimuli; they approach each other as the set grows."))  # fmt: skip

# %% [markdown]
# :::{glue:figure} fig-unsup-memory
# :name: fig-unsup-memory
#
# Small training sets flatter the score. Dashed, open: alignment on the training stimuli; solid: on as many new ones.
# The difference at {glue:text}`middle` $m_{CS}$ is {glue:text}`memory_smallest:.3f` with the smallest set and
# {glue:text}`memory_largest:.3f` with the largest.
# :::
#
# Both curves of a ratio rise with the set, also because the regression has more stimuli to be fitted on; the difference
# shows the memory. Both SAEs of a pair saw the *same* stimuli, as in the paper, so they have in common what they
# memorise.
#
# ### The paper's plain recipe
#
# Last, the recipe as printed, at one ratio. Its cost is best counted in stimuli seen, which does not depend on the
# computer.

# %%
start = 2 * recipe_pairs * recipe_ratios.index(plain_ratio)
chosen = where[start : start + 2 * recipe_pairs]
plain_systems = part_of(systems["gauss"], chosen)
plain_z = topk_uniform(plain_stimuli, n, k, seeded(seed + 3 * 10**9, run.device), torch.float32)
y = plain_systems.responses(plain_z)

# %%
options = {"start": "gaussian", "lr": 0.001, "cosine": False, "dead_after": plain_steps + 1, "steps": plain_steps}
plain = learn_saes(plain_systems, n, k, chosen, lambda g: y, **options)


# %%
def plain_score(stimuli):
    """Alignment, mean over latents and pairs."""
    code = plain.encode(plain_systems.responses(stimuli))
    return held_out_correlations(code[::2].double(), code[1::2].double()).mean()


# %% tags=["hide-input"]
run.record(plain_training=plain_score(plain_z), plain_held_out=plain_score(z[:plain_stimuli]), plain_steps=plain_steps)
run.record(plain_seen=plain_steps * plain_stimuli / 1e6, our_seen=steps * batch / 1e6, paper_seen=plain_stimuli)
run.record(plain_ratio=plain_ratio, our_plain_ratio=recipe_scores["ours"][0][recipe_ratios.index(plain_ratio)])

# %% [markdown]
# After {glue:text}`plain_steps` steps, that is {glue:text}`plain_seen:.2f` million stimuli seen, the plain recipe
# aligns at {glue:text}`plain_training:.3f` on its training stimuli and {glue:text}`plain_held_out:.3f` on new ones, at
# {glue:text}`plain_ratio` $m_{CS}$. Ours has {glue:text}`our_plain_ratio:.3f` after {glue:text}`our_seen:.2f` million.
# A million steps on this set would be {glue:text}`paper_seen` million stimuli. We have not run that many, so we cannot
# say where the plain recipe ends; we can say that one need not go there.

# %% [markdown]
# ## At full length
#
# The profile `paper`, recorded with the book, takes more pairs, a second number of features and longer training. Beside
# this run: held-out correlations with standard errors over pairs.

# %% tags=["hide-input"]
kinds = {"gauss": "random", "learned": "learned"}
names = {"raw": "raw responses", "unsup": "codes", "supervised": "supervised codes", "pursuit": "known projection"}
place = f"curves.r where n = {n}"
shown = [(name, kind, ratio) for name in names for kind in kinds for ratio in (1.0, 1.5, 2.0, 2.5, 4.0)]
rows = {f"{names[name]}, {kinds[kind]}, {ratio:g} m_CS": f"{place} and codes = {name} and systems = {kind} "
        f"and ratio = {ratio:g}" for name, kind, ratio in shown if (name, kind) in curves}  # fmt: skip
silent = {f"constant latents, {of}, 1 m_CS": f"constant_{kind}_at_one" for kind, of in kinds.items()}
words = {name: "".join(c for c in name if c.isalnum()) for name in recipe_scores}
low, high = (f"{ratio:g} m_CS" for ratio in (recipe_ratios[0], recipe_ratios[-1]))
parts = {f"recipe, {name}, {high}": f"mean(recipes.r where recipe = {word})" for name, word in words.items()}
parts |= {f"learned, centred, {low}": "centred_learned", f"learned, not centred, {low}": "uncentred_learned"}
run.beside_recorded(rows | silent | parts)

# %% [markdown]
# Longer training moves the curves of random projections little. At $m_{CS}$ and half as much again, codes of *learned*
# systems are worse in the recorded run, in which systems and SAEs both trained longer; which of the two does it was not
# taken apart. At $m_{CS}$ a large share of their SAEs' latents had stopped varying, and each of these scores 0, while
# the supervised codes of the same systems lost far less. More training is not always better training. Neither column
# shows a million steps, which the paper takes.

# %% [markdown]
# ## What to take away
#
# - **Codes learned from responses alone do restore alignment, but not from $m_{CS}$ on.** There is a zone where the
#   features are recoverable in principle and the codes are no better than the raw responses, or worse. It ends where
#   the features are found well enough ({prf:ref}`prop-unsup-product`).
# - **A code that loses against raw responses does not show that two systems differ.** It may be a mediocre code. In a
#   simulation the correlation with the truth tells; for a real network one has only signs: the variance explained,
#   {term}`silent latents <silent latent>`, the agreement of two SAEs on *one* network.
# - **The recipe is part of the measurement.** Start, centring, dead latents and the number of training stimuli can each
#   move the score by a good part of the effect of interest, the start by more than all of it. A comparison of codes
#   should state them all.
# - **Scores on training stimuli are too good.** Hold stimuli out of the SAE's training as well, not only out of the
#   regression.
#
# We depart from the paper in these points:
#
# - **Sizes.** $n$, $k$, $m$ and the training set are ours ({ref}`gaussian-settings`), small enough to train many seeds.
#   The paper averages 50 seeds in its supervised experiment.
# - **Recipe.** The start, the centring, the batches, the rate and the auxiliary loss are ours. The codes keep negative
#   values if they are among the largest, as printed.
# - **Held out.** The paper does not say on which stimuli it scores. Ours are new ones, except where we show both.
# - **The reading of figure 4.** The paper takes the remaining gap for the price of finding the features from data
#   alone. Part of what codes lack is the price of the encoder, as pursuit in the SAE's own dictionary shows.
#
# **What changed our mind.** We expected a mediocre code to be a mediocre help. It is a loss: below a certain recovery
# the responses themselves align better. And we expected the dictionary to be the hard part throughout. With few units
# it is; with more, reading it costs as much or more.
#
# ## Exercises
#
# The first exercise checks the score, the second retrains two SAEs, the third asks for a derivation and a line of code.
#
# :::{exercise} Does the order matter?
# :label: ex-unsup-order
#
# (Recall, easy, 10 minutes.) Why may the latents of the two SAEs stand in different orders and have different scales?
# Shuffle and rescale the latents of one code and compute the regression again. What does the correlation of latent $j$
# with latent $j$ give, before and after one-to-one matching?
# :::
#
# :::{dropdown} Hint
# Write shuffling and rescaling as one matrix: has it an inverse, and what can fitted weights do with that? `in_order`
# matches latents one to one, `paired_correlations` compares place by place.
# :::
#
# :::{solution-start} ex-unsup-order
# :label: sol-unsup-order
# :class: dropdown
# :::

# %%
s_a, s_b = codes["gauss"][where[-2]].double(), codes["gauss"][where[-1]].double()
g = seeded(seed, run.device)
shuffled = s_a[:, torch.randperm(n, generator=g, device=run.device)] * torch.rand(n, generator=g, device=run.device)
print(f"regression {held_out_correlations(s_a, s_b).mean():.4f}, {held_out_correlations(shuffled, s_b).mean():.4f}")
print(f"same place {paired_correlations(s_a, s_b).mean():.4f}, matched", end=" ")
print(f"{paired_correlations(in_order(s_b, s_a), s_b).mean():.4f}")

# %% [markdown]
# Shuffling and rescaling is an invertible linear map of the predictors, and the fitted weights absorb its inverse: the
# two regressions agree. Latents in the same place have nothing to do with each other. What regression has beyond the
# score after matching, it gains from the other latents.
#
# :::{solution-end}
# :::
#
# :::{exercise} The wrong sparsity
# :label: ex-unsup-sparsity
#
# (Rerun, medium, 15 minutes.) The SAE was told the true $k$. For a real network nobody knows it. Train with half and
# with twice as many active latents at the recipes' ratios and compare the alignment. Which error is worse?
# :::
#
# :::{dropdown} Hint
# Half the active latents can name at most half of the active features; what keeps twice as many from naming all?
# `learn_saes` takes their number as its third argument.
# :::
#
# :::{solution-start} ex-unsup-sparsity
# :label: sol-unsup-sparsity
# :class: dropdown
# :::

# %%
for wrong in (max(1, k // 2), 2 * k):
    draw = lambda g: centred(subset, topk_uniform(batch, n, k, g, dtype=torch.float32))  # noqa: E731
    sae = learn_saes(subset, n, wrong, where, draw)
    print(f"told {wrong}, true {k}:", *(f"{r:.3f}" for r in pair_scores(sae.encode(centred(subset, z)))[0]))
print("told the truth:", *(f"{r:.3f}" for r in recipe_scores["ours"][0]))

# %% [markdown]
# Too few is far worse in this run; twice as many costs next to nothing. With half as many, at least half of the active
# features must be missed in every stimulus. Too many leave room for latents that stand for nothing, but the true ones
# can be among them, and the regression picks these out: the score hardly shows that $k$ was wrong.
#
# :::{solution-end}
# :::
#
# :::{exercise} How good is good enough?
# :label: ex-unsup-threshold
#
# (Extend, medium, 20 minutes.) Combine {prf:ref}`prop-unsup-product` with the closed form for raw responses to predict,
# from the recovery curve alone, at which ratio unsupervised codes of Gaussian y overtake. Compare with the crossing of
# the measured curves. Why should the prediction be somewhat late?
# :::
#
# :::{dropdown} Hint
# By {prf:ref}`prop-unsup-product` two codes correlate by the product of their recoveries. Look for the ratio where that
# product meets `expected_r(n, m)`, then ask what a regression on *all* latents has beyond it.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the recovery that both codes need at twice m_CS to draw level with raw responses, to two decimals
raw_r = expected_r(n, round(2 * compressed_sensing_units(n, k)))
mistakes = {
    raw_r: "That is the product of two recoveries: take the root.",
    raw_r**2: "That is the explained variance of raw responses: a code needs a correlation.",
    raw_r / 2: "Recoveries multiply, they do not add: take the root.",
}
check(mine, right=raw_r**0.5, mistakes=mistakes, digits=2)

# %% [markdown]
# :::{solution-start} ex-unsup-threshold
# :label: sol-unsup-threshold
# :class: dropdown
# :::


# %%
def crossing(gain):
    """Ratio at which a gain over raw becomes positive for good, by linear interpolation."""
    last = max([i for i, x in enumerate(gain[:-1]) if x <= 0], default=None)
    if last is None:
        return ratios[0]
    share = gain[last] / (gain[last] - gain[last + 1])
    return ratios[last] + share * (ratios[last + 1] - ratios[last])


raw_closed = torch.tensor([expected_r(n, m) for m in units_of(n, k, 1)[::2]])
print(f"predicted {crossing((predicted['unsup', 'gauss'].mean(1) - raw_closed).tolist()):.2f} m_CS")
print(f"measured {crossing((curves['unsup', 'gauss'] - curves['raw', 'gauss']).mean(1).tolist()):.2f} m_CS")

# %% [markdown]
# Codes overtake where the mean product of recoveries exceeds the raw $r$, whose expectation is about $\sqrt{m/n}$. The
# product leaves out what regression gains from other latents and from shared errors, so the measured curve lies above
# the predicted one, and crosses earlier.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# More pairs, longer training, or another seed:
#
# ```
# make chapter NAME=09_unsupervised ARGS="-p steps 8000"
# make chapter NAME=09_unsupervised ARGS="-p seed 1"
# ```
#
# The profile `paper` takes many more seeds, a second size and longer training. Trained models are kept in
# `build/trained` and found again as long as nothing that shaped them has changed.

# %%
run.save(data="simulated: top-k uniform features, Gaussian and learned projections")
