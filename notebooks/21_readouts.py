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
# (ch-readouts)=
# # What a gain in regression shows
#
# From the {term}`latents <latent>` of a sparse autoencoder ({term}`SAE`) ridge regression predicts another network
# better than from neurons ({ref}`ch-pairs`). Does that show that latents are the features, or would any nonlinear
# {term}`code` do?
#
# **In short.** Other codes do: at the MLP's deep layer neurons predict at {glue:text}`by_neurons_mlp_deep:.2f`, latents
# at {glue:text}`by_latents_mlp_deep:.2f`, and products of units, several times as many and with no notion of features,
# at {glue:text}`by_quadratic_mlp_deep:.2f`. What an SAE adds is to do it with few active values. Matching is the harder
# test, and there latents are ahead of every linear choice of axes that was tried at the deep layers.
#
# :::{glue:figure} fig-readouts-capacity
# :name: fig-readouts-capacity
#
# Where latents gain in regression, larger codes that know nothing of features gain too, and as many random ReLU
# features do not. The line is N-N, neurons to neurons; marks are means over seed pairs, bars standard errors. Quadratic
# codes of the MLP's intermediate layer would be too many.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - what a gain in regression shows, once readouts that know nothing of features stand beside it;
# - which axes, found without an SAE, match between two networks, and which do not;
# - how high latents of two networks could match at all, and what seeds tell without an SAE.
#
# **What the paper claims.** A14 of {cite:t}`longon2025`: for ResNet50 and ViT-B/16 {term}`ridge regression` from the
# latents of one network to the neurons of the other exceeds that from its neurons. Its reading: deep layers hold more
# features than neurons, in {term}`superposition`. Its control is a {term}`random SAE`.
# ::::

# %% [markdown]
# ## The idea
#
# Letters and networks are those of {ref}`ch-pairs`, small {term}`stand-ins <stand-in>` that read scenes of digits: N-N
# scores neurons against neurons, S-N latents against neurons, S-S latents against latents, and R stands for a random
# SAE. All scores are {term}`held out`.
#
# (readouts-expect)=
# ### What we expect of readouts that know nothing of features
#
# Latents are more than neurons, and a nonlinear function of them. Perhaps any such code would do for a regression. A
# random SAE is a weak control here: like a trained one it keeps {glue:text}`k` of its values for a scene and drops the
# rest, but it was never fitted to keep what matters. So we ask further codes, none of which looks for features:
#
# | code | what it is |
# |---|---|
# | random ReLU | random directions, a random threshold, rectified; half of them are above 0 at a time |
# | quadratic | all units and all products of two |
# | PCA | as many principal axes as latents are active at a time |
# | ICA | as many independent axes as the layer has dimensions; linear, like PCA |
#
# There are as many random ReLU features as latents, or as many as do best on training folds alone.
#
# A trial on one pair of each architecture makes us expect this. At the deep layers the latents lie above as many random
# ReLU features, but not above the quadratic code, and hardly above random features once these may be several times as
# many. At the paper's own place in the block they gain nothing at all. If so, a ridge gain shows that a *nonlinear*
# readout helps, and what an SAE adds is to do it with few features. PCA and ICA span what the neurons span, or less, so
# from them ridge cannot gain.
#
# Matching asks for single axes, and axes of a random code have no reason to correspond. There PCA and ICA are the
# rivals: two linear ways to choose axes from the data. The trial did not look at them. ICA looks for axes of long
# tails, which sparse features have, and there are no more of its axes than units; we expect it above neurons and below
# latents where features outnumber units.
#
# How high could S-S be at all? Two SAEs of the *same* network, from two seeds, do not match perfectly either. If aa
# and bb are their soft-matching for network a and network b, we call S-S $/ \sqrt{aa \cdot bb}$ the share of the *seed
# ceiling*: near 1, all that is missing in S-S is missing between SAEs of one network already.

# %%
import warnings

import torch

