#!/usr/bin/env python3
"""Times the steps of `run.py` in two builds of `zoo`, in turn, and prints the ratio of their medians.

    python3 benches/peers/versions.py OLD NEW [--only PART] [--rounds 7] [--steps 3] [--simd avx2] [--csv FILE]

A round runs the old build, the new one and the old one again, each a process of its own. `new / old` is the median over
all rounds of the new build over that of the old; `old / old` is the median of its second runs over that of its first:
what the same build differs from itself by. `PVLU_SIMD` is set to `--simd` for both.
"""

import argparse
import csv
import os
import statistics
from pathlib import Path

from run import WORK, ours


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", default="", help="only lines that contain this, such as 'vgg16 ' or 'train'")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--simd", help="instruction set of both builds; without it the widest")
    parser.add_argument("--csv", type=Path, help="every time measured, a row for each process")
    args = parser.parse_args()
    if args.simd:
        os.environ["PVLU_SIMD"] = args.simd
    rows = []
    print("| step | old ms | new ms | new / old | old / old |\n|---|---|---|---|---|", flush=True)
    for work in WORK:
        model, activation, batch, side, mode, _ = work
        name = f"{model} {activation} {batch} x {side} {mode}"
        if args.only not in name:
            continue
        times = {"old": [], "new": [], "old again": []}
        for turn in range(args.rounds):
            for who, program in (("old", args.old), ("new", args.new), ("old again", args.old)):
                times[who].append(ours(program.resolve(), work, args.steps, args.threads)["median_ms"])
                rows.append((name, args.simd or "widest", turn, who, times[who][-1]))
        old = statistics.median(times["old"] + times["old again"])
        new = statistics.median(times["new"])
        again = statistics.median(times["old again"]) / statistics.median(times["old"])
        print(f"| {name} | {old:.1f} | {new:.1f} | {new / old:.3f} | {again:.3f} |", flush=True)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("step", "simd", "round", "build", "milliseconds"))
            writer.writerows(rows)


if __name__ == "__main__":
    main()
