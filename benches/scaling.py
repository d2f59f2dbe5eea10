#!/usr/bin/env python3
"""Times steps over batch sizes, image sizes and threads, and writes a table and a plot.

    pip install matplotlib
    cargo build --release --bin zoo
    python3 benches/scaling.py [--out benches/scaling.svg]

Each point is the median of some steps of `zoo bench`; the points of a line are taken in turn over the rounds.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Title, model, the sizes of batch and image, what varies.
LINES = [
    ("cifar_resnet20, 32x32", "cifar_resnet20", [(batch, 32) for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256)], "batch"),
    ("resnet50_v1_5, batch 4", "resnet50_v1_5", [(4, side) for side in (32, 64, 96, 128, 160, 192, 224)], "image"),
]
MODES = ("infer", "train")


def step(zoo, model, size, mode, threads, steps):
    batch, side = size
    command = [zoo, "bench", "--model", model, "--batch-size", batch, "--image", side, "--mode", mode]
    command += ["--threads", threads, "--steps", steps, "--json"]
    found = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    found = json.loads(found.stdout)
    return found["median_ms"] / batch, found["gflops"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", default=str(ROOT / "target/release/zoo"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--out", default=str(ROOT / "benches/scaling.svg"))
    args = parser.parse_args()

    import matplotlib

    matplotlib.use("svg")
    # So that the same numbers give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "scaling"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(LINES), figsize=(11, 4.2))
    for axis, (title, model, sizes, varies) in zip(axes, LINES):
        keys = [(size, mode, threads) for size in sizes for mode in MODES for threads in (1, 2)]
        found = {key: [] for key in keys}
        for _ in range(args.rounds):
            for size, mode, threads in keys:
                found[size, mode, threads].append(step(args.zoo, model, size, mode, threads, args.steps))
        middle = {key: [statistics.median(column) for column in zip(*values)] for key, values in found.items()}
        at = 0 if varies == "batch" else 1
        print(f"{title}: ms an image (GFLOP/s of plain convolutions)\n")
        columns = [(mode, threads) for mode in MODES for threads in (1, 2)]
        head = [varies] + [f"{mode}, {threads} thread{'s'[: threads - 1]}" for mode, threads in columns]
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for size in sizes:
            cells = [middle[size, mode, threads] for mode, threads in columns]
            print(f"| {size[at]} | " + " | ".join(f"{ms:.2f} ({rate:.0f})" for ms, rate in cells) + " |")
        print(flush=True)
        for (mode, threads), marker, style in zip(columns, "osv^", ("--", "-", "--", "-")):
            points = [middle[size, mode, threads][0] for size in sizes]
            axis.plot([size[at] for size in sizes], points, style, marker=marker, label=f"{mode}, {threads} threads")
        axis.set(title=title, xlabel="images in a step" if varies == "batch" else "side of the image, pixels")
        axis.set(ylabel="ms an image", yscale="log")
        if varies == "batch":
            axis.set_xscale("log", base=2)
        axis.grid(True, which="both", alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(args.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