from lib.baselines import MOST, ica, pca, quadratic, quadratic_count, random_relu, ridge_at_best
from lib.ceiling import overlap
from lib.chapter.network_pairs import MAIN, NETWORKS, RANDOM, SECOND, SITES, NetworkPairs, in_words, places, stand_ins
from lib.chapter.plotting import k_styles, panels
from lib.chapter.run import Run
from lib.crossval import silent_units
from lib.data.extraction import responses
from lib.data.stand_ins import Classifiers
from lib.features import seeded
from lib.geometry import linear_cka
from lib.pairings import Held, Pairing, gain, means, score
from lib.sae import Recipe

# %% [markdown]
# The first parameters are those of {ref}`ch-pairs`, whose trained networks and SAEs are found again.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
pairs: int = 3  # seed pairs of each architecture, 2 or more
train_scenes: int = 40000  # scenes that networks and SAEs are trained on
test_scenes: int = 10000  # fresh scenes for all scores
mlp_sizes: list[int] = [256, 96, 32]  # units of the three layers of the MLP, the last is the deep layer
mlp_steps: int = 3000  # training steps of the MLPs, batches of 128
vit_width: int = 48  # units of a token of the ViT, a multiple of 4
vit_depth: int = 2  # blocks of the ViT, 2 or more
vit_steps: int = 1000  # training steps of the ViTs, batches of 128
control_steps: int = 600  # training steps of the networks with one digit
latents: int = 96  # latents of each SAE
k: int = 4  # latents that may be active
sae_steps: int = 1000  # training steps of the SAEs, batches of 512
plain_pairs: int = 2  # of the pairs, how many are read out by codes that know nothing of features, 2 or more
plain_scenes: int = 5000  # training scenes that these codes are fitted on
relu_factors: list[int] = [1, 2, 4]  # numbers of random features to choose from, in numbers of latents, from 1 on
ceiling_pairs: int = 1  # of the pairs, how many get a second SAE for each network

# %%
run = Run("21_readouts", globals())
kinds = stand_ins(mlp_sizes, mlp_steps, vit_width, vit_depth, vit_steps, control_steps)
recipe = Recipe.ours(latents=latents, k=k, steps=sae_steps)
world = NetworkPairs(kinds, pairs, train_scenes, test_scenes, recipe, seed, run.device)
trained = {kind: world.train(kind) for kind in kinds}
data = world.respond(trained, places(vit_depth))

# %%
saes = {site: world.fit_saes(site, data[site]) for site in SITES}
scores = {site: world.scores(data[site].test, saes[site].model) for site in SITES}

# %% tags=["hide-input"]
run.record(pairs=pairs, latents=latents, k=k, labels=world.scenes("mlp", "test")[1].shape[1])
for site in SITES:
    ridge = {"sn_gain": ("sn", "nn"), "sn_over_random": ("sn", "rn")}
    ridge = {name: gain(scores[site], "ridge_ab", *compared) for name, compared in ridge.items()}
    run.tabulate("gains", site=site, pair=range(pairs), sn_gain=ridge["sn_gain"], over_random=ridge["sn_over_random"])
HEADS = {site: in_words(site) for site in SITES}

# %% [markdown]
# ## A readout that knows nothing of features
#
# Like the SAEs, the codes of {ref}`the section on what we expect <readouts-expect>` are fitted on responses to training
# scenes, here {glue:text}`plain_scenes`, and read on the folds of test scenes. For the first {glue:text}`plain_pairs`
# pairs of each site:
#
# - **ReLU**, random, {glue:text}`latents` of them, as many as latents;
# - **ReLU, best**: of several numbers, up to {glue:text}`relu_most`, the one that does best on training folds, chosen
#   anew for each held-out fold, which the choice never sees;
# - **quadratic**: all units and their products, where these are at most {glue:text}`most_features`. At the MLP's
#   intermediate layer they would be more, so there it is left out;
# - **PCA** at {glue:text}`k` axes, and **ICA** with all axes but those that carry the last thousandth of the variance.

# %%
order = torch.arange(test_scenes)
folds = [(order[order % 5 != fold], order[order % 5 == fold]) for fold in range(5)]
run.record(ceiling_pairs=ceiling_pairs, plain_scenes=plain_scenes, plain_pairs=plain_pairs)
run.record(relu_most=relu_factors[-1] * latents, most_features=MOST)
stopped = []  # for each ICA, 1 if it stopped before it had converged


