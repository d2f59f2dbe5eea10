// Batch normalization: the formulas are in `src/kernel/cpu/batch_norm`.
#include "reduce.cuh"

// Count, mean and sum of the squared deviations of some elements.
struct Moments {
    double count, mean, squares;
};

// From the sums of the deviations from `shift` and of their squares.
DEVICE Moments moments_of(double count, double shift, double deviations, double squares) {
    const double mean = deviations / count;
    squares -= deviations * mean;
    // Rounding alone can make it negative; written so that a NaN stays.
    return {count, shift + mean, squares < 0 ? 0 : squares};
}

// Chan, Golub and LeVeque, 1983.
DEVICE Moments merged(Moments a, Moments b) {
    if (b.count == 0) return a;
    if (a.count == 0) return b;
    const double count = a.count + b.count, delta = b.mean - a.mean;
    return {count, a.mean + delta * (b.count / count), a.squares + b.squares + delta * delta * (a.count * b.count / count)};
}

// What partial moments and sums are written to: `values` of each channel, one after the other.
DEVICE void write_moments(Reduction reduction, size_t at, Moments moments, Global<double> partials) {
    const size_t stride = reduction.layout.channels * partials_of(reduction);
    partials[at] = moments.count;
    partials[stride + at] = moments.mean;
    partials[2 * stride + at] = moments.squares;
}

// The deviations of a slice are taken from the mean of a sample of it, so that a mean far from zero costs no digits.
template <typename T, int WIDTH>
DEVICE void plane_moments(Reduction reduction, Global<const T> x, Global<double> partials) {
    SHARED(T, sample_mean, 1);
    const size_t jobs = reduction.layout.channels * reduction.slices;
    for (size_t job = blockIdx.x; job < jobs; job += gridDim.x) {
        const size_t channel = divide(job, reduction.slices), slice = job - channel * reduction.slices;
        const Slice elements = slice_of(reduction, slice);
        // Of each thread its first element.
        const size_t own = elements.first + threadIdx.x * WIDTH;
        double sample[2] = {0, 0};
        if (own < elements.end) sample[0] = x[place_of(reduction.layout, channel, own)], sample[1] = 1;
        block_sums(sample);
        if (threadIdx.x == 0) sample_mean[0] = T(sample[0] / sample[1]);
        __syncthreads();
        const T shift = sample_mean[0];
        T deviations = 0, squares = 0;
        each_in_slice<WIDTH>(reduction.layout, channel, elements, [&](size_t i) {
            const auto pack = load<WIDTH>(x, i);
            for (int lane = 0; lane < WIDTH; lane++) {
                const T deviation = pack.v[lane] - shift;
                deviations += deviation;
                squares += deviation * deviation;
            }
        });
        double sums[2] = {double(deviations), double(squares)};
        // Its barriers also keep `sample_mean` until all have read it.
        block_sums(sums);
        if (threadIdx.x == 0) {
            const double count = double(elements.end - elements.first);
            write_moments(reduction, job, moments_of(count, shift, sums[0], sums[1]), partials);
        }
    }
}

// The deviations of a column are taken from its first element: there are only a few of them.
template <typename T>
DEVICE void column_moments(Reduction reduction, Global<const T> x, Global<double> partials) {
    const size_t width = reduction.layout.channels * reduction.layout.inner, jobs = width * reduction.slices;
    for (size_t job = grid_thread(); job < jobs; job += grid_threads()) {
        const size_t slice = divide(job, width), column = job - slice * width;
        const Slice rows = rows_of(reduction, slice);
        const T shift = x[rows.first * width + column];
        T deviations = 0, squares = 0;
        for (size_t row = rows.first; row < rows.end; row++) {
            const T deviation = x[row * width + column] - shift;
            deviations += deviation;
            squares += deviation * deviation;
        }
        const Moments moments = moments_of(double(rows.end - rows.first), shift, deviations, squares);
        write_moments(reduction, column * reduction.slices + slice, moments, partials);
    }
}

