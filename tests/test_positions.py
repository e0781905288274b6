import pytest
import torch
from helpers import close, normal, refuses
from timm.models.swin_transformer import SwinTransformer
from torch import nn

from lib.data.activations import Network, activations
from lib.positions import at_position, has_channels_last

MAP = normal(5, 7, 4, 4)
TAKEN = {
    "centre": MAP[:, :, 2, 2],
    "pool": MAP.mean((2, 3)),
    "flat": MAP.flatten(1),
    "all": torch.stack([MAP[:, :, i, j] for i in range(4) for j in range(4)], 1).flatten(0, 1),
}


@pytest.mark.parametrize("position", TAKEN)
def test_maps_are_the_same_with_their_channels_first_or_last(position):
    close(at_position(MAP, position), TAKEN[position])
    close(at_position(MAP.movedim(1, 3), position), TAKEN[position])
    close(at_position(MAP.movedim(1, 3).numpy(), position), TAKEN[position])


def test_tokens_are_read_at_the_first_or_in_their_mean_or_all():
    y = normal(5, 7, 6)
    close(at_position(y, "cls"), y[:, 0])
    close(at_position(y, "pool"), y.mean(1))
    close(at_position(y, "flat"), y.flatten(1))
    close(at_position(y, "all"), torch.cat([*y]))
    close(at_position(y[:, 0], "flat"), y[:, 0])


def test_of_maps_with_three_equal_sides_or_none_the_channels_are_first_unless_told():
    for shape in ((5, 4, 4, 4), (5, 3, 4, 6)):
        y = normal(*shape)
        close(at_position(y, "pool"), y.mean((2, 3)))
        close(at_position(y, "pool", channels_last=True), y.mean((1, 2)))
    assert [has_channels_last((5, 4, 4, 4), one) for one in (False, True)] == [False, True]


def test_what_does_not_suit_is_refused():
    refuses("position cls of y, (5, 7, 4, 4)", "choose centre or pool or flat", at_position, MAP, "cls")
    refuses("position of y_a 'center' is unknown", "centre", at_position, MAP, "center", "y_a")


@pytest.fixture(scope="module")
def swin():
    """Of timm, 32 x 32 pixels, two stages of windows; its maps have their channels last, those of its stem first."""
    torch.manual_seed(0)
    options = dict(img_size=32, patch_size=4, embed_dim=6, depths=(1, 1), num_heads=(1, 1), window_size=4)
    return Network("swin", SwinTransformer(num_classes=2, **options).eval(), None)


@pytest.mark.parametrize(("layer", "units"), [("layers.0", 6), ("layers.1", 12), ("norm", 12), ("patch_embed.proj", 6)])
@pytest.mark.parametrize("position", ["centre", "pool"])
def test_units_of_swin_are_its_channels(layer, units, position, swin):
    found = activations(swin, normal(3, 3, 32, 32).float(), {"x": (layer, position)})["x"]
    assert found.shape == (3, units)
    if (layer, position) == ("norm", "pool"):  # what timm itself hands to the classifier
        close(found, swin.module.forward_head(swin.module.forward_features(normal(3, 3, 32, 32).float()), True), 1e-5)


def test_rows_that_are_windows_of_images_are_refused(swin):
    sites = {"x": ("layers.0.blocks.0.attn.qkv", "pool")}
    refuses(
        "gives (12, 16, 18) for 3 images",
        "choose a layer around it",
        activations,
        swin,
        torch.zeros(3, 3, 32, 32),
        sites,
    )


def test_maps_with_three_equal_sides_follow_what_the_network_says():
    module = nn.Sequential(nn.Identity())
    images = normal(3, 4, 4, 4).float()
    close(activations_of(module, images), images.mean((2, 3)), 1e-6)
    module.output_fmt = "NHWC"
    close(activations_of(module, images), images.mean((1, 2)), 1e-6)


def activations_of(module, images):
    module.register_parameter("weight", nn.Parameter(torch.zeros(1)))
    return activations(Network("own", module, None), images, {"x": ("0", "pool")})["x"]


def test_the_centre_of_a_map_that_is_not_square_is_at_half_its_height_and_width():
    y = torch.arange(2 * 3 * 5 * 9).reshape(2, 3, 5, 9)
    assert torch.equal(at_position(y, "centre"), y[:, :, 2, 4])
