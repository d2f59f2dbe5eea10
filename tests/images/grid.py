"""Compares the pixels of `pvlu_zoo::image` with Pillow's over a grid of JPEG files, byte for byte.

    python tests/images/grid.py grid [--keep DIR]      every kind of JPEG file, 4,560
    python tests/images/grid.py damaged [--keep DIR]   1,500 damaged ones: the verdict, and the bytes of what both read
    python tests/images/grid.py cifar DIR              2,000 images of CIFAR-10's binary version as 4:2:0 files
    python tests/images/grid.py fixtures               writes tests/fixtures/images/jpeg, and Pillow's digests of it

From the root of the repository, with Pillow and numpy, and cjpeg and jpegtran of libjpeg-turbo (Debian:
libjpeg-turbo-progs). With --plain, the decoder that builds without the feature `jpeg-c` have; its differences are
counted and not judged. Exits with 1 if a file differs.
"""

import argparse
import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures/images"
sys.path.insert(0, str(FIXTURES))
from drawn import fnv, scene

# Sampling factors of the components, as cjpeg's -sample takes them.
SAMPLINGS = {
    "444": "1x1", "422": "2x1", "420": "2x2", "440": "1x2", "411": "4x1",
    # Odd ones: three to one, four rows to one, both, colors finer than the grey, factors that differ among colors.
    "31": "3x1", "14": "1x4", "13": "1x3", "42": "4x2",
    "fine": "1x1,2x2,2x2", "mixed": "2x2,2x1,1x2", "wide": "2x2,1x1,2x2",
}

# Scripts of scans, as jpegtran's -scans takes them, for three components.
SCANS = {
    "each": "0;\n1;\n2;\n",
    "chroma_first": "2;\n1;\n0;\n",
    "chroma_together": "1 2;\n0;\n",
    "spectral": "0 1 2: 0-0, 0, 1;\n0: 1-5, 0, 0;\n2: 1-63, 0, 0;\n1: 1-63, 0, 0;\n0: 6-63, 0, 0;\n0 1 2: 0-0, 1, 0;\n",
}

# What jpegtran makes of a file.
CODINGS = {
    "baseline": [],
    "optimized": ["-optimize"],
    "progressive": ["-progressive"],
    "each": ["-scans", "each"],
    "chroma_first": ["-scans", "chroma_first"],
    "chroma_together": ["-scans", "chroma_together"],
    "spectral": ["-scans", "spectral"],
    "restart1": ["-restart", "1B"],
    "restart3": ["-restart", "3B"],
    "restart_rows": ["-restart", "1"],
    "restart3_each": ["-restart", "3B", "-scans", "each"],
    "restart3_progressive": ["-restart", "3B", "-progressive"],
    "arithmetic": ["-arithmetic"],
    "arithmetic_progressive": ["-arithmetic", "-progressive"],
    "arithmetic_restart3": ["-arithmetic", "-restart", "3B"],
}

SIZES = [(1, 1), (2, 3), (5, 7), (9, 8), (13, 31), (17, 16),
         (31, 33), (40, 25), (63, 50), (75, 99), (99, 7), (100, 100)]


def call(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def ppm(pixels):
    return b"P6 %d %d 255\n" % pixels.shape[1::-1] + pixels.tobytes()


def segments(data):
    """The marker segments before the first scan, and the rest."""
    parts, at = [], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2:at + 4], "big")
        parts.append(data[at:end])
        at = end
    return parts, data[at:]


def marked(data, transform):
    """`data` with an Adobe marker of this transform, or without any marker that names the colors (None)."""
    parts, rest = segments(data)
    parts = [part for part in parts if part[1] not in (0xE0, 0xEE)]
    if transform is not None:
        parts.insert(0, b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform]))
    return data[:2] + b"".join(parts) + rest


