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
# (ch-own)=
# # Your own networks
#
# You have two networks, or two files with their responses to the same stimuli. Are they more alike than their units
# show, and can {term}`sparse autoencoders <SAE>` (SAEs) bring it out?
#
# **In short.** {glue:md}`own-answer` That answers for this run's pair, {glue:md}`own-pair`:
# {term}`soft-matching` is {glue:text}`soft_nn:.2f` between units, {glue:text}`soft_ss:.2f` between
# {term}`latents <latent>`, the hidden units of SAEs, and {glue:text}`soft_rs:.2f` if one of the SAEs never learned
# anything. **This page is the report**; `make own A=first.npy B=second.npy` makes it from your files.
#
# :::{glue:figure} fig-own-scores
# :name: fig-own-scores
#
# Scores on stimuli that no SAE has seen: do single units correspond (a), and how well does one network predict the
# other's units (b)? *Random*: the SAE was not trained. Points: folds of each SAE seed; markers: mean and standard
# error.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - what two files of activations, or two networks, have in common, and how sure the answer is;
# - which number each sentence of the report rests on;
# - what no report of this kind can tell.
#
# **What the papers claim.** {cite:t}`liu2026` derive how far regression, {term}`RSA` and {term}`CKA` fall when two
# networks hold the same features in different {term}`superpositions <superposition>` ({ref}`ch-linear`).
# {cite:t}`longon2025` show it for matching ({ref}`ch-matching`), and train an SAE on each network: its latents then
# match better than the units. So there are two things to measure, scores of the units and scores of the latents. A gain
# from one to the other is what a hidden alignment would look like.
# ::::

# %% [markdown]
# (sec-own-reading)=
# ## What this run says
#
# ```{glue:md} own-reading
# :format: myst
# ```
#
# The rules behind these sentences stand in {ref}`sec-own-rules`.
#
# ## Give it yours
#
# Two files, one row for each stimulus, one column for each unit, rows of both in the same order:
#
# ```
# make own A=first.npy B=second.npy
# ```
#
# This runs the chapter on them, builds the page and opens it. With `QUICK=1` a quick look comes first, on a page of its
# own: fewer stimuli, shorter training, no scan over $k$. Parameters follow in `ARGS`, for example
# `ARGS="-p k 32 -p sae_steps 2000"`. A run that was stopped goes on where it was.
#
# :::{dropdown} Formats of files, and the position to read of maps and tokens
# The files may be `.npy`, `.npz`, `.pt`, `.safetensors`, `.mat`, `.h5`, `.csv` or `.parquet`. If a file holds several
# arrays, name one after a colon, `first.npz:layer4`. Of maps and tokens say what to read, as `first.npz:layer4:pool`:
# `centre` of a map, `cls` for the {term}`class token`, `pool` for the mean over places, `flat` for everything. No file
# is executed: pickled objects are refused. A file that does not fit ends the run with one line that says what is wrong
# with it and how to mend it.
#
# An `.npy` file may be larger than memory: it is read in blocks, and what the SAEs train on is kept in a file of its
# own while the run lasts.
# :::
#
# :::{dropdown} Two networks by name, with images
# One layer of each with the position to read, and a set of images:
#
# ```
# make own ARGS="-p network_a torchvision:resnet50 -p layer_a layer4.2:centre \
#   -p network_b timm:vit_base_patch16_224.dino -p layer_b blocks.11:cls -p images folder:/data/photos"
# ```
#
# Checkpoints of your own are named `file:/path/weights.pth@torchvision:resnet50`.
# :::
#
# :::{dropdown} Many layers, or several seeds of each network
# For many layers give a folder each, with a file for each layer, or a file of several arrays; of networks name several,
# `-p layer_a "layer3.5:pool layer4.2:pool"`.
#
# ```
# make own A=first_network B=second_network
# ```
#
# Every layer of the one is scored against every layer of the other ({ref}`sec-own-layers`). The rest of the report is
# about the last of each, by the numbers in their names.
#
# If a network was trained from several random starts, put commas between them.
#
# ```
# make own A=a1.npy,a2.npy B=b1.npy,b2.npy
# ```
#
# Two of both tell how many features the networks share, compressed or not ({ref}`sec-own-ceiling`). The rest of the
# report is about the first of each.
# :::
#
# :::{dropdown} SAEs that you have need not be trained again
# Give a checkpoint for each network as `sae_a` and `sae_b`, beside the responses that they read, and if you have them
# second ones of another seed as `again_sae_a` and `again_sae_b`; or the codes themselves, rows in the same order, as
# `codes_a` and `codes_b`. The sections about training are then left out. Checkpoints of SAELens, dictionary_learning,
# overcomplete, sparsify and ViT-Prisma are read. Without a second seed no *yes* is given: nothing would tell a
# dictionary that is there from an arbitrary one.
# :::
#
# :::{dropdown} Stimuli in groups, and noisy responses
# Crops of one photograph, frames of one film or tokens of one text no program can see: give a file with one number for
# each stimulus as `groups`, and those of one number stay in one part and one fold.
#
# Noise lowers scores, and those of latents in another way than those of units. Give responses to the same stimuli once
# more as `again_a` and `again_b`, and the reading takes every score of matching or regression as the share of what
# noise leaves. Where only a ceiling is known, the correlation of a perfect model with the mean unit, give it as
# `ceiling_a` and `ceiling_b`; it serves for the units alone.
# :::

