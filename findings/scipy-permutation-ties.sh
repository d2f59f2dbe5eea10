#!/usr/bin/env bash
# SciPy 1.17.1 (PyPI): the exact p-value of paired differences depends on whether they are given as numbers of images
# or as the accuracies that these numbers make, and is mostly too small for the latter.
#
# Guess, written down before: `permutation_test` with all choices of signs gives the same p-value for both, since it
# counts values as equal that differ by rounding.
# Seen: of experiments with eight pairs of networks and 10,000 test images, more than half have another p-value, none
# a greater one; with 1,000 images none has. The documentation speaks of a distance of 1e-14 at least within which
# values count as equal, which would be enough; the source has a share of the observed value, 2.2e-14, while the error
# of a difference of two accuracies near 0.9 is 1e-16, a share of 1e-12 of a difference of one image.
# A test that must hold a level on accuracies has to be given whole numbers, or a tolerance for the rounding of
# accuracies.
#
# Prints the shares and one example, and fails if they move. Needs python3 with venv, and PyPI.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.1
venv/bin/python - <<'PYTHON'
import random
import sys

import numpy as np
import scipy
from scipy import stats


def p_value(differences):
    found = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    return float(found.pvalue)


print(f"SciPy {scipy.__version__}, NumPy {np.__version__}")
draw = random.Random(0)
shares = {}
for images in 1_000, 10_000:
    other, greater, example = 0, 0, None
    for _ in range(200):
        right = [draw.randint(images * 9 // 10, images * 93 // 100) for _ in range(8)]
        more = [draw.randint(-6, 6) for _ in range(8)]
        exact = p_value(np.array(more, float))
        found = p_value(np.array([(a + b) / images - a / images for a, b in zip(right, more)]))
        if abs(found - exact) > 1e-9:
            other += 1
            greater += found > exact
            example = example or (more, exact, found)
    shares[images] = (other / 200, greater)
    print(f"{images} images: {other / 200:.0%} of 200 experiments have another p-value, {greater} a greater one")
    if example:
        print(f"  differences of {example[0]} images: p = {example[1]}, of the accuracies {example[2]}")
same = shares[1_000] == (0, 0) and shares[10_000][0] > 0.4 and shares[10_000][1] == 0
sys.exit(0 if same else "changed")
PYTHON