template <typename T>
DEVICE void partial_moments(Reduction reduction, Global<const T> x, Global<double> partials) {
    if (!reduction.planar) {
        column_moments<T>(reduction, x, partials);
    } else if (aligned16(x) && reduction.layout.inner % LANES<T> == 0) {
        plane_moments<T, LANES<T>>(reduction, x, partials);
    } else {
        plane_moments<T, 1>(reduction, x, partials);
    }
}

// Mean and biased variance of each channel, by one warp each.
KERNEL(batch_norm_merge,
       (Reduction reduction, Global<const double> partials, Global<double> mean, Global<double> variance)) {
    const size_t channels = reduction.layout.channels, count = partials_of(reduction), stride = channels * count;
    for (size_t channel = grid_warp(); channel < channels; channel += grid_warps()) {
        Moments moments = {0, 0, 0};
        for (size_t i = channel * count + threadIdx.x % 32; i < (channel + 1) * count; i += 32) {
            moments = merged(moments, {partials[i], partials[stride + i], partials[2 * stride + i]});
        }
        for (int delta = 16; delta > 0; delta /= 2) {
            const double others = shuffle_down(moments.count, delta), other_mean = shuffle_down(moments.mean, delta);
            const double other_squares = shuffle_down(moments.squares, delta);
            moments = merged(moments, {others, other_mean, other_squares});
        }
        if (threadIdx.x % 32 == 0) {
            mean[channel] = moments.mean;
            variance[channel] = moments.squares / moments.count;
        }
    }
}

KERNEL(batch_norm_inv_std, (Global<const double> variance, double epsilon, Global<double> y, size_t len)) {
    for (size_t i = grid_thread(); i < len; i += grid_threads()) y[i] = 1.0 / sqrt(variance[i] + epsilon);
}

template <typename T>
DEVICE void normalize(Layout layout, Global<const T> x, Global<const double> mean, Global<const double> inv_std,
                      Global<const T> gamma, Global<const T> beta, Global<T> y) {
    each_in_channels<T>(layout, aligned16(x) && aligned16(y), [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const double wide = double(gamma[channel]) * inv_std[channel];
        const T scale = T(wide), shift = T(double(beta[channel]) - wide * mean[channel]);
        auto pack = load<WIDTH>(x, i);
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = pack.v[lane] * scale + shift;
        store(y, i, pack);
    });
}

// Partial sums of g and of g (x - mean).
template <typename T>
DEVICE void grad_output_sums(Reduction reduction, Global<const T> x, Global<const double> mean, Global<const T> grad_output,
                           Global<double> partials) {
    const bool aligned = aligned16(x) && aligned16(grad_output);
    partial_sums<T, 2>(reduction, aligned, partials, [&](auto width, size_t i, size_t channel, T(&sums)[2]) {
        constexpr int WIDTH = decltype(width)::value;
        const T origin = T(mean[channel]);
        const auto at = load<WIDTH>(x, i), g = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) {
            sums[0] += g.v[lane];
            sums[1] += g.v[lane] * (at.v[lane] - origin);
        }
    });
}

// Where the sums go. What is null is not wanted.
template <typename T>
struct Targets {
    Global<T> gamma, beta;
    // a, b and c of grad_x = a g + b x + c, one after the other.
    Global<T> coefficients;
};

template <typename T>
DEVICE void finish(Reduction reduction, Global<const double> partials, Global<const double> mean,
                   Global<const double> inv_std, Global<const T> gamma, Targets<T> to) {
    const size_t channels = reduction.layout.channels, count = partials_of(reduction);
    const double n = double(reduction.layout.outer * reduction.layout.inner);
    for (size_t channel = grid_warp(); channel < channels; channel += grid_warps()) {
        const double grad_outputs = warp_sum(partials, channel * count, count);
        const double products = warp_sum(partials, (channels + channel) * count, count);
        if (threadIdx.x % 32 != 0) continue;
        const double deviation = inv_std[channel];
        if (to.gamma) to.gamma[channel] += T(products * deviation);
        if (to.beta) to.beta[channel] += T(grad_outputs);
        if (to.coefficients) {
            const double a = double(gamma[channel]) * deviation, b = -a * deviation * deviation * products / n;
            to.coefficients[channel] = T(a);
            to.coefficients[channels + channel] = T(b);
            to.coefficients[2 * channels + channel] = T(-a * grad_outputs / n - b * mean[channel]);
        }
    }
}