# %% [markdown]
# ## The idea
#
# Soft-matching pairs units one to one, or nearly so, and {term}`semi-matching` gives each its best partner: both ask
# for the same axes. CKA and RSA ask for the same geometry of stimuli, {term}`ridge regression` for the same information
# up to a linear map.
#
# :::{glue:figure} fig-own-letters
# :name: fig-own-letters
#
# The same features in two mixings, and what the scores pair. If latents are the features, S-S is high whatever the
# mixing; random latents (R) say what their number alone would give.
# :::
#
# The letters are those of {ref}`ch-pairs`: N for neurons, the units themselves; S for latents of a trained SAE; R for
# those of a {term}`random SAE`, untrained and of the same shape. S-S matches the latents of a with those of b; S-N
# predicts units from latents. Four populations know nothing of features: D for dense random ReLU features, Q for the
# units and their products (where these are not too many to solve), P for principal and I for independent axes.
#
# A gain of latents over units may be a hidden alignment. It may also come of their number and sparsity, which both
# change scores. Hence the controls:
#
# | control | what it answers |
# |---|---|
# | random SAEs, of the same size and sparsity | is it the learning, or the shape of the code? |
# | shuffled stimuli in b | what is chance? |
# | two SAEs of one network, other seeds | how well could two networks match at best? |
# | SAEs trained for half the steps | was the training long enough? |
# | stimuli that no SAE has seen | is it memory? |
# | dense random ReLU features, products of units | does it take features, or any nonlinear readout? |
# | principal and independent axes of the units | does it take an SAE, or other axes? |
#
# The answer is often no. In {ref}`ch-pairs` the same method can raise the scores of networks that see many things at
# once, and lowers those of networks that name one object. Where a layer has collapsed to few dimensions, or where units
# are features already, the units may match better.
#
# Stimuli are dealt at random into two parts. **The SAEs are trained on one, every score is read on the other.** There
# matching and regression are fitted on all folds but one and read on the one {term}`held out`; RSA and CKA have nothing
# to fit, and are computed on each fold for their spread. Stimuli that are not independent would leak from training into
# the scores. Rows that repeat, exactly or nearly so, are found and kept together; crops of one photograph or frames of
# one film need `groups`. (The default example has this flaw: all its scenes differ, but those of both parts are
# composed from the same written digits.)

# %%
import pandas as pd
import torch

from lib import report as own
from lib.chapter.expected import say_expected
from lib.chapter.layer_tables import best_layers, layer_maps, layer_means
from lib.chapter.plotting import COLOURS, draw_spreads, k_styles, panels
from lib.chapter.run import Run
from lib.chapter.schematic import ALT, schematic
from lib.checks import as_tensor
from lib.data.arrays import load_activations, load_networks
from lib.data.extraction import stored_responses
from lib.data.saes import brought_along
from lib.features import seeded
from lib.latent_layers import latent_map
from lib.layers import METRICS, layer_map
from lib.pairings import GEOMETRY, MATCHING, RIDGE, values
from lib.seeds import beside
from lib.split import MASSIVE, dimensions, fitted_share, split_stimuli
from lib.verdict import LIMITS, reading

# %% [markdown]
# Parameters: two files, or else two networks with layers and images; then the SAEs, where 0 leaves the choice to a
# rule. By default the chapter shows itself on two networks of {ref}`ch-pairs`, multilayer perceptrons that read scenes
# of written digits.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
a: str = ""  # file with responses of the first network, stimuli x units, or folder of its layers, empty for networks
b: str = ""  # file or folder of the second network, the same stimuli in the same order, seeds of either with commas
network_a: str = "book:grid-mlp:0"  # first network, as lib.data.vision names it
network_b: str = "book:grid-mlp:1"  # second network
layer_a: str = "body.3:flat body.5:flat"  # layers of the first network and the position to read, layer:position
layer_b: str = "body.3:flat body.5:flat"  # the same of the second network
again_a: str = ""  # file with responses of the first network to the same stimuli once more, empty if there are none
again_b: str = ""  # the same of the second network
sae_a: str = ""  # checkpoint of an SAE of the first network, empty to train SAEs here
sae_b: str = ""  # the same of the second network
again_sae_a: str = ""  # checkpoint of a second SAE of the first network, of another seed, empty if there is none
again_sae_b: str = ""  # the same of the second network
codes_a: str = ""  # in place of checkpoints, file with codes of the first network, stimuli x latents
codes_b: str = ""  # the same of the second network
groups: str = ""  # file of one column with a number for each stimulus, those of one number are kept together
ceiling_a: float = 1.0  # correlation of a perfect model with the mean unit of the first network, 1 if not known
ceiling_b: float = 1.0  # the same of the second network
images: str = "grid:20000"  # images that both networks see, as lib.data.images names them
most_stimuli: int = 0  # stimuli that are used, drawn at random if there are more, 0 for all
sae_share: float = 0.5  # share of the stimuli that trains the SAEs, the rest is scored
most_scored: int = 50000  # stimuli that are scored at most, of more the rest trains the SAEs too
latents: int = 0  # latents of each SAE, 0 for the rule
k: int = 0  # latents that may be active, 0 for the scan
family: str = "topk"  # kind of SAE, topk, batchtopk, matryoshka or jumprelu
sae_steps: int = 2000  # training steps of the SAEs, batches of 512
sae_seeds: int = 2  # SAEs of each network, 2 or more
most_scanned: int = 512  # latents up to which a k of 0 is chosen by the scan, 0 for no scan
folds: int = 5  # folds of the scored stimuli
sae_layers: bool = True  # whether SAEs are trained on every layer, where there are several

# %% tags=["hide-input"]
run = Run("13_your_networks", globals())
pd.set_option("display.max_colwidth", None)
files = bool(a or b)
stand_in = not files and images.startswith(("grid", "single"))
data_kind = "Stand-in, simulated scenes of real digits" if stand_in else "Responses of the networks given"
first, second = (a, b) if files else (f"{network_a} {layer_a}", f"{network_b} {layer_b}")
run.words("own-pair", f"`{first}` and `{second}`" + ("" if files else f" on `{images}`"))
run.record(**{f"limit_{name}": value for name, value in LIMITS.items()})

