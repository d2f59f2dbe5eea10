#!/usr/bin/env python3
"""Times PVLU on 64x64x32x32 `f32` here and in PyTorch, eager and compiled, in turn, and prints one table.

    cargo bench -p pvlu --bench layers --no-run
    python3 benches/peers/pvlu.py [--rounds 5]

Each round runs our bench (`layers`, which also copies a tensor) and then PyTorch; the medians over the rounds are compared.
"""

import argparse
import re
import statistics
import subprocess
import time
from pathlib import Path

import torch

from models import Pvlu

ROOT = Path(__file__).resolve().parents[2]
LINES = {"copy": "copy, two threads", "forward": "layer forward", "both": "layer in a network, both passes"}
BYTES = 2 * 64 * 64 * 32 * 32 * 4


def ours():
    command = ["cargo", "bench", "-q", "-p", "pvlu", "--bench", "layers"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    pattern = r"^{} +([\d.]+) ms"
    return {key: float(re.search(pattern.format(re.escape(line)), found, re.M)[1]) for key, line in LINES.items()}


def measure(layer, x, steps=15):
    """Medians of the forward pass alone and of both passes."""
    grad_output = torch.ones_like(x)
    times = {"forward": [], "both": []}
    for step in range(steps + 3):
        begin = time.perf_counter()
        with torch.inference_mode():
            layer(x)
        middle = time.perf_counter()
        tracked = x.requires_grad_(True)
        tracked.grad = None
        layer(tracked).backward(grad_output)
        end = time.perf_counter()
        x.requires_grad_(False)
        if step >= 3:
            times["forward"].append(1e3 * (middle - begin))
            times["both"].append(1e3 * (end - middle))
    return {key: statistics.median(values) for key, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    layer = Pvlu(64)
    layer.alpha.data.fill_(0.5)
    x = torch.randn(64, 64, 32, 32)
    peers = {"eager": layer, "compiled": torch.compile(layer)}
    rounds = []
    for _ in range(args.rounds):
        found = {"ours": ours()}
        found |= {name: measure(peer, x) for name, peer in peers.items()}
        rounds.append(found)
    middle = lambda who, what: statistics.median(one[who][what] for one in rounds)  # noqa: E731
    print(f"PyTorch {torch.__version__}, 2 threads, {args.rounds} rounds, medians\n")
    print("| PVLU on 64x64x32x32 | ours ms | eager ms | ratio | compiled ms | ratio |\n|---|---|---|---|---|---|")
    for what, name in (("forward", "forward"), ("both", "forward and backward")):
        own, eager, compiled = (middle(who, what) for who in ("ours", "eager", "compiled"))
        print(f"| {name} | {own:.2f} | {eager:.2f} | {own / eager:.2f} | {compiled:.2f} | {own / compiled:.2f} |")
    copy = middle("ours", "copy")
    share = statistics.median(one["ours"]["copy"] / one["ours"]["forward"] for one in rounds)
    print(f"\ncopy {copy:.2f} ms ({BYTES / copy / 1e6:.1f} GB/s); our forward pass at {100 * share:.0f} % of its bandwidth")


if __name__ == "__main__":
    main()
