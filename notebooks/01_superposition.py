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
# (ch-superposition)=
# # Superposition and sparse recovery
#
# A network has fewer neurons than the features it represents, so features have to share neurons. When can every feature
# be read back from the responses, and how many neurons does that take?
#
# **In short.** If only a few features are active at a time, most mixtures into enough neurons can be undone exactly by
# a reader who knows the mixture. With random mixing it takes {glue:text}`bp_half_min:.2f` to
# {glue:text}`bp_half_max:.2f` times $k \log(n/k)$ neurons to read half of the stimuli without error, for $n$ features
# of which $k$ are active; with twice $k \log(n/k)$ the share is {glue:text}`bp_rate_at_2:.3f`. Theorems that cover the
# worst stimulus promise much less.
#
# :::{glue:figure} fig-superposition-transition
# :name: fig-superposition-transition
#
# Counted in multiples of $m_{CS} = k \log(n/k)$, systems of the sizes tried become readable at nearly the same number
# of neurons. Share of stimuli whose active features {term}`basis pursuit` finds exactly, with the standard error over
# random projections; upright ticks: where theory puts one half, computed before the run.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - what a network in {term}`superposition` does to its features, and draw it;
# - what the {term}`coherence` and the {term}`restricted isometry` constants of a small matrix guarantee, and compute
#   them;
# - how sparse features are recovered from mixed responses, and roughly when this succeeds.
#
# **What the papers claim.** Both rest on one picture: many {term}`sparse` features are mixed linearly into few neurons,
# and two networks may mix the same features differently. {cite:t}`longon2025` need exact recovery of the features for
# their statement that alignment is restored (claim A4, judged in {ref}`ch-matching`). {cite:t}`liu2026` count neurons
# in multiples of $k \log(n/k)$ and expect the features to be recoverable beyond one of them (claim B8, judged in
# {ref}`ch-supervised`). This chapter judges no claim. It lays the ground for both, and answers what both leave open:
# which multiple is enough. All data are simulated.
# ::::

# %% [markdown]
# ## The idea
#
# A stimulus switches on a few of $n$ latent features; their values are the entries of a vector $z \in \mathbb{R}^n$. A
# network has $m$ units (neurons), and its response $y \in \mathbb{R}^m$ is a linear mixture,
#
# $$ y = A z, \qquad A \in \mathbb{R}^{m \times n}. $$ (eq-superposition-model)
#
# Column $j$ of the projection $A$ is the direction in which feature $j$ moves the neurons; row $i$ lists the features
# that neuron $i$ mixes. A second network has a projection $B$ of its own and sees the same $z$.
#
# ```{prf:definition} Superposition
# :label: def-superposition
#
# A system $y = Az$ is in *superposition* if it carries more features than it has units, $n > m$. Its columns cannot
# all be orthogonal, so the features interfere.
# ```
#
# Then $y = Az$ has many solutions $z$, and no linear read-out returns all features. What helps is *sparsity*.
#
# ```{prf:definition} Sparse vector, support
# :label: def-superposition-sparse
#
# The *support* of $z$ is the set of its non-zero entries. A vector with at most $k$ of them is called *$k$-sparse*.
# ```
#
# {term}`Compressed sensing <compressed sensing>` {cite:p}`donoho2006,candes2006` is the discovery that, when $k$ is
# small, a suitable $A$ loses nothing: among all $z$ with $Az = y$ the sparse one is unique, and a computer finds it
# quickly. The features are mixed, but they are all there.

# %%
import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize

from lib.chapter.plotting import COLOURS, k_styles, panels
from lib.chapter.run import Run
from lib.features import bernoulli_uniform, k_sparse, seeded, topk_uniform
from lib.projections import coherence, gaussian, restricted_isometry_constant
from lib.recovery import nonnegative_basis_pursuit, orthogonal_matching_pursuit, support_recovered
from lib.theory import compressed_sensing_units, recovery_units

# %% [markdown]
# `sizes`, `active`, `ratios`, `draws` and `stimuli` set the sweep at the end, which takes nearly all of the running
# time: one linear programme for each stimulus.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
small_n: int = 16  # features of the matrices whose isometry constants are computed, at most 20
small_units: list[int] = [8, 12, 64, 256]  # units of these matrices
small_stimuli: int = 100  # stimuli for each number of active features, for one of these matrices
sizes: list[int] = [64, 128]  # numbers of features n in the sweep
active: list[int] = [2, 4, 8]  # numbers of active features k in the sweep
ratios: list[float] = [0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0]  # numbers of units, as multiples of k log(n/k)
draws: int = 8  # random projections for each point of the sweep
stimuli: int = 16  # stimuli for each projection

# %%
run = Run("01_superposition", globals())
generator = seeded(seed, run.device)
settings = [(n, k) for n in sizes for k in active]
run.record(draws=draws, stimuli=stimuli, curves=draws * len(settings))

# %% [markdown]
# ## Six features in three neurons
#
# A case small enough to see everything: $n = 6$ features, $m = 3$ neurons, two systems. Each feature gets a random
# direction of length 1 in the space of the three neurons, drawn anew for each system. Nothing else differs.

# %%
a, b = (normalize(gaussian(3, 6, generator), dim=0) for _ in range(2))
z = bernoulli_uniform(300, 6, 0.2, generator)
y_a, y_b = z @ a.mT, z @ b.mT

# %% [markdown]
# In code every stimulus is a row of $Z$ and its response a row of $Y = Z A^\top$. Each feature is on with probability
# $0.2$, with a value between 0 and 1.
#
# We draw two of the three neurons, and expect *rays*: a stimulus with one active feature moves the neurons along that
# feature's column, and stimuli with several fill the space between.


# %% tags=["hide-input"]
def draw_system(ax, a, y, name):
    """Columns of `a` as lines from the origin and responses `y` as dots, on the axes of neurons 1 and 2."""
    ax.plot(*y[:, :2].cpu().T, ".", color=COLOURS["grey"], markersize=3, alpha=0.35)
    for j, style in enumerate(k_styles(range(a.shape[1]))):
        x, height = a[:2, j].cpu()
        ax.plot([0, x], [0, height], markevery=[1], **style)
        ax.annotate(str(j + 1), (x, height), (4, 4), textcoords="offset points")
    ax.set(xlabel=f"neuron 1 of system {name}", ylabel=f"neuron 2 of system {name}")


# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
draw_system(left, a, y_a, "a")
draw_system(right, b, y_b, "b")
run.figure(
    [left, right],
    "fig-superposition-directions",
    alt="Two scatter plots of neuron 1 against neuron 2, one for each system. Six numbered lines from the origin, the "
    "columns, point in other directions in the two systems; faint dots, the responses, lie along and between them.",
    title="Simulated: one set of features, two systems",
)

# %% [markdown]
# :::{glue:figure} fig-superposition-directions
# :name: fig-superposition-directions
#
# The same six features point in different directions in two systems of three neurons. Lines: columns of $A$ and of $B$,
# numbered by feature, on two of the three axes. Faint dots: responses to sparse stimuli.
# :::
#
# The lines do not follow the axes: a neuron answers to several features. Such neurons are called *polysemantic*, or
# said to have *mixed selectivity*. Neuron 1 of system a and neuron 1 of system b answer to different mixtures, so a
# comparison of single neurons will find little in common, although both systems carry the same six features. How little
# is the subject of {ref}`ch-matching`.

# %% [markdown]
# ### Can the features be read back?
#
# Three equations, six unknowns: in general they cannot. But let us ask for a *sparse* answer: of all non-negative $z$
# that explain the response, take the one with the smallest sum. This is non-negative basis pursuit
# ({prf:ref}`def-superposition-basis-pursuit` below). We try it on every single feature, on every pair and on every
# triple of features, switched on with the value 1.


# %%
def supports_found(a, k):
    """For each set of k features, whether basis pursuit finds it from the responses; and the features of each set."""
    sets = torch.combinations(torch.arange(a.shape[1]), k)
    z = torch.zeros(len(sets), a.shape[1], dtype=a.dtype).scatter_(1, sets, 1.0)
    return support_recovered(nonnegative_basis_pursuit(z @ a.cpu().mT, a.cpu()), z), sets


# %% tags=["hide-input"]
for k, name in enumerate(["single", "pair", "triple"], start=1):
    (in_a, sets), (in_b, _) = supports_found(a, k), supports_found(b, k)
    run.tabulate("supports", k=k, sets=len(sets), found_a=int(in_a.sum()), found_b=int(in_b.sum()))
    run.tell(**{f"{name}_{what}": f"max(supports.{what} where k = {k})" for what in ("sets", "found_a", "found_b")})

# %% [markdown]
# | active features | sets in all | found in system a | found in system b |
# |---|---|---|---|
# | one | {glue:text}`single_sets` | {glue:text}`single_found_a` | {glue:text}`single_found_b` |
# | two | {glue:text}`pair_sets` | {glue:text}`pair_found_a` | {glue:text}`pair_found_b` |
# | three | {glue:text}`triple_sets` | {glue:text}`triple_found_a` | {glue:text}`triple_found_b` |
#
# *Three* neurons carry *six* features, and yet a single feature is always found, and usually most pairs are. Triples
# fail more often. Which sets fail depends on the directions of the columns, so the two systems usually fail on
# different stimuli. The sparser the stimulus, the better the recovery.
#
# Why do single features never fail? The columns have length 1, so for $y = c\, a_j$ (with $c > 0$) and any $z \ge 0$
# with $Az = y$ we get $c = a_j^\top A z = \sum_i z_i \, a_j^\top a_i \le \sum_i z_i$, with equality only if $z$ is $c$
# times feature $j$ (as long as no other column equals $a_j$). So the smallest sum is the right answer.
#
# Now one stimulus in both systems: the first pair of features that both recover, one with the value 1 and one with
# $0.6$.

# %%
found_a, sets = supports_found(a, 2)
found_b, _ = supports_found(b, 2)
pairs = sets[found_a & found_b]
if not len(pairs):
    raise ValueError("no pair of features is recovered in both systems: choose another seed")

# %%
stimulus = torch.zeros(1, 6, dtype=a.dtype).scatter_(1, pairs[:1], torch.tensor([[1.0, 0.6]], dtype=a.dtype))
responses = {name: (x.cpu() @ stimulus[0]) for name, x in {"a": a, "b": b}.items()}
codes = {
    "a": nonnegative_basis_pursuit(responses["a"][None], a.cpu())[0],
    "b": nonnegative_basis_pursuit(responses["b"][None], b.cpu())[0],
}
run.record(code_gap=(codes["a"] - codes["b"]).abs().max())

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
for shift, colour, (name, code) in zip([-0.2, 0.2], ["blue", "red"], codes.items(), strict=True):
    style = {"width": 0.36, "label": f"system {name}", "color": COLOURS[colour]}
    left.bar(np.arange(1, 4) + shift, responses[name], **style)
    right.bar(np.arange(1, 7) + shift, code, **style)
left.set(xlabel="neuron", ylabel="response", xticks=range(1, 4))
right.set(xlabel="feature", ylabel="recovered value", xticks=range(1, 7))
right.legend()
run.figure(
    [left, right],
    "fig-superposition-stimulus",
    alt="(a) Bars of the responses of three neurons to one stimulus, unequal between the two systems. (b) Bars of "
    "the six recovered features, equal between the systems, two of them non-zero.",
    title="Simulated: one stimulus in two systems",
)

# %% [markdown]
# :::{glue:figure} fig-superposition-stimulus
# :name: fig-superposition-stimulus
#
# Different responses, the same features. (a) Responses of the three neurons of each system to one stimulus with two
# active features. (b) The codes, that is, the values of the six features that basis pursuit recovers from these
# responses; they differ by at most {glue:text}`code_gap:.1e` between the systems.
# :::
#
# Compare the systems by panel (a), and they seem to represent different things; compare them by panel (b), and they
# represent the same. Both papers are about this choice.

