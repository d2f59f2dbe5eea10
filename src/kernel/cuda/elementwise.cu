// Sums and multiples of tensors.
#include "walk.cuh"

template <typename T>
DEVICE void add(Global<const T> a, Global<const T> b, Global<T> y, size_t len) {
    each<T>(len, aligned16(a) && aligned16(b) && aligned16(y), [&](auto width, size_t i) {
        constexpr int WIDTH = decltype(width)::value;
        auto sum = load<WIDTH>(a, i);
        const auto other = load<WIDTH>(b, i);
        for (int lane = 0; lane < WIDTH; lane++) sum.v[lane] += other.v[lane];
        store(y, i, sum);
    });
}

template <typename T>
DEVICE void scale(Global<T> x, T factor, size_t len) {
    each<T>(len, aligned16(x), [&](auto width, size_t i) {
        constexpr int WIDTH = decltype(width)::value;
        auto scaled = load<WIDTH>(x, i);
        for (int lane = 0; lane < WIDTH; lane++) scaled.v[lane] *= factor;
        store(x, i, scaled);
    });
}

// y[n, c, s] += bias[c]
template <typename T>
DEVICE void add_bias(Layout layout, Global<const T> bias, Global<T> y) {
    each_in_channels<T>(layout, aligned16(y), [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        auto sum = load<WIDTH>(y, i);
        const T term = bias[channel];
        for (int lane = 0; lane < WIDTH; lane++) sum.v[lane] += term;
        store(y, i, sum);
    });
}

// `y` may be `a`: each thread reads an element before it writes it.
#define KERNELS(T, SUFFIX)                                                                           \
    KERNEL(elementwise_add##SUFFIX, (Global<const T> a, Global<const T> b, Global<T> y, size_t len)) { \
        add<T>(a, b, y, len);                                                                        \
    }                                                                                                \
    KERNEL(elementwise_scale##SUFFIX, (Global<T> x, T factor, size_t len)) { scale<T>(x, factor, len); } \
    KERNEL(elementwise_add_bias##SUFFIX, (Layout layout, Global<const T> bias, Global<T> y)) {       \
        add_bias<T>(layout, bias, y);                                                                \
    }
FOR_EACH_TYPE(KERNELS)
