// What dfdx's kernels use beyond the vocabulary of ours. They work on plain pointers: nothing is checked. Half
// precision is there by name only, because each of their files has kernels in it, and ends the launch.
#pragma once

#include "host.cuh"

#include "block.h"

#define __shared__ static

#define assert(condition)                                                                \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            pvlu_host::tell("kernel %s: not %s", pvlu_host::kernel_name(), #condition);  \
            pvlu_host::abandon(CUDA_ERROR_LAUNCH_FAILED);                                \
        }                                                                                \
    } while (false)

// `T`, but what it is is not found by this argument: a literal of another type will do.
template <typename T>
struct As {
    using Type = T;
};
template <typename T>
using Same = typename As<T>::Type;

template <typename T>
static inline T atomicAdd(T* address, Same<T> value) {
    return std::exchange(*address, T(*address + value));
}

template <typename T>
static inline T atomicMin(T* address, Same<T> value) {
    return std::exchange(*address, value < *address ? value : *address);
}

template <typename T>
static inline T atomicMax(T* address, Same<T> value) {
    return std::exchange(*address, *address < value ? value : *address);
}

template <typename T>
static inline T atomicCAS(T* address, Same<T> expected, Same<T> value) {
    return std::exchange(*address, *address == expected ? value : *address);
}

template <typename To, typename From>
static inline To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}

static inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
static inline int __float_as_int(float x) { return same_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return same_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }

struct __half {
    unsigned short bits;

    __half() = default;
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
    __half(T) {
        none();
    }
    operator float() const { none(); }

    [[noreturn]] static void none() {
        pvlu_host::tell("kernel %s: half precision", pvlu_host::kernel_name());
        pvlu_host::abandon(CUDA_ERROR_NOT_SUPPORTED);
    }
};

// With a number on either side too, as CUDA's.
#define HALF_OPERATOR(op)                                                                    \
    static inline __half operator op(__half a, __half) { return a; }                         \
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>              \
    static inline __half operator op(__half a, T) {                                          \
        return a;                                                                            \
    }                                                                                        \
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>              \
    static inline __half operator op(T, __half a) {                                          \
        return a;                                                                            \
    }                                                                                        \
    static inline __half& operator op##=(__half& a, __half) { return a; }
HALF_OPERATOR(+)
HALF_OPERATOR(-)
HALF_OPERATOR(*)
HALF_OPERATOR(/)

static inline __half __float2half(float x) { return x; }
static inline float __half2float(__half x) { return x; }
static inline __half __ushort_as_half(unsigned short) { __half::none(); }
static inline unsigned short __half_as_ushort(__half x) { return x.bits; }
static inline bool __hisnan(__half x) { return isnan(float(x)); }
static inline __half __habs(__half x) { return x; }
static inline __half __hmax(__half x, __half) { return x; }
static inline __half __hmin(__half x, __half) { return x; }
static inline __half __hmax_nan(__half x, __half) { return x; }
static inline __half __hmin_nan(__half x, __half) { return x; }
static inline __half hcos(__half x) { return x; }
static inline __half hsin(__half x) { return x; }
static inline __half hsqrt(__half x) { return x; }
static inline __half hlog(__half x) { return x; }
static inline __half hexp(__half x) { return x; }