# %% [markdown]
# ## Sparse features
#
# Sparse features are drawn in three ways, all in `lib.features`:
#
# - `bernoulli_uniform`: every feature is on with probability $p$, with a value uniform on $(0, 1)$. The
#   {term}`toy models <toy model>` of {cite:t}`longon2025` use it.
# - `topk_uniform`: draw $n$ uniform values and keep the $k$ largest, so exactly $k$ features are on, all with values
#   near 1 when $k \ll n$. The simulations of {cite:t}`liu2026` use it.
# - `k_sparse`: exactly $k$ features with values uniform on $(0.5, 1.5)$. The rest of this chapter uses it: no value is
#   close to 0, so it is clear whether the {term}`support` was found.
#
# Here they are for $n = 64$ and $k = 4$.

# %%
latents = {
    "Bernoulli": bernoulli_uniform(2000, 64, 4 / 64, generator),
    "top k": topk_uniform(2000, 64, 4, generator),
    "k sparse": k_sparse(2000, 64, 4, generator),
}
run.record(bernoulli_active=(latents["Bernoulli"] > 0).sum(1).double())

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
for (name, z), style in zip(latents.items(), k_styles(latents), strict=True):
    left.plot(torch.bincount((z > 0).sum(1).cpu(), minlength=14) / len(z), label=name, linestyle=":", **style)
    density, edges = np.histogram(z[z > 0].cpu(), bins=np.linspace(0, 1.5, 16), density=True)
    right.plot((edges[1:] + edges[:-1]) / 2, density, linestyle=":", **style)
left.set(xlabel="active features", ylabel="share of stimuli")
right.set(xlabel="value of an active feature", ylabel="density")
left.legend()
run.figure(
    [left, right],
    "fig-superposition-latents",
    alt="(a) Share of stimuli against the number of active features, a broad hump around four for Bernoulli latents "
    "and all stimuli at exactly four for the others. (b) Density of the active values, flat on 0 to 1 for "
    "Bernoulli, close to 1 for top k, flat on 0.5 to 1.5 for k sparse.",
    title="Simulated: three kinds of sparse features",
)

# %% [markdown]
# :::{glue:figure} fig-superposition-latents
# :name: fig-superposition-latents
#
# The three generators agree on the average number of active features and on little else. (a) Active features per
# stimulus: {glue:text}`bernoulli_active:.2f` on average for Bernoulli latents, always 4 for the others. (b) Values of
# the active features.
# :::
#
# None of them has mean 0, which the papers' theorems assume. Correlations subtract the mean, so this seldom matters;
# where it does, the chapter says so.

# %% [markdown]
# ## What makes a projection good
#
# How strongly do the columns of $A$ interfere? One number looks at pairs.
#
# ```{prf:definition} Coherence
# :label: def-superposition-coherence
#
# The *coherence* of $A$ is the largest cosine, in absolute value, between two of its columns,
#
# $$ \mu(A) = \max_{i \ne j} \frac{|a_i^\top a_j|}{|a_i|\,|a_j|}. $$
# ```
#
# Another looks at all sets of $k$ columns, and asks how far $A$ is from keeping lengths.
#
# ```{prf:definition} Restricted isometry constant
# :label: def-superposition-rip
#
# The constant of order $k$, $\delta_k(A)$, is the smallest $\delta$ for which every $k$-sparse $z$ satisfies
#
# $$ (1 - \delta)\,|z|^2 \le |Az|^2 \le (1 + \delta)\,|z|^2. $$
#
# One says that $A$ has the $(k, \delta)$ *restricted isometry property* (RIP) if $\delta_k(A) \le \delta$
# {cite:p}`candes2005`.
# ```
#
# To compute $\delta_k$ one has to visit every support of size $k$, which is possible only for small matrices.
#
# ```{prf:proposition} The first two orders
# :label: prop-superposition-orders
#
# If the columns of $A$ have length 1, then $\delta_1 = 0$, $\delta_2 = \mu$, and $\delta_k \le (k - 1)\,\mu$.
# ```
#
# ```{prf:proof}
# For one column $|a_j z_j|^2 = z_j^2$, so $\delta_1 = 0$. For a support $\Omega$ let $A_\Omega$ be its columns of $A$
# and $G_\Omega = A_\Omega^\top A_\Omega$; then $\delta_k$ is the largest distance from 1 of an eigenvalue of any
# $G_\Omega$ with $|\Omega| = k$. For two columns with cosine $c$ the eigenvalues are $1 \pm c$, hence $\delta_2 = \mu$.
# For $k$ columns the diagonal of $G_\Omega$ is 1 and each row has $k - 1$ other entries of size at most $\mu$, so by
# Gershgorin's theorem every eigenvalue is within $(k-1)\mu$ of 1.
# ```
#
# So *the first order says nothing*, not even that two columns differ, which {ref}`ch-matching` will need. The order
# that counts is $2k$:
#
# ```{prf:proposition} Uniqueness needs order $2k$
# :label: prop-superposition-unique
#
# If $\delta_{2k}(A) < 1$, then two $k$-sparse vectors with the same response are equal. If $2k$ columns of $A$ are
# linearly dependent, there are two different $k$-sparse vectors with the same response.
# ```
#
# ```{prf:proof}
# Let $Az = Az'$ with both $k$-sparse. The difference $h = z - z'$ is $2k$-sparse and $Ah = 0$, so $(1 -
# \delta_{2k})|h|^2 \le 0$ and $h = 0$. Conversely, let $Ah = 0$ with $h \ne 0$ supported on $2k$ columns. Split $h$
# into its part on the first $k$ of them, $z$, and the rest, $-z'$. Then $Az = Az'$ and $z \ne z'$.
# ```

