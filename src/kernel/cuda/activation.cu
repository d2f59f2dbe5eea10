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

// The gradient of the input alone. `grad_x` may be `cotangent`.
template <typename F, typename T>
DEVICE void backward_input(Layout layout, Global<const T> x, Global<const T> a, Global<const T> b,
                           Global<const T> cotangent, Global<T> grad_x, int mode) {
    const bool aligned = aligned16(x) && aligned16(cotangent) && aligned16(grad_x);
    each_in_channels<T>(layout, aligned, [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const auto params = params_of<F, T>(a, b, channel);
        const auto at = load<WIDTH>(x, i);
        auto gradient = load<WIDTH>(cotangent, i);
        for (int lane = 0; lane < WIDTH; lane++) gradient.v[lane] *= F::derivatives(at.v[lane], params).x;
        deposit(grad_x, i, gradient, mode);
    });
}

// The gradient of the input, unless `grad_x` is null, and partial sums of those of the parameters.
template <typename F, typename T>
DEVICE void backward(Reduction reduction, Global<const T> x, Global<const T> a, Global<const T> b,
                     Global<const T> cotangent, Global<T> grad_x, int mode, Global<double> partials) {
    constexpr int N = F::PARAMS;
    // A null pointer is aligned.
    const bool aligned = aligned16(x) && aligned16(cotangent) && aligned16(grad_x);
    partial_sums<T, N>(reduction, aligned, partials, [&](auto width, size_t i, size_t channel, T(&sums)[N]) {
        constexpr int WIDTH = decltype(width)::value;
        const auto params = params_of<F, T>(a, b, channel);
        const auto at = load<WIDTH>(x, i);
        auto gradient = load<WIDTH>(cotangent, i);
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
                                           Global<const T> cotangent, Global<T> grad_x, int mode)) {                 \
        backward_input<F, T>(layout, x, a, b, cotangent, grad_x, mode);                                              \
    }
#define WITH_SUMS(F, NAME, T, SUFFIX)                                                                                \
    WITHOUT_SUMS(F, NAME, T, SUFFIX)                                                                                 \
    KERNEL(NAME##_backward##SUFFIX,                                                                                  \
           (Reduction reduction, Global<const T> x, Global<const T> a, Global<const T> b, Global<const T> cotangent, \
            Global<T> grad_x, int mode, Global<double> partials)) {                                                  \
        backward<F, T>(reduction, x, a, b, cotangent, grad_x, mode, partials);                                       \
    }
#define KERNELS(T, SUFFIX)                      \
    WITHOUT_SUMS(Relu, relu, T, SUFFIX)         \
    WITH_SUMS(LeakyRelu, leaky_relu, T, SUFFIX) \
    WITH_SUMS(Elu, elu, T, SUFFIX)              \
    WITH_SUMS(SineRelu, sine_relu, T, SUFFIX)   \
    WITH_SUMS(Swish, swish, T, SUFFIX)          \
    WITH_SUMS(Vlu, vlu, T, SUFFIX)
FOR_EACH_TYPE(KERNELS)
