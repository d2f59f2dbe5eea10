#!/usr/bin/env python3
"""Times networks that are compiled for inference, here and in onnxruntime and OpenVINO, in turn, and prints ratios.

    pip install numpy onnxruntime openvino
    cargo build --release --bin zoo
    python3 benches/peers/inference.py [--only PART] [--rounds 5] [--steps 7] [--raw FILE]

`zoo bench --onnx` writes each network, batch norms folded, for the others. A round runs some steps of the network itself
and of ours compiled (`zoo bench`, a process each), and then of each peer, a process each too, in f32 and with as many
threads; the medians over all rounds are compared, ours with that of the better peer. `--raw` appends a line of JSON for
each step, with the times of every round.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# model, activation, batch, side, the ratio asked for
WORK = [
    ("resnet50_v1_5", "relu", 1, 224, 1.0),
    ("resnet50_v1_5", "relu", 8, 224, 0.95),
    ("resnet101v2", "relu", 1, 224, 1.0),
    ("resnet101v2", "relu", 8, 224, 1.0),
    ("resnet152v2", "relu", 1, 224, 1.0),
    ("resnet152v2", "relu", 8, 224, 1.0),
    ("resnet50_v1_5", "relu", 32, 32, 0.75),
    ("vgg16", "relu", 32, 32, 0.45),
    ("cifar_resnet20", "relu", 128, 32, 0.75),
    ("resnet50_v1_5", "pvlu", 1, 224, 0.75),
    ("resnet50_v1_5", "pvlu", 8, 224, 0.75),
    ("vgg16", "pvlu", 32, 32, 0.75),
    ("cifar_resnet20", "pvlu", 128, 32, 0.75),
]
PEERS = ["onnxruntime", "openvino"]


def runner(peer, path, shape, threads):
    """A function that runs a file in a peer."""
    import numpy

    images = numpy.random.default_rng(0).standard_normal(shape).astype(numpy.float32)
    if peer == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"input": images})
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    model.reshape(list(shape))
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer({0: images})


def peer_times(arguments):
    """Prints the times of a peer's steps, in milliseconds, as JSON: the work of a process of its own."""
    peer, path, batch, side, threads, steps = arguments
    run = runner(peer, path, (int(batch), 3, int(side), int(side)), int(threads))
    times = []
    for step in range(int(steps) + 2):
        begin = time.perf_counter()
        run()
        if step >= 2:
            times.append(1e3 * (time.perf_counter() - begin))
    print(json.dumps(times))


def ours(args, work, mode, extra=()):
    model, activation, batch, side, _ = work
    command = [args.zoo, "bench", "--model", model, "--activation", activation, "--batch-size", batch, "--image", side]
    command += ["--mode", mode, "--steps", args.steps, "--threads", args.threads, "--json", *extra]
    found = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def peers(args, work, path):
    _, _, batch, side, _ = work
    for peer in PEERS:
        command = [sys.executable, __file__, "--peer", peer, path, batch, side, args.threads, args.steps]
        found = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
        yield peer, statistics.median(json.loads(found.stdout))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only lines that contain this, such as 'vgg16 ' or 'pvlu'")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--zoo", default=str(ROOT / "target/release/zoo"))
    parser.add_argument("--raw", type=Path, help="file to append the times of every round to, a line of JSON a step")
    parser.add_argument("--peer", nargs=6, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer_times(args.peer)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["step", "network ms", "ours ms", *(f"{peer} ms" for peer in PEERS), "best peer ms", "ratio", "asked"])
    for work in WORK:
        model, activation, batch, side, asked = work
        step = f"{model} {activation} {side}x{side} batch {batch}"
        if args.only not in step:
            continue
        rounds = {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            for number in range(args.rounds):
                extra = ["--onnx", path] if number == 0 else []
                found = [(mode, ours(args, work, mode, extra)["median_ms"]) for mode in ("infer", "compiled")]
                for name, milliseconds in [*found, *peers(args, work, path)]:
                    rounds.setdefault(name, []).append(milliseconds)
        medians = {name: statistics.median(times) for name, times in rounds.items()}
        best = min(medians[peer] for peer in PEERS)
        ratio = medians["compiled"] / best
        row = [*(medians[name] for name in ("infer", "compiled", *PEERS)), best]
        writer.writerow([step, *(f"{value:.1f}" for value in row), f"{ratio:.2f}", f"{asked:.2f}"])
        sys.stdout.flush()
        if args.raw:
            with args.raw.open("a") as raw:
                raw.write(json.dumps({"step": step, "threads": args.threads, "ms": rounds}) + "\n")
    return None


if __name__ == "__main__":
    main()