# %%
def components(y, axes, i):
    """ICA of responses, and a note whether it converged."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = ica(y, axes, world.seeds(RANDOM)[i])
    stopped.append(float(any("converge" in str(one.message) for one in said)))
    return found


# %%
def plain_codes(site, i):
    """Codes of the test responses of network i that know nothing of features, fitted on training scenes."""
    y, y_test = data[site].train[i, :plain_scenes], data[site].test[i]
    share = torch.linalg.eigvalsh(y.T.double().cov()).flip(0).cumsum(0)
    axes = int((share < 0.999 * share[-1]).sum()) + 1
    fitted = {f"relu{factor}": random_relu(y, factor * latents, world.seeds(RANDOM)[i]) for factor in relu_factors}
    fitted |= {"pca": pca(y, k), "axes": pca(y, axes), "ica": components(y, axes, i)}
    if quadratic_count(y.shape[1]) <= MOST:
        fitted["quadratic"] = quadratic(y)
    return {name: code(y_test) for name, code in fitted.items()}


# %% [markdown]
# Ridge goes from a code of network a to the neurons of network b. Axes are matched between a and b.


# %%
def plain_scores(site, pair):
    """Ridge and soft-matching of one pair by such codes, and how many features they have."""
    of_a, of_b = (plain_codes(site, 2 * pair + i) for i in (0, 1))
    target = data[site].test[2 * pair + 1]
    known = {f"{name}_a": code for name, code in of_a.items()} | {f"{name}_b": of_b[name] for name in ("axes", "ica")}
    asked = [Pairing(name, f"{name}_a", "n_b", ("ridge_ab",)) for name in of_a if name != "axes"]
    asked += [Pairing(name, f"{name}_a", f"{name}_b", ("soft",)) for name in ("axes", "ica")]
    table = score(Held(known | {"n_b": target}, folds), asked)
    best = ridge_at_best({f * latents: of_a[f"relu{f}"] for f in relu_factors}, target, folds, seed)
    return table, best, {name: code.shape[1] for name, code in of_a.items()}


# %% tags=["hide-input"]
def tabulate_capacity(site, pair):
    """Add a pair's ridge scores from every code to the table `capacity`, its matched axes to `axes`."""
    table, best, counts = plain_scores(site, pair)
    units = data[site].test.shape[2]
    found = {"neurons": ("nn", units), "latents": ("sn", latents), "random_latents": ("rn", latents)}
    rows = {name: (means(scores[site], "ridge_ab", ab)[pair], count) for name, (ab, count) in found.items()}
    rows |= {"relu": (means(table, "ridge_ab", "relu1")[0], latents)}
    rows |= {"relu_best": (best.r.mean(), sum(best.chosen) / len(folds))}
    rows |= {name: (means(table, "ridge_ab", name)[0], counts[name]) for name in PLAIN if name in counts}
    ridge, count = zip(*rows.values(), strict=True)
    differences = {"over_neurons": [x - ridge[0] for x in ridge], "under_latents": [ridge[1] - x for x in ridge]}
    run.tabulate("capacity", site=site, pair=pair, features=list(rows), count=count, ridge=ridge, **differences)
    matched = {"neurons": means(scores[site], "soft", "nn")[pair], "latents": means(scores[site], "soft", "ss")[pair]}
    matched |= {name: means(table, "soft", key)[0] for name, key in (("pca", "axes"), ("ica", "ica"))}
    run.tabulate("axes", site=site, pair=pair, features=list(matched), soft=list(matched.values()))


# %% tags=["hide-input"]
PLAIN = ("quadratic", "pca", "ica")
for site in SITES:
    for pair in range(plain_pairs):
        tabulate_capacity(site, pair)

# %% tags=["hide-input"]
run.record(ica_stopped=stopped)
chosen = [
    row["count"] == relu_factors[-1] * latents for row in run.tables["capacity"] if row["features"] == "relu_best"
]
run.record(largest_chosen=sum(chosen) / len(chosen))
run.record(quadratic_lead_least=-run.ask("max(capacity.under_latents where features = quadratic)"))

