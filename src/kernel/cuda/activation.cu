// Fused activations: one pass forward, and one backward for the gradients of the input and of every parameter.
#include "reduce.cuh"
#include "sine.cuh"

// Parameters of a formula; those that it has not are zero.
template <typename T>
struct Params {
    T a, b;
};

// The derivatives with respect to x and to the parameters.
template <typename T>
struct Derivatives {
    T x, a, b;
};

// A NaN stays NaN, and the result for minus zero is zero.
template <typename T>
DEVICE T positive_part(T x) { return x > 0 ? x : x < 0 ? T(0) : x + T(0); }

// The unit step, 0 at 0; a NaN stays NaN.
template <typename T>
DEVICE T step(T x) { return x > 0 ? T(1) : x < 0 ? T(0) : x + T(0); }

// The logistic function and 1 less it.
template <typename T>
struct Logistic {
    T s, rest;
};

// From e^-|z|, which cannot overflow, so that neither loses digits.
template <typename T>
DEVICE Logistic<T> logistic(T z) {
    const T e = exp(z > 0 ? -z : z);
    const T larger = T(1) / (T(1) + e), smaller = e * larger;
    return {z > 0 ? larger : smaller, z > 0 ? smaller : larger};
}

// x w, and 0 where w is 0, for an infinite x too.
template <typename T>
DEVICE T times(T x, T w) { return w != 0 ? x * w : T(0); }

// The formulas, which the build script takes from the files of `src/activation`, each a `Formula` in a namespace of its
// own, and KERNELS of all of them. A formula has its number of parameters, up to two, as `PARAMS`, and the functions
// `value` and `derivatives` of x and the parameters of its channel.
#include "formulas.cuh"

template <typename F, typename T>
DEVICE Params<T> params_of(Global<const T> a, Global<const T> b, size_t channel) {
    Params<T> params = {0, 0};
    if (F::PARAMS > 0) params.a = a[channel];
    if (F::PARAMS > 1) params.b = b[channel];
    return params;
}

// `y` may be `x`.
template <typename F, typename T>
DEVICE void forward(Layout layout, Global<const T> x, Global<const T> a, Global<const T> b, Global<T> y) {
    each_in_channels<T>(layout, aligned16(x) && aligned16(y), [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const auto params = params_of<F, T>(a, b, channel);
        auto pack = load<WIDTH>(x, i);
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = F::value(pack.v[lane], params);
        store(y, i, pack);
    });
}

// The gradient of the input alone. `grad_x` may be `grad_output`.
template <typename F, typename T>
DEVICE void backward_input(Layout layout, Global<const T> x, Global<const T> a, Global<const T> b,
                           Global<const T> grad_output, Global<T> grad_x, int mode) {
    const bool aligned = aligned16(x) && aligned16(grad_output) && aligned16(grad_x);
    each_in_channels<T>(layout, aligned, [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const auto params = params_of<F, T>(a, b, channel);
        const auto at = load<WIDTH>(x, i);
        auto gradient = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) gradient.v[lane] *= F::derivatives(at.v[lane], params).x;
        deposit(grad_x, i, gradient, mode);
    });
}

// The gradient of the input, unless `grad_x` is null, and partial sums of those of the parameters.
template <typename F, typename T>
DEVICE void backward(Reduction reduction, Global<const T> x, Global<const T> a, Global<const T> b,
                     Global<const T> grad_output, Global<T> grad_x, int mode, Global<double> partials) {
    // A null pointer is aligned.
    const bool aligned = aligned16(x) && aligned16(grad_output) && aligned16(grad_x);
    // The extent is named in full: with a local constant in its place the compiler of CUDA 13.0 breaks off.
    partial_sums<T, F::PARAMS>(reduction, aligned, partials, [&](auto width, size_t i, size_t channel,
                                                                 T(&sums)[F::PARAMS]) {
        constexpr int WIDTH = decltype(width)::value;
        const auto params = params_of<F, T>(a, b, channel);
        const auto at = load<WIDTH>(x, i);
        auto gradient = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) {
            const auto derivatives = F::derivatives(at.v[lane], params);
            sums[0] += gradient.v[lane] * derivatives.a;
            if constexpr (F::PARAMS > 1) sums[1] += gradient.v[lane] * derivatives.b;
            gradient.v[lane] *= derivatives.x;
        }
        if (grad_x) deposit(grad_x, i, gradient, mode);
    });
}

#define WITHOUT_SUMS(F, NAME, T, SUFFIX)                                                                             \
    KERNEL(NAME##_forward##SUFFIX,                                                                                   \
           (Layout layout, Global<const T> x, Global<const T> a, Global<const T> b, Global<T> y)) {                  \
        forward<F, T>(layout, x, a, b, y);                                                                           \
    }                                                                                                                \
    KERNEL(NAME##_backward_input##SUFFIX, (Layout layout, Global<const T> x, Global<const T> a, Global<const T> b,   \
                                           Global<const T> grad_output, Global<T> grad_x, int mode)) {                 \
        backward_input<F, T>(layout, x, a, b, grad_output, grad_x, mode);                                              \
    }
#define WITH_SUMS(F, NAME, T, SUFFIX)                                                                                \
    WITHOUT_SUMS(F, NAME, T, SUFFIX)                                                                                 \
    KERNEL(NAME##_backward##SUFFIX,                                                                                  \
           (Reduction reduction, Global<const T> x, Global<const T> a, Global<const T> b, Global<const T> grad_output, \
            Global<T> grad_x, int mode, Global<double> partials)) {                                                  \
        backward<F, T>(reduction, x, a, b, grad_output, grad_x, mode, partials);                                       \
    }
FOR_EACH_TYPE(KERNELS)
