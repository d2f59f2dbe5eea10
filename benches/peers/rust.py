#!/usr/bin/env python3
"""Times steps of ours, of candle and of plain dfdx operations, in turn, and prints one table of ratios.

    cargo build --release --bin zoo
    cargo bench -p pvlu --bench layers --no-run
    cargo build --release --manifest-path benches/peers/candle/Cargo.toml
    python3 benches/peers/rust.py [--rounds 3] [--steps 5]

Medians over the rounds. dfdx has no convolution on stable Rust, so that only PVLU can be composed of its operations. candle's
SGD has no momentum; ours has.
"""

import argparse
import os
import re
import statistics
import subprocess
from pathlib import Path

from run import WORK, ours

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("sequential6conv", "cifar_resnet20")
# Ours, candle's name, dfdx's.
PVLU = {
    "PVLU on 64x64x32x32, forward": ("layer forward", "pvlu_forward", "dfdx composed forward"),
    "PVLU on 64x64x32x32, forward and backward": ("layer forward + backward", "pvlu_both", "dfdx composed forward + backward"),
}


def output(*command):
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--zoo", default=str(ROOT / "target/release/zoo"))
    parser.add_argument("--candle", default=str(ROOT / "benches/peers/candle/target/release/pvlu_peer_candle"))
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)

    times = {}
    add = lambda name, who, ms: times.setdefault(name, {}).setdefault(who, []).append(ms)  # noqa: E731
    for _ in range(args.rounds):
        for work in (work for work in WORK if work[0] in NETWORKS):
            name = f"{work[0]}, training step, batch {work[2]}"
            add(name, "ours", ours(args.zoo, work, args.steps, args.threads)["median_ms"])
            add(name, "candle", float(output(args.candle, work[0], args.steps)))
        layers = output("cargo", "bench", "-q", "-p", "pvlu", "--bench", "layers")
        for name, (own, candle, dfdx) in PVLU.items():
            for who, line in (("ours", own), ("dfdx", dfdx)):
                add(name, who, float(re.search(rf"^{re.escape(line)} +([\d.]+) ms", layers, re.M)[1]))
            add(name, "candle", float(output(args.candle, candle, args.steps)))
    print(f"{args.threads} threads, {args.rounds} rounds, medians\n")
    print("| | ours ms | candle ms | ratio | dfdx ms | ratio |\n|---|---|---|---|---|---|")
    for name, found in times.items():
        own, *theirs = (statistics.median(found[who]) if who in found else None for who in ("ours", "candle", "dfdx"))
        cells = "".join(f" {ms:.1f} | {own / ms:.2f} |" if ms else " | |" for ms in theirs)
        print(f"| {name} | {own:.1f} |{cells}")


if __name__ == "__main__":
    main()