# %% tags=["hide-input"]
CODES = {"neurons": "neurons", "latents": "latents", "random_latents": "random latents", "relu": "ReLU"}
CODES |= {"relu_best": "ReLU, best", "quadratic": "quadratic", "pca": "PCA", "ica": "ICA"}

# %% tags=["hide-input"]
for site in SITES:
    fits = [name for name in CODES if name != "quadratic" or site != "mlp_middle"]
    at = {name: f"site = {site} and features = {name}" for name in fits}
    run.tell(**{f"by_{name}_{site}": f"capacity.ridge where {where}" for name, where in at.items()})
    run.tell(**{f"under_{name}_{site}": f"capacity.under_latents where {where}" for name, where in at.items()})
    axes_at = {name: f"axes.soft where {at[name]}" for name in ("neurons", "latents", "pca", "ica")}
    run.tell(**{f"axes_{name}_{site}": question for name, question in axes_at.items()})

# %% tags=["hide-input", "remove-output"]
axes = panels(2, width=3.7, height=3.2)
drawn = [name for name in CODES if name not in ("neurons", "pca")]
for ax, sites in zip(axes, (MAIN, [site for site in SITES if site not in MAIN]), strict=True):
    for i, (site, style) in enumerate(zip(sites, k_styles(sites), strict=True)):
        fits = [name for name in drawn if name != "quadratic" or site != "mlp_middle"]
        spreads = [run.ask(f"capacity.over_neurons where features = {name}", site=site) for name in fits]
        heights = [drawn.index(name) + 0.15 * (i - 1.5) for name in fits]
        looks = {"xerr": [x["standard_error"] for x in spreads], "ls": "", "label": HEADS[site], **style}
        ax.errorbar([x["mean"] for x in spreads], heights, **looks)
    ax.axvline(0, color="grey", lw=1)
    ax.set(xlabel="ridge correlation, less that of neurons", yticks=range(len(drawn)))
    ax.set_yticklabels([CODES[name] for name in drawn])
    ax.invert_yaxis()
    ax.legend(loc="lower left", fontsize="x-small", handletextpad=0.1, borderaxespad=0)
run.figure(
    axes,
    "fig-readouts-capacity",
    alt="Ridge correlation to the other network's neurons, less that of neurons, from latents, random latents, random "
    "ReLU features, the best number of these, the quadratic code and ICA, for each site. Random latents lie far below "
    "zero, ICA at zero; the quadratic code and the best number of random features lie about as far right as latents "
    "or further.",
    title="Stand-in, simulated scenes of real digits: ridge from codes that know nothing of features",
)

# %% [markdown]
# {numref}`fig-readouts-capacity` has the differences from N-N, the table the correlations of this run's pairs:

# %% tags=["hide-input"]
columns = {words: f"capacity.ridge where features = {name}" for name, words in CODES.items()}
run.recorded_table(profile, columns, "site").rename(HEADS)

