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
# (ch-brains)=
# # Brains
#
# A linear map from the units of a network predicts responses in visual cortex. If the units hold their features in
# {term}`superposition`, do the {term}`latents <latent>` of a {term}`sparse autoencoder <SAE>` (SAE) predict the brain
# better?
#
# **In short.** Only where {term}`voxels <voxel>` carry signal that is not linear in the units. In simulated
# subjects latents lead the units by {glue:text}`over_neurons_positive:.2f` of the ceiling where such a response was
# planted; where none was the difference is {glue:text}`over_neurons_negative:+.2f`, and with few images even a planted
# gain turns into a loss. Real neurons of macaque V4 leave the question open, and the paper's own data were not at
# hand.
#
# :::{glue:figure} fig-brains-controls
# :name: fig-brains-controls
#
# The method finds a gain where one was planted (a), and a loss where none was (b). In both, latents beat *random*
# ones, of an untrained SAE: that comparison says nothing of the brain. Dots: subjects; dashed: the ceiling; solid: what
# {prf:ref}`prop-brains-two` gives for neurons with many images.
# :::
#
# ::::{dropdown} About this chapter
# Afterwards you can say
#
# - what a score in units of the noise ceiling means, and when it is fair;
# - which voxels an SAE can predict better, and which it cannot;
# - what would count as evidence on a real brain, and what our small result is worth.
#
# **What the paper claims.** Section 6 and figures 5 and 8 of {cite:t}`longon2025`, about voxels of the ventral stream
# in the Natural Scenes Dataset (NSD, {cite:t}`allen2022`), where people saw some 10,000 photographs each in a 7-tesla
# scanner:
#
# | claim | in our words | the paper's number |
# |---|---|---|
# | A15 | latents predict the voxels of subject 1 better than neurons do | ResNet50 $+13.9\,\%$, ViT-B/16 $+3.5\,\%$ |
# | A16 | subjects 2, 5 and 7 agree | |
#
# Both are shares of the neurons' score. *Neurons* here are the network's own units; a *voxel* is one small cube of
# brain in the scanner's volume. The networks are torchvision's, trained on ImageNet; the layers are the last block of
# each.
# ::::

# %% [markdown]
# ## What we can run, and what we cannot
#
# NSD is given to those who sign its terms, and may not be passed on. So nothing on this page is about NSD's voxels.
# The page does what can be done without them, in four parts.
#
# 1. **The reader.** Code that reads NSD as it lies on disk: session files, design, stimuli, regions, noise estimates.
# 2. **Simulated subjects, written in exactly that layout.** What their voxels respond to is planted, so we know what a
#    comparison of neurons and latents *should* say, and can see whether the whole path from files to figure says it.
# 3. **Real neurons.** Responses of macaque V4, which are published freely {cite:p}`cowley2023`, against a network that
#    was trained on ImageNet. One result on a real brain, much smaller than NSD.
# 4. **The paper's setting** as parameters: with NSD's folder given, the last part runs it.
#
# A simulated subject is no evidence about brains. It is evidence about the method: that it finds a gain where there is
# one, and finds none where there is none.

# %% [markdown]
# ## The idea
#
# ### A ceiling
#
# Show an image $R$ times and average a voxel's responses: signal $s$ plus noise. Noise cannot be predicted, so even a
# perfect model has a correlation below 1. How far below depends on the voxel; without this {term}`noise ceiling` a
# score means little.
#
# ```{prf:definition} Noise ceiling
# :label: def-brains-ceiling
#
# Let a voxel respond to an image with $s + e$, where the noise $e$ is independent of the image, with mean 0 and
# variance $\sigma_e^2$ in a single trial, and let $\sigma_s^2$ be the variance of $s$ over images. Its noise ceiling
# after $R$ repetitions is the correlation of the signal with the averaged response,
#
# $$
# \begin{aligned}
# c &= \sqrt{\frac{\sigma_s^2}{\sigma_s^2 + \sigma_e^2 / R}} = \sqrt{\frac{q^2}{q^2 + 1/R}} , \\
# q &= \sigma_s / \sigma_e .
# \end{aligned}
# $$
# ```
#
# NSD publishes $q$ for each voxel under the name {term}`ncsnr`. Where images were shown unequally often, $1/R$ is its
# mean over images. Why divide by $c$?
#
# ```{prf:proposition} What a score in units of the ceiling is (standard)
# :label: prop-brains-ceiling
#
# Let $f$ be a prediction made without knowing the noise of the trials it is scored on, and $\bar e$ the noise averaged
# over these trials. In the limit of many images $\operatorname{corr}(f, s + \bar e) = c \operatorname{corr}(f, s)$.
# ```
#
# ```{prf:proof}
# $\bar e$ is independent of $f$ and $s$, so the covariance of $f$ with $s + \bar e$ is that with $s$, and the standard
# deviation of $s + \bar e$ is that of $s$ divided by $c$.
# ```
#
# So a score divided by the ceiling is the correlation with what the voxel *would* do without noise, and 1 is the most
# that any model can have. As the paper does, we divide the mean score of a subject by the mean ceiling of its voxels.
# A mean of quotients would be ruled by the voxels of next to no ceiling ({ref}`ex-brains-quotients`).
#
# Where repetitions are at hand, the ceiling can be found without a model of the noise. Let $r$ be the correlation over
# images of the averages over two random halves of the repetitions. Two averages over *all* repetitions would correlate
# by $2r / (1 + r)$ (Spearman and Brown), which is $c^2$ if the halves are equal.
#
# ### When can an SAE help?
#
# ```{prf:proposition} Two kinds of voxels (ours)
# :label: prop-brains-two
#
# Let $n$ features $z$ be {term}`white` (uncorrelated, of variance 1), with mean 0, let the units be $y = A z$ with a
# Gaussian projection $A$ of $m \le n$ rows, let $P_A$ project on the row space of $A$, and let images be many.
#
# 1. If the voxel's signal is linear in the units, $s = v^\top y$, then linear regression from the units has score 1 in
#    units of the ceiling, and no {term}`code` of the units has more.
# 2. If the signal mixes features, $s = w^\top z$ with $w$ independent of $A$, then linear regression from the units has
#    the score $\sqrt{w^\top P_A w / w^\top w}$, on average about $\sqrt{m/n}$, and from a code that recovers $z$ it has
#    the score 1.
# ```
#
# ```{prf:proof}
# The first is {prf:ref}`prop-brains-ceiling` with $f = s$, and correlations do not exceed 1. The second is
# {prf:ref}`thm-ols` with the voxel as the only unit of the second system, and {prf:ref}`prop-linear-beta` for the
# average.
# ```
#
# So a gain by latents needs two things at once: a network that superposes, and a brain that responds to features which
# the network's units mix, *beyond* what a linear map of the units can say. Our positive control has both. The negative
# control has the same network, with voxels of the first kind.
#
# ### What would count as evidence
#
# Stated before any score is shown:
#
# - latents above neurons, on {term}`held-out <held out>` images, by more than the standard error, in every subject;
# - above **random latents** as well, those of an {term}`untrained SAE <random SAE>` of the same shape. A wide, sparse,
#   nonlinear code has more dimensions than the units, and that alone can help or harm;
# - above **codes that know nothing of features** ({ref}`ch-pairs`): random ReLU features, as many as latents or as
#   many as do best on training folds, and all products of two units. They are nonlinear and wide as well, and they
#   throw nothing away. A gain that they have too shows that a nonlinear readout helps, no more;
# - a gain that does not depend on how few images the regression had;
# - SAEs that were trained without the brain's responses, on enough images, with their {term}`explained variance` told.
#
# A gain does *not* show that latents are the brain's features. Any code that undoes part of the mixing would do
# better.

# %%
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from torch.nn.functional import layer_norm
from torchvision.transforms.functional import pil_to_tensor

from lib.baselines import ica, pca, quadratic, quadratic_count, random_relu, ridge_at_best
from lib.brain import (
    ceiling_share,
    codes,
    encoding_scores,
    image_batches,
    random_halves,
    shared_images,
    training_images,
)
from lib.chapter.plotting import COLOURS, k_styles, log_ticks, panels
from lib.chapter.run import Run
from lib.correlation import centre_and_scale
from lib.crossval import k_folds
from lib.data.extraction import stacked, stored_batches, stored_responses
from lib.data.nsd import read_nsd
from lib.data.nsd_simulation import simulate_nsd
from lib.data.v4 import images_path, read_repetitions, read_v4, sessions
from lib.features import k_sparse, seeded
from lib.matching import soft_matching_score
from lib.projections import gaussian
from lib.regression import ridge_correlations, ridge_score
from lib.sae import Recipe, TopKSAE, explained_variance, fit, start_at
from lib.theory import expected_r

