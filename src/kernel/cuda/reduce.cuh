// Sums over the elements of each channel, in an order that depends on sizes only: first partial results, in double, of
// a few dozen elements a thread each, then their sum.
#pragma once

#include "walk.cuh"

// How the elements of the channels are cut: the twin of `Reduction` in `reduce.rs`.
//
// Wide channels, by planes: a slice is `length` of the `outer * inner` elements of a channel, a multiple of the lanes;
// one block sums it. Narrow ones, by columns: a row is the `channels * inner` elements of one sample, and a slice
// `length` rows; one thread sums one column of it, so that neighbours read neighbours.
struct Reduction {
    Layout layout;
    size_t planar, slices, length;
};

// Partial results of a channel: those of value k of channel c begin at `(k * channels + c) * partials_of(reduction)`.
DEVICE size_t partials_of(Reduction reduction) {
    return reduction.planar ? reduction.slices : reduction.layout.inner * reduction.slices;
}

// Sums over a block, in its thread 0. The order is that of the threads in a tree: the same in every run.
template <int N>
DEVICE void block_sums(double (&sums)[N]) {
    SHARED(double, of_warps, N * 32);
    for (int k = 0; k < N; k++) {
        for (int delta = 16; delta > 0; delta /= 2) sums[k] += shuffle_down(sums[k], delta);
        if (threadIdx.x % 32 == 0) of_warps[k * 32 + threadIdx.x / 32] = sums[k];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int k = 0; k < N; k++) {
            for (unsigned warp = 1; warp < blockDim.x / 32; warp++) sums[k] += of_warps[k * 32 + warp];
        }
    }
    // The array may be written again only now.
    __syncthreads();
}

// The elements of a channel, numbered from 0 to `outer * inner`, that a slice has.
struct Slice {
    size_t first, end;
};

DEVICE Slice slice_of(Reduction reduction, size_t slice) {
    const size_t count = reduction.layout.outer * reduction.layout.inner, first = slice * reduction.length;
    return {first, count - first < reduction.length ? count : first + reduction.length};
}

// Where an element of a channel lies in the tensor.
DEVICE size_t place_of(Layout layout, size_t channel, size_t element) {
    const size_t outer = divide(element, layout.inner);
    return (outer * layout.channels + channel) * layout.inner + (element - outer * layout.inner);
}

// Calls `body(i)` for this thread's share of a slice of a plane: the `WIDTH` elements from `i` on.
template <int WIDTH, typename Body>
DEVICE void each_in_slice(Layout layout, size_t channel, Slice slice, Body body) {
    for (size_t element = slice.first + threadIdx.x * WIDTH; element < slice.end; element += blockDim.x * WIDTH) {
        body(place_of(layout, channel, element));
    }
}

// The rows that a slice has.
DEVICE Slice rows_of(Reduction reduction, size_t slice) {
    const size_t first = slice * reduction.length, left = reduction.layout.outer - first;
    return {first, first + (left < reduction.length ? left : reduction.length)};
}

template <typename T, int N, int WIDTH, typename Body>
DEVICE void plane_sums(Reduction reduction, Global<double> partials, Body body) {
    const size_t channels = reduction.layout.channels, jobs = channels * reduction.slices;
    for (size_t job = blockIdx.x; job < jobs; job += gridDim.x) {
        const size_t channel = divide(job, reduction.slices), slice = job - channel * reduction.slices;
        T own[N] = {};
        each_in_slice<WIDTH>(reduction.layout, channel, slice_of(reduction, slice),
                             [&](size_t i) { body(Width<WIDTH>(), i, channel, own); });
        double sums[N];
        for (int k = 0; k < N; k++) sums[k] = own[k];
        block_sums(sums);
        if (threadIdx.x == 0) {
            for (int k = 0; k < N; k++) partials[k * jobs + job] = sums[k];
        }
    }
}

template <typename T, int N, typename Body>
DEVICE void column_sums(Reduction reduction, Global<double> partials, Body body) {
    const size_t width = reduction.layout.channels * reduction.layout.inner, jobs = width * reduction.slices;
    for (size_t job = grid_thread(); job < jobs; job += grid_threads()) {
        const size_t slice = divide(job, width), column = job - slice * width;
        const size_t channel = divide(column, reduction.layout.inner);
        T own[N] = {};
        const Slice rows = rows_of(reduction, slice);
        for (size_t row = rows.first; row < rows.end; row++) body(Width<1>(), row * width + column, channel, own);
        for (int k = 0; k < N; k++) partials[k * jobs + column * reduction.slices + slice] = own[k];
    }
}

// Writes the partial sums. `body(Width<WIDTH>, i, channel, sums)` adds what belongs to the `WIDTH` elements from `i`
// on, which are of this channel, to its `N` sums. `aligned`: whether all tensors begin at 16 bytes.
template <typename T, int N, typename Body>
DEVICE void partial_sums(Reduction reduction, bool aligned, Global<double> partials, Body body) {
    if (!reduction.planar) {
        column_sums<T, N>(reduction, partials, body);
    } else if (aligned && reduction.layout.inner % LANES<T> == 0) {
        plane_sums<T, N, LANES<T>>(reduction, partials, body);
    } else {
        plane_sums<T, N, 1>(reduction, partials, body);
    }
}

// The sum of partial results, in the first lane of the warp that calls it.
DEVICE double warp_sum(Global<const double> partials, size_t first, size_t count) {
    double sum = 0;
    for (size_t i = threadIdx.x % 32; i < count; i += 32) sum += partials[first + i];
    for (int delta = 16; delta > 0; delta /= 2) sum += shuffle_down(sum, delta);
    return sum;
}

// The number of this warp in the grid, and that of all warps.
DEVICE size_t grid_warp() { return grid_thread() / 32; }
DEVICE size_t grid_warps() { return grid_threads() / 32; }