# %% tags=["hide-input", "remove-output"]
run.figure(schematic(), "fig-own-letters", alt=ALT, title="Drawn, not simulated: what is compared with what")

# %% [markdown]
# ## The responses
#
# Responses come from the files, or from one pass of the images through each network. Second files become a third
# dimension, the repeats. No more than `most_scored` stimuli are scored, since more would hardly change a score; the
# rest trains the SAEs as well.


# %%
def layers_of(network, layers):
    """Responses of a named network, `(images, units)` by layer."""
    names = layers.split()
    return dict(zip(names, map(as_tensor, stored_responses(network, names, images, device, seed)), strict=True))


# %%
seeds_a, seeds_b = load_networks(a, b) if files else ([layers_of(network_a, layer_a)], [layers_of(network_b, layer_b)])
layers_a, layers_b = seeds_a[0], seeds_b[0]
(y_a, *more_a), (y_b, *more_b) = ([list(one.values())[-1] for one in seeds] for seeds in (seeds_a, seeds_b))

# %%
brought = own.Brought(*brought_along([y_a, y_b], [sae_a, sae_b, again_sae_a, again_sae_b], [codes_a, codes_b]))
if again_a:
    y_a = torch.stack([y_a, load_activations(again_a)], 2)
if again_b:
    y_b = torch.stack([y_b, load_activations(again_b)], 2)
together = load_activations(groups)[:, 0].long() if groups else None

# %%
some = torch.randperm(len(y_a), generator=seeded(seed))[: most_stimuli or None]
quick_look = len(some) < len(y_a)
if quick_look:
    y_a, y_b, together = (None if one is None else one[some] for one in (y_a, y_b, together))
    layers_a, layers_b = ({name: y[some] for name, y in one.items()} for one in (layers_a, layers_b))
    brought = brought._replace(codes=[code[some] for code in brought.codes])
    more_a, more_b = ([y[some] for y in more] for more in (more_a, more_b))
share = fitted_share(len(y_a), sae_share, most_scored)
split = split_stimuli(y_a, y_b, share, seed, run.device, folds, together)

# %% [markdown]
# :::{dropdown} Units that never change are left out, units that outweigh all others scaled down
# Units that never change in the SAEs' part or in some fold are left out, as silent latents are: counted on one side
# only, they would decide the comparison. Each network's responses are centred, and divided by one number so that their
# variances add up to 1; both come from the SAEs' part. Transformers have units that outweigh all others together, and
# an SAE would describe nothing else: a unit whose deviation is more than {glue:text}`massive_limit` times the median is
# scaled down to that. Matching of units does not notice; RSA, CKA and, by its penalty, ridge regression do. Whatever
# was left out or scaled is named in the reading.
# :::
#
# How many dimensions do the responses use? The {term}`participation ratio` is the number of units if all vary alike and
# independently, and small if a few directions carry the variance.

# %% tags=["hide-input"]
used = dimensions(split)
run.record(stimuli=len(y_a), fitted=split.fit.shape[1], scored=split.scored.shape[1])
run.record(massive_limit=MASSIVE, distinct=sum(split.distinct))
run.record(units_a=split.units[0], units_b=split.units[1], dimensions_a=used[0], dimensions_b=used[1])
pd.DataFrame({"units": split.units, "dimensions used": [f"{one:.1f}" for one in used]}, ["a", "b"])

# %% [markdown]
# Of {glue:text}`stimuli` stimuli {glue:text}`fitted` train the SAEs and {glue:text}`scored` are scored. Counting copies
# and groups once there are {glue:text}`distinct`.
#
# As many dimensions as units do not show superposition, and far fewer do not exclude it: what matters is how many
# features there are, which nobody knows here. But few dimensions, nine for ten classes, say, leave regression little to
# gain ({ref}`ch-pairs`, the control).
#
# ## The size and sparsity of the SAEs
#
# Unless `latents` is given, there are four latents for each unit of the larger network, but no more than
# {glue:text}`most_latents`, or two a unit if that is more, and no more than one for every four distinct stimuli of
# training: features that occur in too few stimuli cannot be learned. Superposition means more features than units, so a
# dictionary no larger than the network is named among the doubts.
#
# The number $k$ of latents that may be active decides much ({ref}`ch-disentangling`), and choosing it by the score of
# the pair would be cheating. But we may ask whether SAEs of **one** network agree: a {term}`code` that is found twice
# from different starts is less likely to be arbitrary. So the $k$ is taken at which two SAEs of one network, trained
# from different seeds, match best, on average over both networks.
#
# :::{dropdown} The scan starts from one latent in 64, in 32 and in 16
# For each candidate two SAEs of each network are trained for all the steps: after a quarter of them the smallest $k$
# looks best. If the best is the smallest or the largest tried, the scan goes on to half or to twice as many. A $k$ that
# leaves most latents silent is out. Dictionaries of more than {glue:text}`scanned_to` latents would take too long to
# try: there one latent in 64 may be active, unless you say otherwise.
# :::

# %% tags=["hide-input"]
run.words("own-costs", "\n".join(own.costs(split, latents or own.latents_by_rule(split))) or "Nothing here is costly.")

# %% [markdown]
# {glue:md}`own-costs`

# %%
settings, agreement = (
    own.Settings(latents, k, sae_steps, sae_seeds, seed, (ceiling_a, ceiling_b), most_scanned, family),
    {},
)
if not brought.codes:
    say_expected(split, settings)