// grad_x = a g + b x + c, through the statistics of the batch. `grad_x` may be `grad_output`.
template <typename T>
DEVICE void through_statistics(Layout layout, Global<const T> x, Global<const T> grad_output, Global<const T> coefficients,
                               Global<T> grad_x, int mode) {
    const bool aligned = aligned16(x) && aligned16(grad_output) && aligned16(grad_x);
    each_in_channels<T>(layout, aligned, [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const T a = coefficients[channel], b = coefficients[layout.channels + channel];
        const T c = coefficients[2 * layout.channels + channel];
        const auto at = load<WIDTH>(x, i);
        auto pack = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = a * pack.v[lane] + (b * at.v[lane] + c);
        deposit(grad_x, i, pack, mode);
    });
}

// grad_x = gamma inv_std g, with constant statistics. `grad_x` may be `grad_output`.
template <typename T>
DEVICE void scaled(Layout layout, Global<const T> grad_output, Global<const double> inv_std, Global<const T> gamma,
                   Global<T> grad_x, int mode) {
    each_in_channels<T>(layout, aligned16(grad_output) && aligned16(grad_x), [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const T a = T(double(gamma[channel]) * inv_std[channel]);
        auto pack = load<WIDTH>(grad_output, i);
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] *= a;
        deposit(grad_x, i, pack, mode);
    });
}

#define KERNELS(T, SUFFIX)                                                                                             \
    KERNEL(batch_norm_moments##SUFFIX, (Reduction reduction, Global<const T> x, Global<double> partials)) {            \
        partial_moments<T>(reduction, x, partials);                                                                    \
    }                                                                                                                  \
    KERNEL(batch_norm_widen##SUFFIX, (Global<const T> x, Global<double> y, size_t len)) {                              \
        for (size_t i = grid_thread(); i < len; i += grid_threads()) y[i] = double(x[i]);                              \
    }                                                                                                                  \
    KERNEL(batch_norm_normalize##SUFFIX,                                                                               \
           (Layout layout, Global<const T> x, Global<const double> mean, Global<const double> inv_std,                 \
            Global<const T> gamma, Global<const T> beta, Global<T> y)) {                                               \
        normalize<T>(layout, x, mean, inv_std, gamma, beta, y);                                                        \
    }                                                                                                                  \
    KERNEL(batch_norm_sums##SUFFIX, (Reduction reduction, Global<const T> x, Global<const double> mean,                \
                                     Global<const T> grad_output, Global<double> partials)) {                            \
        grad_output_sums<T>(reduction, x, mean, grad_output, partials);                                                    \
    }                                                                                                                  \
    KERNEL(batch_norm_finish##SUFFIX,                                                                                  \
           (Reduction reduction, Global<const double> partials, Global<const double> mean,                             \
            Global<const double> inv_std, Global<const T> gamma, Targets<T> to)) {                                     \
        finish<T>(reduction, partials, mean, inv_std, gamma, to);                                                      \
    }                                                                                                                  \
    KERNEL(batch_norm_through##SUFFIX,                                                                                 \
           (Layout layout, Global<const T> x, Global<const T> grad_output, Global<const T> coefficients, Global<T> grad_x, \
            int mode)) {                                                                                               \
        through_statistics<T>(layout, x, grad_output, coefficients, grad_x, mode);                                       \
    }                                                                                                                  \
    KERNEL(batch_norm_scaled##SUFFIX, (Layout layout, Global<const T> grad_output, Global<const double> inv_std,         \
                                       Global<const T> gamma, Global<T> grad_x, int mode)) {                           \
        scaled<T>(layout, grad_output, inv_std, gamma, grad_x, mode);                                                    \
    }                                                                                                                  \
    KERNEL(batch_norm_update##SUFFIX, (Global<const T> running, Global<const double> batch, double momentum,           \
                                       double factor, Global<T> to, size_t len)) {                                     \
        for (size_t i = grid_thread(); i < len; i += grid_threads()) {                                                 \
            to[i] = T((1.0 - momentum) * double(running[i]) + momentum * factor * batch[i]);                           \
        }                                                                                                              \
    }
FOR_EACH_TYPE(KERNELS)