class Maker:
    def __init__(self, folder):
        self.folder = folder
        for name, text in SCANS.items():
            (folder / f"{name}.scans").write_text(text)
        self.sources = {}

    def source(self, size, colors, sampling):
        key = (size, colors, sampling)
        if key not in self.sources:
            pixels = scene(*size, len(self.sources), noise=6)
            quality = [85, 30, 100, 5][len(self.sources) % 4]
            if colors == "cmyk":
                path = self.folder / "source.jpg"
                subsampling = ["444", "422", "420"].index(sampling)
                Image.fromarray(pixels).convert("CMYK").save(path, quality=quality, subsampling=subsampling)
                data = path.read_bytes()
                path.unlink()
            else:
                options = {"grey": ["-grayscale"], "rgb": ["-rgb"], "ycc": []}[colors]
                data = call(["cjpeg", "-quality", str(quality), *options, "-sample", SAMPLINGS[sampling]], ppm(pixels))
            self.sources[key] = data
        return self.sources[key]

    def file(self, size, colors, sampling, coding, transform="as written"):
        options = [str(self.folder / f"{option}.scans") if option in SCANS else option for option in CODINGS[coding]]
        data = call(["jpegtran", "-copy", "all", *options], self.source(size, colors, sampling))
        if transform != "as written":
            data = marked(data, transform)
        mark = "" if transform == "as written" else f"_{transform}"
        return f"{colors}{mark}_{sampling}_{coding}_{size[0]}x{size[1]}.jpg", data


def three_components(coding):
    return "-scans" in CODINGS[coding]


def grid(maker):
    for size, sampling, coding in itertools.product(SIZES, SAMPLINGS, CODINGS):
        yield maker.file(size, "ycc", sampling, coding)
    for size, coding in itertools.product(SIZES, CODINGS):
        for transform in (1, 0, None):
            yield maker.file(size, "ycc", "420", coding, transform)
        for sampling, transform in (("444", "as written"), ("444", None), ("420", "as written")):
            yield maker.file(size, "rgb", sampling, coding, transform)
        if not three_components(coding):
            yield maker.file(size, "grey", "444", coding)
            for sampling, transform in itertools.product(("444", "422", "420"), (0, 2, None)):
                yield maker.file(size, "cmyk", sampling, coding, transform)


def damaged(maker):
    rng = random.Random(1)
    kinds = [("ycc", s, c) for s in ("444", "420", "440") for c in CODINGS]
    kinds += [("grey", "444", "baseline"), ("cmyk", "420", "progressive")]
    for index in range(1500):
        name, data = maker.file((41, 37), *rng.choice(kinds))
        data = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 4))):
            # Mostly among the coefficients: the headers are refused as a rule.
            at = rng.randrange(len(data)) if rng.random() < 0.3 else rng.randrange(len(data) // 2, len(data))
            match rng.randrange(6):
                case 0: data[at] ^= 1 << rng.randrange(8)
                case 1: data[at] = rng.randrange(256)
                case 2: del data[at:]
                case 3: del data[at:at + rng.randrange(1, 40)]
                case 4: data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 10)))
                case 5: data[at:at] = b"\xff" + bytes([rng.choice((0xD0, 0xD3, 0xD9, 0xDA, 0xC4, 0xDD, 0xE1, 0x00))])
        yield f"{index}_{name}", bytes(data)


def cifar(folder):
    raw = np.fromfile(folder / "test_batch.bin", np.uint8).reshape(-1, 3073)[:2000, 1:].reshape(-1, 3, 32, 32)
    with tempfile.TemporaryDirectory() as out:
        path = pathlib.Path(out, "image.jpg")
        for index, image in enumerate(raw):
            Image.fromarray(image.transpose(1, 2, 0)).save(path, subsampling="4:2:0")
            yield f"cifar_{index}.jpg", path.read_bytes()


def pillows(path):
    try:
        image = Image.open(path).convert("RGB")
        return image.size, image.tobytes()
    except Exception as error:
        return None, str(error)


