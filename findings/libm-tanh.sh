#!/usr/bin/env bash
# libm 0.2.16 (crates.io): `tanh` of an f64 is off by almost 2 units in the last place, `erfc` by more than 2.
#
# Guess, written down before: below 1 unit, as for `ln`, `ln_1p` and `erf` of the same crate.
# Seen: on the grid below `tanh` is off by 1.99 units at most, `erfc` by 2.74, while `log`, `log1p` and `erf` stay below 1.
# Who holds functions built on it to a bound of 1 unit in f64 fails on the reference, not on the function.
#
# Prints the largest error of each, in units in the last place of the exact value, and fails if one moves from its side
# of its bound. Needs cargo, python3 with venv, and the registries of both.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cargo init --quiet --name probe probe >/dev/null 2>&1
cat >>probe/Cargo.toml <<'TOML'
libm = "=0.2.16"
TOML
cat >probe/src/main.rs <<'RUST'
fn main() {
    // Arguments between 2^-6 and 2^4, evenly by their bits.
    let (low, high) = ((2.0_f64).powi(-6).to_bits(), (2.0_f64).powi(4).to_bits());
    let step = (high - low) / 40_000;
    for bits in (low..high).step_by(step as usize) {
        let x = f64::from_bits(bits);
        let values = [libm::log(x), libm::log1p(x), libm::erf(x), libm::tanh(x), libm::erfc(x)];
        println!("{bits} {}", values.map(|value| value.to_bits().to_string()).join(" "));
    }
}
RUST
cargo run --quiet --release --manifest-path probe/Cargo.toml >values

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mpmath==1.3.0
venv/bin/python - <<'PYTHON'
import math, struct, sys
from mpmath import mp, mpf
import mpmath

mp.prec = 200
real = lambda bits: struct.unpack("<d", struct.pack("<Q", int(bits)))[0]
names = ["log", "log1p", "erf", "tanh", "erfc"]
exact = [mpmath.log, lambda x: mpmath.log(1 + x), mpmath.erf, mpmath.tanh, mpmath.erfc]
worst = {name: (0.0, 0.0) for name in names}
for line in open("values"):
    bits, *found = line.split()
    x = real(bits)
    for name, function, value in zip(names, exact, found):
        true = function(mpf(x))
        if abs(true) < 1e-300:
            continue
        error = float(abs(mpf(real(value)) - true) / mpf(math.ulp(float(true))))
        worst[name] = max(worst[name], (error, x))
for name in names:
    print(f"{name}: {worst[name][0]:.2f} units in the last place, at {worst[name][1]!r}")
below = all(worst[name][0] < 1 for name in ("log", "log1p", "erf"))
above = worst["tanh"][0] > 1.5 and worst["erfc"][0] > 1.5
sys.exit(0 if below and above else "changed")
PYTHON