# %% [markdown]
# *Not recorded*: the code was too large. Four things can be read here.
#
# *As many random features do not reach the latents at the deep layers.* S-N lies above them by
# {glue:text}`under_relu_mlp_deep:.3f` (MLP) and {glue:text}`under_relu_vit_deep:.3f` (ViT). But these features stay
# below the neurons, too: they lose a part of what units say, so they do not tell what mere number would do. Units and
# products picked blindly, together as many, reach much of the gain ({ref}`ex-readouts-few`).
#
# *More of them nearly do, or do more.* S-N less the best number of them is {glue:text}`under_relu_best_mlp_deep:.3f`
# and {glue:text}`under_relu_best_vit_deep:.3f`. The largest number on offer, {glue:text}`relu_most`, was chosen in a
# share of {glue:text}`largest_chosen:.3f` of the pairs and sites, so still more might do still better.
#
# *Products of units do more everywhere.* The quadratic code is ahead of the latents by
# {glue:text}`quadratic_lead_least:.3f` or more at every site and in every pair where it fits. It has never seen a
# feature, and its values are not sparse.
#
# *Where latents gain next to nothing, other nonlinear codes do.* In the deep branch neurons reach
# {glue:text}`by_neurons_vit_branch_deep:.3f`, latents {glue:text}`by_latents_vit_branch_deep:.3f`, the best number of
# random features {glue:text}`by_relu_best_vit_branch_deep:.3f`, the quadratic code
# {glue:text}`by_quadratic_vit_branch_deep:.3f`. There was something nonlinear to be read at the paper's site; these
# SAEs did not get it.
#
# So a ridge gain of S-N over N-N, even one over R-N, shows that a **nonlinear readout helps**, not that it needs the
# network's features. R-N is a weak control, of values that were fitted to nothing. What an SAE adds is parsimony: at
# the deep layers its gain comes from {glue:text}`k` active latents of {glue:text}`latents`. As many dense values come
# close at best, and the codes that do better are several times as large. That is worth something, and it is another
# claim than A14. PCA and ICA behave as they must: {glue:text}`k` principal axes say little, and ICA, a linear map of
# the units, says what neurons say.
#
# ## Matching: other axes
#
# In matching the latents have better standing. At the MLP's deep layer, neurons match at
# {glue:text}`axes_neurons_mlp_deep:.3f`, principal axes at {glue:text}`axes_pca_mlp_deep:.3f`, independent axes at
# {glue:text}`axes_ica_mlp_deep:.3f`, latents at {glue:text}`axes_latents_mlp_deep:.3f`; at the ViT's,
# {glue:text}`axes_neurons_vit_deep:.3f`, {glue:text}`axes_pca_vit_deep:.3f`, {glue:text}`axes_ica_vit_deep:.3f` and
# {glue:text}`axes_latents_vit_deep:.3f`. ICA does what we expected there, a little better than neurons. It cannot name
# more axes than there are units, and the labels outnumber these.
#
# In the deep branch and at the ViT's intermediate layer it is otherwise. Independent axes match at
# {glue:text}`axes_ica_vit_branch_deep:.3f` and {glue:text}`axes_ica_vit_middle:.3f`, below the neurons'
# {glue:text}`axes_neurons_vit_branch_deep:.3f` and {glue:text}`axes_neurons_vit_middle:.3f`, though labels outnumber
# units there, too. We had not expected that. Of all fits of ICA, a share of {glue:text}`ica_stopped:.3f` stopped at the
# limit of iterations, most axes found but some still turning.

# %% tags=["hide-input"]
columns = {CODES[name]: f"axes.soft where features = {name}" for name in ("neurons", "latents", "pca", "ica")}
run.recorded_table(profile, columns, "site").rename(HEADS)

# %% [markdown]

# ## The seed ceiling
#
# A second SAE of each network, from another seed, the same settings; pairs: {glue:text}`ceiling_pairs`.


# %%
def of_one_network(site, i, twin):
    """Soft-matching of two SAEs of one network, without latents that are silent throughout a fold."""
    y = data[site].test[i]
    both = [sae.encode_one(i, y)[0].relu() for sae in (saes[site].model, twin)]
    first, second = (code[:, ~silent_units(code, folds)] for code in both)
    table = score(Held({"first": first, "second": second}, folds), [Pairing("twins", "first", "second", ("soft",))])
    return float(means(table, "soft", "twins")[0])


# %%
for site in SITES:
    twin = world.fit_saes(site, data[site], SECOND, 2 * ceiling_pairs).model
    for pair in range(ceiling_pairs):
        aa, bb = (of_one_network(site, 2 * pair + i, twin) for i in (0, 1))
        ss = float(means(scores[site], "soft", "ss")[pair])
        run.tabulate("ceiling", site=site, pair=pair, ss=ss, aa=aa, bb=bb, share=ss / (aa * bb) ** 0.5)

# %% tags=["hide-input"]
for site in SITES:
    run.tell(**{f"ceiling_{part}_{site}": f"mean(ceiling.{part} where site = {site})" for part in ("aa", "share")})
rows = [row for row in run.tables["ceiling"] if row["site"] in ("mlp_deep", "vit_deep")]
lacks = [(1 - row[part]) / (1 - row["ss"]) for row in rows for part in ("aa", "bb")]
run.record(lack_least=min(lacks), lack_most=max(lacks))

