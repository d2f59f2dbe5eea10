"""Trains the network of `model.py` on given batches, as PyTorch does: with one thread, two, and in double precision.

    python run_torch.py OPTIMIZER RATE

Reads `model.safetensors` (the first weights), `batches.safetensors` (`images`, `labels`, of `steps` equal batches) and
`ours.safetensors` (the weights that are to be compared). Prints JSON: the losses of each step of the three; and the
largest difference of a parameter of ours to those of one thread and of double precision, and between these.
"""

import json
import math
import sys

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

import model as exported


def train(name, rate, threads, dtype=torch.float32):
    torch.set_num_threads(threads)
    batches = load_file("batches.safetensors")
    steps = int(batches["steps"][0])
    images, labels = batches["images"].to(dtype).chunk(steps), batches["labels"].long().chunk(steps)
    network = exported.network()
    network.load_state_dict(load_file("model.safetensors"), strict=True)
    network.to(dtype).train()
    # Weights of convolutions and linear layers decay, and nothing else.
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": 5e-4},
        {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    if name == "sgd":
        optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(groups, lr=rate)
    cosine = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    losses = []
    for x, y in zip(images, labels):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        cosine.step()
        losses.append(loss.item())
    return losses, network.state_dict()


def distance(one, other):
    """The largest difference of a parameter or running statistic."""
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one if name in other)


def main():
    name, rate = sys.argv[1], float(sys.argv[2])
    (losses, one), (losses_of_two, two) = train(name, rate, 1), train(name, rate, 2)
    losses_of_exact, exact = train(name, rate, 2, torch.float64)
    ours = load_file("ours.safetensors")
    missing = [name for name in one if name not in ours and not name.endswith("num_batches_tracked")]
    assert not missing, missing
    print(json.dumps({
        "torch": torch.__version__,
        "one": losses,
        "two": losses_of_two,
        "exact": losses_of_exact,
        "ours": distance(one, ours),
        "threads": distance(one, two),
        "ours_exact": distance(exact, ours),
        "one_exact": distance(exact, one),
        "two_exact": distance(exact, two),
    }))


main()
