"""A small vision transformer for the 32 x 32 images of CIFAR-10."""

from torchvision.models import VisionTransformer
from torchvision.models.vision_transformer import ConvStemConfig

CHANNELS = 24, 48, 96  # of the three convolutions that make tokens


def cifar_vit() -> VisionTransformer:
    """torchvision's vision transformer with 4 layers of 96 units, 4 heads, MLPs of 192 and ten classes.

    Three convolutions of stride 2 make 4 x 4 tokens, and a class token stands before them: so few images do not teach
    a transformer to see from bare patches. [Xiao et al. 2021, "Early convolutions help transformers see better"]
    Layers `encoder.layers.encoder_layer_0` to `_3`, the last one read by `heads`. Takes (images, 3, 32, 32).
    """
    stem = [ConvStemConfig(channels, kernel_size=3, stride=2) for channels in CHANNELS]
    return VisionTransformer(
        image_size=32,
        patch_size=2 ** len(stem),
        num_layers=4,
        num_heads=4,
        hidden_dim=96,
        mlp_dim=192,
        num_classes=10,
        conv_stem_configs=stem,
    )