# %% tags=["hide-input"]
run.table(
    HEADS,
    {"S-S": "mean(ceiling.ss)", "aa": "mean(ceiling.aa)", "bb": "mean(ceiling.bb)"}
    | {"share of the seed ceiling": "mean(ceiling.share)"},
    "site",
)

# %% [markdown]
# Near 1 would mean: two networks match as well as two SAEs of one network, and the rest is the SAEs' own scatter. At
# the deep layers the share is {glue:text}`ceiling_share_mlp_deep:.3f` (MLP) and {glue:text}`ceiling_share_vit_deep:.3f`
# (ViT). Of what S-S lacks to 1 there, two SAEs of one network lack a share from {glue:text}`lack_least:.2f` to
# {glue:text}`lack_most:.2f` already, the least and the most of these networks. In the deep branch the ceiling is low,
# {glue:text}`ceiling_aa_vit_branch_deep:.3f`, and the share of it is {glue:text}`ceiling_share_vit_branch_deep:.3f`:
# there the SAEs do not agree with themselves, and the networks agree less still. In the control the share is
# {glue:text}`ceiling_share_control:.3f`. Low S-S there is scatter of the SAEs, though their latents follow single
# digits ({ref}`ch-pairs`), and no sign that the two networks differ.
#
# ## A ceiling without SAEs
#
# Seeds are a yardstick for the networks too. {ref}`ch-ceiling` divides what two kinds of network share by what the
# seeds of each kind share, which takes compression off, without an SAE. We take the {glue:text}`trainings` MLPs for
# one kind and the {glue:text}`trainings` ViTs for the other, at their deep layers in the residual stream. Two
# controls: the ViTs for the scenes in another order, and the same architectures before training. Written before the
# run: both kinds pass on the same labels, so we expect nine tenths or more; less than half for untrained networks;
# nothing for other scenes.

# %%
fresh = [
    responses(Classifiers(kinds[name].make, world.seeds(NETWORKS), device=run.device).networks,
              world.scenes(name, "test")[0], {"deep": places(vit_depth)[f"{name}_deep"][1:]})["deep"]
    for name in ("mlp", "vit")
]  # fmt: skip
mlp, vit = (data[f"{name}_deep"].test for name in ("mlp", "vit"))
run.record(trainings=2 * pairs, kinds_cka=linear_cka(mlp, vit, debiased=True))
for name, systems in {"trained": (mlp, vit), "other_scenes": (mlp, vit.flip(1)), "untrained": fresh}.items():
    found = overlap(*systems)
    counts = dict(zip(("_a", "_b"), found.features, strict=False))
    counts["_bound"] = (min(counts.values()) / max(counts.values())) ** 0.5
    ends = {"": found.estimate, "_low": found.low, "_high": found.high} | counts
    run.record(**{f"overlap_{name}{end}": value for end, value in ends.items()})

# %% [markdown]
# CKA between an MLP and a ViT is {glue:text}`kinds_cka:.3f`, the corrected score {glue:text}`overlap_trained:.3f` (from
# {glue:text}`overlap_trained_low:.3f` to {glue:text}`overlap_trained_high:.3f`). If seeds mix features independently,
# compression explains a good part of the low CKA. But the corrected score is lower than we expected, and untrained
# networks have more than we expected, {glue:text}`overlap_untrained:.3f` (from {glue:text}`overlap_untrained_low:.3f`
# to {glue:text}`overlap_untrained_high:.3f`). For other scenes it is {glue:text}`overlap_other_scenes:.3f`, as
# expected.
#
# **For untrained networks it cannot be a share of features.** If features have like variance, an overlap is at most the
# root of the smaller count over the larger one. In untrained networks second seeds count
# {glue:text}`overlap_untrained_a:.0f` (MLP) and {glue:text}`overlap_untrained_b:.0f` (ViT), which allows
# {glue:text}`overlap_untrained_bound:.2f`, far less than the score. So something that the correction assumes fails
# there, features of like variance or independent mixing. A single strong feature in common would do
# ({ref}`ch-ceiling`). In trained networks they count {glue:text}`overlap_trained_a:.0f` and
# {glue:text}`overlap_trained_b:.0f`, which allows {glue:text}`overlap_trained_bound:.2f`; our expectation had not asked
# for the counts. Alone, the score does not tell what was learned from what the scenes give to any network.