# %% [markdown]
# ### What they guarantee
#
# When $A$ is known, this book uses two methods. The first is greedy.
#
# ```{prf:definition} Orthogonal matching pursuit (OMP)
# :label: def-superposition-omp
#
# Start with the residual $e = y$ and an empty support. Repeat $k$ times: add the column with the largest $|a_j^\top
# e|/|a_j|$ to the support, fit $y$ on all columns chosen by least squares, and let $e$ be what is left
# {cite:p}`pati1993`.
# ```
#
# The second replaces "as few as possible" by "as small a sum as possible", which a linear programme can do.
#
# ```{prf:definition} Basis pursuit
# :label: def-superposition-basis-pursuit
#
# *Basis pursuit* returns the $z$ of smallest $\sum_j |z_j|$ with $Az = y$ {cite:p}`chen1998`. *Non-negative basis
# pursuit* returns the $z$ of smallest sum with $Az = y$ and $z \ge 0$.
# ```
#
# {term}`OMP` must be told $k$; basis pursuit need not.
#
# ```{prf:theorem} Coherence bound
# :label: thm-superposition-coherence
#
# If $k < \tfrac12 (1 + 1/\mu)$, then every $k$-sparse $z$ is recovered exactly from $y = Az$, by OMP
# {cite:p}`tropp2004`, and by basis pursuit if all columns of $A$ have the same length {cite:p}`donoho2003`.
# ```
#
# ```{prf:proof}
# For OMP, with columns of length 1: it divides by the lengths, so they do not matter to it. Let the residual be $e =
# \sum_{i \in \Omega} w_i a_i$ with $|\Omega| \le k$ and let $w_1$ be its largest weight in size. For the right column,
# $|a_1^\top e| \ge |w_1| (1 - (k - 1)\mu)$. For a column $j$ outside $\Omega$, $|a_j^\top e| \le |w_1|\, k \mu$. The
# first is larger exactly when $1 - (k-1)\mu > k\mu$, which is the assumption, so the column chosen lies in $\Omega$.
# Refitting leaves a residual that is again a combination of the columns in $\Omega$ and orthogonal to those chosen. So
# the argument repeats, no column is chosen twice, and after $k$ steps $\Omega$ is complete. For basis pursuit see the
# reference.
# ```
#
# The words about length are needed. The coherence does not see lengths, but basis pursuit pays for the values of $z$,
# and a long column needs only a small value. Take $a_1 = (1, 0)$ and $a_2, a_3$ of length 10 at 60 degrees to either
# side of it, and let feature 1 be on alone.

# %%
turn = torch.tensor(torch.pi / 3, dtype=torch.float64)
long = 10 * torch.stack([turn.cos().repeat(2), turn.sin() * torch.tensor([1.0, -1.0])])
unequal = torch.cat([torch.tensor([[1.0], [0.0]], dtype=torch.float64), long], 1)
alone = nonnegative_basis_pursuit(unequal[None, :, 0], unequal)[0]
evened = nonnegative_basis_pursuit(unequal[None, :, 0], normalize(unequal, dim=0))[0]

# %% tags=["hide-input"]
run.record(unequal_bound=(1 + 1 / coherence(unequal)) / 2)
run.record(**{f"unequal_code_{i}": x for i, x in enumerate(alone, start=1)})
run.record(evened_code_1=evened[0], evened_rest=evened[1:].abs().max())

# %% [markdown]
# The bound is $k <$ {glue:text}`unequal_bound:.2f`, and basis pursuit returns ({glue:text}`unequal_code_1:.2f`,
# {glue:text}`unequal_code_2:.2f`, {glue:text}`unequal_code_3:.2f`), of smaller sum than the truth (without the
# constraint $z \ge 0$ too). With all columns scaled to length 1 it returns {glue:text}`evened_code_1:.2f` for feature 1
# and at most {glue:text}`evened_rest:.0e` for the others.
#
# ```{prf:theorem} RIP bound
# :label: thm-superposition-candes
#
# If $\delta_{2k}(A) < \sqrt2 - 1$, basis pursuit recovers every $k$-sparse $z$ exactly {cite:p}`candes2008`.
# ```
#
# Both theorems are about the *worst* $k$-sparse vector. How much do they promise? We draw matrices of
# {glue:text}`small_n` random columns of length 1, small enough to check.

# %%
small = {m: normalize(gaussian(m, small_n, generator), dim=0).cpu() for m in small_units}
orders = [1, 2, 3, 4, 6, 8]
constants = {m: [restricted_isometry_constant(x, k) for k in orders] for m, x in small.items()}
coherences = {m: float(coherence(x)) for m, x in small.items()}

# %% [markdown]
# First we check {prf:ref}`prop-superposition-orders` on them.

# %% tags=["hide-input"]
bounds = {m: [(k - 1) * mu for k in orders] for m, mu in coherences.items()}
run.record(small_n=small_n, delta_1_max=max(abs(values[0]) for values in constants.values()))
run.record(delta_2_gap=max(abs(constants[m][1] - coherences[m]) for m in small))
run.record(bound_excess=max(np.subtract(constants[m], bounds[m]).max() for m in small))

# %% [markdown]
# It holds up to rounding: $\delta_1$ is at most {glue:text}`delta_1_max:.1e`, $\delta_2$ and $\mu$ differ by at most
# {glue:text}`delta_2_gap:.1e`, and no constant exceeds $(k-1)\mu$ by more than {glue:text}`bound_excess:.1e`.
#
# Next, promise against practice. For the second of these matrices and $k = 1, 2, \dots$ we draw $k$-sparse stimuli and
# count how many supports non-negative basis pursuit finds.

