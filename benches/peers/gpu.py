#!/usr/bin/env python3
"""Times in PyTorch what `tests/cuda_host/device.sh` times here, on the same GPU, and prints a table.

    python3 benches/peers/gpu.py

Everything is `f32`; factors are not rounded to TF32.
"""

import statistics
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from models import Pvlu

RUNS = 21


def median(work):
    """The median of the milliseconds that a piece of work takes on the GPU, after two runs that do not count."""
    times = []
    for run in range(RUNS + 2):
        begin = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if run >= 2:
            times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


class Bottleneck(torchvision.models.resnet.Bottleneck):
    """torchvision's block with a PVLU at each of its three sites."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.relu
        self.act1, self.act2, self.act3 = (Pvlu(bn.num_features) for bn in (self.bn1, self.bn2, self.bn3))

    def forward(self, x):
        y = self.act1(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.act2(self.bn2(self.conv2(y)))))
        return self.act3(y + (x if self.downsample is None else self.downsample(x)))


def resnet50(pvlu):
    if not pvlu:
        return torchvision.models.resnet50(weights=None)
    net = torchvision.models.resnet.ResNet(Bottleneck, [3, 4, 6, 3])
    net.relu = Pvlu(64)
    return net


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}\n")
    print("| what | median ms |\n|---|---|")

    def row(what, work):
        print(f"| {what} | {median(work):.3f} |")

    x = torch.randn(64, 64, 112, 112, device="cuda")
    copied = torch.empty_like(x)
    row(f"copy of {x.nbytes / 1e6:.0f} MB", lambda: copied.copy_(x))
    layer = Pvlu(64).cuda()
    layer.alpha.data.fill_(0.5)
    compiled = torch.compile(layer)
    with torch.no_grad():
        row("PVLU forward", lambda: layer(x))
        row("PVLU forward, torch.compile", lambda: compiled(x))
    tracked = x.clone().requires_grad_()

    def both(of):
        tracked.grad = None
        layer.zero_grad(set_to_none=True)
        of(tracked).backward(x)

    row("PVLU forward and backward", lambda: both(layer))
    row("PVLU forward and backward, torch.compile", lambda: both(compiled))
    images = torch.randn(32, 3, 224, 224, device="cuda")
    labels = torch.arange(32, device="cuda") * 31 % 1000
    for pvlu in False, True:
        net = resnet50(pvlu).cuda().train()

        def step(of):
            net.zero_grad(set_to_none=True)
            F.cross_entropy(of(images), labels).backward()

        what = f"ResNet-50 training step, 32 of 224 x 224, {'PVLU' if pvlu else 'ReLU'}"
        row(what, lambda: step(net))
        row(f"{what}, torch.compile", lambda faster=torch.compile(net): step(faster))


if __name__ == "__main__":
    main()