# %%
if brought.codes:
    settings = own.settle_brought(brought, settings)
else:
    settings, agreement = own.settle(split, settings)
run.record(latents_used=settings.latents, k_used=settings.k, sae_seeds=settings.seeds, scanned_to=most_scanned)
run.record(most_latents=own.MOST_LATENTS)
pd.DataFrame({"agreement": [f"{value:.3f}" for value in agreement.values()]}, [f"k = {one}" for one in agreement])

# %% [markdown]
# The SAEs of this run have {glue:text}`latents_used` latents, {glue:text}`k_used` of them active. (Without a scan the
# table is empty. Of SAEs brought along these are the size of the larger one and the mean number of its active
# latents.)

# %% [markdown] tags=["unless-sae_a", "unless-codes_a"]
# ## Training, and whether it was long enough
#
# For each network we train {glue:text}`sae_seeds` SAEs with different seeds; unless another `family` is given they are
# the {term}`TopK` SAEs of {ref}`ch-disentangling`. Their learning rate falls to 0 along a cosine, so every curve
# flattens at its end, whether or not the training sufficed. So the first SAE of each network is trained once more for
# half the steps, down to 0 as well.

# %% tags=["unless-sae_a", "unless-codes_a"]
training, half = own.fit_saes(split, settings), own.fit_half(split, settings)
fitted, unseen = own.explained(split, training.model)
run.record(explained_fitted=fitted, explained_unseen=unseen, explained_half=own.explained(split, half.model)[1])
run.record(dead=training.history["dead_latents"][-1])

# %% tags=["hide-input", "remove-output", "unless-sae_a", "unless-codes_a"]
axes = panels(2)
for ax, name in zip(axes, ("explained_variance", "loss"), strict=True):
    for fits, line, label in ((training, "-", "all steps"), (half, "--", "half the steps")):
        for curve, color, side in zip(fits.history[name].T[:2], ("blue", "red"), "ab", strict=True):
            ax.plot(fits.history["step"], curve, line, color=COLOURS[color], label=f"{side}, {label}")
    ax.set(xlabel="step", ylabel=name.replace("_", " "))
axes[0].set_ylim(0, 1)
axes[0].legend(loc="lower right")
run.figure(
    axes,
    "fig-own-training",
    alt="Explained variance and loss of a batch against the training step, for the first SAE of both networks, trained "
    "for all steps and for half of them.",
    title=f"{data_kind}: SAE training",
)

# %% [markdown] tags=["unless-sae_a", "unless-codes_a"]
# :::{glue:figure} fig-own-training
# :name: fig-own-training
#
# Training of the first SAE of each network. The variance explained on unseen stimuli is
# {glue:text}`explained_unseen:.3f`, on those of the training {glue:text}`explained_fitted:.3f`, and on unseen ones
# after half the steps {glue:text}`explained_half:.3f` (means over SAEs).
# :::
#
# If {term}`explained variance` is higher after all steps than after half of them, train longer; if not, still longer
# training is unlikely to help. If unseen stimuli are explained worse than those of the training, the SAEs memorise, and
# want more stimuli or fewer latents. And {term}`dead latents <dead latent>`, here a share of {glue:text}`dead:.3f` at
# the end of training, show a {term}`dictionary` larger than what there is to say.

# %% [markdown]
# ## Scores
#
# Latents that are silent throughout some fold are left out on both sides, as in {cite:t}`longon2025`, and their share
# is recorded.

# %%
if brought.codes:
    training = half = None
    measured = own.measure_brought(split, brought, settings)
else:
    measured = own.measure(split, training.model, own.random_saes(training.model, settings), settings)
found = own.findings(split, settings, training, half, measured)
run.record(silent=found.silent, constant_a=found.constant[0], constant_b=found.constant[1])

# %% tags=["hide-input"]
MATCHED = {"nn": "neurons (N-N)", "ss": "latents (S-S)", "rs": "random (R-S)"}
PREDICTED = {"nn": "neurons (N-N)", "sn": "latents (S-N)", "rn": "random (R-N)"}
AXES = {"pp": "principal (P-P)", "ii": "independent (I-I)"}
PLAIN = {"dn": "dense (D-N)", "qn": "quadratic (Q-N)"}
PLAIN = {ab: words for ab, words in PLAIN.items() if ab in set(measured.scores.pairing)}
UNPREDICTED = MATCHING | GEOMETRY
NAMES = UNPREDICTED | RIDGE

# %% tags=["hide-input"]
SAME = {"aa": "two SAEs of a", "bb": "two SAEs of b", "ra": "random and trained, a", "rb": "random and trained, b"}
SAME = {ab: words for ab, words in SAME.items() if ab in set(measured.scores.pairing)}
scored = {(metric, ab) for metric in UNPREDICTED for ab in MATCHED | AXES | SAME}
scored |= {(metric, ab) for metric in RIDGE for ab in PREDICTED | PLAIN}
run.record(**{f"{metric}_{ab}": values(measured.scores, metric, ab).mean(0) for metric, ab in sorted(scored)})
own.score_table(measured.scores, MATCHED | AXES, UNPREDICTED)

# %% tags=["hide-input"]
own.score_table(measured.scores, PREDICTED | PLAIN, RIDGE)

# %% [markdown]
# The first table compares populations of a and b, the second predicts the units of one network from the units, latents
# and random codes of the other. Numbers are means over SAE seeds and folds, with the standard error over folds.
#
# - *First table, along a row:* latents reveal something if S-S exceeds N-N, and R-S, which is as large and as sparse
#   but never learned. The last columns are axes found without an SAE: independent ones find sparse features that are
#   rotated among as many units; where features outnumber units they cannot find them all.
# - *Down a column, and on to ridge:* axes, geometry, linear information. Units that score high on the last and low on
#   the first are arranged differently.
# - *Second table:* S-N exceeds N-N if the latents hold something that no linear map gets out of the units. Where D-N or
#   Q-N do as well, the gain is owed to a readout that is not linear, and says nothing of features.