# %%
m = small_units[1]
counts = list(range(1, small_n // 2 + 1))
trials = {k: k_sparse(small_stimuli, small_n, k, generator).cpu() for k in counts}
shares = [support_recovered(nonnegative_basis_pursuit(z @ small[m].mT, small[m]), z) for z in trials.values()]
shares = [float(found.double().mean()) for found in shares]
promised = (1 + 1 / coherences[m]) / 2

# %% tags=["hide-input"]
run.record(small_m=m, small_stimuli=small_stimuli, small_coherence=coherences[m], small_promised=promised)
run.record(small_delta_4=constants[m][orders.index(4)], small_share_2=shares[1], largest_m=small_units[-1])
run.record(largest_delta_4=constants[small_units[-1]][orders.index(4)])

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
for (units, values), style in zip(constants.items(), k_styles(constants), strict=True):
    left.plot(orders, values, linestyle=":", label=f"m = {units}", **style)
left.axhline(2**0.5 - 1, color=COLOURS["grey"], alpha=0.6)
left.set(xlabel="order k", ylabel="isometry constant", xticks=orders)
left.set_title(f"n = {small_n}")
left.legend()
right.plot(counts, shares, linestyle=":", **k_styles(small)[1])
right.axvline(promised, color=COLOURS["grey"], alpha=0.6)
right.set(
    xlabel="active features k", ylabel="supports found", xticks=counts, ylim=(0, 1.05), title=f"n = {small_n}, m = {m}"
)
run.figure(
    [left, right],
    "fig-superposition-rip",
    alt="(a) Restricted isometry constants rise with the order and fall with the number of units; a horizontal line "
    "marks the square root of two minus one. (b) Share of supports found by basis pursuit against the number of "
    "active features; a vertical line marks the coherence bound.",
    title="Simulated: what is promised and what is found",
)

# %% [markdown]
# :::{glue:figure} fig-superposition-rip
# :name: fig-superposition-rip
#
# Worst-case guarantees ask for far more neurons than recovery needs. (a) $\delta_k$ of random matrices with columns of
# length 1; line: $\sqrt2 - 1$. (b) Share of {glue:text}`small_stimuli` random $k$-sparse stimuli whose support is found
# with one of them, of {glue:text}`small_m` units; line: the coherence bound, to the left of which success is certain.
# :::
#
# With {glue:text}`small_m` units the coherence is {glue:text}`small_coherence:.2f`, so
# {prf:ref}`thm-superposition-coherence` promises recovery below $k =$ {glue:text}`small_promised:.2f`. For $k = 2$
# {prf:ref}`thm-superposition-candes` needs $\delta_4 < \sqrt2 - 1$, while this matrix has
# {glue:text}`small_delta_4:.2f`. Only matrices with far more units than features come near the line
# ($\delta_4 =$ {glue:text}`largest_delta_4:.2f` at {glue:text}`largest_m` units), and these are not in superposition at
# all. Yet at $k = 2$ basis pursuit finds a share of {glue:text}`small_share_2:.2f` of the supports with
# {glue:text}`small_m` units.
#
# So the theorems are true, and of little help at this size: they cover the worst support and both signs. Next we
# measure the typical case.

# %% [markdown]
# ## How many units are enough
#
# For Gaussian projections theory gives a scale. If
#
# $$ m \ge C \, m_{CS}, \qquad m_{CS} = k \log(n/k), $$ (eq-superposition-mcs)
#
# then with high probability $A/\sqrt m$ has the restricted isometry property and all $k$-sparse vectors are recovered
# {cite:p}`candes2005,donoho2006,foucart2013`. {cite:t}`liu2026` measure in multiples of $m_{CS}$, and say themselves
# that the factor $C$ is not known in general.
#
# For *typical* rather than all sparse vectors it is known: as $m$ grows, basis pursuit passes from failure to success
# around a number of units that can be computed.
#
# ```{prf:theorem} Where basis pursuit sets in
# :label: thm-superposition-transition
#
# Let $A$ have independent $N(0, 1)$ entries and let $z \ge 0$ have $k$ active features. With $g \sim N(0, 1)$ and $x_+$
# for the larger of $x$ and 0, let
#
# $$
# \begin{aligned}
# \delta^* = \min_{\tau \ge 0}\; \bigl[ & k\,(1 + \tau^2) \\
# & + (n - k)\; \mathrm E\,(g - \tau)_+^2 \bigr] .
# \end{aligned}
# $$ (eq-superposition-transition)
#
# Non-negative basis pursuit recovers $z$ with probability near 1 if $m$ exceeds $\delta^*$ by some multiples of $\sqrt
# n$, and near 0 if it falls short of it by as much. For basis pursuit without the constraint $\mathrm E\,(|g| -
# \tau)_+^2$ takes the place of $\mathrm E\,(g - \tau)_+^2$. ({cite:t}`amelunxen2014`; the same threshold, in another
# form and for growing $n$: {cite:t}`donoho2005`.)
# ```
#
# *Why.* Recovery fails if some direction changes no response, keeps the code non-negative and lowers its sum. The
# directions that do the latter two form a cone; those that change no response a random subspace of dimension $n - m$. A
# random subspace misses a cone if $m$ exceeds the cone's *statistical dimension*, its mean squared share of a random
# vector, and {eq}`eq-superposition-transition` is that dimension, up to an error of order $\sqrt{n/k}$. The values of
# the active features do not enter, and neither does the length of a column, as all columns are alike. So we can predict
# before we measure.

# %%
predicted = {(n, k): recovery_units(n, k) for n, k in settings}
in_units = [units / compressed_sensing_units(n, k) for (n, k), units in predicted.items()]
run.record(predicted_min=min(in_units), predicted_max=max(in_units))

# %% [markdown]
# For the sizes of this chapter $\delta^*$ lies between {glue:text}`predicted_min:.2f` and
# {glue:text}`predicted_max:.2f` times $m_{CS}$. So we expect half of the supports to be found a little above $m_{CS}$.
#
# For each $n$, $k$ and $m$ we draw {glue:text}`draws` Gaussian projections and {glue:text}`stimuli`
# $k$-sparse stimuli for each, recover the features with the *known* projection, and count the stimuli whose support is
# exactly right. Both methods get the same problems.


# %%
def recovery_sweep(n, k, methods):
    """Units as multiples of m_CS `(ratios,)` and the share of supports found `(methods, ratios, draws)`."""
    m_cs = compressed_sensing_units(n, k)
    units = [max(1, round(ratio * m_cs)) for ratio in ratios]
    rates = torch.zeros(len(methods), len(units), draws, dtype=torch.float64)
    for i, m in enumerate(units):
        for j in range(draws):
            a, z = gaussian(m, n, generator), k_sparse(stimuli, n, k, generator)
            found = [support_recovered(recover(z @ a.mT, a, min(k, m)), z) for recover in methods.values()]
            rates[:, i, j] = torch.stack(found).double().mean(1).cpu()
    return np.array(units) / m_cs, dict(zip(methods, rates, strict=True))


# %% [markdown]
# Numbers of units are whole, so the figures show the ratios reached, close to those asked for.

# %%
methods = {
    "bp": lambda y, a, k: nonnegative_basis_pursuit(y, a).to(y),
    "omp": orthogonal_matching_pursuit,
}
sweeps = {(n, k): recovery_sweep(n, k, methods) for n, k in settings}

# %% [markdown]
# One number summarises a curve: the ratio $m / m_{CS}$ at which it crosses one half. Its standard error comes from the
# curves of single projections that cross; we count those that do not. (If the mean curve of a setting never crosses,
# the run stops with an error: give `ratios` a wider range.)


# %%
def half_point(ratio, rates):
    """Where the rising curve `rates: (ratios,)` first reaches one half; NaN if it does not."""
    return float(np.interp(0.5, rates.cummax(0).values, ratio, left=np.nan, right=np.nan))


# %% tags=["hide-input"]
table = pd.DataFrame(index=pd.MultiIndex.from_tuples(settings, names=["n", "k"]))
table["m_CS"] = [compressed_sensing_units(n, k) for n, k in settings]
for name in methods:
    table[name] = [half_point(x, rates[name].mean(1)) for x, rates in sweeps.values()]
    singles = np.array([[half_point(x, draw) for draw in rates[name].T] for x, rates in sweeps.values()])
    table[f"{name} error"] = np.nanstd(singles, 1, ddof=1) / np.isfinite(singles).sum(1) ** 0.5
    run.record(**{f"{name}_not_crossed": int(np.isnan(singles).sum())})

# %% tags=["hide-input"]
table["predicted"] = in_units
table["bp at 0.95"] = [float(np.interp(0.95, rates["bp"].mean(1).cummax(0).values, x)) for x, rates in sweeps.values()]
for (n, k), row in table.iterrows():
    columns = {"predicted": row["predicted"], "half": row["bp"], "most": row["bp at 0.95"], "omp": row["omp"]}
    run.tabulate("transition", n=n, k=k, later=row["omp"] - row["bp"], short=row["predicted"] - row["bp"], **columns)
for name in methods:
    for (n, k), row in table.iterrows():
        run.tabulate("halves", method=name, n=n, k=k, half=row[name], half_error=row[f"{name} error"])
    run.tell(**{f"{name}_half_{end}": f"{end}(halves.half where method = {name})" for end in ("min", "max")})
run.tell(omp_later="share(transition.later)", omp_least="min(transition.later)", omp_most="max(transition.later)")
run.tell(short_min="min(transition.short)", short_max="max(transition.short)")
run.tell(most_min="min(transition.most)", most_max="max(transition.most)")
table.round(2)

# %% [markdown]
# For each $n$ and $k$ the table has $m_{CS}$ and, as multiples of it, where each method finds half of the supports
# (`bp` is basis pursuit) with the standard error over projections, $\delta^*$, and where basis pursuit finds nineteen
# of twenty. Of {glue:text}`curves` single curves, {glue:text}`bp_not_crossed` do not cross one half within the range
# for basis pursuit, and {glue:text}`omp_not_crossed` for OMP; these are left out of the standard error.
#
# How sharp is the transition? We read off the share of supports found at $m_{CS}$, at one and a half times, and at
# twice as many units.


# %% tags=["hide-input"]
def rate_at(ratio, name):
    """Share of supports found at a ratio, interpolated, averaged over settings."""
    return np.mean([np.interp(ratio, x, rates[name].mean(1)) for x, rates in sweeps.values()])


for ratio, label in {1.0: "1", 1.5: "1_5", 2.0: "2"}.items():
    for name in methods:
        run.tabulate("rates", method=name, ratio=ratio, rate=rate_at(ratio, name))
        run.tell(**{f"{name}_rate_at_{label}": f"mean(rates.rate where method = {name} and ratio = {ratio})"})


# %% tags=["hide-input"]
def draw_sweep(ax, name, unit):
    """Share of supports found by a method against units, in neurons or multiples of m_CS; bars: standard error."""
    for ((n, k), (ratio, rates)), style in zip(sweeps.items(), k_styles(sweeps), strict=False):
        x = ratio * compressed_sensing_units(n, k) if unit == "m" else ratio
        error = rates[name].std(1) / draws**0.5
        ax.errorbar(x, rates[name].mean(1), error, linestyle=":", label=f"{n}, {k}", **style)
        if name == "bp":
            scale = 1 if unit == "m" else compressed_sensing_units(n, k)
            ax.plot(predicted[n, k] / scale, 0.5, marker="|", markersize=14, color=style["color"])
    ax.set(xlabel="units m" if unit == "m" else "units m / $m_{CS}$", ylabel="supports found")
    ax.set_title({"bp": "basis pursuit", "omp": "OMP"}[name])
    ax.axhline(0.5, color=COLOURS["grey"], linewidth=0.8, alpha=0.5)


# %% [markdown]
# If $m_{CS}$ is the right scale, the curves of basis pursuit should fall together once units are counted in it
# ({numref}`fig-superposition-transition`), and each should cross the grey line at its upright tick, which is
# $\delta^*$.

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=4.2, height=3.0)
draw_sweep(ax, "bp", "m_CS")
ax.legend(title="n, k", loc="lower right")
run.figure(
    [ax],
    "fig-superposition-transition",
    alt="Share of supports found by basis pursuit, rising from 0 to 1, against units divided by k log(n/k). The curves "
    "of all sizes nearly coincide; upright ticks, the predictions, stand a little right of where they cross one half.",
    title="Simulated: the recovery transition",
)

# %% [markdown]
# The same sweep against the plain number of units, and OMP on the scale of $m_{CS}$:

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
draw_sweep(left, "bp", "m")
draw_sweep(right, "omp", "m_CS")
right.legend(title="n, k", loc="lower right")
run.figure(
    [left, right],
    "fig-superposition-methods",
    alt="Two panels of the share of supports found, rising from 0 to 1. (a) Against the number of units the curves of "
    "the settings lie far apart. (b) Against units divided by k log(n/k) the curves of orthogonal matching pursuit lie "
    "further apart than those of basis pursuit, the later the more features are active.",
    title="Simulated: the transition in neurons, and by a greedy method",
)

# %% [markdown]
# :::{glue:figure} fig-superposition-methods
# :name: fig-superposition-methods
#
# More features or denser stimuli need more neurons, and the method counts too. (a) Basis pursuit against the number of
# neurons; ticks: $\delta^*$. (b) OMP finds half of the supports at {glue:text}`omp_half_min:.2f` to
# {glue:text}`omp_half_max:.2f` times $m_{CS}$. Bars: standard error over random projections.
# :::
#
# The curves that lie far apart in panel (a) nearly coincide in {numref}`fig-superposition-transition`: the theory's
# scale at work.
#
# And the constant? The prediction lies above the half point by {glue:text}`short_min:.2f` to {glue:text}`short_max:.2f`
# times $m_{CS}$: close, and a little high at these small $n$, for which it is not exact. So $m_{CS}$ *is* about the
# half point here, and no constant is missing.
#
# What is missing at $m_{CS}$ is *sharpness*: half of the stimuli is not all. Averaged over settings, basis pursuit
# finds a share of {glue:text}`bp_rate_at_1:.2f` of the supports at $m = m_{CS}$, {glue:text}`bp_rate_at_1_5:.2f` at
# $1.5$ times as many units and {glue:text}`bp_rate_at_2:.3f` at twice as many. Nineteen of twenty are found from
# {glue:text}`most_min:.2f` to {glue:text}`most_max:.2f` times $m_{CS}$ on, depending on the setting. The transition is
# some $\sqrt n$ units wide and $\delta^*$ grows in proportion to $n$ (at fixed $k/n$), so it looks sharper the larger
# the system.
#
# OMP is cheaper, and at twice $m_{CS}$ it finds {glue:text}`omp_rate_at_2:.2f`. Its half point lies
# {glue:text}`omp_least:.2f` to {glue:text}`omp_most:.2f` times $m_{CS}$ above that of basis pursuit (below, if
# negative), and above it in a share of {glue:text}`omp_later:.2f` of the settings. It is told $k$, which basis pursuit
# is not; that may help it where few features are active, and it falls behind when more are.

# %% [markdown]
# ## What non-negativity buys
#
# Features that are never negative are easier to recover: of all solutions of $Az = y$ only those with $z \ge 0$
# compete. (For some $A$, such as non-negative ones, a sparse solution can even be the only non-negative one
# {cite:p}`bruckstein2008`. For Gaussian projections with $m$ well below $n/2$ the smallest sum is still needed.)
#
# What is this worth? We keep the features non-negative but do not tell the solver. Basis pursuit without the constraint
# is the same linear programme with every column present twice, once with each sign: $z = u - v$ with $u, v \ge 0$. We
# expect it to need more units.


# %%
def signed_basis_pursuit(y, a, k):
    codes = nonnegative_basis_pursuit(y, torch.cat([a, -a], 1)).to(y)
    return codes[:, : a.shape[1]] - codes[:, a.shape[1] :]


# %%
sign_n, sign_k = sizes[0], active[len(active) // 2]
ratio, rates = recovery_sweep(sign_n, sign_k, {"bp": methods["bp"], "signed": signed_basis_pursuit})
run.record(sign_n=sign_n, sign_k=sign_k, nonnegative_half=half_point(ratio, rates["bp"].mean(1)))
run.record(signed_half=half_point(ratio, rates["signed"].mean(1)))
sign_cs = compressed_sensing_units(sign_n, sign_k)
run.record(nonnegative_predicted=recovery_units(sign_n, sign_k) / sign_cs)
run.record(signed_predicted=recovery_units(sign_n, sign_k, nonnegative=False) / sign_cs)

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1)
for (name, label), style in zip({"bp": "z ≥ 0 known", "signed": "sign unknown"}.items(), k_styles("ab"), strict=True):
    error = rates[name].std(1) / draws**0.5
    ax.errorbar(ratio, rates[name].mean(1), error, linestyle=":", label=label, **style)
ax.set(xlabel="units m / $m_{CS}$", ylabel="supports found")
ax.set_title(f"n = {sign_n}, k = {sign_k}")
ax.legend(loc="lower right")
run.figure(
    [ax],
    "fig-superposition-signs",
    alt="Share of supports found against units divided by k log(n/k), for basis pursuit with and without the "
    "constraint that features are non-negative; the second curve rises later.",
    title="Simulated: the worth of a known sign",
)

# %% [markdown]
# :::{glue:figure} fig-superposition-signs
# :name: fig-superposition-signs
#
# Knowing that features are non-negative saves neurons: half of the supports are found at
# {glue:text}`nonnegative_half:.2f` times $m_{CS}$ with the constraint and at {glue:text}`signed_half:.2f` times
# without.
# :::
#
# For the $n =$ {glue:text}`sign_n` and $k =$ {glue:text}`sign_k` of {numref}`fig-superposition-signs`, $\delta^*$
# predicts {glue:text}`nonnegative_predicted:.2f` and {glue:text}`signed_predicted:.2f`. (New projections and stimuli,
# so not quite the values of the table above.) So how many units suffice depends also on what the reader of the
# responses knows.

# %% [markdown]
# ## What to take away
#
# - Superposition mixes features. If they are sparse enough for the number of neurons, most mixings can be undone
#   exactly.
# - $k \log(n/k)$ is the right *scale* for basis pursuit over the sizes tried, and close to the half point: with
#   $m_{CS}$ neurons a share of {glue:text}`bp_rate_at_1:.2f` of the supports is found, with one and a half times as
#   many {glue:text}`bp_rate_at_1_5:.2f`.
# - All of this assumes that the projection is *known*. A {term}`sparse autoencoder <SAE>` has to learn it, and then
#   finds {term}`codes <code>` in a single encoding step. Both cost extra neurons, as {ref}`ch-supervised` and
#   {ref}`ch-unsupervised` measure.
#
# Where we part from the papers:
#
# - {cite:t}`liu2026` call $m \ge m_{CS}$ the compressed-sensing regime and remark that the true threshold may differ by
#   a constant. For Gaussian projections it is $\delta^*$, for dense stimuli too, where $k \log(n/k)$ fails; it depends
#   on the method and on what is known of the features.
# - {cite:t}`longon2025` use the RIP. Guarantees by coherence or RIP concern the worst case and promise little at these
#   sizes; {ref}`ch-matching` looks at the order of theirs.
#
# **What changed our mind.** We expected a constant in front of $k \log(n/k)$ that somebody has to measure. It has been
# known for years, for Gaussian projections, and is close to 1 here; what one has to measure is how wide the transition
# is at the size of a network. And the guarantees promise far less than the methods deliver.
#
# ## Exercises
#
# :::{exercise} The coherence bound by hand
# :label: ex-superposition-coherence
#
# (Recall, easy, 5 minutes.) A projection has coherence $0.3$. For which $k$ does {prf:ref}`thm-superposition-coherence`
# promise recovery? What does it promise if two columns are parallel?
# :::
#
# :::{dropdown} Hint
# Put $\mu = 0.3$ into {prf:ref}`thm-superposition-coherence` and ask which whole numbers lie *below* the bound. For
# parallel columns, what is the cosine of {prf:ref}`def-superposition-coherence`?
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the largest k for which recovery is promised
bound = (1 + 1 / 0.3) / 2
mistakes = {bound: "That is the bound: k is a whole number below it.", 3: "That lies above the bound: round down."}
check(mine, right=int(bound), mistakes=mistakes, digits=0)

# %% [markdown]
# :::{solution-start} ex-superposition-coherence
# :label: sol-superposition-coherence
# :class: dropdown
# :::
#
# The bound is half of $1 + 1/0.3$, which lies between 2 and 3: every 1-sparse and every 2-sparse vector is recovered,
# and nothing is promised for $k = 3$. With parallel columns $\mu = 1$ and the bound reads $k < 1$: nothing is promised,
# and rightly so. The two features cannot be told apart even when only one of them is on.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} The best six directions
# :label: ex-superposition-icosahedron
#
# (Extend, medium, 15 minutes.) Six random directions in three dimensions come close to each other. The best six are the
# diagonals of an icosahedron: the points $(0, \pm 1, \varphi)$ and their cyclic shifts, with the golden ratio
# $\varphi = (1 + \sqrt5)/2$. Compute their coherence and the coherence bound, and count the pairs that basis pursuit
# finds.
# :::
#
# :::{dropdown} Hint
# Take two of the points as columns of length 1 and compute their cosine by {prf:ref}`def-superposition-coherence`;
# $\varphi^2 = \varphi + 1$ makes it short. `supports_found` tries every pair.
# :::

# %% tags=["remove-cell"]
mine = None  # the coherence, to three decimals
mistakes = {
    1 / 5: "That is the squared coherence: take the root.",
    (1 + 5**0.5) / 2: "That is the product of two columns: divide it by both lengths.",
    1: "That is the cosine of a column with itself: leave it out.",
}
check(mine, right=((6 - 3) / (3 * 5)) ** 0.5, mistakes=mistakes)

# %% [markdown]
# :::{solution-start} ex-superposition-icosahedron
# :label: sol-superposition-icosahedron
# :class: dropdown
# :::
#
# Three cyclic shifts of two points are six columns; `roll` makes the shifts.

# %%
phi = (1 + 5**0.5) / 2
points = torch.tensor([[0.0, 1.0, phi], [0.0, -1.0, phi]], dtype=torch.float64)
best = normalize(torch.cat([points.roll(shift, 1) for shift in range(3)]), dim=1).mT
run.record(best_coherence=coherence(best), best_bound=(1 + 1 / coherence(best)) / 2)
run.record(best_pairs=int(supports_found(best, 2)[0].sum()))

# %% [markdown]
# All fifteen pairs of columns have the same cosine in size, {glue:text}`best_coherence:.4f`, which is $1/\sqrt5$: no
# six directions in three dimensions do better (the Welch bound, $\sqrt{(6-3)/(3\cdot5)}$). The coherence bound is
# {glue:text}`best_bound:.4f`, the golden ratio itself. So even the best arrangement of six features in three neurons is
# *guaranteed* for one active feature only.
#
# Yet {glue:text}`best_pairs` of the {glue:text}`pair_sets` pairs are found when features are non-negative. No six
# directions do better: pairs that are found are edges of the convex hull of the six columns, and by Euler's formula a
# solid with six corners has at most 12 edges. Random directions often reach this as well.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} A larger network
# :label: ex-superposition-rerun
#
# (Rerun, easy, 10 minutes.) Does the transition of basis pursuit stay near the same ratio for $n = 256$? Rerun the
# chapter with `make chapter NAME=01_superposition ARGS="-p sizes [256]"` and look at
# {numref}`fig-superposition-transition`. Compute $m_{CS}$ for $k = 32$ and $n = 64$ as well: why is there no point in
# sweeping it?
# :::
#
# :::{dropdown} Hint
# In the figure look where each curve passes one half. For $m_{CS}$, take the derivative of $k \log(n/k)$ with respect
# to $k$ and see where it changes sign.
# :::
#
# :::{solution-start} ex-superposition-rerun
# :label: sol-superposition-rerun
# :class: dropdown
# :::
#
# For $n = 256$ expect the same ratios: the scale was made for $k \ll n$. For $k = n/2$ it breaks down. The function
# $k \log(n/k)$ grows until $k = n/e$ and then *falls*, although denser stimuli are never easier. The next cell computes
# it for $n = 64$, beside $\delta^*$, which grows to $n$ as it should.

# %%
both = {k: [compressed_sensing_units(64, k), recovery_units(64, k)] for k in (4, 8, 16, 24, 32, 48, 64)}
pd.DataFrame(both, index=["m_CS", "delta*"]).round(1)

# %% [markdown]
# At $k = 32$ $m_{CS}$ is fewer neurons than there are active features, and the largest of our `ratios` is
# about as many neurons as there are features, where nothing is in superposition any more. OMP does not find half of the
# supports on the way, so it has no half point, and a sweep would stop with the error announced above.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Change and rerun
#
# More projections: `make chapter NAME=01_superposition ARGS="-p draws 50"`. Running time grows with `draws`, `stimuli`,
# the number of `ratios` and the number of settings. The {term}`profile` `paper` uses more projections and a third size:
# `make chapter NAME=01_superposition PROFILE=paper`.

# %%
run.save(data="simulated: sparse latents and Gaussian projections")
