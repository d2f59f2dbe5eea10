#!/usr/bin/env bash
# For a person with a GPU: builds the kernels for it, runs on it the tests that otherwise run on a stand-in, and times PVLU and
# ResNet-50. Prints a table to paste in an issue. Needs the CUDA toolkit (12 or later), its nvcc on PATH or under CUDA_PATH,
# and a GPU of compute capability 8.0 or later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() { echo "device.sh: $1" >&2; exit 1; }
[[ -n ${CUDA_PATH-} ]] && PATH=$CUDA_PATH/bin:$PATH
command -v nvcc > /dev/null || fail 'nvcc was not found: install the CUDA toolkit, and put nvcc on PATH or set CUDA_PATH'
command -v nvidia-smi > /dev/null || fail 'nvidia-smi was not found: install the driver of the GPU'

gpu=$(nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv,noheader | head -n 1)
toolkit=$(nvcc --version | grep -o 'release [0-9.]*')
commit=$(git rev-parse --short HEAD 2> /dev/null || echo unknown)

# A folder of its own: these features are others than those of the workspace.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/cuda}
build=(--locked --package pvlu_cuda_host --no-default-features --release)
# One after the other: they share the GPU.
cargo test "${build[@]}" --test operations --test training -- --test-threads 1
table=$(cargo run "${build[@]}" --quiet --example speed)

printf '\n%s; nvcc %s; commit %s; operations and training steps equal those of the CPU\n\n%s\n' "$gpu" "$toolkit" "$commit" "$table"