# %% tags=["hide-input", "remove-output"]
axes = panels(2, width=3.7)
for ax, pairings, metrics in ((axes[0], MATCHED, MATCHING), (axes[1], PREDICTED, RIDGE)):
    series = {
        words: torch.stack([values(measured.scores, metric, ab).flatten() for metric in metrics])
        for ab, words in pairings.items()
    }
    styles = dict(zip(series, k_styles(series), strict=True))
    draw_spreads(ax, [NAMES[metric].replace(", ", "\n") for metric in metrics], series, styles)
    ax.axhline(0, color=COLOURS["grey"], lw=0.8)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncol=3, columnspacing=0.8, handletextpad=0.2)
run.figure(
    axes,
    "fig-own-scores",
    alt="Left, soft-matching and semi-matching in both directions for neurons, latents and random codes; right, ridge "
    "regression in both directions to neurons, from neurons, latents and random codes.",
    title=f"{data_kind}: scores on unseen stimuli",
)

# %% [markdown]
# {numref}`fig-own-scores` draws them.
#
# ## Controls
#
# *Chance.* The stimuli of b in another order: whatever is shared is destroyed, and all else remains. All scores should
# be 0 within what so many stimuli allow.

# %% tags=["hide-input"]
chance = own.chance(measured.scores)
by_pairing = {f"{ab[0]}-{ab[1]}".upper(): ab for ab in ("nn", "ss", "sn", "rn")}
rows = {words: {shown: chance.get((metric, ab)) for metric, shown in NAMES.items()} for words, ab in by_pairing.items()}
pd.DataFrame(rows).dropna(how="all").map(lambda value: "" if pd.isna(value) else f"{value:+.3f}")

# %% [markdown]
# *The best that could be.* Two SAEs of **one** network that differ in their seed do not match perfectly either, and two
# networks can hardly do better. If they match no better than random codes do with the trained ones, what the SAEs find
# is arbitrary, and S-S says nothing.

# %% [markdown] tags=["unless-sae_a", "unless-codes_a"]
# Hence S-S is also told as a share of what two SAEs of one network reach, here {glue:text}`seed_share:.3f`. How alike
# the dictionaries themselves are, whatever the stimuli, says the mean cosine of matched decoder rows,
# {glue:text}`decoders:.3f` ({cite:t}`song2025` call it the pairwise dictionary mean correlation coefficient).

# %% tags=["hide-input"]
run.record(stable_random=found.stable_random, chance=found.chance)
of_seeds = {name: getattr(found, name) for name in ("stable", "seed_share", "decoders")}
run.record(**{name: value for name, value in of_seeds.items() if value == value})  # NaN is what no second seed tells
own.score_table(measured.scores, SAME, {"soft": "soft-matching", "cka": "linear CKA, debiased"})

# %% [markdown]
# (sec-own-ceiling)=
# ## What the scores of units could be
#
# A low score of units has two causes: little is shared, or it is squeezed into few units. {ref}`ch-ceiling` tells them
# apart with a second **seed** of each network, which differs in its random start alone. Seeds of one network hold the
# same features, so what they score is a ceiling, and dividing by it leaves the {term}`overlap`. Without seeds there is
# a law: what *identical features* in as many units would score.

# %%
could = beside(split, measured.scores, more_a, more_b)
seeds_say = could.markdown()
run.words("own-seeds", seeds_say)
known_laws = could.table.identical.dropna()
run.record(**{f"identical_{metric}": value for metric, value in known_laws.items()})
if could.overlap:
    run.record(overlap=could.overlap.estimate, overlap_low=could.overlap.low, overlap_high=could.overlap.high)

# %% [markdown]
# ```{glue:md} own-seeds
# :format: myst
# ```

# %% tags=["hide-input"]
could.shown(NAMES)

# %% [markdown]
# *Identical features* is a law for random mixing of features of equal variance; for matching there is none. It takes
# the number of features from seeds, where there are two, else from the correlations of one network's units. **That
# count is noisy, and where training makes units repel each other it is far too large**, so the law is far too low: a
# score above it does not mean more than identical.
#
# :::{dropdown} With two seeds of each: what the last column is, and what spoils an overlap
# The last column is the share of what two seeds reach: of the geometric mean of both networks, but for ridge of the
# predicting network. For CKA and RSA it is an overlap, for ridge the root of the share of the target's features, for
# matching the root of the overlap, if the networks are of one width. Means over pairs of seeds, on the same folds.
#
# No response tells everything that spoils an overlap: seeds fine-tuned from one checkpoint, networks related more than
# seeds are, features of very unequal variance, of which the strongest count. Noise leaves it, and raises the number of
# features. {ref}`ch-ceiling` shows how far each goes.
# :::