def compare(files, folder, plain):
    paths = []
    for name, data in files:
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    command = ["cargo", "run", "--quiet", "--locked", "--package", "pvlu_zoo", "--example", "decode"]
    command += [] if plain else ["--features", "jpeg-c"]
    with tempfile.TemporaryDirectory() as out:
        text = "".join(f"{path.resolve()}\n" for path in paths)
        run = subprocess.run([*command, out], input=text, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        lines = run.stdout.splitlines()
        assert len(lines) == len(paths)
        kinds = ["equal", "refused by both", "refused here alone", "refused by Pillow alone", "different"]
        counts = dict.fromkeys(kinds, 0)
        for index, (path, line) in enumerate(zip(paths, lines)):
            size, theirs = pillows(path)
            ours = None if line.startswith("refused") else tuple(map(int, line.split()))
            if ours is None or size is None:
                kind = "refused here alone" if ours is None else "refused by Pillow alone"
                kind = "refused by both" if ours == size else kind
                detail = f"{line} | {theirs if size is None else ''}"
            else:
                values = pathlib.Path(out, f"{index}.rgb").read_bytes()
                kind, detail = "equal", ""
                if ours != size or values != theirs:
                    kind, a, b = "different", np.frombuffer(values, np.uint8), np.frombuffer(theirs, np.uint8)
                    apart = np.abs(a.astype(int) - b) if ours == size else np.array([255])
                    detail = f"at most {apart.max()}, mean {apart.mean():.2f}"
            counts[kind] += 1
            if kind in ("different", "refused here alone", "refused by Pillow alone"):
                print(f"{kind}: {path.name}: {detail}")
    print(f"{len(paths)} files: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return counts["equal"] + counts["refused by both"] == len(paths)


def fixtures(maker):
    """A file or more for each value along each axis of the grid."""
    out = FIXTURES / "jpeg"
    out.mkdir(exist_ok=True)
    files = [maker.file((31, 33), "ycc", sampling, "baseline") for sampling in SAMPLINGS]
    files += [maker.file((21, 19), "ycc", "420", coding) for coding in CODINGS if coding != "baseline"]
    for sampling, coding in itertools.product(("444", "422", "440"), ("each", "restart3_each")):
        files.append(maker.file((21, 19), "ycc", sampling, coding))
    files += [maker.file((21, 19), "ycc", "420", "baseline", transform) for transform in (1, 0, None)]
    files += [maker.file((13, 31), "rgb", "444", "baseline"), maker.file((13, 31), "rgb", "444", "progressive", None)]
    files += [maker.file((13, 31), "grey", "444", coding) for coding in ("baseline", "progressive", "arithmetic")]
    files += [maker.file((13, 31), "cmyk", "444", "baseline", transform) for transform in (0, 2, None)]
    files += [maker.file((13, 31), "cmyk", "420", "progressive", transform) for transform in (0, 2)]
    files += [maker.file((1, 1), "ycc", "420", "baseline"), maker.file((100, 2), "ycc", "411", "progressive")]
    with open(out.parent / "jpeg.txt", "w") as digests:
        for name, data in sorted(files):
            (out / name).write_bytes(data)
            (width, height), values = pillows(out / name)
            print(f"jpeg/{name}", width, height, fnv(values), file=digests)
    print(f"{len(files)} files of {sum(len(data) for _, data in files)} bytes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["grid", "damaged", "cifar", "fixtures"])
    parser.add_argument("data", nargs="?", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    if args.what == "damaged":
        # Coefficients that no encoder writes overflow in Pillow's vector code in another way than in the C code that it
        # stands for.
        os.environ["JSIMD_FORCENONE"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        maker = Maker(pathlib.Path(scratch))
        if args.what == "fixtures":
            return fixtures(maker)
        folder = args.keep or pathlib.Path(scratch, "files")
        folder.mkdir(exist_ok=True)
        files = {"grid": grid, "damaged": damaged, "cifar": lambda _: cifar(args.data)}[args.what](maker)
        equal = compare(files, folder, args.plain)
        sys.exit(0 if equal or args.plain else 1)


if __name__ == "__main__":
    main()
