"""One picture of what is compared with what: the same features, two mixings, and the letters of the pairings."""

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from lib.chapter.plotting import COLOURS, panels

FEATURES = [COLOURS[name] for name in ("blue", "red", "green", "purple", "ochre")]
# Which features each of three neurons mixes, in both networks; the latents find features back in an order of their own.
MIXINGS = {"a": ((0, 1), (2, 3), (4, 0)), "b": ((0, 2), (1, 3), (4, 2))}
ORDERS = {"a": (0, 1, 2, 3, 4), "b": (2, 0, 4, 1, 3)}
LEFT = {"a": 0.0, "b": 6.6}  # of each network
ROWS = {"features": 7.4, "neurons": 5.0, "latents": 2.4, "random": 0.2}  # heights
ALT = (
    "Five shared features, mixed into three neurons by network a and in another way by network b. Below the neurons of "
    "each stand latents of a sparse autoencoder, one for each feature, and below those of a random latents. Double "
    "arrows join neurons with neurons (N-N), latents with latents (S-S), latents of a with neurons of b (S-N), and "
    "random latents of a with latents of b (R-S)."
)


def schematic() -> list[Axes]:
    """The panel, with neurons N, latents S and random latents R of both networks, and the pairings between them."""
    (ax,) = panels(1, width=3.5, height=2.9)
    ax.set(xlim=(-1.7, 11.2), ylim=(-0.7, 8.4), aspect="equal")
    ax.set_axis_off()
    _dots(ax, 3.3, ROWS["features"], FEATURES)
    ax.text(4.8, ROWS["features"] + 0.65, "the same features", ha="center")
    for network, left in LEFT.items():
        _neurons(ax, left, MIXINGS[network])
        _dots(ax, left, ROWS["latents"], [FEATURES[i] for i in ORDERS[network]])
        middle = left + 1.5
        _arrow(ax, (4.8, ROWS["features"] - 0.5), (middle, ROWS["neurons"] + 0.75))
        _arrow(ax, (middle, ROWS["neurons"] - 0.65), (middle, ROWS["latents"] + 0.5))
        ax.text(-1.6 if network == "a" else 11.1, ROWS["neurons"] + 1.1, f"network {network}", ha=_side(network))
    _dots(ax, LEFT["a"], ROWS["random"], [COLOURS["grey"]] * 5)
    for height, word in (("neurons", "N"), ("latents", "S"), ("random", "R")):
        ax.text(-1.0, ROWS[height], word, ha="center", va="center", fontweight="bold")
    for height, word in (("neurons", "N"), ("latents", "S")):
        ax.text(10.6, ROWS[height], word, ha="center", va="center", fontweight="bold")
    for word, start, end in (
        ("N-N", "neurons", "neurons"),
        ("S-N", "latents", "neurons"),
        ("S-S", "latents", "latents"),
    ):
        _pair(ax, word, ROWS[start], ROWS[end])
    _pair(ax, "R-S", ROWS["random"], ROWS["latents"])
    return [ax]


def _side(network):
    return "left" if network == "a" else "right"


def _dots(ax, left, height, colours):
    for i, colour in enumerate(colours):
        ax.add_patch(Circle((left + 0.75 * i, height), 0.3, color=colour))


def _neurons(ax, left, mixing):
    """Squares in the colours of the two features that each mixes."""
    for i, features in enumerate(mixing):
        for half, feature in enumerate(features):
            corner = left - 0.1 + 1.15 * i + 0.45 * half, ROWS["neurons"] - 0.45
            ax.add_patch(Rectangle(corner, 0.45, 0.9, color=FEATURES[feature]))


def _arrow(ax, start, end, style="-|>", **looks):
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=9, lw=1.1, color=COLOURS["grey"], **looks)
    )


def _pair(ax, word, start, end):
    """A double arrow from network a to network b, with the letters of the pairing on it."""
    _arrow(ax, (3.5, start), (6.2, end), "<|-|>")
    right, up = (0.0, 0.35) if start == end else (0.85, -0.25)
    ax.text(4.85 + right, (start + end) / 2 + up, word, ha="center", va="center", fontsize=8)
