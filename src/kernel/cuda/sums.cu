// Sums over the elements of each channel, added to a gradient.
#include "reduce.cuh"

template <typename T>
DEVICE void channel_sums(Reduction reduction, Global<const T> x, Global<double> partials) {
    partial_sums<T, 1>(reduction, aligned16(x), partials, [&](auto width, size_t i, size_t, T(&sums)[1]) {
        constexpr int WIDTH = decltype(width)::value;
        const auto pack = load<WIDTH>(x, i);
        for (int lane = 0; lane < WIDTH; lane++) sums[0] += pack.v[lane];
    });
}

// to[c] = to[c] + sum, rounded once.
template <typename T>
DEVICE void add_sums(Reduction reduction, Global<const double> partials, Global<T> to) {
    const size_t count = partials_of(reduction);
    for (size_t channel = grid_warp(); channel < reduction.layout.channels; channel += grid_warps()) {
        const double sum = warp_sum(partials, channel * count, count);
        if (threadIdx.x % 32 == 0) to[channel] = T(double(to[channel]) + sum);
    }
}

#define KERNELS(T, SUFFIX)                                                                                       \
    KERNEL(sums_partial##SUFFIX, (Reduction reduction, Global<const T> x, Global<double> partials)) {            \
        channel_sums<T>(reduction, x, partials);                                                                 \
    }                                                                                                            \
    KERNEL(sums_add##SUFFIX, (Reduction reduction, Global<const double> partials, Global<T> to)) { \
        add_sums<T>(reduction, partials, to);                                                            \
    }
FOR_EACH_TYPE(KERNELS)
