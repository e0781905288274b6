"""Maps of layers as tables: their numbers, their order and what is said of the best."""

from html.parser import HTMLParser

import pandas as pd

from lib.chapter.layer_tables import best_layers, layer_maps, layer_matrix, layer_means

SCORES = {  # of l2 and l10 of a with l1 and l2 of b; folds differ by .2
    "nn": [[0.1, 0.5], [0.3, 0.2]],
    "ss": [[0.8, 0.6], [0.3, 0.4]],
    "rs": [[0.05, 0.1], [0.15, 0.2]],
}


def scores():
    rows = [
        (ab, a, b, "soft", "", fold, value + 0.2 * fold - 0.1)
        for ab, table in SCORES.items()
        for a, row in zip(("l2", "l10"), table, strict=True)
        for b, value in zip(("l1", "l2"), row, strict=True)
        for fold in (0, 1)
    ]
    rows += [("aa", a, a, "soft", "", fold, 0.9) for a in ("l2", "l10") for fold in (0, 1)]
    rows += [("bb", b, b, "soft", "", fold, 0.4) for b in ("l1", "l2") for fold in (0, 1)]
    rows += [("nn", a, b, "ridge", "ab", 0, 0.7) for a in ("l2", "l10") for b in ("l1", "l2")]
    return pd.DataFrame(rows, columns=["pairing", "layer_a", "layer_b", "metric", "direction", "fold", "value"])


def test_means_keep_the_order_of_layers_and_name_directions():
    found = layer_matrix(layer_means(scores()), "soft", "nn")
    assert [*found.index] == ["l2", "l10"] and [*found.columns] == ["l1", "l2"]
    assert found.to_numpy().round(9).tolist() == SCORES["nn"]
    assert layer_matrix(layer_means(scores()), "soft", "nn", "error").round(9).eq(0.1).all(axis=None)
    assert layer_matrix(layer_means(scores()), "ridge_ab", "nn").eq(0.7).all(axis=None)
    assert layer_matrix(layer_means(scores()), "ridge_ba", "nn").empty


def test_the_best_layer_of_units_and_of_latents_is_told_with_its_controls():
    row = best_layers(layer_means(scores())).loc["l2"]
    assert row.tolist() == ["l2, 0.500", "l1, 0.800", "0.100", "0.050", "0.900", "0.400", "1.333"]


class Cells(HTMLParser):
    """Texts and titles of the cells of a table."""

    def __init__(self):
        super().__init__()
        self.titles, self.text, self.open = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.open += tag == "details" and "open" in dict(attrs)
        if tag == "td":
            self.titles.append(dict(attrs)["title"])

    def handle_data(self, data):
        self.text += [data.strip()] if data.strip() else []


def test_maps_print_every_number_and_tell_its_error():
    page = layer_maps(layer_means(scores()), {"soft": "soft-matching", "ridge_ab": "ridge, a to b"}, "A <title>")
    cells = Cells()
    cells.feed(page)
    assert cells.titles[:2] == ["l2 of a, l1 of b: 0.100 ± 0.100", "l2 of a, l2 of b: 0.500 ± 0.100"]
    assert len(cells.titles) == 4 * 4 and cells.open == 1
    assert cells.text[0] == "A <title>" and {"0.10", "0.80", "0.70", "soft-matching: latents (S-S)"} <= {*cells.text}
