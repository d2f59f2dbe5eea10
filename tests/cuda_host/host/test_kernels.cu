// Kernels with and without mistakes, to test the stand-in with.

KERNEL(stand_in_scale, (Global<const float> from, Global<float> to, size_t count, float factor)) {
    for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count; i += gridDim.x * size_t(blockDim.x)) {
        to[i] = from[i] * factor;
    }
}

// Sums of blocks, as reductions do: within warps, then over them.
KERNEL(stand_in_block_sum, (Global<const double> from, Global<double> sums, size_t count)) {
    SHARED(double, partial, 32);
    const size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
    double sum = i < count ? from[i] : 0;
    for (int delta = 16; delta > 0; delta /= 2) sum += shuffle_down(sum, delta);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned warp = 1; warp < blockDim.x / 32; warp++) sum += partial[warp];
        sums[blockIdx.x] = sum;
    }
}

// Reverses each block by way of a shared array; with or without the barrier between writing and reading.
KERNEL(stand_in_reverse, (Global<float> data, int with_barrier)) {
    SHARED(float, copy, 1024);
    const Global<float> block = data + blockIdx.x * blockDim.x;
    copy[threadIdx.x] = block[threadIdx.x];
    if (with_barrier) __syncthreads();
    block[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

// What each thread reads before anybody wrote it.
KERNEL(stand_in_unwritten, (Global<float> to, int write)) {
    SHARED(float, values, 32);
    if (write && blockIdx.x == 0) values[threadIdx.x] = 1;
    __syncthreads();
    if (blockIdx.x == gridDim.x - 1) to[threadIdx.x] = values[threadIdx.x];
}

KERNEL(stand_in_access, (Global<float> base, size_t offset, size_t index, int vector)) {
    const Global<float> moved = base + offset;
    if (vector) {
        store16(moved, index, load16(moved, index));
    } else {
        moved[index] += 1;
    }
}

// 0: some threads end before the barrier; 1: they wait at another one; 2: half of a warp shuffles; 3: lanes shuffle by
// different distances; 4: a barrier for some, a shuffle for others.
KERNEL(stand_in_diverge, (Global<float> to, int how)) {
    const unsigned i = threadIdx.x;
    float value = i;
    if (how == 0) {
        if (i == 40) return;
        __syncthreads();
    } else if (how == 1) {
        if (i < 32) {
            __syncthreads();
        } else {
            __syncthreads();
        }
    } else if (how == 2) {
        if (i % 32 < 16) value = shuffle_down(value, 1);
    } else if (how == 3) {
        value = shuffle_down(value, 1 + i % 2);
    } else {
        if (i == 3) {
            __syncthreads();
        } else {
            value = shuffle_down(value, 1);
        }
    }
    to[i] = value;
}

KERNEL(stand_in_past_shared, (Global<float> to, unsigned index)) {
    SHARED(float, values, 32);
    values[index] = 1;
    to[threadIdx.x] = 0;
}

// The place in the order in which threads ran.
KERNEL(stand_in_order, (Global<unsigned> next, Global<unsigned> places)) {
    places[blockIdx.x * blockDim.x + threadIdx.x] = next[0]++;
}
