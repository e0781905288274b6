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
# (ch-claims)=
# # The claims, one by one
#
# What do the two papers claim, and what of it did we find? This chapter computes nothing new. It reads the results
# files that the other chapters wrote, holds each claim's *predicates*, comparisons of recorded numbers, against them,
# and prints the {term}`verdict`.
#
# Afterwards you can say
#
# - for each claim, what was measured and under which condition it holds;
# - what it would take to judge the claims that were not run;
# - how a verdict changes when a number does.
#
# A verdict is one of four. *Reproduced*: every predicate of the claim is true of our results. *Reproduced with a
# condition*: the claim as the paper states it fails somewhere, or was run at a smaller scale only, which the verdict
# then names; but a narrower statement, printed beside the verdict, passes its own {term}`predicates <predicate>`. *Not
# reproduced*: neither passes. *Not run*: this {term}`profile` has not measured it, and the last column says what that
# would take. The predicates stand in `book/claims.yml`; nobody types a verdict.
#
# The thresholds were chosen after small trial runs, so with a rough idea of what to expect. After first results those
# of B1 to B4 were tightened to what their chapter asks, and the predicates of B2, B4 and B7 were narrowed to the
# paper's own claim, without statements that are ours. The condition of A8 at 8 neurons was written after the recorded
# run, in which a random SAE beat the trained one in one of its pairs. Those of A13 and A14 were narrowed to deep
# layers, and those of B10 and B11 to the pooled correlation, after first results, in which the other half of each had
# failed. B9's was widened to learned systems after the recorded run. Some conditions are about the wording of a
# statement rather than about a number: there the claim as printed has a counterexample, which its chapter runs.

# %%
from IPython.display import Markdown
from myst_nb import glue

from lib.chapter.claims import VERDICTS, full_table, ledger, summary_table, verdict_in_words
from lib.chapter.plotting import COLOURS, panels
from lib.chapter.results import recorded_results, results_of
from lib.chapter.run import Run

# %% [markdown]
# The parameter that matters here is the profile, the folder of results that is judged. `recorded` names others, whose
# results were recorded in earlier runs and are kept with the book.

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "auto"  # auto, cpu or cuda
recorded: list[str] = ["paper", "photos"]  # profiles whose recorded results are judged beside it

# %%
run = Run("14_claims", globals())
verdicts = ledger(results_of(profile))
run.record(claims=len(verdicts))

# %% [markdown]
# ## At a glance
#
# We count how many claims of each paper earned each verdict. A claim that we could not test is worth a row too: it says
# what is still open.

# %% tags=["hide-input", "remove-output"]
glue("summary", Markdown(summary_table(verdicts)))

# %% [markdown]
# ```{glue:md} summary
# :format: myst
# ```
#
# The same counts as a picture.

# %% tags=["hide-input", "remove-output"]
(ax,) = panels(1, width=3.9, height=2.6)
start = {"A": 0, "B": 0}
for verdict, shade, hatch in zip(VERDICTS, ("green", "ochre", "red", "grey"), ("", "//", "xx", ""), strict=True):
    counts = [sum((v.paper, v.verdict) == (paper, verdict) for v in verdicts) for paper in "BA"]
    left = [start["B"], start["A"]]
    style = {"color": COLOURS[shade], "hatch": hatch, "label": verdict_in_words(verdict), "height": 0.6}
    for bar, count in zip(ax.barh(["paper B", "paper A"], counts, left=left, **style), counts, strict=True):
        ax.text(*bar.get_corners()[2:].mean(0), count or "", ha="center", va="bottom")
    start = {"B": left[0] + counts[0], "A": left[1] + counts[1]}
ax.set_xlabel("claims")
ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2)
run.figure([ax], "fig-claims", "Stacked bars count the verdicts on the claims of paper A and of paper B.")

# %% [markdown]
# :::{glue:figure} fig-claims
# :name: fig-claims
#
# How the {glue:text}`claims` claims of both papers stand with this profile. The grey part of a bar is what is still
# open.
# :::
#
# ## Paper A, matching metrics
#
# {cite:t}`longon2025`: claims about {term}`soft-matching` and about sparse autoencoders ({term}`SAEs <SAE>`). Each
# verdict links to the figure or the statement that it rests on.

# %% tags=["hide-input", "remove-output"]
glue("ledger_a", Markdown(full_table([v for v in verdicts if v.paper == "A"])))

