// The words that the kernels of `pvlu` are written in, for a C++ compiler: what `common.cuh` defines for nvcc, defined
// here so that the stand-in for the driver runs the kernels and checks what they do. Included ahead of each kernel
// file.
#pragma once

#include <math.h>

#include <cfloat>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernel.h"
#include "memory.h"
#include "threads.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__ __restrict

#define DEVICE static inline

// An exported kernel: a function, and its entry in the list that cuModuleGetFunction looks into.
#define KERNEL(name, params) KERNEL_NAMED(name, params)
#define KERNEL_NAMED(name, params)                                                        \
    static void name params;                                                              \
    static const ::pvlu_host::Registration registration_of_##name(#name, &name, true);    \
    static void name params

// An array that the threads of a block share. What an earlier block left in it is not there: see `SharedArray`.
#define SHARED(type, name, count)                                                         \
    static ::pvlu_host::SharedArray<type, (count)> shared_array_##name;                   \
    type(&name)[(count)] = shared_array_##name.enter()

// Macros, so that a thread that waits knows the line: all that wait for each other must wait at the same one.
#define __syncthreads() ::pvlu_host::wait_for_block(__FILE__, __LINE__)
#define shuffle_down(...) ::pvlu_host::shuffle_down_at(__FILE__, __LINE__, __VA_ARGS__)

using pvlu_host::blockDim;
using pvlu_host::blockIdx;
using pvlu_host::gridDim;
using pvlu_host::threadIdx;

using pvlu_host::Global;

// Sixteen bytes at once.
template <typename T>
struct alignas(16) Vec4 {
    static constexpr int LANES = 16 / sizeof(T);
    T v[LANES];
};

// Whether sixteen bytes can be loaded from the base.
template <typename T>
static inline bool aligned16(Global<T> base) {
    return base.address() % 16 == 0;
}

// The elements from `i` on. Address a multiple of sixteen.
template <typename T>
static inline Vec4<std::remove_const_t<T>> load16(Global<T> base, size_t i) {
    Vec4<std::remove_const_t<T>> loaded;
    memcpy(&loaded, base.sixteen_bytes(i), 16);
    return loaded;
}

template <typename T>
static inline void store16(Global<T> base, size_t i, Vec4<T> vector) {
    static_assert(!std::is_const_v<T>, "memory is written that is for reading");
    memcpy(base.sixteen_bytes(i), &vector, 16);
}

// The product, rounded by itself: the compiler is told to fuse no sum with any.
template <typename T>
static inline T product(T a, T b) {
    return a * b;
}

// What CUDA has without a header and C++ has not, or has in `std` only.
static inline double rsqrt(double x) { return 1 / sqrt(x); }
static inline float rsqrt(float x) { return 1 / sqrtf(x); }
static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
static inline void sincos(float x, float* s, float* c) { sincosf(x, s, c); }

template <typename A, typename B>
static inline std::common_type_t<A, B> min(A a, B b) {
    using Common = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<Common>) {
        return fmin(Common(a), Common(b));
    } else {
        return Common(b) < Common(a) ? Common(b) : Common(a);
    }
}

template <typename A, typename B>
static inline std::common_type_t<A, B> max(A a, B b) {
    using Common = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<Common>) {
        return fmax(Common(a), Common(b));
    } else {
        return Common(a) < Common(b) ? Common(b) : Common(a);
    }
}
