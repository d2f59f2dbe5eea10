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

// Each as in `src/activation`, where the formulas are.
struct Relu {
    static constexpr int PARAMS = 0;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return positive_part(x); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) { return {step(x), 0, 0}; }
};

struct LeakyRelu {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return x > 0 ? x : p.a * x; }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) { return {x > 0 ? T(1) : p.a, x > 0 ? T(0) : x, 0}; }
};

struct Elu {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return x > 0 ? x : p.a * expm1(x); }
    // The second is not taken from the first: e^x - 1 loses digits near 0.
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        return {x > 0 ? T(1) : p.a * exp(x), x > 0 ? T(0) : expm1(x), 0};
    }
};

struct SineRelu {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(x, sine, cosine);
        return x > 0 ? x : p.a * (sine - cosine);
    }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(x, sine, cosine);
        return {x > 0 ? T(1) : p.a * (cosine + sine), x > 0 ? T(0) : sine - cosine, 0};
    }
};

struct Swish {
    static constexpr int PARAMS = 1;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return x * (T(1) / (T(1) + exp(-(p.a * x)))); }
    // From e^-|beta x|, which cannot overflow, so that neither s nor 1 - s loses digits.
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        const T z = p.a * x, e = exp(z > 0 ? -z : z);
        const T larger = T(1) / (T(1) + e), smaller = e * larger;
        const T x_slope = x * (larger * smaller);
        return {p.a * x_slope + (z > 0 ? larger : smaller), x * x_slope, 0};
    }
};

struct Vlu {
    static constexpr int PARAMS = 2;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return p.a * math::sine(p.b * x) + positive_part(x); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(p.b * x, sine, cosine);
        return {p.a * p.b * cosine + step(x), sine, p.a * x * cosine};
    }
};

// The logistic function and 1 less it.
template <typename T>
struct Logistic {
    T s, rest;
};

// From e^-|z|, as in Swish.
template <typename T>
DEVICE Logistic<T> logistic(T z) {
    const T e = exp(z > 0 ? -z : z);
    const T larger = T(1) / (T(1) + e), smaller = e * larger;
    return {z > 0 ? larger : smaller, z > 0 ? smaller : larger};
}

// x w, and 0 where w is 0, for an infinite x too.
template <typename T>
DEVICE T times(T x, T w) { return w != 0 ? x * w : T(0); }

struct Gelu {
    static constexpr int PARAMS = 0;
    // The distribution function of the standard normal distribution. Where it is small, rounding its argument costs it
    // digits, about x^2 in the last place, which the CPU's keeps.
    template <typename T>
    DEVICE T distribution(T x) { return T(0.5) * erfc(T(-0.70710678118654752) * x); }
    template <typename T>
    DEVICE T value(T x, Params<T>) { return times(x, distribution(x)); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const T density = T(0.39894228040143268) * exp(T(-0.5) * x * x);
        return {distribution(x) + times(x, density), 0, 0};
    }
};

struct GeluTanh {
    static constexpr int PARAMS = 0;
    // 2 sqrt(2 / pi), and 0.044715 of it.
    static constexpr double LINEAR = 1.5957691216057307, CUBIC = 0.044715 * LINEAR;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return times(x, logistic(x * (T(CUBIC) * (x * x) + T(LINEAR))).s); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const T square = x * x;
        const auto weight = logistic(x * (T(CUBIC) * square + T(LINEAR)));
        const T slope = x * (T(3 * CUBIC) * square + T(LINEAR));
        return {weight.s + times(slope, weight.s * weight.rest), 0, 0};
    }
};

struct Mish {
    static constexpr int PARAMS = 0;
    // w and dw/dx.
    template <typename T>
    DEVICE Derivatives<T> weight(T x) {
        const T e = exp(x > 0 ? -x : x), square = e * e;
        const T numerator = x > 0 ? 2 * e + 1 : 2 * e + square;
        const T denominator = numerator + (x > 0 ? 2 * square : T(2));
        const T rise = 4 * (x > 0 ? square : e) * (1 + e);
        return {rise / (denominator * denominator), numerator / denominator, 0};
    }
    template <typename T>
    DEVICE T value(T x, Params<T>) { return times(x, weight(x).a); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const auto w = weight(x);
        return {w.a + times(x, w.x), 0, 0};
    }
};