# %% [markdown]
# ## What the ledger is told
#
# The ledger ({ref}`ch-claims`) judges A14 *as stated* by networks trained on ImageNet ({ref}`ch-recipes`), and this
# stand-in in a column of its own. It asks for a gain at all layers, in the deep branch too, and for latents above the
# best number of random features. The condition asks less and was narrowed after first results: a gain at both deep
# layers, over neurons and over an untrained SAE; at the intermediate layers it was small or negative. It is about the
# residual stream: in the branch, the paper's site, a gain in every pair is not there.

# %% tags=["hide-input"]
deep = ("mlp_deep", "vit_deep")
run.record(a14_min=min(run.ask(f"min(gains.sn_gain where site = {site})") for site in MAIN))
run.record(a14_deep_min=min(run.ask(f"min(gains.sn_gain where site = {site})") for site in deep))
run.record(a14_deep_learned_min=min(run.ask(f"min(gains.over_random where site = {site})") for site in deep))

# %% [markdown]
# The least gain over pairs is {glue:text}`a14_deep_min:.3f` at the deep layers ({glue:text}`a14_deep_learned_min:.3f`
# over an untrained SAE) and {glue:text}`a14_min:.3f` over all layers of the stream and the MLP.

# %% [markdown]
# ## What to take away
#
# - **A gain in regression is cheap.** Several times as many values that know nothing of features gain what latents gain
#   at deep layers: products of units more, random features about as much. It shows that a nonlinear readout helps.
# - **A random SAE is no sufficient control** for it, since its values were fitted to nothing. Put a dense code beside
#   it.
# - **Matching is the harder test.** At the deep layers latents are ahead of neurons, PCA and ICA. In the ViT's branch
#   they are about as good as neurons.
# - **Report the seed ceiling.** Of what two networks' latents lack to a perfect match at the deep layers, two SAEs of
#   one network lack a good part as well: a share from {glue:text}`lack_least:.2f` to {glue:text}`lack_most:.2f`, with
#   {glue:text}`ceiling_pairs` pair of each kind.
# - **A corrected score needs its counts beside it.** For trained networks it is {glue:text}`overlap_trained:.2f`, for
#   untrained ones {glue:text}`overlap_untrained:.2f`, where the counts allow no more than
#   {glue:text}`overlap_untrained_bound:.2f`.
#
# Where we depart from the paper, whose control is a random SAE: readouts that know nothing of features, PCA and ICA
# axes and both ceilings are added. Networks, scenes and SAEs are those of {ref}`ch-pairs`, with its departures.
#
# **What changed our mind.** We took a random SAE for the control of a ridge gain. It is a weak one: products of units,
# which know nothing of features and drop nothing, but are many, do better than trained latents. And the corrected
# score, of which we expected nine tenths or more after training and less than half before, told the two apart in no
# such way.
#
# ## Exercises
#
# Solutions are folded below each exercise and were run with the chapter.
#
# :::{exercise} What explains the gain?
# :label: ex-readouts-explain
#
# (Recall, easy, 5 minutes.) Somebody explains the gain of S-N over N-N at the deep layers in one of these ways: (1)
# latents are more than neurons; (2) any sparse code predicts well; (3) linear axes were chosen better; (4) the latents
# are the features. Which code of this chapter speaks against each explanation, and which does none rule out?
# :::
#
# :::{dropdown} Hint
# Give each explanation a code that has what it names and nothing else: *as many* features, *as sparse* ones, *other
# axes*. Which of the four has no such code here?
# :::
#
# :::{solution-start} ex-readouts-explain
# :label: sol-readouts-explain
# :class: dropdown
# :::
#
# (1): as many random ReLU features stay below the latents, but they lose a part of what units say; units and products
# picked blindly, as many in all, reach much of the gain ({ref}`ex-readouts-few`). (2): the latents of a random SAE are
# as sparse and predict far worse than neurons. (3): PCA and ICA cannot gain, whatever axes they choose. (4) is not
# refuted, but not needed: products of units do better and look for no features. The labels, which {ref}`ch-pairs` reads
# from latents, speak for (4); the regression does not.
#
# :::{solution-end}
# :::
#
# :::{exercise} Axes for matching, axes for regression
# :label: ex-readouts-axes
#
# (Explain, medium, 15 minutes.) Some linear axes match between two networks better than neurons do. Can ridge
# regression from these axes gain anything over ridge from neurons? What differs at most? Check it with the table
# `capacity`.
# :::
#
# :::{dropdown} Hint
# If $z = T y$ with an invertible $T$, which weights on $z$ give the same prediction as $w$ on $y$? Then ask what the
# penalty of ridge makes of them.
# :::
#
# :::{solution-start} ex-readouts-axes
# :label: sol-readouts-axes
# :class: dropdown
# :::