# %% [markdown]
# The first block of parameters is about the simulation, the second about macaque V4, the third about NSD and networks
# of your own. The last two parts are skipped while `v4` and `nsd` are empty.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
seed: int = 0  # random seed, an integer
subjects: int = 3  # simulated subjects, 2 to 8
images: int = 1000  # images each of them sees three times, a multiple of 250
voxels: int = 150  # voxels of each kind
least_snr: float = 0.2  # least signal over noise of a voxel in one trial, as standard deviations
most_snr: float = 0.8  # largest signal over noise of a voxel
features: int = 128  # features of an image, a multiple of 16
units: int = 64  # units of the networks
active: int = 4  # features active in an image
latents: int = 128  # latents of each SAE
k: int = 4  # latents that may be active
relu_factors: list[float] = [0.5, 1, 2, 4]  # numbers of random features to choose from, in numbers of latents
sae_images: int = 20000  # other images that the SAEs are trained on
sae_steps: int = 800  # training steps of the SAEs, batches of 512
authors_epochs: float = 40.0  # passes over the training images for SAEs by the authors' recipe, there 300
curve_images: list[int] = [125, 250, 500, 1000]  # numbers of images compared, rising
curve_sae_images: list[int] = [300, 1000, 3000, 20000]  # numbers of SAE training images compared, rising
v4: str = ""  # folder of the macaque V4 files, empty to skip that part
v4_sessions: list[str] = []  # two of its sessions to compare, empty for those of the book
photos: str = ""  # photographs for the SAEs there, as lib.data.images names them
v4_blocks: list[int] = [4, 7, 10, 12, 15]  # blocks of EfficientNet-Lite0 that are read
v4_expansion: int = 4  # latents of the SAEs there for each unit
v4_sparse: float = 0.1  # active latents of the sparse SAEs there, in numbers of units
v4_dense: float = 0.8  # active latents of the dense SAEs there, in numbers of units
v4_authors: list[int] = [4, 7, 10]  # blocks at which SAEs by the authors' recipe are trained too
v4_quadratic: int = 7000  # most products of units there that a regression is given
v4_steps: int = 800  # training steps of the SAEs there, batches of 256
v4_images: list[int] = [300, 1200]  # numbers of stimuli compared, rising
v4_sae_images: list[int] = [1000, 6000]  # numbers of SAE training images compared, rising
nsd: str = ""  # folder of NSD, empty to skip that part
nsd_subjects: list[int] = [1, 2, 5, 7]  # whose voxels are predicted
nsd_sessions: int = 0  # sessions read of each subject, 0 for all
networks: list[str] = []  # networks that predict them, as lib.data.vision names them
layers: list[str] = []  # one for each network, as layer:position
train_images: str = ""  # images for their SAEs, as lib.data.images names them
expansion: int = 4  # latents of their SAEs for each unit
own_k: list[int] = []  # active latents of their SAEs, one number for each
epochs: float = 300.0  # passes over the training activations for their SAEs

# %% tags=["hide-input"]
run = Run("11_brains", globals())
numbers = list(range(1, subjects + 1))
run.record(images=images, features=features, active=active, units=units, latents=latents, k=k, sae_images=sae_images)

# %% [markdown]
# Everything random in the simulation has a generator of its own, so that a change in one place leaves the other draws
# as they were.


# %%
def generator(subject, purpose):
    """A random generator for each subject and purpose."""
    return seeded(1000 * seed + 100 * purpose + subject)


# %% [markdown]
# ## Simulated subjects, as files
#
# ### What they see
#
# Each image is a board of 8 rows of squares, one square for each of {glue:text}`features` features, as bright as the
# feature is active. {glue:text}`active` features are active in an image, with values between one half and one and a
# half. So the pictures encode the features, and a network that looks at pixels can know them. It is the simplest
# picture that does the job.


# %%
def boards(z):
    """Pictures `(images, 8, features / 8, 3)`, uint8, of features from 0 to 1.5."""
    return (z / 1.5 * 255).round().to(torch.uint8).view(len(z), 8, -1, 1).repeat(1, 1, 1, 3)


z = k_sparse(images, features, active, seeded(seed))

# %% [markdown]
# ### What they respond to
#
# Every subject is compared with a network of its own: {glue:text}`units` linear units that look at the board, $y = A
# z$ with a random $A$. They are fewer than the features, so they superpose. And every subject has two regions, which
# borrow their names from NSD's map of streams:
#
# - **ventral** voxels mix the *features*, $s = w^\top z$ with a random $w$: the positive control;
# - **lateral** voxels mix the *units* of that network, $s = v^\top y$: the negative control.
#
# Each voxel gets its own ratio of signal to noise, between the two bounds among the parameters.

# %%
projections = torch.stack([gaussian(units, features, generator(subject, 1)) for subject in numbers])

# %% [markdown]
# The noiseless responses of both regions. The draws depend on the subject alone, so we can ask for the same voxels
# again when we need the truth.


# %%
def planted(subject):
    """Noiseless responses of each region, and the signal-to-noise ratio of each voxel."""
    draws = generator(subject, 2)
    w, v = (torch.randn(count, voxels, generator=draws, dtype=torch.float64) for count in (features, units))
    snr = least_snr + (most_snr - least_snr) * torch.rand(2, voxels, generator=draws)
    return {"ventral": (z @ w, snr[0]), "lateral": (z @ projections[subject - 1].T @ v, snr[1])}


# %% [markdown]
# ### Writing and reading
#
# `lib.data.nsd_simulation.simulate_nsd` adds trial noise, an offset and a scale that change from session to session,
# rounds to 16-bit integers, deals trials to sessions of 750, and writes volumes, design, stimuli and ncsnr under NSD's
# file names. Then `lib.data.nsd.read_nsd`, which knows nothing of the simulation, reads them back: it masks the
# region, scores each voxel within its session (mean 0, variance 1), and averages over repetitions. These are the
# files, all below one folder:
#
# | file | what it says |
# |---|---|
# | `nsd_expdesign.mat` | which image each trial showed: one order for all, and each subject's list of images |
# | `nsd_stim_info_merged.csv` | the same the other way round, image by image; the reader compares the two |
# | `nsd_stimuli.hdf5` | the pictures |
# | `betas_session01` and so on | the response of every voxel of the volume in each trial of a session |
# | `streams.nii.gz` | which voxel belongs to which region |
# | `ncsnr.nii.gz` | signal over noise of each voxel |
#
# Numbers start from 1 in some of these files and from 0 in others, volumes come in two orders of their axes, and the
# integers are three hundred times the percent change. Each of these can go wrong silently: a reader that is off by one
# image still returns numbers. So the controls below start from the files.