# %% [markdown]
# (sec-own-rules)=
# ## The reading and its rules
#
# The answer is *yes*, *no* or *cannot tell*. **Yes** means: latents match clearly better than units, random codes and
# linear axes, and other seeds find them again. That is how shared features in superposition would look, but nothing
# here counts features, and mixing alone can do it. The rules were fixed before the numbers were known:
#
# - A difference is **clear** if it exceeds {glue:text}`limit_errors` standard errors, over folds and over SAE seeds,
#   and {glue:text}`limit_small` in size, and has one sign for all SAE seeds.
# - **Nothing in common**: units and latents exceed shuffled stimuli by less than {glue:text}`limit_chance_errors`
#   standard errors or less than {glue:text}`limit_small`.
# - Units **match already** at a soft-matching of {glue:text}`limit_aligned` or more, or if the narrower network's units
#   reach that in semi-matching. Of unequal widths, which cannot be matched one to one, a gain has to show in both
#   metrics.
# - Latents **reveal** alignment if S-S is clearly above N-N, R-S *and* the better of P-P and I-I; if the dictionary is
#   **reproduced**, two SAEs of one network match at {glue:text}`limit_reproduced` or more and better by
#   {glue:text}`limit_stable` than random codes do; and if S-S is a share of {glue:text}`limit_shared` or more of that.
# - Where latents gain and the dictionary is not reproduced, or the networks share little of it, the report *cannot
#   tell*. Nor can it where only predictions gain: any readout that is not linear may, as D-N and Q-N show.
# - Where a linear map carries **nearly everything**, a ridge correlation of {glue:text}`limit_linear` or more, the
#   answer is no without sound SAEs. Elsewhere a no rests on them as a yes does, and takes latents that match clearly
#   worse than units: no gain alone leaves the question open.
# - SAEs are **no basis** for either if distinct stimuli in one part are fewer than units, latents or
#   {glue:text}`limit_few`; if more than {glue:text}`limit_memorised` of the variance is lost on unseen stimuli; if more
#   than a share of {glue:text}`limit_most_silent` of the latents is {term}`silent <silent latent>`; or if noise leaves
#   less than {glue:text}`limit_least_ceiling` of the correlation with a perfect model.
# - **Provisional** is a yes or no beside which a doubt stands, unless units match already: one of the above, codes
#   brought along, a dictionary no larger than the network, or training that may be too short, as from half the steps to
#   all explained variance rose by more than {glue:text}`limit_rise_explained` or S-S by more than
#   {glue:text}`limit_rise_match`.
# - If **neighbouring stimuli are alike**, all together worth less than {glue:text}`limit_independent` of as many
#   independent ones, the answer says only that: chance is then larger than shuffled stimuli show.
# - If shuffled stimuli score more than {glue:text}`limit_chance`, or four standard deviations of the correlation of as
#   many unrelated numbers if that is more, nothing else is believed.
#
# The limits stand in `lib/verdict.py` and are yours to change. Those of the dictionary were set on pairs whose answer
# is known ({ref}`sec-own-calibration`). At first a yes also asked that latents predict as well as quadratic features.
# True superposition in few units fails that, since these then predict very well, so it is asked no more.

# %%
told = reading(found)
first_look = f"*A quick look, at {len(y_a)} of the stimuli: wait for the full report before you rely on it.*\n\n"
by_seeds = f"\n\n[Seeds](#sec-own-ceiling): {seeds_say}" * (max(could.seeds) > 1)
run.words("own-answer", f"**{told.headline()}.**" + " *(A quick look.)*" * quick_look)
run.words("own-reading", first_look * quick_look + told.markdown() + by_seeds)
run.record(match_gain=found.match_gain.mean, match_gain_error=found.match_gain.error)
run.record(ridge_gain=found.ridge_gain.mean, ridge_gain_error=found.ridge_gain.error, doubts=len(told.doubts))
told.show()

# %% [markdown]
# (sec-own-layers)=
# ## Many layers at once
#
# Which layer of b does a layer of a resemble, and do latents see it more clearly than units? Of several layers each of
# a is scored against each of b: the units; the latents of an SAE of either layer; and, as the control, those of a
# random SAE of the layer of a. These SAEs have the size that the rule gives, no scan over $k$, and different seeds for
# a and b. Two SAEs of one layer tell how well latents could match at best.

# %%
several = len(layers_a) * len(layers_b) > 1
if several and sae_layers:
    of_layers = own.Settings(latents, k, sae_steps, 2, seed, family=family)
    layer_scores = latent_map(layers_a, layers_b, of_layers, run.device, together, share, folds)
elif several:
    layer_scores = layer_map(layers_a, layers_b, folds=folds, seed=seed)

# %% tags=["hide-input"]
METRIC_NAMES = {metric: NAMES[metric] for metric in METRICS}
if several:
    by_layer = layer_means(layer_scores)
    run.tabulate("layers", **{name: by_layer[name].tolist() for name in by_layer})
    run.words("own-layers", layer_maps(by_layer, METRIC_NAMES, f"{data_kind}: layers of a (down) and of b (across)"))
else:
    run.words("own-layers", "*One layer of each network was given, so there is no map.*")

# %% [markdown]
# {glue:md}`own-layers`

# %% tags=["hide-input"]
best_layers(by_layer) if several and sae_layers else pd.DataFrame()

# %% [markdown]
# For each layer of a the table names the layer of b that its units match best, and its latents. A gain of latents over
# *units of that pair* counts only as far as it exceeds *random codes of it*, and is as large as can be if the last
# column is near 1. Ridge regression has another target in each row of *b to a* and in each column of *a to b*: compare
# along the other direction only.

# %% [markdown] tags=["unless-a"]
# A map of real networks, two MobileNetV2 for ImageNet, stands in {ref}`sec-headline-mobilenets`.

# %% [markdown]
# ## Take the numbers with you
#
# Every score, for each SAE seed and fold, as a table; it also lies in the folder of this run in `build`.

# %% tags=["hide-input"]
run.download(".csv", measured.scores.to_csv(index=False))

