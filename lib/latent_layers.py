"""Sparse autoencoders on every layer of two networks, and every score of every pair of layers.

Letters are those of `lib.report`: n units, s latents of an SAE, r those of a random one. `aa` and `bb` pair the latents
of two SAEs of one layer, which differ in their seed alone.
"""

from collections.abc import Mapping

import pandas as pd
import torch

from lib.crossval import silent_units
from lib.layers import METRICS, score_layers
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing
from lib.report import Settings, all_codes, fit_saes, random_saes, settle
from lib.split import answered_alike, split_stimuli

FORTH, BACK = ((one,) for one in RIDGE)


def latent_map(
    a: Mapping[str, torch.Tensor],
    b: Mapping[str, torch.Tensor],
    settings: Settings,
    device: str | torch.device = "cpu",
    groups: torch.Tensor | None = None,
    share: float = 0.5,
    folds: int = 5,
) -> pd.DataFrame:
    """A row for each score, as `lib.layers.layer_map`, on stimuli that no SAE has seen; pairing is one of

        nn   units, by every metric
        ss   latents of an SAE of either layer, by those of matching and geometry; rs a random one in place of a's
        sn   latents that predict units of the other layer, in both directions; rn random ones in their place
        aa   two SAEs of a layer of a, so layer_a and layer_b are the same, bb of b

    `a` and `b` hold `(stimuli, units)` by layer, `settings` the SAEs: zeros are settled for each layer by the rule of
    `lib.report`, k without a scan. Stimuli are dealt alike for all layers, `groups` as in `lib.split.split_stimuli`,
    and copies are those that the first layers answer alike. Latents silent in some fold are left out, unless all are:
    they score 0. Raises ValueError on bad input, and names the layer.
    """
    if groups is None:
        groups = answered_alike(*(next(iter(layers.values())) for layers in (a, b)))
    found, parts = {}, []
    for side, layers in (("a", a), ("b", b)):
        for name, y in layers.items():
            try:
                codes, parts = _populations(y, settings, device, groups, share, folds)
            except ValueError as error:
                raise ValueError(f"layer {name} of {side}: {error}") from None
            found |= {f"{letter}{side} {name}": code for letter, code in codes.items()}
    return score_layers(Held(found, parts), _asked(a, b))


def _populations(y, settings, device, groups, share, folds):
    """Units, latents of two SAEs and random ones of a layer on the scored stimuli, by letter, and their folds."""
    split = split_stimuli(y, y, share, settings.first_seed, device, folds, groups)  # twice the same, for two SAEs
    settings = settle(split, settings._replace(most_scanned=0))[0]._replace(seeds=1)
    sae = fit_saes(split, settings).model
    first, second = all_codes(sae, split.scored)
    made = {"s": first, "t": second, "r": all_codes(random_saes(sae, settings), split.scored)[0]}
    active = {letter: ~silent_units(code, split.folds) for letter, code in made.items()}
    made = {letter: code[:, active[letter]] if active[letter].any() else code for letter, code in made.items()}
    return made | {"n": split.of(0)}, split.folds


def _asked(a, b):
    """What is scored. Of a's layers the first SAE counts and of b's the second: none of a pair shares its start."""
    plain, asked = (*MATCHING, *GEOMETRY), []
    for side, layers in (("a", a), ("b", b)):
        asked += [((2 * side, one, one), Pairing("", f"s{side} {one}", f"t{side} {one}", plain)) for one in layers]
    for one in a:
        for other in b:
            each = [
                ("nn", Pairing("", f"na {one}", f"nb {other}", METRICS)),
                ("ss", Pairing("", f"sa {one}", f"tb {other}", plain)),
                ("rs", Pairing("", f"ra {one}", f"tb {other}", plain)),
                ("sn", Pairing("", f"sa {one}", f"nb {other}", FORTH)),
                ("sn", Pairing("", f"na {one}", f"tb {other}", BACK)),
                ("rn", Pairing("", f"ra {one}", f"nb {other}", FORTH)),
                ("rn", Pairing("", f"na {one}", f"rb {other}", BACK)),
            ]
            asked += [((pairing, one, other), wanted) for pairing, wanted in each]
    return asked
