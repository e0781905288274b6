"""The residual networks of He et al. 2016 for the 32 x 32 images of CIFAR-10."""

from torch import Tensor, nn
from torch.nn.functional import pad

BLOCKS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18}  # in each of three stages


class Block(nn.Module):
    """relu(x + F(x)), F two convolutions; where channels double, x is halved in size and padded with empty ones."""

    def __init__(self, before: int, channels: int):
        super().__init__()
        self.stride, self.empty = channels // before, (channels - before) // 2
        self.conv1 = nn.Conv2d(before, channels, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        shortcut = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.empty, self.empty))
        return (shortcut + y).relu()


class CifarResNet(nn.Module):
    """Stages `layer1` to `layer3` of 16, 32 and 64 channels, a mean over places and `linear`, to ten classes.

    `blocks` stand in each stage, so 6 blocks + 2 layers have weights; shortcuts have none, "option A" of He et al.
    Convolutions start as theirs. Takes (images, 3, 32, 32), other sizes too.
    """

    def __init__(self, blocks: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(*(Block(channels if i else before, channels) for i in range(blocks)))
            for before, channels in ((16, 16), (16, 32), (32, 64))
        )
        self.linear = nn.Linear(64, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))
