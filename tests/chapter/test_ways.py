import pytest
import torch
from helpers import close, refuses

from lib import store
from lib.chapter.ways import WAYS, Site, Training, authors_sizes, by_images, kept, site_rows, sites
from lib.features import bernoulli_uniform, seeded
from lib.report import Settings, analyse

SITE = Site("pair", "layer", True, "vit", 10)
SETTINGS = Settings(latents=24, k=3, steps=40, seeds=2)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)


def mixed(units=8, stimuli=300, seed=0):
    """Responses of two networks that mix the same sparse features, each in its own way; none is 0 throughout."""
    generator = seeded(seed)
    z = bernoulli_uniform(stimuli, 12, 0.2, generator)
    z += 0.05 * torch.randn(z.shape, generator=generator, dtype=z.dtype)
    return [(z @ torch.randn(12, units, generator=generator, dtype=z.dtype)).float() for _ in "ab"]


def rows_of(y, site=SITE, settings=SETTINGS, passes=10):
    return {row["way"]: row for row in site_rows(site, y, settings, Training(passes, 100), "cpu")}


def test_sites_say_what_is_intermediate_and_what_belongs_to_a_pair():
    found = sites(["one", "two"], ["x:pool y:cls", "u v w"], ["vit", "resnet"], [10, 1000])
    assert [[site.layer for site in pair] for pair in found] == [["x:pool", "y:cls"], ["u", "v", "w"]]
    assert [[site.deep for site in pair] for pair in found] == [[False, True], [False, True, True]]
    assert found[1][2] == Site("two", "w", True, "resnet", 1000)
    refuses("layers has 1 entries for 2 pairs", "one for each", sites, ["a", "b"], ["x"], ["vit"] * 2, [1, 2])
    refuses("classes has 3 entries for 1 pairs", "one for each", sites, ["a"], ["x"], ["vit"], [1, 2, 3])
    refuses("'cnn' is unknown", "resnet or vit", sites, ["a"], ["x"], ["cnn"], [1])


def test_the_authors_sizes_are_those_of_their_layers():
    shapes = {("resnet", False, 128): (256, 8), ("resnet", True, 512): (2048, 32)}
    shapes |= {("vit", False, 768): (1536, 153), ("vit", True, 768): (1536, 153), ("resnet", True, 4): (16, 1)}
    for (kind, deep, units), (latents, k) in shapes.items():
        assert authors_sizes(Site("", "", deep, kind, 0), units) == {"latents": latents, "k": k}


def test_each_way_is_scored_on_the_same_units_and_stimuli():
    found = rows_of(mixed())
    assert list(found) == list(WAYS)
    for name in ("soft_nn", "ridge_nn", "cka_nn", "semi_ab_nn"):
        close([row[name] for row in found.values()], [found["ours"][name]] * 4)
    assert [(row["latents"], row["k"]) for row in found.values()] == [(24, 3), (24, 3), (16, 2), (16, 2)]
    for row in found.values():
        close(row["match_mean"], row["soft_ss"] - row["soft_nn"])
        close(row["ridge_mean"], row["ridge_sn"] - row["ridge_nn"])
        assert row["match_min"] <= row["match_mean"] <= row["match_max"]
    assert len({round(row["soft_ss"], 6) for row in found.values()}) == 4  # four recipes, four results


def test_saes_by_the_authors_recipe_start_alike_and_ours_do_not():
    y = mixed()[0]
    found = rows_of([y, y.clone()])
    close(found["authors"]["soft_ss"], 1.0, 1e-6)
    assert found["authors"]["soft_aa"] < 0.99 and all(found[way]["soft_ss"] < 0.99 for way in list(WAYS)[:3])


def test_only_ways_with_layer_normalisation_forget_what_all_units_share():
    a, b = mixed()
    loud = [y + 5 * torch.randn(len(y), 1, generator=seeded(9)) for y in (a, b)]
    plain, louder = rows_of([a, b]), rows_of(loud)
    for way in list(WAYS)[1:]:
        close(louder[way]["input_nn"], plain[way]["input_nn"], 1e-4)
    close(louder["authors"]["soft_ss"], plain["authors"]["soft_ss"], 1e-2)
    assert louder["ours"]["soft_nn"] > plain["ours"]["soft_nn"] + 0.1


def test_only_responses_of_a_resnet_are_rectified():
    def matched(y, kind):
        return rows_of(y, SITE._replace(kind=kind), passes=2)["sizes"]["input_nn"]

    y = mixed()
    above = [one - one.min() + 0.1 for one in y]
    close(matched(above, "resnet"), matched(above, "vit"))
    assert abs(matched(y, "resnet") - matched(y, "vit")) > 0.01


def test_more_images_are_scored_on_the_same_other_ones():
    y = mixed(stimuli=400)
    found = list(by_images(y, SETTINGS, [30, 300], 100, "cpu"))
    assert [row["images"] for row in found] == [30, 300]
    close([row["soft_nn"] for row in found], [found[0]["soft_nn"]] * 2)
    assert found[1]["explained"] > found[0]["explained"]
    refuses("301 and 100 stimuli are more than the 400", "give fewer", list, by_images(y, SETTINGS, [301], 100, "cpu"))


def test_rows_are_made_once_and_anew_for_anything_else(tmp_path):
    counted = tmp_path / "made"
    counted.write_text("")

    def make(*given):
        counted.write_text(counted.read_text() + "x")
        yield {"given": str(given)}

    first = kept(make, SITE, torch.ones(2))
    assert kept(make, SITE, torch.ones(2)) == first and counted.read_text() == "x"
    kept(make, SITE, torch.zeros(2)), kept(make, SITE._replace(deep=False), torch.ones(2))
    assert counted.read_text() == "xxx"

    def killed(*given):
        yield {"row": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(killed, 1)
    assert len(list((store.ROOT / "build" / "scored").glob("*.json"))) == 3


def test_stimuli_in_order_of_their_classes_are_no_slow_series():
    a, b = mixed(stimuli=600)
    order = (a @ torch.randn(8, generator=seeded(3))).argsort()  # neighbours are alike, as pictures of one class
    in_order = rows_of([a[order], b[order]])["ours"]
    assert "neighbouring" not in in_order["verdict"]
    assert "neighbouring" in analyse(a[order], b[order], SETTINGS).reading.verdict.value