struct Softplus {
    static constexpr int PARAMS = 0;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return positive_part(x) + log1p(exp(x > 0 ? -x : x)); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) { return {logistic(x).s, 0, 0}; }
};

struct Tanh {
    static constexpr int PARAMS = 0;
    template <typename T>
    DEVICE T value(T x, Params<T>) { return tanh(x); }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T>) {
        const T e = exp(x > 0 ? -2 * x : 2 * x), sum = 1 + e;
        return {4 * e / (sum * sum), 0, 0};
    }
};

struct Snake {
    static constexpr int PARAMS = 1;
    // sin(a x) / a, at a = 0 its limit.
    template <typename T>
    DEVICE T quotient(T x, T a, T sine) { return a != 0 ? sine / a : x; }
    template <typename T>
    DEVICE T value(T x, Params<T> p) {
        const T sine = math::sine(p.a * x);
        return sine * quotient(x, p.a, sine) + x;
    }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(p.a * x, sine, cosine);
        const T q = quotient(x, p.a, sine);
        return {2 * sine * cosine + 1, q * (2 * x * cosine - q), 0};
    }
};

struct SinLu {
    static constexpr int PARAMS = 2;
    template <typename T>
    DEVICE T value(T x, Params<T> p) { return (p.a * math::sine(p.b * x) + x) * logistic(x).s; }
    template <typename T>
    DEVICE Derivatives<T> derivatives(T x, Params<T> p) {
        T sine, cosine;
        math::sin_cos(p.b * x, sine, cosine);
        const auto weight = logistic(x);
        const T wave = p.a * sine + x;
        return {weight.s * (wave * weight.rest + (p.a * p.b * cosine + 1)), sine * weight.s,
                p.a * x * cosine * weight.s};
    }
};

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
    constexpr int N = F::PARAMS;
    // A null pointer is aligned.
    const bool aligned = aligned16(x) && aligned16(grad_output) && aligned16(grad_x);
    partial_sums<T, N>(reduction, aligned, partials, [&](auto width, size_t i, size_t channel, T(&sums)[N]) {
        constexpr int WIDTH = decltype(width)::value;
        const auto params = params_of<F, T>(a, b, channel);
        const auto at = load<WIDTH>(x, i);
        auto gradient = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) {
            const auto derivatives = F::derivatives(at.v[lane], params);
            sums[0] += gradient.v[lane] * derivatives.a;
            if constexpr (N > 1) sums[1] += gradient.v[lane] * derivatives.b;
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
#define KERNELS(T, SUFFIX)                       \
    WITHOUT_SUMS(Relu, relu, T, SUFFIX)          \
    WITH_SUMS(LeakyRelu, leaky_relu, T, SUFFIX)  \
    WITH_SUMS(Elu, elu, T, SUFFIX)               \
    WITH_SUMS(SineRelu, sine_relu, T, SUFFIX)    \
    WITH_SUMS(Swish, swish, T, SUFFIX)           \
    WITH_SUMS(Vlu, vlu, T, SUFFIX)               \
    WITHOUT_SUMS(Gelu, gelu, T, SUFFIX)          \
    WITHOUT_SUMS(GeluTanh, gelu_tanh, T, SUFFIX) \
    WITHOUT_SUMS(Mish, mish, T, SUFFIX)          \
    WITHOUT_SUMS(Softplus, softplus, T, SUFFIX)  \
    WITHOUT_SUMS(Tanh, tanh, T, SUFFIX)          \
    WITH_SUMS(Snake, snake, T, SUFFIX)           \
    WITH_SUMS(SinLu, sinlu, T, SUFFIX)
FOR_EACH_TYPE(KERNELS)