# %%
for site in MAIN:
    run.record(
        **{f"ica_less_neurons_{site}": run.ask(f"mean(capacity.over_neurons where features = ica and site = {site})")}
    )
run.record(ica_furthest=max(abs(run.values[f"ica_less_neurons_{site}"]) for site in MAIN))

# %% [markdown]
# Axes are an invertible linear map of the units, but for the directions of next to no variance that were left out.
# Least squares does not notice such a map: what one can predict, so can the other. Ridge notices it a little, since its
# penalty is a sphere in other coordinates. Over the four layers of MLP and ViT the mean difference is at most
# {glue:text}`ica_furthest:.4f`. So axes decide matching and leave regression alone, and only a nonlinear code can gain
# there.
#
# :::{solution-end}
# :::
#
# :::{exercise} As few products as latents
# :label: ex-readouts-few
#
# (Extend, medium, 15 minutes.) The quadratic code has several times as many values as there are latents. Keep all units
# of the MLP's deep layer and random products, together as many as latents. Do they still reach S-N? Guess first.
# :::
#
# :::{dropdown} Hint
# `quadratic` gives the units first, then the products; `torch.randperm` picks some of these. Before you run it, compare
# what *ReLU* and *quadratic* reach in {numref}`fig-readouts-capacity`.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # values of the quadratic code of the MLP's deep layer
units = data["mlp_deep"].test.shape[2]
mistakes = {
    units * (units + 1) // 2: "Either the units or their squares are missing: both are in it.",
    units * (units + 1) // 2 + 1: "The units themselves are in it, too, and no constant.",
    units + units**2: "The product of units i and j is that of j and i: count it once.",
}
check(mine, right=quadratic_count(units), mistakes=mistakes, digits=0)

# %% [markdown]
# :::{solution-start} ex-readouts-few
# :label: sol-readouts-few
# :class: dropdown
# :::

# %%
units = data["mlp_deep"].test.shape[2]
code = quadratic(data["mlp_deep"].train[0, :plain_scenes])(data["mlp_deep"].test[0])
products = units + torch.randperm(code.shape[1] - units, generator=seeded(seed))[: latents - units]

# %%
few = {"few_a": code[:, [*range(units), *products.tolist()]], "n_b": data["mlp_deep"].test[1]}
found = score(Held(few, folds), [Pairing("few", "few_a", "n_b", ("ridge_ab",))])
run.record(few_products=means(found, "ridge_ab", "few")[0])
for name in ("latents", "neurons"):
    run.tell(**{f"few_{name}": f"mean(capacity.ridge where features = {name} and site = mlp_deep and pair = 0)"})

# %% [markdown]
# From {glue:text}`latents` features, all units and products picked blindly, ridge reaches
# {glue:text}`few_products:.3f` in the first pair, where neurons reach {glue:text}`few_neurons:.3f` and latents
# {glue:text}`few_latents:.3f`; all products reach {glue:text}`by_quadratic_mlp_deep:.3f`, a mean over pairs. So part of
# the gain needs no choice of features at all. How much an SAE's choice adds shows only beside a code of its size.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# More random features to choose from, or SAEs of twice the size:
#
# ```
# make chapter NAME=21_readouts ARGS="-p relu_factors '[1, 4, 16]'"
# make chapter NAME=21_readouts ARGS="-p latents 192 -p k 8"
# ```
#
# The profile `pairs` has ten seed pairs.

# %%
run.save(data="simulated scenes of real written digits (scikit-learn), small networks trained on them")
