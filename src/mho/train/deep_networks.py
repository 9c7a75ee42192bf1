"""Deep convolutional networks for images of 32 x 32 pixels, as wide as asked for."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from mho.errors import ConfigError

Shape = tuple[int, int, int]
"""Channels, height and width of one image."""

VGG_16 = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
"""Outputs of the convolutions between two poolings, in units of the width."""
WIDTH = 64


def vgg_16(shape: Shape, classes: int, width: int = WIDTH) -> nn.Sequential:
    """Return VGG-16 with BatchNorm: thirteen 3x3 convolutions, three layers of 8 x width, 8 x width and `classes`.

    width: outputs of the first convolution. With 64 and images of 3x32x32 it has 15.3 million weights.
    Raises ConfigError for images that five poolings leave nothing of. Source: Simonyan & Zisserman, arXiv 1409.1556,
    configuration D; BatchNorm and the small last layers are usual for CIFAR-10.
    """
    channels, *size = shape
    left = [n // 32 for n in size]
    if min(left) < 1:
        raise ConfigError(
            f"network 'vgg-16' was asked for on images of {size[0]}x{size[1]}, but its five poolings need at least "
            "32x32; use --network lenet-5, or larger images such as --data cifar10"
        )
    layers: dict[str, nn.Module] = {}
    for block, units in enumerate(VGG_16, 1):
        for n, unit in enumerate(units, 1):
            layers[f"conv{block}_{n}"] = nn.Conv2d(channels, unit * width, 3, padding=1)
            layers[f"norm{block}_{n}"] = nn.BatchNorm2d(unit * width)
            layers[f"relu{block}_{n}"] = nn.ReLU()
            channels = unit * width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    inputs = channels * left[0] * left[1]
    for n in (1, 2):
        layers[f"fc{n}"] = nn.Linear(inputs, 8 * width)
        layers[f"fc_relu{n}"] = nn.ReLU()
        inputs = 8 * width
    layers["fc3"] = nn.Linear(inputs, classes)
    return nn.Sequential(OrderedDict(layers))


class Residual(nn.Module):
    """Two 3x3 convolutions with BatchNorm, added to their input; a 1x1 convolution where the sizes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's outputs, (batch, outputs, height / stride, width / stride)."""
        out = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(out + self.shortcut(x))


def resnet_18(shape: Shape, classes: int, width: int = WIDTH) -> nn.Sequential:
    """Return ResNet-18 with the stem for small images: one 3x3 convolution and no pooling before the blocks.

    width: outputs of the stem. With 64 and images of 3x32x32 it has 11.2 million weights. Source: He et al., CVPR 2016.
    """
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(shape[0], width, 3, padding=1, bias=False), "norm1": nn.BatchNorm2d(width),
        "relu1": nn.ReLU(),
    }  # fmt: skip
    inputs = width
    for stage in range(4):
        outputs = width * 2**stage
        layers[f"block{stage + 1}_1"] = Residual(inputs, outputs, 1 if stage == 0 else 2)
        layers[f"block{stage + 1}_2"] = Residual(outputs, outputs, 1)
        inputs = outputs
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(inputs, classes)}
    return nn.Sequential(OrderedDict(layers))
