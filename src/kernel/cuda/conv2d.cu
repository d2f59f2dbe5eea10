// What a convolution is besides products of matrices: unfolding images into columns and folding them back, and bringing
// what the products make of several images into the order of tensors.
#include "walk.cuh"

// The twin of `ConvSizes` in `conv2d.rs`; `images`: those of one group.
struct ConvSizes {
    size_t images, channels;
    int in_height, in_width, out_height, out_width, kernel, stride, padding;
};

// columns[c, u, v][n, i, j] = x[n, c, i S - P + u, j S - P + v], and zero outside of x. One thread writes all (u, v).
template <typename T>
DEVICE void unfold(ConvSizes sizes, Global<const T> x, Global<T> columns) {
    const size_t pixels = size_t(sizes.out_height) * sizes.out_width, width = sizes.images * pixels;
    const size_t jobs = sizes.channels * width;
    for (size_t job = grid_thread(); job < jobs; job += grid_threads()) {
        const size_t channel = divide(job, width), at = job - channel * width;
        const size_t image = divide(at, pixels), pixel = at - image * pixels;
        const int out_row = int(divide(pixel, sizes.out_width)), out_column = int(pixel - size_t(out_row) * sizes.out_width);
        const int top = out_row * sizes.stride - sizes.padding, left = out_column * sizes.stride - sizes.padding;
        const size_t plane = (image * sizes.channels + channel) * sizes.in_height * sizes.in_width;
        size_t to = channel * sizes.kernel * sizes.kernel * width + at;
        for (int row = top; row < top + sizes.kernel; row++) {
            for (int column = left; column < left + sizes.kernel; column++) {
                const bool inside = row >= 0 && row < sizes.in_height && column >= 0 && column < sizes.in_width;
                columns[to] = inside ? x[plane + size_t(row) * sizes.in_width + column] : T(0);
                to += width;
            }
        }
    }
}

// The adjoint: each element of the input adds up the columns' elements that were taken from it, in ascending order of
// the pixels of the output.
template <typename T>
DEVICE void fold(ConvSizes sizes, Global<const T> columns, Global<T> grad_x, int mode) {
    const size_t pixels = size_t(sizes.out_height) * sizes.out_width, width = sizes.images * pixels;
    const size_t len = sizes.images * sizes.channels * sizes.in_height * sizes.in_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t line = divide(i, sizes.in_width), plane = divide(line, sizes.in_height);
        const size_t image = divide(plane, sizes.channels), channel = plane - image * sizes.channels;
        // Of the padded image.
        const int row = int(line - plane * sizes.in_height) + sizes.padding;
        const int column = int(i - line * sizes.in_width) + sizes.padding;
        const int top = row < sizes.kernel ? 0 : (row - sizes.kernel) / sizes.stride + 1;
        const int left = column < sizes.kernel ? 0 : (column - sizes.kernel) / sizes.stride + 1;
        const int bottom = row / sizes.stride, right = column / sizes.stride;
        T gradient = mode == ADD ? grad_x[i] : T(0);
        for (int out_row = top; out_row <= bottom && out_row < sizes.out_height; out_row++) {
            const size_t u = channel * sizes.kernel + (row - out_row * sizes.stride);
            for (int out_column = left; out_column <= right && out_column < sizes.out_width; out_column++) {
                const size_t tap = u * sizes.kernel + (column - out_column * sizes.stride);
                gradient += columns[tap * width + image * pixels + size_t(out_row) * sizes.out_width + out_column];
            }
        }
        grad_x[i] = gradient;
    }
}

// Where element `i` of `[images, channels, pixels]` lies in `[channels, images, pixels]`.
DEVICE size_t regrouped(Layout layout, size_t i, size_t channel) {
    const size_t plane = divide(i, layout.inner), image = divide(plane, layout.channels);
    return (channel * layout.outer + image) * layout.inner + (i - plane * layout.inner);
}

// y[n, o, p] = from[o, n, p] + bias[o]; both may be null, for zero.
template <typename T>
DEVICE void spread(Layout layout, Global<const T> from, Global<const T> bias, Global<T> y) {
    each_in_channels<T>(layout, aligned16(from) && aligned16(y), [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        const T term = bias ? bias[channel] : T(0);
        Pack<T, WIDTH> pack;
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = term;
        if (from) {
            const auto product = load<WIDTH>(from, regrouped(layout, i, channel));
            for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] += product.v[lane];
        }
        store(y, i, pack);
    });
}

// to[o, n, p] = y[n, o, p]
template <typename T>
DEVICE void gather(Layout layout, Global<const T> y, Global<T> to) {
    each_in_channels<T>(layout, aligned16(y) && aligned16(to), [&](auto width, size_t i, size_t channel) {
        constexpr int WIDTH = decltype(width)::value;
        store(to, regrouped(layout, i, channel), load<WIDTH>(y, i));
    });
}

#define KERNELS(T, SUFFIX)                                                                                          \
    KERNEL(conv2d_unfold##SUFFIX, (ConvSizes sizes, Global<const T> x, Global<T> columns)) { unfold<T>(sizes, x, columns); } \
    KERNEL(conv2d_fold##SUFFIX, (ConvSizes sizes, Global<const T> columns, Global<T> grad_x, int mode)) {               \
        fold<T>(sizes, columns, grad_x, mode);                                                                      \
    }                                                                                                               \
    KERNEL(conv2d_spread##SUFFIX, (Layout layout, Global<const T> from, Global<const T> bias, Global<T> y)) {       \
        spread<T>(layout, from, bias, y);                                                                           \
    }                                                                                                               \
    KERNEL(conv2d_gather##SUFFIX, (Layout layout, Global<const T> y, Global<T> to)) { gather<T>(layout, y, to); }
FOR_EACH_TYPE(KERNELS)
