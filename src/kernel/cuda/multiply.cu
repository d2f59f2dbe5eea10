// Products of tensors, and of planes with one factor each.
#include "reduce.cuh"

// y[i, p] = x[i, p] gate[i]. `layout`: one channel a plane. With one pixel a plane both tensors are read in vectors.
template <typename T>
DEVICE void multiply(Layout layout, Global<const T> x, Global<const T> gate, Global<T> y, int mode) {
    const bool aligned = aligned16(x) && aligned16(y);
    if (layout.inner == 1) {
        each<T>(layout.channels, aligned && aligned16(gate), [&](auto width, size_t i) {
            constexpr int WIDTH = decltype(width)::value;
            auto pack = load<WIDTH>(x, i);
            const auto factors = load<WIDTH>(gate, i);
            for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = product(pack.v[lane], factors.v[lane]);
            deposit(y, i, pack, mode);
        });
    } else {
        each_in_channels<T>(layout, aligned, [&](auto width, size_t i, size_t plane) {
            constexpr int WIDTH = decltype(width)::value;
            auto pack = load<WIDTH>(x, i);
            const T factor = gate[plane];
            for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = product(pack.v[lane], factor);
            deposit(y, i, pack, mode);
        });
    }
}

// Partial sums of x g over each plane.
template <typename T>
DEVICE void product_sums(Reduction reduction, Global<const T> x, Global<const T> grad_output, Global<double> partials) {
    const bool aligned = aligned16(x) && aligned16(grad_output);
    partial_sums<T, 1>(reduction, aligned, partials, [&](auto width, size_t i, size_t, T(&sums)[1]) {
        constexpr int WIDTH = decltype(width)::value;
        const auto at = load<WIDTH>(x, i), g = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) sums[0] += at.v[lane] * g.v[lane];
    });
}

#define KERNELS(T, SUFFIX)                                                                                       \
    KERNEL(multiply##SUFFIX,                                                                                     \
           (Layout layout, Global<const T> x, Global<const T> gate, Global<T> y, int mode)) {                    \
        multiply<T>(layout, x, gate, y, mode);                                                                   \
    }                                                                                                            \
    KERNEL(multiply_sums##SUFFIX,                                                                                \
           (Reduction reduction, Global<const T> x, Global<const T> grad_output, Global<double> partials)) {     \
        product_sums<T>(reduction, x, grad_output, partials);                                                    \
    }
FOR_EACH_TYPE(KERNELS)
