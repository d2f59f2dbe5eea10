#!/usr/bin/env bash
# Whether `reproduce` writes the same CSV files at every instruction set and number of threads.
#
#     tests/levels.sh [PATH TO reproduce]
#
# Runs `table1` and `table3 --preset quick` at each level but the portable one that the machine has, with 1 and 2
# threads; then both, cut to one epoch of 300 images, at every level, the portable one among them, `table1` in bf16, too.
# CSV files must be the same byte for byte once the columns that end in `_seconds` are cut out. Prints the SHA-256 of each file without them,
# and exits with 0 only if all are equal. Takes an hour or so on two cores, which is why it is no part of `cargo test`
# or `.ci/run`. Without a path the program is built first, optimized. Needs Python 3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

reproduce=${1:-}
if [[ -z $reproduce ]]; then
    cargo build --locked --release --bin reproduce
    reproduce=target/release/reproduce
fi
reproduce=$(realpath "$reproduce")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Whether the program runs at a level: it refuses one that the machine lacks.
has() {
    PVLU_SIMD=$1 "$reproduce" plan table1 >/dev/null 2>&1
}

# The digests of the CSV files of a folder, one a line with the file's name, without the columns of times.
digests() {
    python3 - "$1" <<'EOF'
import csv, hashlib, io, pathlib, sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")):
    rows = list(csv.reader(path.open(newline="")))
    kept = [index for index, column in enumerate(rows[0]) if not column.endswith("_seconds")]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row[index] for index in kept] for row in rows)
    print(hashlib.sha256(text.getvalue().encode()).hexdigest(), path.name)
EOF
}

failed=0

# compare NAME "LEVEL THREADS" ... -- ARGUMENTS: `reproduce ARGUMENTS` in each of the ways, whose files must be those of
# the first.
compare() {
    local name=$1 first='' ways=() way level threads out
    shift
    while [[ $1 != -- ]]; do
        ways+=("$1")
        shift
    done
    shift
    printf '\n==> %s: reproduce %s\n' "$name" "$*"
    for way in "${ways[@]}"; do
        read -r level threads <<<"$way"
        out=$work/$name-$level-$threads
        local start=$SECONDS
        # Where there are neither images nor weights of the user's, so that the built-in ones are taken.
        mkdir -p "$out"
        (cd "$out" && env -u PVLU_ZOO_DATA PVLU_SIMD="$level" "$reproduce" "$@" --threads "$threads" \
            --quiet --out results >/dev/null)
        digests "$out/results" >"$out/digests"
        printf '%s, %s threads, %d s\n' "$level" "$threads" $((SECONDS - start))
        if [[ ! -s $out/digests ]]; then
            echo 'no CSV files'
            failed=1
        elif [[ -z $first ]]; then
            first=$out/digests
            cat "$first"
        elif ! diff "$first" "$out/digests"; then
            failed=1
        fi
    done
}

vectors=() every=('portable 1' 'portable 2')
for level in avx2 avx512 amx; do
    if has "$level"; then
        vectors+=("$level 1" "$level 2")
        every+=("$level 2")
    else
        echo "this machine lacks $level"
    fi
done

if [[ ${#vectors[@]} -gt 0 ]]; then
    compare table1 "${vectors[@]}" -- table1
    compare table3 "${vectors[@]}" -- table3 --preset quick
fi
compare table1-short "${every[@]}" -- table1 --epochs 1 --limit-train 300
compare table1-bf16 "${every[@]}" -- table1 --epochs 1 --limit-train 300 --precision bf16
compare table3-short "${every[@]}" -- table3 --preset quick --epochs 1 --limit-train 300

if [[ $failed != 0 ]]; then
    printf '\nfiles differ\n'
    exit 1
fi
printf '\nall equal in %d s\n' "$SECONDS"
