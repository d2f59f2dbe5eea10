"""The networks of the zoo in PyTorch, for timing them beside ours. Weights are random: a step takes the same time."""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F


class Pvlu(nn.Module):
    """max(0, x) + alpha sin(beta x), one pair for each channel, composed of PyTorch's operations."""

    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return F.relu(x) + self.alpha.view(shape) * torch.sin(self.beta.view(shape) * x)


class SmallVgg(nn.Module):
    """The trunk of torchvision's VGG and the head for 32x32 images."""

    def __init__(self, trunk, classes, activation):
        super().__init__()
        self.trunk = trunk
        self.head = nn.Sequential(nn.Linear(512, 512), activation(512), nn.Linear(512, classes))

    def forward(self, x):
        return self.head(torch.flatten(self.trunk(x), 1))


def relu(_channels):
    return nn.ReLU(inplace=True)


def with_activation(module, activation, channels=3):
    """Replaces every ReLU, told the channels of the convolution, norm or linear layer before it."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, activation(channels))
        else:
            channels = with_activation(child, activation, channels)
            channels = getattr(child, "out_channels", getattr(child, "out_features", channels))
    return channels


def vgg(depth, batch_norm=False):
    def build(side, classes, activation):
        if side == 32:
            # Without the head for large images, whose weights alone would take half a gigabyte.
            features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs[{16: "D", 19: "E"}[depth]], batch_norm)
            model = SmallVgg(features, classes, activation)
        else:
            model = getattr(torchvision.models, f"vgg{depth}" + ("_bn" if batch_norm else ""))(num_classes=classes)
        if activation is not relu:
            with_activation(model, activation)
        return model

    return build


def torchvision_resnet(name):
    def build(_side, classes, activation):
        if activation is not relu:
            raise ValueError("torchvision's blocks share one ReLU between sites")
        return getattr(torchvision.models, name)(num_classes=classes)

    return build


def timm_model(name):
    def build(_side, classes, _activation):
        import timm

        return timm.create_model(name, num_classes=classes)

    return build


def six_convolutions(_side, classes, activation):
    layers, channels = [], 3
    for width in (32, 64, 128):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1), activation(width)]
            channels = width
        layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
    layers += [nn.Flatten(), nn.Linear(2048, 512), activation(512), nn.Dropout(0.5), nn.Linear(512, classes)]
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, inputs, width, activation):
        super().__init__()
        stride = 1 if inputs == width else 2
        self.more = width - inputs
        self.stride = stride
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.act1, self.act2 = activation(width), activation(width)

    def forward(self, x):
        y = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return self.act2(y + x)


def cifar_resnet(blocks):
    def build(_side, classes, activation):
        layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), activation(16)]
        channels = 16
        for width in (16, 32, 64):
            for _ in range(blocks):
                layers.append(Block(channels, width, activation))
                channels = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))

    return build


BUILDERS = {
    "vgg16": vgg(16),
    "vgg19": vgg(19),
    "vgg16_bn": vgg(16, True),
    "resnet50_v1_5": torchvision_resnet("resnet50"),
    "resnet101_v1_5": torchvision_resnet("resnet101"),
    "resnet50v2": timm_model("resnetv2_50"),
    "resnet101v2": timm_model("resnetv2_101"),
    "resnet152v2": timm_model("resnetv2_152"),
    "sequential6conv": six_convolutions,
    "cifar_resnet20": cifar_resnet(3),
    "cifar_resnet56": cifar_resnet(9),
}
