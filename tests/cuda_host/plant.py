#!/usr/bin/env python3
"""Plants mistakes in the CUDA kernels, one at a time, and sees whether the tests of the operations catch each.

Prints a Markdown table, and exits with 1 if one survived. About half a minute each.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "src/kernel/cuda"

# What is wrong, in which file, and what is replaced by what.
MISTAKES = [
    ("the last elements are left out", "walk.cuh", "i = done + grid_thread(); i < len;", "i = done + grid_thread(); i + 1 < len;"),
    ("the image's number instead of the channel's", "walk.cuh",
     "plane - divide(plane, layout.channels) * layout.channels", "divide(plane, layout.channels)"),
    ("no barrier between writing and reading the sums of warps", "reduce.cuh",
     "__syncthreads();\n    if (threadIdx.x == 0) {\n        for (int k = 0; k < N; k++) {", "if (threadIdx.x == 0) {\n        for (int k = 0; k < N; k++) {"),
    ("the sum of the second warp is dropped", "reduce.cuh", "for (unsigned warp = 1; warp", "for (unsigned warp = 2; warp"),
    ("a slice is one element short", "reduce.cuh", "count : first + reduction.length};", "count : first + reduction.length - 1};"),
    ("the gradient of a parameter is replaced, not added to", "sums.cu", "T(double(to[channel]) + sum)", "T(sum)"),
    ("the gradient of the input is replaced, not added to", "common.cuh", "old.v[lane] + pack.v[lane]", "pack.v[lane]"),
    ("rows and columns of a kernel are swapped", "conv2d.cu", "const size_t tap = u * sizes.kernel + (column - out_column * sizes.stride);",
     "const size_t tap = (channel * sizes.kernel + (column - out_column * sizes.stride)) * sizes.kernel + (row - out_row * sizes.stride); (void)u;"),
    ("the row below the image is read", "conv2d.cu", "row < sizes.in_height && column >= 0", "row <= sizes.in_height && column >= 0"),
    ("channels instead of images in a stride", "conv2d.cu", "(channel * layout.outer + image)", "(channel * layout.channels + image)"),
    ("windows beyond the last one", "pool2d.cu", "last < count ? last : count - 1", "last"),
    ("no barrier after the mean of a sample", "batch_norm.cu", "= T(sample[0] / sample[1]);\n        __syncthreads();", "= T(sample[0] / sample[1]);"),
    ("the distance of two means is left out of their variance", "batch_norm.cu", " + delta * delta * (a.count * b.count / count)", ""),
    ("the gradient of the scale is replaced, not added to", "batch_norm.cu", "to.gamma[channel] += T(", "to.gamma[channel] = T("),
    ("no barrier before the sum of exponentials is read", "cross_entropy.cu", "__syncthreads();\n        const T factor", "const T factor"),
    ("half of the counters are used twice", "dropout.cu", "+ counter % COUNTERS;", "+ counter % (COUNTERS / 2);"),
    ("the stride is forgotten", "subsample.rs", "row * sizes.stride) * sizes.width", "row) * sizes.width"),
    ("the gradient of a subsampling is replaced, not added to", "subsample.rs", "mode == ADD ? grad_x[i] + gradient : gradient", "gradient"),
    ("a sum has its first term twice", "elementwise.cu", "load<WIDTH>(b, i)", "load<WIDTH>(a, i)"),
    ("images side by side instead of repeated columns", "upsample.rs", "divide(column, factor)]", "(column - divide(column, width) * width)]"),
    ("a window is summed column by column", "upsample.rs", "k * out_width + l]", "l * out_width + k]"),
    ("the gradient of an upsampling is replaced, not added to", "upsample.rs", "mode == ADD ? grad_x[i] + total : total", "total"),
    ("the first factor for all planes", "multiply.cu", "gate[plane]", "gate[plane * 0]"),
    ("one factor for all elements of a vector", "multiply.cu", "factors.v[lane]", "factors.v[0]"),
    ("the first element of a vector is left out of a sum of products", "multiply.cu",
     "lane = 0; lane < WIDTH; lane++) sums[0]", "lane = WIDTH > 1; lane < WIDTH; lane++) sums[0]"),
    ("a mean over one pixel too many", "pool2d.cu", "T(layout.inner)", "T(layout.inner + 1)"),
]


def caught(file, old, new):
    """Whether the tests fail with the mistake, and where."""
    with tempfile.TemporaryDirectory() as folder:
        kernels = pathlib.Path(folder, "kernels")
        shutil.copytree(KERNELS, kernels)
        text = (kernels / file).read_text()
        if text.count(old) != 1:
            sys.exit(f"{file}: expected {old!r} once, found it {text.count(old)} times")
        (kernels / file).write_text(text.replace(old, new))
        command = ["cargo", "test", "--locked", "--quiet", "--package", "pvlu_cuda_host", "--test", "operations"]
        run = subprocess.run(command, cwd=ROOT, env={**os.environ, "PVLU_CUDA_KERNELS": str(kernels)}, text=True, capture_output=True)
    if "running " not in run.stdout:
        sys.exit(f"{file}: the tests did not run:\n{run.stderr}")
    failed = sorted({line.split()[0] for line in run.stdout.splitlines() if line.startswith("    ") and not line.startswith("     ")})
    return failed if run.returncode != 0 else []


def main():
    print("| file | mistake | caught by |\n|---|---|---|")
    survived = 0
    for mistake, file, old, new in MISTAKES:
        failed = caught(file, old, new)
        survived += not failed
        shown = f"{len(failed)} tests, {failed[0]} first" if failed else "**nothing**"
        print(f"| `{file}` | {mistake} | {shown} |", flush=True)
    print(f"\n{len(MISTAKES) - survived} of {len(MISTAKES)} caught", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