# %% [markdown]
# ## What to take away
#
# What this report measures holds for these stimuli, layers and SAEs:
#
# - **A no is a no for these SAEs.** Other sizes, another $k$, longer training or another kind of dictionary may find
#   what these did not. The scan over $k$ is short, and `latents` is not scanned at all.
# - **The headline can be wrong.** How often it is on pairs whose answer is known stands in {ref}`ch-headline`.
# - **A yes is about these stimuli.** Features that they do not vary cannot be found, and stimuli drawn from one narrow
#   set make networks look alike.
# - **Latents are not features.** In simulations we can check that SAEs find the true ones; here the controls exclude
#   some other explanations, not all.
# - **The spread is over folds and SAE seeds, not over networks.** Whether another pair of the same kind would do the
#   same takes more pairs, as in {ref}`ch-pairs`.
#
# Where we depart from {cite:t}`longon2025`, whose text leaves $k$ and the size of most SAEs to the figures and whose
# public code names both for every network:
#
# - *Responses.* There layer-normalised by stimulus before the SAE, the ResNet's rectified first; here units are centred
#   and a network is divided by one number.
# - *Training.* There hundreds of epochs on the training images of ImageNet at a small rate; here as many steps as you
#   give on a part of the stimuli, at a rate that falls to 0.
# - *Size.* There $k$ and size are set for each layer; here $k$ is scanned within one network.
#
# **What changed our mind.** We expected the comparison of two networks to be the telling number. More telling is how
# well two SAEs of *one* network agree: before any second network is looked at, it tells a dictionary that is there from
# an arbitrary one.
#
# ## Exercises
#
# Solutions are folded below each exercise and were run with the chapter, always on the book's own small examples.
#
# :::{exercise} Two rotations, two readings
# :label: ex-own-rotation
#
# (Recall, easy, 10 minutes.) Take (1) dense Gaussian responses and the same rotated at random, (2) sparse responses,
# every unit a feature, and the same rotated at random. Which of the scores N-N are 1 in both cases? In which of them
# can an SAE find common axes, and why? What should the report say?
# :::
#
# :::{dropdown} Hint
# Sort the scores into those that a rotation leaves alone and those that it changes, then ask whether the distribution
# of the *features* singles out any axes. What does a rotated Gaussian look like?
# :::
#
# :::{solution-start} ex-own-rotation
# :label: sol-own-rotation
# :class: dropdown
# :::
#
# A rotation changes no dot product and can be undone by a linear map. So CKA, RSA and ridge are 1 in both cases, and
# soft-matching falls in both. A rotated Gaussian is again Gaussian: no axes are special, and there is nothing for an
# SAE to find. Sparse features *are* special axes. The units of b mix them, and an SAE can take them apart.

# %%
from lib.features import bernoulli_uniform

generator = seeded(seed + 1)
turn = torch.linalg.qr(torch.randn(16, 16, generator=generator))[0]
dense = torch.randn(3000, 16, generator=generator)
sparse = bernoulli_uniform(3000, 16, 0.1, generator, torch.float32)
small = own.Settings(latents=32, k=3, steps=500)

# %%
turned = {name: own.analyse(y, y @ turn, small) for name, y in (("dense", dense), ("sparse", sparse))}
for name, one in turned.items():
    run.record(**{f"{name}_nn": one.findings.soft_nn, f"{name}_ss": one.findings.soft_ss})
    independent = values(one.measured.scores, "soft", "ii").mean()
    run.record(**{f"{name}_ridge": one.findings.ridge_nn, f"{name}_ii": independent})
pd.DataFrame({"the report says": {name: one.reading.verdict.value for name, one in turned.items()}})

# %% [markdown]
# Ridge N-N is {glue:text}`dense_ridge:.3f` and {glue:text}`sparse_ridge:.3f`. Soft-matching goes from
# {glue:text}`dense_nn:.3f` to {glue:text}`dense_ss:.3f` for the dense pair and from {glue:text}`sparse_nn:.3f` to
# {glue:text}`sparse_ss:.3f` for the sparse one. So high linear scores beside low matching leave open which case it is,
# and sparse axes tell them apart. It does not take an SAE: independent axes match at {glue:text}`sparse_ii:.3f`, and
# the report says so. It says so of the dense pair, too, whose independent axes match at {glue:text}`dense_ii:.3f`,
# perhaps since both networks saw the same stimuli, with the same accidents. An SAE is needed where there are more
# features than units.
#
# :::{solution-end}
# :::
#
# :::{exercise} A pair where the answer is no
# :label: ex-own-collapse
#
# (Rerun, medium, 15 minutes.) The networks `book:single-mlp:0` and `book:single-mlp:1` name the one digit of a scene.
# Run the report on their layer `body.5:flat` with images `single:10000`. Before you look: what will the dimensions be,
# and what will SAEs do to soft-matching?
# :::
#
# :::{dropdown} Hint
# If only the class matters, responses are ten points: how many dimensions do ten centred points span?
# {prf:ref}`prop-pairs-collapse` has the rest. Then ask over how many latents an SAE may spread one class.
# :::

# %% tags=["remove-cell"]
from lib.chapter.answers import check

mine = None  # the dimensions of ten equally frequent classes, if nothing but the class matters
classes = torch.eye(10, dtype=torch.float64)
mistakes = {
    10: "Centring takes one away: the ten means, less their mean, add to 0.",
    1: "That would be two classes.",
}
check(mine, right=torch.linalg.matrix_rank(classes - classes.mean(0)), mistakes=mistakes, digits=0)

# %% [markdown]
# :::{solution-start} ex-own-collapse
# :label: sol-own-collapse
# :class: dropdown
# :::

