"""A map of layers as tables: shaded cells with their numbers, and which layer goes with which."""

import html

import pandas as pd

PAIRED = {"nn": "units (N-N)", "ss": "latents (S-S)", "sn": "latents (S-N)", "rs": "random (R-S)", "rn": "random (R-N)"}


def layer_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Means and standard errors over folds of `lib.latent_layers.latent_map`: pairing, layers, metric, value, error."""
    names = scores.assign(metric=(scores.metric + "_" + scores.direction).str.strip("_"))
    found = names.groupby(["pairing", "layer_a", "layer_b", "metric"], sort=False).value
    return found.agg(value="mean", error="sem").reset_index()


def layer_matrix(means: pd.DataFrame, metric: str, pairing: str, column: str = "value") -> pd.DataFrame:
    """One number of `layer_means` for each layer of a, down, and of b, across; empty if it was not measured."""
    found = means[(means.metric == metric) & (means.pairing == pairing)]
    table = found.pivot(index="layer_a", columns="layer_b", values=column)
    return table.reindex(found.layer_a.unique(), columns=found.layer_b.unique())


def layer_maps(means: pd.DataFrame, metrics: dict[str, str], title: str) -> str:
    """HTML with a row of shaded tables for each metric, the first open: units, latents and random codes.

    `metrics` maps a name to words. A cell is white at 0, blue at 1 and has its number; pointing at it tells the error.
    """
    sections = []
    for metric, words in metrics.items():
        tables = [_shaded(means, metric, ab, f"{words}: {shown}") for ab, shown in PAIRED.items()]
        inside = "".join(f'<div class="layer-map">{one}</div>' for one in tables if one)
        is_open = "" if sections else " open"
        summary = f"<summary>{html.escape(words)}</summary>"
        sections.append(f'<details class="layer-maps"{is_open}>{summary}{inside}</details>')
    return f'<p class="figure-title">{html.escape(title)}</p>{"".join(sections)}'


def _shaded(means, metric, pairing, caption):
    table, errors = (layer_matrix(means, metric, pairing, column) for column in ("value", "error"))
    if table.empty:
        return ""
    told = pd.DataFrame(
        [[f"{a} of a, {b} of b: {table.loc[a, b]:.3f} ± {errors.loc[a, b]:.3f}" for b in table] for a in table.index],
        table.index,
        table.columns,
    )
    style = table.rename_axis(index=None, columns=None).style
    # Only the lighter part of the colours, so that dark text is legible on all of them.
    style.background_gradient("Blues", axis=None, vmin=0, vmax=1.6, text_color_threshold=0).format("{:.2f}")
    style = style.set_tooltips(told, as_title_attribute=True).set_caption(caption)
    return style.set_uuid(f"layers-{metric}-{pairing}-{len(means)}").to_html()


def best_layers(means: pd.DataFrame, metric: str = "soft") -> pd.DataFrame:
    """For each layer of a the layer of b that units, and latents, match best, with the scores of that pair.

    `of its seeds` is S-S as a share of what two SAEs of one layer reach, the geometric mean of both layers.
    """
    units, latents, random = (layer_matrix(means, metric, ab) for ab in ("nn", "ss", "rs"))
    alone = [layer_matrix(means, metric, ab) for ab in ("aa", "bb")]
    rows = {}
    for a in units.index:
        nearest, found = units.loc[a].idxmax(), latents.loc[a].idxmax()
        best = max(alone[0].loc[a, a] * alone[1].loc[found, found], 1e-12) ** 0.5
        rows[a] = {
            "units match best": f"{nearest}, {units.loc[a, nearest]:.3f}",
            "latents match best": f"{found}, {latents.loc[a, found]:.3f}",
            "units of that pair": f"{units.loc[a, found]:.3f}",
            "random codes of it": f"{random.loc[a, found]:.3f}",
            "two SAEs of a": f"{alone[0].loc[a, a]:.3f}",
            "two SAEs of b": f"{alone[1].loc[found, found]:.3f}",
            "of its seeds": f"{latents.loc[a, found] / best:.3f}",
        }
    return pd.DataFrame(rows).T