# %% [markdown]
# ```{glue:md} ledger_a
# :format: myst
# ```
#
# ## Paper B, linear metrics
#
# {cite:t}`liu2026`: claims about {term}`RSA`, {term}`CKA` and {term}`linear regression <OLS>` under
# {term}`superposition`.

# %% tags=["hide-input", "remove-output"]
glue("ledger_b", Markdown(full_table([v for v in verdicts if v.paper == "B"])))

# %% [markdown]
# ```{glue:md} ledger_b
# :format: myst
# ```
#
# ## Longer runs, recorded
#
# Some settings take longer than a reader wants to wait. Their results files are kept in `book/results`, each with the
# device, the versions and the date of its run, and are judged here by the same predicates. Only claims of chapters that
# were recorded are listed. The profile `photos` asks B10 and B11 of photographs and networks trained on ImageNet.


# %% tags=["hide-input", "remove-output"]
def summary_of(profile):
    """Verdicts on the claims of those chapters that were recorded with a profile."""
    run_there = [v for v in ledger(recorded_results(profile)) if v.verdict != "not-run"]
    return f"Profile `{profile}`:\n\n{summary_table(run_there)}"


glue("ledger_recorded", Markdown("\n".join(map(summary_of, recorded))))

# %% [markdown]
# ```{glue:md} ledger_recorded
# :format: myst
# ```
#
# ## What would change a verdict
#
# A results file with other numbers, and nothing else. To see the ledger move, rerun a chapter with a parameter that
# breaks its premise, and judge that profile:
#
# ```bash
# make chapter NAME=04_gaussian_projections ARGS="-p stimuli 300"
# make claims PROFILE=custom
# ```
#
# With so few stimuli the biased estimate of CKA leaves its closed form by more than the margin that the predicate
# allows.
#
# ## What changed our mind
#
# We expected claims to hold or to fail. Many hold under a condition that the papers do not state: a rectified output, a
# range of $k$, enough units, one of two averages. Finding the condition was most of the work, and is most of the
# result.
#
# ## Exercises
#
# :::{exercise} Read a predicate
# :label: ex-claims-predicate
#
# Easy, 5 minutes. Open `book/claims.yml` and find the predicates of B5. Which of them makes the difference between
# *reproduced* and *reproduced with a condition*, and what does it say in words?
# :::
#
# :::{solution-start} ex-claims-predicate
# :label: sol-claims-predicate
# :class: dropdown
# :::
#
# `b5_track_gap < 0.05` asks that explained variance stay within a twentieth of CKA at every number of units. It is the
# one predicate of B5 that its condition does not repeat. At $m = n$ a regression is perfect while CKA is one half, so
# it fails by construction, not by noise.
#
# :::{solution-end}
# :::
#
# :::{exercise} Alter a result
# :label: ex-claims-alter
#
# Easy, 5 minutes. Judge claim B7 as if the pair with partial overlap had come out behind. What does the ledger say?
# :::
#
# :::{solution-start} ex-claims-alter
# :label: sol-claims-alter
# :class: dropdown
# :::

# %%
from lib.chapter.claims import judge, load_claims

behind = {"b7_margin": -0.1, "b7_margin_error": 0.001, "b7_probability_at_full": 0.0}
values = behind | {"b7_crossing_error": 0.01, "b7_r2_inversions": 0}
(b7,) = (claim for claim in load_claims() if claim["id"] == "B7")
judge(b7, {"05_partial_overlap": {"values": values}}).verdict

# %% [markdown]
# :::{solution-end}
# :::
#
# :::{exercise} Add a claim
# :label: ex-claims-add
#
# Harder, 30 minutes. Paper B says that the scaling does not depend on the distribution of the projection's entries.
# Write an entry for `book/claims.yml` with a predicate over results that {ref}`ch-linear` already records. Which
# distributions would you add to the chapter before you called it reproduced?
# :::
#
# :::{solution-start} ex-claims-add
# :label: sol-claims-add
# :class: dropdown
# :::
#
# The chapter compares Gaussian entries with random signs in one closed form, whose {term}`kurtosis` differs, so
# `b4_expectation_error < 0.01` covers both. A distribution with heavy tails is the natural test: the formula needs a
# finite fourth moment, and the approximation by a ratio of expectations worsens as the tails grow.
#
# :::{solution-end}
# :::

# %%
run.save(data="none of its own: the results files of the other chapters")