# %%
single = [
    torch.tensor(stored_responses(f"book:single-mlp:{i}", ["body.5:flat"], "single:10000", device, 0)[0])
    for i in (0, 1)
]
collapsed = own.analyse(*single, own.Settings(latents=96, k=4), run.device)
run.record(collapsed_dimensions=collapsed.findings.dimensions[0])
run.record(collapsed_nn=collapsed.findings.soft_nn, collapsed_ss=collapsed.findings.soft_ss)
collapsed.reading.show()

# %% [markdown]
# Ten classes that exclude each other need nine dimensions at most; network a uses
# {glue:text}`collapsed_dimensions:.1f`. Soft-matching is {glue:text}`collapsed_nn:.3f` between units and
# {glue:text}`collapsed_ss:.3f` between latents. Each SAE may spread one thing, the class and how it is written, over
# several latents, and does so in its own way.
#
# :::{solution-end}
# :::
#
# :::{exercise} How many stimuli does it take?
# :label: ex-own-stimuli
#
# (Extend, medium, 20 minutes.) Mix the features of the sparse example into fewer units than there are features, once
# for each network, and give the report fewer and fewer stimuli. What fails first, the score or the confidence in it?
# :::
#
# :::{dropdown} Hint
# `own.analyse` takes any number of stimuli. Of its `findings` compare `explained_fit` with `explained`, what SAEs
# explain of training stimuli and of unseen ones, and look at the error of `match_gain`.
# :::
#
# :::{solution-start} ex-own-stimuli
# :label: sol-own-stimuli
# :class: dropdown
# :::

# %%
features = bernoulli_uniform(4000, 24, 0.07, seeded(seed + 2), torch.float32)
mixings = [torch.randn(24, 14, generator=seeded(seed + 3 + i)) for i in (0, 1)]
fewer = {
    stimuli: own.analyse(*(features[:stimuli] @ mixing for mixing in mixings), small._replace(k=2))
    for stimuli in (100, 400, 4000)
}

# %% tags=["hide-input"]
rows = {
    stimuli: {
        "S-S": f"{one.findings.soft_ss:.3f}",
        "S-S minus N-N": str(one.findings.match_gain),
        "explained, training": f"{one.findings.explained_fit:.3f}",
        "explained, unseen": f"{one.findings.explained:.3f}",
        "doubts": len(one.reading.doubts),
        "the report says": one.reading.verdict.value,
    }
    for stimuli, one in fewer.items()
}
pd.DataFrame(rows).T.rename_axis("stimuli")

# %% [markdown]
# Compare the two columns of explained variance first: an SAE with few stimuli learns those stimuli by heart, and its
# code of unseen ones is worse. The error of the gain is larger as well, and there are more doubts. With too few stimuli
# the report cannot tell, and says how many it would take.
#
# :::{solution-end}
# :::
#
# :::{exercise} Another kind of SAE
# :label: ex-own-families
#
# (Extend, medium, 20 minutes.) `family` chooses among TopK, BatchTopK, which lets some stimuli use more latents than
# others, Matryoshka, whose first latents must do on their own, and JumpReLU, whose latents learn thresholds. Compare
# them on a pair whose features you know, by three numbers: do two seeds agree, do the networks' latents match, and do
# the latents match the true features? Which two would you have without the truth, and do they tell the third?
# :::
#
# :::{dropdown} Hint
# `small._replace(k=2, family=...)` has the settings; `findings.stable` and `findings.soft_ss` are two of the numbers.
# For the third match `own.active_codes(...)` with the true features of the same stimuli.
# :::
#
# :::{solution-start} ex-own-families
# :label: sol-own-families
# :class: dropdown
# :::
#
# Our guess before the run: BatchTopK comes out best, as the number of features differs from stimulus to stimulus;
# Matryoshka comes last by the truth, since its first latents must each stand for several features.

# %%
from lib.sae_families import FAMILIES


def compared(family):
    """Seed stability, S-S and soft-matching with the true features, for one family."""
    one = own.analyse(*(features @ mixing for mixing in mixings), small._replace(k=2, family=family))
    codes = own.active_codes(one.training.model, one.split.scored, one.split.folds)[:2]
    truth = own.latents_match([*codes, features[one.split.at[1]]], one.split.folds, (0, 2), (1, 2))
    return {"stable": one.findings.stable, "ss": one.findings.soft_ss, "truth": float(truth.mean())}


families = pd.DataFrame({family: compared(family) for family in FAMILIES}).T
run.record(**{f"{family}_{name}": value for family, row in families.iterrows() for name, value in row.items()})
families.map("{:.3f}".format)

# %% [markdown]
# Half of the guess held. Matryoshka is last by the truth, {glue:text}`matryoshka_truth:.3f`, but BatchTopK,
# {glue:text}`batchtopk_truth:.3f`, does not beat TopK, {glue:text}`topk_truth:.3f`; JumpReLU reaches
# {glue:text}`jumprelu_truth:.3f`. Agreement of seeds and S-S order the families as the truth does here, and neither
# needs it. Four kinds on one small pair with short training and one $k$ are no ranking: JumpReLU's thresholds, for one,
# settle slowly. Nor is agreement proof of truth, as seeds may agree on the same mistake.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# ```
# make own A=first.npy B=second.npy ARGS="-p k 16 -p latents 1024 -p sae_steps 3000"
# make chapter NAME=13_your_networks ARGS="-p network_a book:grid-vit:0 -p network_b book:grid-vit:1 \
#   -p layer_a blocks.1:cls -p layer_b blocks.1:cls"
# ```
#
# Different architectures can be compared in the same way: the numbers of units need not agree. With more than two
# `sae_seeds` the spread over SAEs is known better. Time grows with latents, steps and seeds; that of the regressions
# from latents grows with the third power of their number.

# %%
run.save(data="simulated scenes of real written digits (scikit-learn)" if stand_in else f"{first} and {second}")
