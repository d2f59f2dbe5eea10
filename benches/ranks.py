#!/usr/bin/env python3
"""Estimates how much faster one training is on several machines, from the time of a step on one of them.

    zoo bench --model resnet152v2 --activation pvlu --batch-size 8 --mode finetune
    python3 benches/ranks.py --step 0.9 --images 8 --batch 128 --parameters 143744

`--step` is the measured time of a step in seconds, `--images` the images in it, `--batch` those in a step of the training;
`--parameters` are those that are trained, `--channels` those of batch norms with statistics of the batch, in
`--batch-norms` layers. The model, with R machines of one rank each:

- computing takes batch / images x step / R: shards are computed as fast as the measured step, and none waits;
- gradients take 8 parameters (R - 1) / R bytes, and batch norms 32 channels (R - 1), at the rate of the network, at which
  each machine sends and receives at once;
- gradients are exchanged while a share `--hidden` of the computing goes on: 0.6 is what was measured for ResNet-50, whose
  last layers, the first on the way back, have most of the parameters;
- each of 2 exchanges a batch norm, and of some 8 a step, takes a round trip of --latency.
"""

import argparse

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--step", type=float, required=True, help="seconds of a measured step")
parser.add_argument("--images", type=int, required=True, help="images in the measured step")
parser.add_argument("--batch", type=int, required=True, help="images in a step of the training")
parser.add_argument("--parameters", type=int, required=True, help="trained parameters")
parser.add_argument("--channels", type=int, default=0, help="channels of batch norms with statistics of the batch")
parser.add_argument("--batch-norms", type=int, default=0, help="layers that these are in")
parser.add_argument("--hidden", type=float, default=0.6, help="share of computing while which gradients are exchanged")
parser.add_argument("--latency", type=float, default=30e-6, help="seconds of a message there and back")
parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8, 16])
parser.add_argument("--gigabits", type=float, nargs="+", default=[1, 10, 100], help="rates of the network")
args = parser.parse_args()

alone = args.batch / args.images * args.step
rates = " | ".join(f"{rate:g} Gbit/s" for rate in args.gigabits)
print(f"| machines | bytes sent a step | {rates} |")
print("|---" * (2 + len(args.gigabits)) + "|")
for ranks in args.ranks:
    gradients = 8 * args.parameters * (ranks - 1) / ranks
    sums = 32 * args.channels * (ranks - 1)
    waiting = (2 * args.batch_norms + 8) * args.latency
    speedups = []
    for rate in args.gigabits:
        of_gradients, of_sums = (sent * 8 / (rate * 1e9) for sent in (gradients, sums))
        left = max(0, of_gradients - args.hidden * alone / ranks)
        speedups.append(alone / (alone / ranks + left + of_sums + waiting))
    sent = (gradients + sums) / 1e6
    print(f"| {ranks} | {sent:.1f} MB | " + " | ".join(f"{speedup:.1f}" for speedup in speedups) + " |")