# %%
folder = TemporaryDirectory()
for subject in numbers:
    simulate_nsd(Path(folder.name), subject, boards(z), planted(subject), 3 * images // 750, seed)

# %%
recordings = {
    (subject, roi): read_nsd(Path(folder.name), subject, roi, 3 * images // 750)
    for subject in numbers
    for roi in ("ventral", "lateral")
}

# %% tags=["hide-input"]
written = sorted(path.relative_to(folder.name) for path in Path(folder.name).rglob("*") if path.is_file())
run.record(files=len(written))

# %% [markdown]
# The {glue:text}`files` files on disk. For the first subject:

# %% tags=["hide-input"]
print("\n".join(str(path) for path in written if "subj" not in str(path) or "subj01" in str(path)))

# %% [markdown]
# The network looks at the pictures *as the stimulus file holds them*, in the order in which the reader returns them. A
# wrong order of trials or images anywhere would therefore ruin every score below.

# %%
shown = recordings[1, "ventral"].images
seen = torch.stack([pil_to_tensor(shown.read(i))[0].flatten() for i in range(len(shown))]).float() / 255

# %% [markdown]
# The ceiling that the reader finds, beside the one that was planted. It is computed from the ncsnr file, which as in
# NSD is itself an estimate from noisy trials.


# %%
def planted_ceiling(subject, roi):
    """The ceiling of each voxel after three repetitions, from the ratio that was planted."""
    squared = planted(subject)[roi][1] ** 2
    return (squared / (squared + 1 / 3)).sqrt()


# %% tags=["hide-input"]
ceilings = {key: (planted_ceiling(*key), recording.ceiling) for key, recording in recordings.items()}
run.record(ceiling_distance=[float((read - true).abs().mean()) for true, read in ceilings.values()])
run.record(ceiling=[float(read.mean()) for _, read in ceilings.values()])

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
left.imshow(boards(z[:1])[0, :, :, 0], cmap="cividis")
left.set(xticks=[], yticks=[])
for (_, roi), (true, read) in list(ceilings.items())[:2]:
    right.plot(true, read, ls="", marker="." if roi == "ventral" else "x", ms=4, label=roi)
right.axline((0.5, 0.5), slope=1, color=COLOURS["grey"], lw=1)
right.set(xlabel="planted ceiling", ylabel="ceiling read from files")
right.legend(loc="upper left")
run.figure(
    [left, right],
    "fig-brains-files",
    alt="Left, one picture that a simulated subject sees: a board of squares of which a few are bright. Right, the "
    "ceiling read from the files against the planted one, for both regions; points lie along the diagonal.",
    title="Simulated subject: what it sees, and its noise ceilings",
)

# %% [markdown]
# :::{glue:figure} fig-brains-files
# :name: fig-brains-files
#
# The reader finds the planted ceilings. (a) One board. (b) Voxels of the first subject; over all subjects and regions
# the mean distance from the diagonal is {glue:text}`ceiling_distance:.3f`, the mean ceiling {glue:text}`ceiling:.3f`.
# :::

# %% [markdown]
# ## The networks' units and latents
#
# SAEs never see the subjects' images or responses. They train on {glue:text}`sae_images` other boards, one SAE for each
# network, with {glue:text}`latents` latents of which {glue:text}`k` may be active. Those are the numbers of features
# and of active features, which on a real network one would not know. Responses are centred and scaled by one number, as
# in {ref}`ch-pairs`; the learning rate falls from one hundredth to 0.

# %%
others = k_sparse(sae_images, features, active, generator(0, 3), torch.float32) / 1.5
pool = others @ projections.mT.float()  # (subjects, sae_images, units)
centre, scale = centre_and_scale(pool)
pool = ((pool - centre) / scale).to(run.device)
y = ((seen @ projections.mT.float() - centre) / scale).to(run.device)

# %%
sae_seeds = [1000 * seed + 500 + subject for subject in numbers]
recipe = Recipe.ours(latents=latents, k=k, steps=sae_steps)
saes = fit(TopKSAE(units, recipe, sae_seeds, run.device), image_batches(pool, recipe.batch)).model
run.record(explained=explained_variance(saes, y))

# %% [markdown]
# On the subjects' images, which are new to them, the SAEs explain a share {glue:text}`explained:.3f` of the variance.
#
# ## Do latents predict better?
#
# We use {term}`ridge regression` with intercept and five folds; the penalty is chosen on training folds from the
# paper's seventeen powers of ten. A voxel's score is its correlation with the prediction on the held-out fold; the
# mean over voxels and folds is divided by the mean ceiling. The predictors are **neurons**, the units; **latents**;
# **random**, latents of an untrained SAE; **features**, the truth itself, which only a simulation has; and three codes
# that know nothing of features, fitted on the SAEs' training images: **relu**, random ReLU features, as many as
# latents; **quadratic**, all units and all products of two; **pca**, as many principal axes as latents are active.
#
# What to expect? In the positive control, {prf:ref}`prop-brains-two` puts neurons at about $\sqrt{m/n}$ and a perfect
# code at 1, both a little lower with as few images as these, for weights must be learned from noisy responses. In the
# negative control neurons should lead. Latents should follow at a distance, for two reasons: they do not reconstruct
# the units perfectly, and there are more of them, so more weights to learn. Codes that know nothing of features should
# lie below neurons in the negative control, where nothing nonlinear is to be had. In the positive control they could
# do what latents do, if any nonlinear readout will do; we expect them to stay far below latents, for with so few
# images each weight has to be worth its cost, and theirs are many or badly placed.


# %%
plain = {"relu": random_relu(pool, latents, seed), "pca": pca(pool, k)}
plain["quadratic"] = quadratic(pool, units * (units + 3) // 2)
predictors = codes(saes, y, seed) | {name: code(y) for name, code in plain.items()}
predictors |= {"features": seen.to(run.device).expand(subjects, -1, -1)}


def score(x, recording, count=None):
    """Held-out correlation of each voxel over the mean ceiling, from the first `count` images; `(voxels,)`."""
    return encoding_scores(x, recording, slice(count), seed).mean(0) / recording.ceiling.mean()


# %%
KINDS = {"ventral": "positive", "lateral": "negative"}
scores = {
    (name, KINDS[roi]): [score(x[s - 1], recordings[s, roi]) for s in numbers]
    for name, x in predictors.items()
    for roi in KINDS
}

# %% tags=["hide-input"]
for kind in KINDS.values():
    columns = {name: [each.mean() for each in scores[name, kind]] for name in predictors}
    for name in ("neurons", "random", *plain):
        pairs = zip(scores["latents", kind], scores[name, kind], strict=True)
        columns[f"over_{name}"] = [(better - worse).mean() for better, worse in pairs]
    run.tabulate("scores", control=kind, subject=numbers, **columns)
    run.tell(**{f"{column}_{kind}": f"scores.{column} where control = {kind}" for column in columns})
run.tell(least_over_neurons_positive="min(scores.over_neurons where control = positive)")
run.tell(most_over_neurons_negative="max(scores.over_neurons where control = negative)")
run.record(expected=expected_r(features, units))

# %% [markdown]
# And random ReLU features in the number that does best on training folds, which the held-out fold does not see:


# %%
candidates = {count: random_relu(pool, count, seed)(y) for count in [round(f * latents) for f in relu_factors]}


def score_at_best(subject, roi):
    """Score of a subject from the best number of random features, and that number, mean over folds."""
    recording = recordings[subject, roi]
    known = {count: x[subject - 1] for count, x in candidates.items()}
    best = ridge_at_best(known, recording.responses.to(y), k_folds(len(recording.responses), seed=seed), seed)
    return float(best.r.mean() / recording.ceiling.mean()), sum(best.chosen) / len(best.chosen)


# %% tags=["hide-input"]
for roi, kind in KINDS.items():
    at_best, counts = zip(*[score_at_best(s, roi) for s in numbers], strict=True)
    over = [float(x.mean()) - best for x, best in zip(scores["latents", kind], at_best, strict=True)]
    run.tabulate("relu_best", control=kind, subject=numbers, score=at_best, count=counts, under_latents=over)
    run.tell(**{f"relu_best_{kind}": f"relu_best.score where control = {kind}"})
    run.tell(**{f"relu_best_count_{kind}": f"mean(relu_best.count where control = {kind})"})
rivals = (
    "mean(scores.over_quadratic where control = positive)",
    "mean(relu_best.under_latents where control = positive)",
)
run.record(lead_positive=min(run.ask(question) for question in rivals))

# %% tags=["hide-input", "remove-output"]
axes = panels(2)
for ax, kind in zip(axes, KINDS.values(), strict=True):
    for i, (name, style) in enumerate(zip(predictors, k_styles(predictors), strict=True)):
        values = torch.stack([each.mean() for each in scores[name, kind]])
        ax.plot([i - 0.12] * subjects, values, ls="", marker=".", ms=3, color=style["color"])
        ax.errorbar(i + 0.08, values.mean(), values.std() / subjects**0.5, ls="", **style)
    ax.axhline(1, color=COLOURS["grey"], ls="--", lw=1)
    ax.set(xticks=range(len(predictors)), ylim=(0, 1.1), ylabel="correlation / ceiling", title=kind)
    ax.set_xticklabels(predictors, rotation=40)
axes[0].axhline(expected_r(features, units), color=COLOURS["grey"], lw=1.2)
run.figure(
    axes,
    "fig-brains-controls",
    alt="Correlation over ceiling from neurons, latents, random latents, three codes that know nothing of features and "
    "true features. Positive control: latents far above neurons, near the features and the dashed ceiling. Negative "
    "control: neurons on top, latents below.",
    title="Simulated subjects: predicting voxels that mix features (a) and voxels that mix units (b)",
)

# %% [markdown]
# {numref}`fig-brains-controls`, at the head of this page, shows all of them. Latents minus neurons:
# {glue:text}`over_neurons_positive:.3f` (standard error over subjects {glue:text}`over_neurons_positive_error:.3f`) in
# the positive control, {glue:text}`over_neurons_negative:.3f` ({glue:text}`over_neurons_negative_error:.3f`) in the
# negative one.

# %% tags=["hide-input"]
columns = {name: f"scores.{name}" for name in predictors}
columns |= {"random ReLU, best number": "relu_best.score", "that number": "mean(relu_best.count)"}
columns |= {f"latents minus {name}": f"scores.over_{name}" for name in ("neurons", "random", *plain)}
run.recorded_table(profile, columns, "control").T

# %% [markdown]
# *Positive control.* Neurons reach {glue:text}`neurons_positive:.3f` of the ceiling, where theory gives
# {glue:text}`expected:.3f` for regressions with endless images. Latents reach {glue:text}`latents_positive:.3f`, the
# true features {glue:text}`features_positive:.3f`: what is missing to 1 there is what {glue:text}`images` noisy images
# do not tell about the weights. In the worst subject the gain is {glue:text}`least_over_neurons_positive:.3f`.
#
# *Negative control.* Neurons reach {glue:text}`neurons_negative:.3f` and latents {glue:text}`latents_negative:.3f`.
# The largest gain of any subject is {glue:text}`most_over_neurons_negative:.3f`: SAEs do not help. Part of what they
# cost is what they fail to reconstruct. The rest is the price of more predictors: the true features, which miss
# nothing, reach {glue:text}`features_negative:.3f`. Both costs are part of the positive control too, where the gain
# pays for them.
#
# *Readouts that know nothing of features.* In {ref}`ch-pairs` they gained as much as latents. Here they do not. In the
# positive control as many random ReLU features reach {glue:text}`relu_positive:.3f`, less than neurons; the best
# number of them, {glue:text}`relu_best_count_positive:.0f`, reaches {glue:text}`relu_best_positive:.3f`, all products
# of units {glue:text}`quadratic_positive:.3f`. Both are above neurons by a little, so a nonlinear readout helps, and
# far below latents, so what helps most is to have the features. That is what a gain has to look like before one may
# say that features made it: above neurons *and* above the best of these. In the negative control, where nothing
# nonlinear is to be had, they lose: {glue:text}`relu_best_negative:.3f` and {glue:text}`quadratic_negative:.3f`.
#
# *Random latents.* Trained latents beat them in both controls, by {glue:text}`over_random_positive:.3f` and
# {glue:text}`over_random_negative:.3f`. So "better than a random SAE" says that an SAE has learned something about the
# network, not that the brain has anything to do with it. Only the comparison with neurons speaks to that.

# %% [markdown]
# (sec-brains-recipe)=
# ### The recipe of the authors' code
#
# Our SAEs are not the paper's. Its public code layer-normalises the responses to each image (mean 0, deviation 1 over
# units) where we centre and scale over images. Its encoder starts apart from its decoder, uniform (Kaiming), where
# ours starts as the decoder's transpose; its ReLU comes before TopK; its learning rate is low and stays, over three
# hundred passes through the training images, where ours is high and falls. An option of that code, switched off when
# the paper came out, starts encoders *at training responses*: latent $i$ is then high for what is like image $i$. So
# each of the networks gets four codes more: the authors' recipe from either start, as it started and after training.
#
# Which start is better, and does training help? Starting at data a code holds, in every latent, one image of
# {glue:text}`active` features, not one feature. We expect the score of that start to lie above the random one's, and
# both to lie below neurons in the positive control. After training we expect a gain from both, at most ours, for the
# low rate has little time in the short run.


# %%
def by_authors(training, stimuli, active_latents, wide):
    """Codes of `stimuli` by the authors' recipe, before and after training, and what these explain of the last."""
    training, *stimuli = (layer_norm(x, x.shape[-1:]) for x in (training, *stimuli))
    steps = max(1, round(authors_epochs * training.shape[1] / 1024))
    recipe, found = Recipe.of_networks(latents=wide, k=active_latents, steps=steps), {}
    seeds = [1000 * seed + 700 + p for p in range(len(training))]
    chosen = torch.randperm(training.shape[1], generator=generator(0, 8))[:wide]
    for start in ("kaiming", "data"):
        sae = TopKSAE(training.shape[2], recipe, seeds, run.device)
        sae = start_at(sae, training[:, chosen]) if start == "data" else sae
        found[f"{start}_start"] = [sae.latents(x) for x in stimuli], explained_variance(sae, stimuli[-1])
        sae = fit(sae, image_batches(training, recipe.batch), "saes-authors").model
        found[start] = [sae.latents(x) for x in stimuli], explained_variance(sae, stimuli[-1])
    return found


# %%
shown_units, trained_units = seen @ projections.mT.float(), others @ projections.mT.float()
authors = by_authors(trained_units.to(run.device), [shown_units.to(run.device)], k, latents)
for roi, kind in KINDS.items():
    for name, ((code,), share) in authors.items():
        found = [float(score(code[s - 1], recordings[s, roi]).mean()) for s in numbers]
        over = [one - float(of.mean()) for one, of in zip(found, scores["neurons", kind], strict=True)]
        run.tabulate("authors", control=kind, code=name, subject=numbers, score=found, gain=over, explained=share)

# %% tags=["hide-input"]
for name in authors:
    for kind in KINDS.values():
        run.tell(**{f"{name}_{kind}": f"authors.score where code = {name} and control = {kind}"})
    run.tell(**{f"{name}_explained": f"authors.explained where code = {name} and control = positive"})
run.record(authors_epochs=authors_epochs)

# %% tags=["hide-input"]
columns = {kind: f"authors.score where control = {kind}" for kind in KINDS.values()}
run.recorded_table(profile, columns | {"explained": "authors.explained where control = positive"}, "code")

# %% [markdown]
# After {glue:text}`authors_epochs:.0f` passes through the images the authors' recipe gives
# {glue:text}`kaiming_positive:.3f` from its own start and {glue:text}`data_positive:.3f` from data in the positive
# control, ours {glue:text}`latents_positive:.3f`. Before any training the data start has
# {glue:text}`data_start_positive:.3f` and the random one {glue:text}`kaiming_start_positive:.3f`: the order is the
# expected one, at the start and after. What a start at data scores untrained is no feature learned; it is there for
# voxels that are linear in the units as well ({glue:text}`data_start_negative:.3f` against
# {glue:text}`kaiming_start_negative:.3f`). So with every score belongs what the same SAE had at its start.

# %% [markdown]
# ## How many images?
#
# Latents are more numerous than units, so a regression from them needs more images; and SAEs need images themselves.
# How does the gain move? On the left all subjects, with fewer of their images; on the right the first subject, with
# SAEs trained on fewer images for as many steps.


# %%
def gain(subject, roi, code, count=None):
    """Latents minus neurons for each voxel, with a code of the network's units."""
    recording = recordings[subject, roi]
    return score(code, recording, count) - score(y[subject - 1], recording, count)


# %%
learned = saes.latents(y)
by_images = {kind: [] for kind in KINDS.values()}
for roi, kind in KINDS.items():
    for count in curve_images:
        by_images[kind].append(torch.stack([gain(s, roi, learned[s - 1], count).mean() for s in numbers]))

# %%
lengths = len(curve_sae_images)
draw = image_batches(pool[:1].expand(lengths, -1, -1), recipe.batch, curve_sae_images)
few = fit(TopKSAE(units, recipe, [*range(lengths)], run.device), draw).model
few_codes = few.latents(y[:1].expand(lengths, -1, -1))
by_sae = {kind: [gain(1, roi, code) for code in few_codes] for roi, kind in KINDS.items()}

# %% tags=["hide-input"]
run.record(curve_first=curve_images[0], curve_sae_first=curve_sae_images[0], curve_sae_second=curve_sae_images[1])
run.record(few_images_gain_positive=by_images["positive"][0])
run.record(few_sae_images_gain_positive=by_sae["positive"][0], more_sae_images_gain_positive=by_sae["positive"][1])
few_explained = explained_variance(few, y[:1].expand(lengths, -1, -1))
run.record(few_explained=few_explained[0], more_explained=few_explained[1])

# %% tags=["hide-input", "remove-output"]
left, right = panels(2)
for kind, style in zip(KINDS.values(), k_styles(KINDS), strict=True):
    for ax, at, values in ((left, curve_images, by_images[kind]), (right, curve_sae_images, by_sae[kind])):
        values = torch.stack(values)
        ax.errorbar(at, values.mean(1), values.std(1) / values.shape[1] ** 0.5, label=kind, **style)
        ax.axhline(0, color=COLOURS["grey"], lw=1)
        ax.set(ylabel="latents minus neurons")
        log_ticks(ax, at)
left.set_xlabel("images of the subject")
right.set_xlabel("images for the SAE")
right.legend(loc="lower right")
run.figure(
    [left, right],
    "fig-brains-size",
    alt="Gain of latents over neurons in the positive and negative control, left against the number of the subject's "
    "images, right against the number of images that the SAE was trained on.",
    title="Simulated subjects: the gain against the number of images",
)

# %% [markdown]
# :::{glue:figure} fig-brains-size
# :name: fig-brains-size
#
# Few images shrink a gain or hide it: few of the subject's own for the regression (a), or few for the SAE (b). In the
# positive control the gain with {glue:text}`curve_first` images of the subject is
# {glue:text}`few_images_gain_positive:.3f`. Errors: standard errors over subjects (a) and voxels (b).
# :::
#
# The right panel is the more serious one. An SAE with few training images learns them by heart. The one that saw
# {glue:text}`curve_sae_first` explains a share of {glue:text}`few_explained:.3f` of the variance over the subject's
# images, and its gain is {glue:text}`few_sae_images_gain_positive:.3f`; with {glue:text}`curve_sae_second` it explains
# {glue:text}`more_explained:.3f` and gains {glue:text}`more_sae_images_gain_positive:.3f`; those with
# {glue:text}`sae_images` explain {glue:text}`explained:.3f`. Wherever the curve of the positive control lies below 0,
# one would conclude that disentangling hurts, about voxels that were *made* of the features. So before believing a
# loss, ask what the SAE explains on images that it has not seen.
#
# A negative result with few images is weak; a gap that closes as images are added asks for more of them; a gap that
# stays is a result.

# %% [markdown]
# ## Real neurons: macaque V4
#
# ### The data
#
# {cite:t}`cowley2023` recorded neurons in area V4 of a macaque, roughly halfway along the path from the eye's first
# cortical area to object recognition, and published responses and images. A session holds a population of neurons and
# the images it was shown. Two sessions, three days apart, share images: two samples of neurons from one place.
#
# The network is EfficientNet-Lite0, trained on ImageNet, whose weights come as a Python package. We read the maps
# after some of its blocks, averaged over places, for images prepared in the network's own way (enlarged, the margin
# cut).
#
# The SAEs see photographs and the stimuli of both sessions, but no response. That is generous to the SAEs: they know
# the very pictures that are scored. Every tenth photograph is kept from them, to measure explained variance. To have
# more training images, five crops of each photograph are added last; they are alike, so they count for less than their
# number.
#
# A session's ceiling is known only where its repetitions were published, as for the second.
#
# This part is not run by default, because the files are not part of the book; the command is at the end of the page.
# Source of the numbers below: {glue:text}`v4_source`.
#
# ### What would be a yes, and what a no
#
# An earlier run gave the SAEs of all blocks the same number of active latents. The blocks differ eightfold in width,
# so the same number made a dense code of one block, next to a copy of its channels, and a sparse code of another,
# which explained little. Here all SAEs have as many latents for each channel, and as many of them active for each
# channel: **sparse** ones one for ten channels, near the one for twenty-five (ResNet50) and one for twelve (ViT) of
# the authors' code, and **dense** ones eight for ten, which that run had at its first block.
#
# Beside neurons, latents and random latents stand
#
# - **rebuilt**, the channels as the SAE reconstructs them. What these score below neurons is what the SAE has dropped;
# - **relu**, **relu_best**, **quadratic**, **pca**, the codes of the simulation that know nothing of features;
#   products where there are at most a few thousand; and **ica**, all independent components;
# - **kaiming** and **data**, at the narrower blocks, latents by the authors' recipe from either start, sparse, before
#   and after training.
#
# The rule, written before this run. It reads sparse codes alone, at the block at which they come out best against
# neurons, in the session where they do worse. With several blocks luck has several chances, and that favours the
# claim.
#
# - *A yes*: latents lead neurons by more than the smallest effect that matters in this book ({ref}`ch-claims`), and
#   lead the best of the codes that know nothing of features by as much.
# - *No answer*: latents do not lead random ones by as much, or neither latents nor what the SAE rebuilds comes as near
#   to the neurons as that. Then a loss says what the SAEs drop, and nothing about the brain.
# - *A no*: anything else.
#
# We expect no answer. Two blocks of the earlier run had about this density, and there sparse latents lost to neurons
# in both sessions; we expect it at all blocks, and rebuilt channels to lose about as much. We expect dense SAEs to
# come near to the neurons, and random ones of the same density nearly as near. Of the codes that know nothing of
# features we expect the best number of ReLU features next to the neurons, a little above or below. Of the authors'
# recipe we expect less than of ours, for it was made for a thousand times as many images, and from the data start a
# better score before training than from the random one.


# %%
def read_blocks(pictures):
    """Responses of the network's blocks to a set of images, on disk: one file for each block."""
    return stored_responses("lite:efficientnet-lite0", [f"_blocks.{b}:pool" for b in v4_blocks], pictures, device, seed)


# %%
if v4:
    names = sessions(Path(v4), v4_sessions)[:2]
    monkey = [read_v4(Path(v4), session) for session in names]
    common = shared_images(*monkey)
    pictures = [f"zip:{images_path(Path(v4), session)}" for session in names] + [photos, f"crops:5:{photos}"]
    blocks = [read_blocks(each) for each in pictures]

# %% [markdown]
# For each block we read responses to the stimuli of both sessions, to the training images (crops last) and to the
# photographs kept out. Images that both sessions share are trained on once.


# %%
def block_responses(b):
    """Responses of a block: both sessions' stimuli, training images, photographs kept out; `(1, images, channels)`."""
    first, second, whole, crops = (torch.from_numpy(files[b].copy()) for files in blocks)
    new = torch.ones(len(second), dtype=bool)
    new[common[1]] = False
    training, kept_out = training_images(torch.cat([first, second[new]]), whole, crops, seed)
    return [x[None].to(run.device) for x in (first, second, training[: v4_sae_images[-1]], kept_out)]


# %% [markdown]
# SAEs as above, on responses centred and scaled by the training images. Of each we keep its codes for both sessions and
# the variance it explains of the photographs kept out.

# %%
DENSITIES = {"sparse": v4_sparse, "dense": v4_dense}


def active_of(channels, density):
    """How many latents are active for so many channels."""
    return max(1, round(DENSITIES[density] * channels))


# %%
def coded(b, density, count):
    """Codes of a block for both sessions, with an SAE of its first `count` training images; explained variance."""
    parts = block_responses(b)
    middle, size = centre_and_scale(parts[2])
    *stimuli, training, kept_out = ((x - middle) / size for x in parts)
    channels = training.shape[2]
    wide = {"latents": v4_expansion * channels, "k": active_of(channels, density), "lr": 0.005, "batch": 256}
    recipe = Recipe.ours(steps=v4_steps, **wide)
    draw = image_batches(training, recipe.batch, [min(count, training.shape[1])])
    sae = fit(TopKSAE(channels, recipe, [seed], run.device), draw).model
    rebuilt = [sae.encode(x) @ sae.decoder.detach() + sae.decoder_bias.detach() for x in stimuli]
    found = [codes(sae, x, seed) | {"rebuilt": back} for x, back in zip(stimuli, rebuilt, strict=True)]
    return found, float(explained_variance(sae, kept_out))


# %% [markdown]
# The codes that know nothing of features, fitted on the training images; the number of random ReLU features that does
# best is chosen below.


# %%
stopped = []  # for each ICA, whether it stopped before it had converged


def components(y):
    """ICA of responses, and a note whether it converged."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = ica(y, seed=seed, iterations=50)
    stopped.append(any("converge" in str(one.message) for one in said))
    return found


# %%
def plain_of(b):
    """Codes of a block for both sessions that know nothing of features."""
    *stimuli, training, _ = block_responses(b)
    channels = training.shape[2]
    made = {"relu": random_relu(training, v4_expansion * channels, seed), "ica": components(training)}
    made |= {f"pca_{density}": pca(training, active_of(channels, density)) for density in DENSITIES}
    if quadratic_count(channels) <= v4_quadratic:
        made["quadratic"] = quadratic(training, v4_quadratic)
    return [{name: code(x) for name, code in made.items()} for x in stimuli]


# %% [markdown]
# A regression does not notice if its predictors are rotated. Where there are more of them than images, a rotation into
# as many dimensions as images saves time.


# %%
def turned(x):
    """The same images in no more dimensions than there are images, `(images, dimensions)`."""
    return torch.linalg.qr(x.double().mT, mode="r").R.mT


def relu_at_best(b, session):
    """Score of the best number of random ReLU features, `(folds, neurons)`, and that number, mean over folds."""
    parts, recording = block_responses(b), monkey[session]
    wide = v4_expansion * parts[2].shape[2]
    counts = [round(factor * wide) for factor in relu_factors]
    made = {count: turned(random_relu(parts[2], count, seed)(parts[session])[0]) for count in counts}
    target, folds = recording.responses.double().to(run.device), k_folds(len(recording.responses), seed=seed)
    best = ridge_at_best(made, target, folds, seed)
    return best.r.cpu(), sum(best.chosen) / len(best.chosen)


# %% [markdown]
# ### Blocks
#
# A score is again the correlation of a neuron with its ridge prediction on held-out images, here undivided.
# Differences between predictors are taken neuron by neuron. Their standard error over V4 neurons says how far the mean
# difference would move with other neurons of that place and the same images; the one over folds, recorded beside it,
# how much it hangs on the images held out. Neither knows of another monkey, another network or another SAE.


# %%
def codes_of(b):
    """All codes of a block, for each session; tells of the SAEs in the table `v4_saes`."""
    of_sessions, where = plain_of(b), {"block": v4_blocks[b]}
    for density in DENSITIES:
        found, share = coded(b, density, v4_sae_images[-1])
        for of, one in zip(of_sessions, found, strict=True):
            of |= {name if name == "neurons" else f"{name}_{density}": x for name, x in one.items()}
        silent = (found[0]["latents"] == 0).all(1).double().mean()
        run.tabulate("v4_saes", **where, code=f"latents_{density}", explained=share, silent=silent)
    return add_authors(b, of_sessions) if v4_blocks[b] in v4_authors else of_sessions


# %%
def add_authors(b, of_sessions):
    """The same with latents by the authors' recipe, sparse ones."""
    first, second, training, kept_out = block_responses(b)
    channels = training.shape[2]
    made = by_authors(training, [first, second, kept_out], active_of(channels, "sparse"), v4_expansion * channels)
    for name, (found, share) in made.items():
        of_sessions = [of | {name: x} for of, x in zip(of_sessions, found, strict=False)]
        silent = (found[0] == 0).all(1).double().mean()
        run.tabulate("v4_saes", block=v4_blocks[b], code=name, explained=float(share), silent=silent)
    return of_sessions


# %% tags=["hide-input"]
def spread(**columns):
    """Each column as its mean, standard error and count, as a row that sums up others has them."""
    kinds = {"mean": torch.mean, "error": lambda x: x.std() / len(x) ** 0.5, "count": len}
    return {f"{name}_{kind}": float(of(x)) for name, x in columns.items() for kind, of in kinds.items()}


def compare(b, session, found):
    """Tabulate the score of every code of a block, and how far it is from neurons and from sparse latents."""
    each = {name: encoding_scores(turned(x[0]), monkey[session], seed=seed) for name, x in found.items()}
    counts = {name: x.shape[2] for name, x in found.items()}
    each["relu_best"], counts["relu_best"] = relu_at_best(b, session)
    for name, x in each.items():
        over, under = x - each["neurons"], each["latents_sparse"] - x
        of_cells = spread(score=x.mean(0), over_neurons=over.mean(0), under_latents=under.mean(0))
        where = {"session": ("first", "second")[session], "block": v4_blocks[b], "code": name, "features": counts[name]}
        run.tabulate("v4_capacity", **where, **of_cells, **spread(by_fold=over.mean(1)))
    return each


# %%
for b in range(len(v4_blocks)) if v4 else []:
    found = codes_of(b)
    scored = [compare(b, session, found[session]) for session in (0, 1)]
    shares = [float(ceiling_share(x, monkey[1].ceiling).mean()) for x in scored[1].values()]
    run.tabulate("v4_shares", block=v4_blocks[b], code=list(scored[1]), share=shares)

# %% [markdown]
# Now the rule. For each code the lesser of the two sessions counts; of the codes that know nothing of features the one
# nearest to latents.


# %%
def in_sessions(column, code, block):
    """A mean over V4 neurons from `v4_capacity`, in both sessions."""
    where = f"code = {code} and block = {block}"
    return [run.ask(f"mean(v4_capacity.{column} where session = {one} and {where})") for one in ("first", "second")]


PLAIN = ("relu", "relu_best", "quadratic", "ica", "pca_sparse", "pca_dense")
if v4:
    b = max(range(len(v4_blocks)), key=lambda i: min(in_sessions("over_neurons", "latents_sparse", v4_blocks[i])))
    at, known = v4_blocks[b], {row["code"] for row in run.tables["v4_capacity"] if row["block"] == v4_blocks[b]}
    gaps, rebuilt = (in_sessions("over_neurons", code, at) for code in ("latents_sparse", "rebuilt_sparse"))
    run.record(v4_block=at, v4_gain=min(gaps), v4_kept=min(map(max, gaps, rebuilt)))
    run.record(v4_stopped=sum(stopped))
    run.record(v4_over_random=min(in_sessions("under_latents", "random_sparse", at)))
    run.record(v4_over_plain=min(min(in_sessions("under_latents", code, at)) for code in known & {*PLAIN}))

# %% [markdown]
# ### More stimuli, more SAE images
#
# If a loss comes from too few images, it should shrink along one of two axes, as in {numref}`fig-brains-size`: more
# stimuli help the regression with its many latents, more training images help the SAE. The curves use the sparse SAE
# of the block that the rule reads, a choice in favour of the SAEs. Fewer stimuli are random subsets, three for each
# number.


# %%
def with_fewer(found, count):
    """Latents minus neurons for each V4 neuron, over three random subsets of `count` stimuli."""
    total = len(monkey[0].responses)
    drawn = [torch.randperm(total, generator=seeded(seed + i))[:count] for i in range(3)]
    each = [
        [encoding_scores(found[0][name][0], monkey[0], rows, seed) for rows in drawn] for name in ("latents", "neurons")
    ]
    of_latents, of_neurons = (torch.stack(scores).mean((0, 1)) for scores in each)
    return of_latents - of_neurons


# %%
if v4:
    found, _ = coded(b, "sparse", v4_sae_images[-1])
    for count in v4_images:
        run.tabulate("v4_stimuli", stimuli=count, **spread(over_neurons=with_fewer(found, count)))

# %%
for count in v4_sae_images if v4 else []:
    fewer, _ = coded(b, "sparse", count)
    of_latents, of_neurons = (encoding_scores(fewer[0][x][0], monkey[0], seed=seed) for x in ("latents", "neurons"))
    run.tabulate("v4_sae_images", images=count, **spread(over_neurons=(of_latents - of_neurons).mean(0)))

# %% tags=["hide-input"]
if v4:
    mixed_up = found[0]["neurons"][0][torch.randperm(len(monkey[0].responses), generator=seeded(seed))]
    run.record(v4_shuffled=encoding_scores(mixed_up, monkey[0], seed=seed).mean(0), v4_ceiling=monkey[1].ceiling)
    run.record(v4_cells_1=monkey[0].responses.shape[1], v4_stimuli_1=len(monkey[0].responses))
    run.record(v4_cells_2=monkey[1].responses.shape[1], v4_stimuli_2=len(monkey[1].responses))
    run.record(v4_repetitions=float(monkey[1].repetitions.mean()), v4_shared=len(common[0]))

# %% [markdown]
# ### Two populations
#
# The two sessions share images (equal pixel by pixel), so their neurons can be matched like the units of two networks,
# by {term}`soft-matching`, the mean correlation under the best matching. How high can that be with noisy responses? As
# a yardstick we match the second population with *itself*: its responses averaged over one half of the repetitions,
# against those over the other half. The fair partner of that number is the first population against one such half.


# %% tags=["hide-input"]
def both_ways(name, x, target):
    """Tabulate soft-matching of two populations and how well the second is predicted from the first, by fold."""
    soft, ridge = (metric(x, target, seed=seed).folds for metric in (soft_matching_score, ridge_score))
    run.tabulate("v4_populations", compared=name, fold=range(len(soft)), soft=soft, ridge=ridge)


# %%
if v4:
    halves = random_halves(read_repetitions(Path(v4), names[1]), seeded(seed))
    first, second = (recording.responses[rows].double() for recording, rows in zip(monkey, common, strict=True))
    half, other = (one[common[1]] for one in halves)
    both_ways("populations", first, second)
    both_ways("half", first, half)
    both_ways("itself", other, half)
    both_ways("shuffled", first[torch.randperm(len(first), generator=seeded(seed))], half)

# %% [markdown]
# ### What the recorded run says
#
# The figure is drawn from the numbers of this run if it had the files, else from those recorded with the book.

# %% tags=["hide-input"]
COUNTS = ("cells_1", "stimuli_1", "cells_2", "stimuli_2", "repetitions", "ceiling", "block", "shared", "shuffled")
JUDGED = ("gain", "kept", "over_random", "over_plain", "stopped")
questions = {}
for metric in ("soft", "ridge"):
    for name in ("populations", "half", "itself", "shuffled"):
        questions[f"v4_{metric}_{name}"] = f"v4_populations.{metric} where compared = {name}"
CURVES = {"images": ("v4_stimuli.over_neurons", "stimuli"), "sae": ("v4_sae_images.over_neurons", "images")}
for curve, (question, along) in CURVES.items():
    at, _, _ = run.series("v4", question, along)
    for end, i in (("few", 0), ("most", -1)):
        questions[f"{end}_{curve}"] = f"{question} where {along} = {at[i] if at else 'none'}"

# %% tags=["hide-input"]
GAPS = ["latents_sparse", "latents_dense", "random_dense", "rebuilt_sparse", "relu_best", "quadratic", "data"]
GAPS += ["kaiming", "data_start", "kaiming_start", "ica", "pca_sparse"]
for code in GAPS:
    for session in ("first", "second"):
        where = f"where code = {code} and session = {session}"
        for end in ("min", "max"):
            questions[f"{code}_{end}_{session}"] = f"{end}(v4_capacity.over_neurons_mean {where})"
for code in ("latents_sparse", "latents_dense", "data", "kaiming"):
    for end in ("min", "max"):
        questions[f"{code}_{end}_explained"] = f"{end}(v4_saes.explained where code = {code})"

# %% tags=["hide-input"]
questions["best_share"] = "max(v4_shares.share where code = neurons)"
run.quote("v4", *[f"v4_{name}" for name in (*COUNTS, *JUDGED)], **questions)
recorded = "v4_gain" in run.results("v4")["values"]

# %% tags=["hide-input", "remove-output"]
axes = panels(3, width=2.8)
LINES = ("neurons", "latents_sparse", "rebuilt_sparse", "random_sparse", "relu_best")
PANELS = [(axes[0], x.replace("_", ", "), f"v4_capacity.score where session = first and code = {x}", "block")
          for x in LINES]  # fmt: skip
PANELS += [(axes[1], "images", *CURVES["images"]), (axes[2], "SAE images", *CURVES["sae"])]
for (ax, name, question, along), style in zip(PANELS, k_styles(range(len(PANELS))), strict=True):
    at, means, errors = run.series("v4", question, along)
    ax.errorbar(at, means, errors, label=name, **style)
for ax, name in zip(axes[1:], ("stimuli", "images for the SAE"), strict=True):
    ax.axhline(0, color=COLOURS["grey"], lw=1)
    ax.set(xlabel=name, ylabel="latents minus neurons")
    if recorded:
        log_ticks(ax, ax.lines[0].get_xdata())
axes[0].set(xlabel="block", ylabel="correlation", xticks=run.series("v4", PANELS[0][2], "block")[0])
axes[0].legend(loc="best")
run.figure(
    axes,
    "fig-brains-v4",
    alt="Macaque V4. First panel, held-out correlation by block of the network from neurons, sparse latents, what "
    "their SAEs rebuild, random latents and the best number of random features. Second and third panel, latents minus "
    "neurons against the number of stimuli and of SAE training images.",
    title="Recorded: macaque V4 predicted from EfficientNet-Lite0" if recorded else "Not recorded: macaque V4",
)

# %% [markdown]
# :::{glue:figure} fig-brains-v4
# :name: fig-brains-v4
#
# Sparse latents, what their SAEs rebuild and codes that know nothing of features as predictors of real neurons, in the
# first session ({glue:text}`v4_cells_1_quoted` V4 neurons, {glue:text}`v4_stimuli_1_quoted` images). (a) By block. (b,
# c) The gap at block {glue:text}`v4_block_quoted` as stimuli or SAE training images are added; the line is no gap.
# Errors: standard errors over V4 neurons. Source: {glue:text}`v4_source`.
# :::
#
# Every code less neurons, by block, in the first session, with the standard error over V4 neurons:

# %% tags=["hide-input"]
known_blocks = run.series("v4", "v4_capacity.over_neurons where session = first and code = neurons", "block")[0]


def gap_table(session):
    """Every code less neurons, a column for each block."""
    asked = {
        f"block {at}": f"v4_capacity.over_neurons where session = {session} and block = {at}" for at in known_blocks
    }
    found = run.recorded_table("v4", asked, "code") if asked else pd.DataFrame()
    return found.replace("not recorded", "too many")


gap_table("first")

# %% [markdown]
# In the second session:

# %% tags=["hide-input"]
gap_table("second")

# %% [markdown]
# **By the rule there is no answer.** Sparse latents come out best against neurons at block
# {glue:text}`v4_block_quoted`. There, in the session where they do worse, they have {glue:text}`v4_gain_quoted` over
# neurons and {glue:text}`v4_over_random_quoted` over random latents, and the better of latents and of what their SAE
# rebuilds has {glue:text}`v4_kept_quoted` over neurons: what lies below 0 is a loss. Over the best of the codes that
# know nothing of features they have {glue:text}`v4_over_plain_quoted`. So the code does not say what the block says
# about these neurons, and where it does not, latents cannot show whether disentangling helps.
#
# *Most of the loss is what the SAEs drop.* Over the blocks sparse latents less neurons lie between
# {glue:text}`latents_sparse_min_first_quoted` and {glue:text}`latents_sparse_max_first_quoted` in the first session,
# the channels that the same SAEs rebuild between {glue:text}`rebuilt_sparse_min_first_quoted` and
# {glue:text}`rebuilt_sparse_max_first_quoted`; in the second session latents between
# {glue:text}`latents_sparse_min_second_quoted` and {glue:text}`latents_sparse_max_second_quoted`, rebuilt channels
# between {glue:text}`rebuilt_sparse_min_second_quoted` and {glue:text}`rebuilt_sparse_max_second_quoted`.
#
# *Equal width and density do not make equal SAEs.* Sparse ones explain between
# {glue:text}`latents_sparse_min_explained_quoted` and {glue:text}`latents_sparse_max_explained_quoted` of photographs
# that they have not seen, dense ones between {glue:text}`latents_dense_min_explained_quoted` and
# {glue:text}`latents_dense_max_explained_quoted`.
#
# *Dense codes lose less, and so do random ones.* Dense latents less neurons lie between
# {glue:text}`latents_dense_min_first_quoted` and {glue:text}`latents_dense_max_first_quoted` in the first session,
# latents of random SAEs as dense between {glue:text}`random_dense_min_first_quoted` and
# {glue:text}`random_dense_max_first_quoted`. What comes near to the neurons there is width, not features.
#
# *No nonlinear readout gains here by what matters.* The best number of ReLU features has at most
# {glue:text}`relu_best_max_first_quoted` over neurons in the first session and {glue:text}`relu_best_max_second_quoted`
# in the second, products of units at most {glue:text}`quadratic_max_first_quoted` and
# {glue:text}`quadratic_max_second_quoted`. In the positive control they were above neurons. So nothing here says that
# V4 responds to what a linear map of these channels cannot say; with so few stimuli that is weak evidence as well.
#
# Of ICA's fits, one a block, {glue:text}`v4_stopped_quoted` stopped before all their axes had come to rest. They are
# linear maps of the channels all the same, and score as such.
#
# *The authors' recipe.* From its own start it explains at most {glue:text}`kaiming_max_explained_quoted`, from data at
# most {glue:text}`data_max_explained_quoted`. As they started, sparse codes less neurons come to at best
# {glue:text}`kaiming_start_max_first_quoted` and {glue:text}`data_start_max_first_quoted` in the first session, trained
# to {glue:text}`kaiming_max_first_quoted` and {glue:text}`data_max_first_quoted`.
#
# *What we expected, and what came.* No answer, as expected, and sparse latents below neurons at all blocks in both
# sessions. Dense codes are near the neurons and random ones of the same density not far behind, as expected. That
# rebuilt channels lose about as much as latents holds at the narrow blocks; at the widest they lose less, so there part
# of the loss is the price of more predictors. The best number of ReLU features is a little below neurons everywhere.
# The authors' recipe comes to no more than ours. What did not come: the data start is ahead of the random one, before
# training, at some blocks and in some sessions and behind at others; on V4 it is no better start.
#
# With the fewest stimuli of panel b the gap is {glue:text}`few_images_quoted`, with all of them
# {glue:text}`most_images_quoted`; with the fewest SAE training images of panel c {glue:text}`few_sae_quoted`, with the
# most {glue:text}`most_sae_quoted`. With the images shuffled neurons of the network score
# {glue:text}`v4_shuffled_quoted`. In the second session ({glue:text}`v4_cells_2_quoted` V4 neurons,
# {glue:text}`v4_stimuli_2_quoted` images, {glue:text}`v4_repetitions_quoted` repetitions on average) the mean ceiling
# is {glue:text}`v4_ceiling_quoted`, and neurons of the best block reach {glue:text}`best_share_quoted` of it.
#
# What would inform? SAEs trained on far more photographs than the thousand at hand, until sparse codes rebuild what
# predicts V4. Until then this part says neither yes nor no to the paper's question, which anyway is about other
# networks, other layers and the ventral stream of humans.
#
# How alike are two populations of real neurons? On {glue:text}`v4_shared_quoted` shared images:
#
# | populations compared | soft-matching | ridge |
# |---|---|---|
# | first and second | {glue:text}`v4_soft_populations_quoted` | {glue:text}`v4_ridge_populations_quoted` |
# | first and half the trials of the second | {glue:text}`v4_soft_half_quoted` | {glue:text}`v4_ridge_half_quoted` |
# | second: the other half and that half | {glue:text}`v4_soft_itself_quoted` | {glue:text}`v4_ridge_itself_quoted` |
# | as the second row, images shuffled | {glue:text}`v4_soft_shuffled_quoted` | {glue:text}`v4_ridge_shuffled_quoted` |
#
# Higher values in the first row than in the second say that averaging over all trials removes noise, nothing more. The
# third row is the yardstick of the second: the same neurons matched with themselves. It is no strict bound, for its
# predictor is itself averaged over half the trials only. Means and standard errors over folds.

# %% [markdown]
# ## The Natural Scenes Dataset itself
#
# This part runs if `nsd` names the folder that holds `nsddata`, `nsddata_betas` and `nsddata_stimuli`. It follows the
# paper: ventral region, {term}`betas` (one response for each voxel and trial) scored within sessions and averaged over
# repetitions, torchvision's default weights, the centre of `layer4.2` and the {term}`class token` after
# `encoder_layer_11`, and SAEs by the authors' recipe ({ref}`sec-brains-recipe`), trained on ImageNet. Expansion and $k$
# are parameters: the paper's text leaves them open, its public code has an expansion of 4 and $k$ of 82 for ResNet50
# and 64 for ViT-B/16. Neurons are scored as they are; only the SAEs see them layer-normalised.


# %%
def own_sae(files, active_latents):
    """An SAE trained on stored responses by the authors' recipe."""
    width, (none, one) = files[0].shape[1], torch.tensor([0.0, 1.0], device=run.device)
    steps = max(1, round(epochs * len(files[0]) / 1024))
    recipe = Recipe.of_networks(latents=expansion * width, k=active_latents, steps=steps)
    as_stored = stored_batches(files, none, one, recipe.batch)

    def draw(generator):
        return layer_norm(as_stored(generator), (width,))

    return fit(TopKSAE(width, recipe, [seed], run.device), draw, "saes-nsd").model


# %%
def own_scores(name, layer, active_latents):
    """For each subject, the score of each voxel over the mean ceiling, from each code of a network's layer."""
    files = stored_responses(name, [layer], train_images, device, seed)
    sae, found = own_sae(files, active_latents), {}
    dense = random_relu(stacked(files, max(1, len(files[0]) // 50000)), sae.recipe.latents, seed)
    for subject, recording in people.items():
        x = torch.from_numpy(stored_responses(name, [layer], recording.images, device, seed)[0].copy())[None]
        normed = layer_norm(x, x.shape[-1:]).to(run.device)
        of = codes(sae, normed, seed) | {"neurons": x.to(run.device), "relu": dense(x).to(run.device)}
        found[subject] = {key: score(code[0], recording) for key, code in of.items()}
        found[subject]["explained"] = explained_variance(sae, normed)
    return found


# %% [markdown]
# Random ReLU features, as many as latents, are fitted on up to 50,000 training images. A subject takes about 360 MB in
# memory for 10,000 images and 9,000 voxels, and its regression from 8,192 latents some gigabytes more. Activations go
# to `build/activations` and trained SAEs to `build/trained`; a run that was stopped goes on from there.

# %% tags=["trained"]
own, people = {}, {}
if nsd:
    people = {s: read_nsd(Path(nsd), s, "ventral", nsd_sessions or None) for s in nsd_subjects}
    chosen = zip(networks, layers, own_k, strict=True)
    own = {(name, layer): own_scores(name, layer, count) for name, layer, count in chosen}

# %% [markdown]
# The table has a row for each network and subject: scores in units of the mean ceiling, the gain as the paper states
# it, in percent of the neurons' score, and its standard error over voxels.


# %%
def percent(found, subject, other="neurons"):
    """Latents minus another predictor in percent of the neurons' score: mean and standard error over voxels."""
    difference = 100 * (found[subject]["latents"] - found[subject][other]) / found[subject]["neurons"].mean()
    return float(difference.mean()), float(difference.std() / len(difference) ** 0.5)


# %% tags=["hide-input"]
rows = {}
for (name, _), found in own.items():
    for s, of in found.items():
        row = {key: f"{float(value.mean()):.3f}" for key, value in of.items()}
        row |= {"gain in percent": "{:.1f} ± {:.1f}".format(*percent(found, s)), "voxels": len(of["neurons"])}
        rows[name, s] = row | {"images": len(people[s].responses), "ceiling": f"{people[s].ceiling.mean():.3f}"}
pd.DataFrame(rows).T if rows else "Not run: nsd is empty."

# %% [markdown]
# What would it take to fill it? NSD's betas of one subject at this resolution are some tens of gigabytes, the stimuli
# 40 GB; {ref}`page-data` lists what is needed and where to put it. Before that, try the path with simulated files:
# write a subject with `simulate_nsd` as above and give its folder as `nsd`, with `torchvision:resnet18:random`, which
# needs no download, and any folder of pictures as `train_images`.
#
# ### What the ledger is told
#
# ```{prf:remark} What counts for the claims about the brain
# :label: rem-brains-ledger
#
# The claims are about NSD, and the ledger asks for it. The numbers they rest on are recorded only if `nsd` was given,
# and count only if every subject has its 10,000 images of 425 pixels, the size that NSD has and no simulation of ours,
# with torchvision's trained ResNet50 and ViT-B/16. A15 asks for a gain over neurons, over random latents and over as
# many random ReLU features in subject 1, for both networks. A16 asks for a gain in three other subjects or more.
# Simulated subjects and macaque V4 cannot move these verdicts, whichever way they come out.
# ```

# %% tags=["hide-input"]
if own:
    run.record(nsd_least_images=min(len(person.responses) for person in people.values()))
    run.record(nsd_pixels=min(person.images.read(0).size[0] for person in people.values()))
real = bool(own) and run.values["nsd_least_images"] >= 10000 and run.values["nsd_pixels"] == 425

# %% tags=["hide-input"]
SHORT = {"torchvision:resnet50": "resnet50", "torchvision:vit_b_16": "vit"}
for name, found in {SHORT[name]: found for (name, _), found in own.items() if name in SHORT and real}.items():
    for s in [s for s in found if s == 1 or len(found.keys() - {1}) >= 3]:
        gain_here, *over = (percent(found, s, other)[0] for other in ("neurons", "random", "relu"))
        run.tabulate("nsd", network=name, subject=s, gain=gain_here, over_random=over[0], over_relu=over[1])

# %% [markdown]
# ## What to take away
#
# - **The method tells the two cases apart**, from NSD's files on: with a planted gain latents lead neurons by
#   {glue:text}`over_neurons_positive:.3f`, without one the difference is {glue:text}`over_neurons_negative:.3f`.
# - **A gain needs voxels that respond to what no linear map of the units can say.** A network in superposition is not
#   enough: in the negative control the very same networks superpose.
# - **Compare with neurons, with random latents and with readouts that know nothing of features.** The first asks about
#   the brain, the second about the SAE, the third whether it takes features: with planted ones latents lead the best
#   of these readouts by {glue:text}`lead_positive:.3f`. A gain that does not lead them shows that a nonlinear readout
#   helps, no more.
# - **Count images before reading a loss.** With few of them, for the regression or for the SAE, a planted gain
#   shrinks or turns into a loss.
# - **On real V4 neurons** there is no answer: at the block and in the session that the rule reads, sparse latents have
#   {glue:text}`v4_gain_quoted` over neurons, and the better of them and of what their SAE rebuilds
#   {glue:text}`v4_kept_quoted`. What these SAEs drop hides what a code of features would do.
# - **On NSD** this book knows nothing.
#
# Where we depart from the paper, and why:
#
# - *No NSD*, which is given to those who sign its terms alone. Simulated subjects in its layout, and macaque V4;
#   neither is a replication.
# - *The simulated network is linear and looks at boards.* It is told the features by the pixels; a real network has to
#   find them. Its SAE has the true number of features and the true $k$.
# - *V4 neurons are not NSD's ventral voxels.* Single neurons of a macaque, one network, pooled maps; the SAEs see a few
#   thousand images in place of $1.3$ million, the stimuli among them.
# - *Our SAE recipe is not the authors'.* {ref}`sec-brains-recipe` says where it differs and what theirs gives on the
#   simulated networks and, at the narrower blocks, on V4, as it started and after training. There it made fewer passes
#   through far fewer images. Its rectifier after a layer's last normalisation has no counterpart here: the simulated
#   units and the blocks of EfficientNet-Lite are linear, like the ViT layer of the paper's brain part.
# - *Latents that never fire are kept*, without weight in the regression. The paper removes them; we record their share
#   for V4.
# - *Added.* Both controls, the curves over images, standard errors over subjects, neurons and folds, and the comparison
#   of two populations with its noise ceiling.
#
# **What changed our mind.** We expected an SAE that beats a random one to be on the right track. In the negative
# control it does so as well, and still loses to the neurons. We expected the positive control to be safe. With few
# images to train on, the SAE loses there too, so a loss is only as telling as its SAE is good. And on real neurons we
# first read the loss as small evidence against latents, since it is there for the SAE that explains nearly everything.
# That SAE is a dense code, next to a copy of its channels. With width and density matched, and with what the SAE
# rebuilds scored beside its latents, the loss is seen to be the SAE's: what we took for evidence was uninformative.
#
# ## Exercises
#
# Solutions are folded below each exercise and were run with the chapter.
#
# :::{exercise} Which control for which doubt
# :label: ex-brains-doubts
#
# (Recall, easy, 5 minutes.) Somebody says of a gain: "(1) There are simply more predictors. (2) The SAE has seen the
# test images. (3) It is noise. (4) The reader mixed up the images." And of a missing gain: "(5) The method could not
# have found one." Which part of the chapter answers each?
# :::
#
# :::{solution-start} ex-brains-doubts
# :label: sol-brains-doubts
# :class: dropdown
# :::
#
# (1) Random latents are as many and as sparse; random ReLU features and products of units may be more and are dense.
# (2) In the simulation the SAEs train on other boards. In the V4 part they *have* seen the stimuli, never the
# responses; this favours them, so a gain there would need a second look. (3) Standard errors over subjects, neurons and
# folds, and shuffled images. (4) The network looks at the pictures in the stimulus file; had the reader mixed them up,
# no predictor would work, the true features included. (5) The positive control, at the size in question: look at
# {numref}`fig-brains-size`.
#
# :::{solution-end}
# :::
#
# :::{exercise} A mean of quotients
# :label: ex-brains-quotients
#
# (Extend, medium, 15 minutes.) Divide each voxel's score by its *own* ceiling, then average. Compare mean and standard
# error over voxels with those of the paper's way, for latents in the positive control. Then do the same for the quarter
# of the voxels with the lowest ceilings.
# :::
#
# :::{solution-start} ex-brains-quotients
# :label: sol-brains-quotients
# :class: dropdown
# :::

# %%
recording = recordings[1, "ventral"]
ratio = scores["latents", "positive"][0]
own_ratio = ratio * recording.ceiling.mean() / recording.ceiling.clamp(min=0.01)
low = recording.ceiling <= recording.ceiling.quantile(0.25)
run.record(quotient_of_means=ratio, mean_of_quotients=own_ratio)
run.record(low_of_means=ratio[low] * recording.ceiling.mean() / recording.ceiling[low].mean())
run.record(low_of_quotients=own_ratio[low])

# %% [markdown]
# All voxels: {glue:text}`quotient_of_means:.3f` the paper's way, {glue:text}`mean_of_quotients:.3f` with standard error
# {glue:text}`mean_of_quotients_error:.3f` voxel by voxel. The lowest quarter: {glue:text}`low_of_means:.3f`, and
# {glue:text}`low_of_quotients:.3f` with {glue:text}`low_of_quotients_error:.3f`. The ceilings here are all well above
# 0, so the two ways are close. In a real region some voxels have an estimated ceiling of exactly 0, and a quotient of
# two small noisy numbers has no mean to speak of.
#
# :::{solution-end}
# :::
#
# :::{exercise} As many units as features
# :label: ex-brains-units
#
# (Rerun, easy, 10 minutes.) Run the chapter with `-p units 128`. Before you do: what should neurons score in the
# positive control, and what is then left for an SAE to gain? And what does {prf:ref}`prop-brains-two` say about
# $m = n$? The solution takes a short cut past the files.
# :::
#
# :::{solution-start} ex-brains-units
# :label: sol-brains-units
# :class: dropdown
# :::

# %%
wide = seen @ gaussian(features, features, generator(1, 5)).mT.float()
recording = recordings[1, "ventral"]
run.record(wide_neurons=score(wide, recording), wide_features=score(seen, recording))

# %% [markdown]
# With as many units as features the units score {glue:text}`wide_neurons:.3f` and the true features
# {glue:text}`wide_features:.3f`: for a regression that may mix them back, an invertible map of the features is as good
# as the features, up to what the penalty makes of the new axes. Nobody needs an SAE then. The units still do not show
# one feature each, but a linear map can undo the mixing. Superposition in the sense of this book is what no linear map
# can undo.
#
# :::{solution-end}
# :::
#
# :::{exercise} Voxels in between
# :label: ex-brains-between
#
# (Extend, medium, 20 minutes.) Real voxels need not be of one kind. Let a share of a voxel's variance come from the
# units and the rest from the features, and sweep it. From which share on does the gain vanish? You need no
# files for this: add noise to planted responses.
# :::
#
# :::{solution-start} ex-brains-between
# :label: sol-brains-between
# :class: dropdown
# :::


# %%
def mixed_gain(share):
    """Latents minus neurons, as correlations, for voxels with this share of variance from the units."""
    parts = [part.float() for part, _ in planted(1).values()]
    of_features, of_units = ((part - part.mean(0)) / part.std(0) for part in parts)
    target = (1 - share) ** 0.5 * of_features + share**0.5 * of_units
    target = (target + torch.randn(target.shape, generator=generator(1, 4))).to(y)
    return (ridge_correlations(learned[0], target, seed=seed) - ridge_correlations(y[0], target, seed=seed)).mean()


mixed = {share: float(mixed_gain(share)) for share in (0, 0.25, 0.5, 0.75, 1)}
run.tabulate("mixed", share=list(mixed), gain=list(mixed.values()))
run.tell(**{f"mixed_{100 * share:.0f}": f"mean(mixed.gain where share = {share})" for share in mixed})

# %% [markdown]
# Gain in correlation as the share of the units' part rises from none over quarters to all: {glue:text}`mixed_0:.3f`,
# {glue:text}`mixed_25:.3f`, {glue:text}`mixed_50:.3f`, {glue:text}`mixed_75:.3f`, {glue:text}`mixed_100:.3f`. So a gain
# is compatible with voxels that are to a large part linear in the units, and a loss with voxels that have something to
# gain: what counts is whether disentangling adds more than imperfect reconstruction and additional predictors cost. A
# better SAE moves the point where the two balance.
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# More noise, more subjects, a network with fewer units:
#
# ```
# make chapter NAME=11_brains ARGS="-p subjects 5 -p most_snr 0.4"
# make chapter NAME=11_brains ARGS="-p units 40"
# ```
#
# Macaque V4, with the files where {ref}`page-data` says:
#
# ```
# make chapter NAME=11_brains PROFILE=v4
# ```
#
# NSD and the paper's networks. The settings are in `notebooks/profiles/paper/11_brains.yml`, to which the folders are
# added:
#
# ```
# make chapter NAME=11_brains PROFILE=paper ARGS="-p nsd data/nsd -p train_images folder:data/imagenet/train"
# ```

# %%
folder.cleanup()
run.save(data="simulated subjects in NSD's file layout" + ("; recorded macaque V4 (Cowley et al. 2023)" if v4 else ""))
