// The words that the kernels are written in. For nvcc they are defined here; a test that runs the kernels on the host
// defines `PVLU_HOST` and its own ones, which check what a kernel does.
//
// Blocks are one-dimensional, of whole warps, at most 256 threads. Every loop over a tensor strides by the whole grid,
// so that a kernel is correct at any number of blocks. Names of types that kernels take are not used twice: on the host
// all files are one program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifndef PVLU_HOST

// An exported kernel. Of the four blocks that a multiprocessor is to hold, each thread has up to 64 registers: without
// the number, the assembler spills a value or two of some kernels to hold more blocks.
#define KERNEL(name, params) KERNEL_NAMED(name, params)
#define KERNEL_NAMED(name, params) extern "C" __global__ void __launch_bounds__(256, 4) name params

#define DEVICE static __device__ __forceinline__

// An array that the threads of a block share.
#define SHARED(type, name, count) __shared__ type name[count]

// A pointer into the memory of the device.
template <typename T>
using Global = T*;

// Sixteen bytes at once.
template <typename T>
struct alignas(16) Vec4 {
    static constexpr int LANES = 16 / sizeof(T);
    T v[LANES];
};

// Whether sixteen bytes can be loaded from the base.
template <typename T>
DEVICE bool aligned16(T* base) {
    return reinterpret_cast<uintptr_t>(base) % 16 == 0;
}

// The elements from `i` on, a multiple of the lanes.
template <typename T>
DEVICE Vec4<std::remove_const_t<T>> load16(T* base, size_t i) {
    return *reinterpret_cast<const Vec4<std::remove_const_t<T>>*>(base + i);
}

template <typename T>
DEVICE void store16(T* base, size_t i, Vec4<T> vector) {
    *reinterpret_cast<Vec4<T>*>(base + i) = vector;
}

// The value of the lane `delta` further on in the warp; all lanes take part.
template <typename T>
DEVICE T shuffle_down(T value, int delta) {
    return __shfl_down_sync(0xffffffff, value, delta);
}

// The product, rounded by itself: the compiler fuses no sum with it.
DEVICE float product(float a, float b) { return __fmul_rn(a, b); }
DEVICE double product(double a, double b) { return __dmul_rn(a, b); }

#endif

// Each kernel in both element types: `define(type, suffix)` is a macro.
#define FOR_EACH_TYPE(define) define(float, _f32) define(double, _f64)

// What becomes of the old contents of a destination: the twin of `Write`.
constexpr int REPLACE = 0;
constexpr int ADD = 1;

// Elements in sixteen bytes.
template <typename T>
constexpr int LANES = Vec4<T>::LANES;

// A number of elements as a type, so that one function handles vectors and single elements.
template <int N>
using Width = std::integral_constant<int, N>;

// Elements that lie side by side: `LANES` or one.
template <typename T, int WIDTH>
struct Pack {
    T v[WIDTH];
};

template <int WIDTH, typename T>
DEVICE Pack<std::remove_const_t<T>, WIDTH> load(Global<T> from, size_t i) {
    Pack<std::remove_const_t<T>, WIDTH> pack;
    if constexpr (WIDTH == 1) {
        pack.v[0] = from[i];
    } else {
        const auto vector = load16(from, i);
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = vector.v[lane];
    }
    return pack;
}

template <int WIDTH, typename T>
DEVICE void store(Global<T> to, size_t i, Pack<T, WIDTH> pack) {
    if constexpr (WIDTH == 1) {
        to[i] = pack.v[0];
    } else {
        Vec4<T> vector;
        for (int lane = 0; lane < WIDTH; lane++) vector.v[lane] = pack.v[lane];
        store16(to, i, vector);
    }
}

// Replaces what is there, or adds to it.
template <int WIDTH, typename T>
DEVICE void deposit(Global<T> to, size_t i, Pack<T, WIDTH> pack, int mode) {
    if (mode == ADD) {
        const auto old = load<WIDTH>(to, i);
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = old.v[lane] + pack.v[lane];
    }
    store(to, i, pack);
}

// The quotient. A division in 64 bits takes a hundred instructions, and operands that need it are rare.
DEVICE size_t divide(size_t a, size_t b) { return (a | b) >> 32 ? a / b : unsigned(a) / unsigned(b); }

// The number of this thread in the grid, and that of all threads.
DEVICE size_t grid_thread() { return blockIdx.x * size_t(blockDim.x) + threadIdx.x; }
DEVICE size_t grid_threads() { return gridDim.x * size_t(blockDim.x); }
