#!/usr/bin/env python3
"""Times steps of our networks and of the same ones in PyTorch, in turn, and prints one table of ratios.

    pip install torch torchvision timm          # CPU builds serve
    cargo build --release --bin zoo
    python3 benches/peers/run.py [--only PART] [--rounds 3] [--steps 5] [--compile] [--raw FILE]

Each round runs some steps of ours (`zoo bench`, a process of its own) and then some of PyTorch's in both memory formats;
the medians over all rounds are compared, PyTorch's in its better format. Memory is what a process gains by the model and its
steps, at its peak; PyTorch's is that of a process of its own, `--memory`, in the same format. `--raw` appends a line of
JSON for each step, with the times of every round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# model, activation, batch, side, mode, the ratio asked for
WORK = [
    ("vgg16", "relu", 32, 32, "infer", 0.55),
    ("vgg16", "relu", 32, 32, "train", 0.55),
    ("vgg16", "pvlu", 32, 32, "finetune", 0.38),
    ("vgg19", "relu", 32, 32, "infer", 0.55),
    ("vgg19", "relu", 32, 32, "train", 0.55),
    ("vgg19", "pvlu", 32, 32, "finetune", 0.38),
    ("resnet50_v1_5", "relu", 32, 32, "infer", 0.80),
    ("resnet50_v1_5", "relu", 32, 32, "train", 0.65),
    ("resnet50_v1_5", "relu", 8, 224, "infer", 0.80),
    ("resnet50_v1_5", "relu", 8, 224, "train", 0.75),
    ("resnet101v2", "relu", 1, 224, "infer", 0.85),
    ("resnet101v2", "relu", 8, 224, "infer", 0.85),
    ("resnet152v2", "relu", 1, 224, "infer", 0.85),
    ("resnet152v2", "relu", 8, 224, "infer", 0.85),
    ("sequential6conv", "relu", 128, 32, "train", 0.50),
    ("cifar_resnet20", "relu", 128, 32, "train", 0.55),
]


def classes_of(model, side):
    if model == "sequential6conv":
        return 100
    return 10 if model.startswith("cifar") or (model.startswith("vgg") and side == 32) else 1000


class Peer:
    """A network of PyTorch's under one memory format."""

    def __init__(self, work, channels_last, compiled=False):
        import torch

        import models

        self.torch = torch
        model, activation, batch, side, self.mode, _ = work
        classes = classes_of(model, side)
        torch.manual_seed(0)
        kind = models.relu if activation == "relu" else models.Pvlu
        self.net = models.BUILDERS[model](side, classes, kind)
        self.images = torch.randn(batch, 3, side, side)
        if channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.labels = torch.arange(batch) % classes
        if self.mode == "finetune":
            for name, parameter in self.net.named_parameters():
                parameter.requires_grad_(name.endswith(("alpha", "beta")))
        # Fine-tuning runs on running statistics; of these networks only those with batch norm tell the difference.
        self.net.train(self.mode == "train")
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=0.9) if self.mode != "infer" else None
        self.run = torch.compile(self.net) if compiled else self.net

    def step(self):
        begin = time.perf_counter()
        if self.mode == "infer":
            with self.torch.inference_mode():
                self.run(self.images)
        else:
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.torch.nn.functional.cross_entropy(self.run(self.images), self.labels)
            loss.backward()
            self.optimizer.step()
        return 1e3 * (time.perf_counter() - begin)


def ours(zoo, work, steps, threads):
    model, activation, batch, side, mode, _ = work
    command = [zoo, "bench", "--model", model, "--activation", activation, "--batch-size", batch, "--image", side, "--mode", mode]
    command += ["--steps", steps, "--threads", threads, "--json"]
    found = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def peak_memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def memory_of(index, channels_last, threads):
    command = [sys.executable, __file__, "--memory", str(index), "--threads", str(threads)]
    found = subprocess.run(command + (["--channels-last"] if channels_last else []), capture_output=True, text=True)
    return int(found.stdout) if found.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only lines that contain this, such as 'vgg16 ' or 'train'")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile beside it; takes minutes")
    parser.add_argument("--zoo", default=str(ROOT / "target/release/zoo"))
    parser.add_argument("--raw", type=Path, help="file to append the times of every round to, a line of JSON a step")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    import torch

    torch.set_num_threads(args.threads)
    if args.memory is not None:
        import models  # noqa: F401  What the libraries take is not the step's.

        before = peak_memory()
        peer = Peer(WORK[args.memory], args.channels_last)
        for _ in range(3):
            peer.step()
        print(peak_memory() - before)
        return
    print(f"PyTorch {torch.__version__}, {args.threads} threads, {args.rounds} rounds of {args.steps} steps, medians\n")
    head = "| step | ours ms | PyTorch ms | format | ratio | asked | memory MB | PyTorch | ratio |"
    head += " compiled ms | ratio |" if args.compile else ""
    print(head + "\n|" + "---|" * head.count(" |"), flush=True)
    for index, work in enumerate(WORK):
        model, activation, batch, side, mode, asked = work
        name = f"{model} {activation} {side}x{side} batch {batch} {mode}"
        if args.only not in name:
            continue
        peers = {"planes": Peer(work, False), "channels last": Peer(work, True)}
        if args.compile:
            peers["compiled"] = Peer(work, True, compiled=True)
        times = {key: [] for key in ["ours", *peers]}
        memory = 0
        for peer in peers.values():
            peer.step()
            peer.step()
        for _ in range(args.rounds):
            found = ours(args.zoo, work, args.steps, args.threads)
            times["ours"].append(found["median_ms"])
            memory = max(memory, found["step_memory_bytes"] or 0)
            for key, peer in peers.items():
                times[key].append(statistics.median(peer.step() for _ in range(args.steps)))
        medians = {key: statistics.median(values) for key, values in times.items()}
        best = min(("planes", "channels last"), key=medians.get)
        theirs = memory_of(index, best == "channels last", args.threads)
        row = f"| {name} | {medians['ours']:.1f} | {medians[best]:.1f} | {best} | {medians['ours'] / medians[best]:.2f} | {asked:.2f} |"
        row += f" {memory / 1e6:.0f} | {theirs / 1e6:.0f} | {memory / theirs:.2f} |" if theirs else f" {memory / 1e6:.0f} | | |"
        if args.compile:
            row += f" {medians['compiled']:.1f} | {medians['ours'] / medians['compiled']:.2f} |"
        print(row, flush=True)
        if args.raw:
            raw = {"step": name, "steps": args.steps, "threads": args.threads, "torch": torch.__version__}
            raw |= {"round_ms": times, "memory_bytes": memory, "torch_memory_bytes": theirs}
            with args.raw.open("a") as file:
                file.write(json.dumps(raw) + "\n")


if __name__ == "__main__":
    main()
