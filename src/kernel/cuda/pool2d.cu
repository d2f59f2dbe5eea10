// Maximum and average pooling over windows, and the mean of a plane. Gradients are gathered: each element of the input
// adds up what the windows that it lies in hand it, in ascending order of the windows.
#include "reduce.cuh"

// The twin of `PoolSizes` in `pool2d.rs`.
struct PoolSizes {
    size_t planes;
    int in_height, in_width, out_height, out_width, kernel, stride, padding;
};

// What the padding holds, of `MaxPadding`: zeros that compete. The other one never wins.
constexpr int ZERO = 1;

// The mark of a window that the zero padding has won.
constexpr unsigned char PADDING_WON = 255;

// Where an element lies.
struct Place {
    size_t plane;
    int row, column;
};

DEVICE Place place_in(size_t i, int height, int width) {
    const size_t line = divide(i, width), plane = divide(line, height);
    return {plane, int(line - plane * height), int(i - line * width)};
}

// The windows along an axis in which a position lies, `first` to `last`.
struct Windows {
    int first, last;
};

DEVICE Windows windows_over(PoolSizes sizes, int position, int count) {
    const int padded = position + sizes.padding, before = padded - sizes.kernel;
    const int last = padded / sizes.stride;
    return {before < 0 ? 0 : before / sizes.stride + 1, last < count ? last : count - 1};
}

// The winner's place in its window is kept, unless `argmax` is null. The first of equal maxima wins, and a NaN over
// everything before it; a window that holds nothing above minus infinity is won by its first element on the image.
template <typename T>
DEVICE void max_pool(PoolSizes sizes, int padding, Global<const T> x, Global<T> y, Global<unsigned char> argmax) {
    const size_t len = sizes.planes * sizes.out_height * sizes.out_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const Place at = place_in(i, sizes.out_height, sizes.out_width);
        const int top = at.row * sizes.stride - sizes.padding, left = at.column * sizes.stride - sizes.padding;
        const size_t plane = at.plane * sizes.in_height * sizes.in_width;
        T best = -INFINITY;
        int place = (top < 0 ? -top : 0) * sizes.kernel + (left < 0 ? -left : 0);
        for (int k = 0; k < sizes.kernel; k++) {
            for (int l = 0; l < sizes.kernel; l++) {
                const int row = top + k, column = left + l;
                if (row >= 0 && row < sizes.in_height && column >= 0 && column < sizes.in_width) {
                    const T value = x[plane + size_t(row) * sizes.in_width + column];
                    if (value > best || value != value) best = value, place = k * sizes.kernel + l;
                } else if (padding == ZERO && T(0) > best) {
                    best = 0, place = PADDING_WON;
                }
            }
        }
        y[i] = best;
        if (argmax) argmax[i] = (unsigned char)(place);
    }
}

template <typename T>
DEVICE void max_pool_backward(PoolSizes sizes, Global<const unsigned char> argmax, Global<const T> grad_output,
                              Global<T> grad_x, int mode) {
    const size_t len = sizes.planes * sizes.in_height * sizes.in_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const Place at = place_in(i, sizes.in_height, sizes.in_width);
        const Windows rows = windows_over(sizes, at.row, sizes.out_height);
        const Windows columns = windows_over(sizes, at.column, sizes.out_width);
        T gradient = mode == ADD ? grad_x[i] : T(0);
        for (int row = rows.first; row <= rows.last; row++) {
            for (int column = columns.first; column <= columns.last; column++) {
                const int k = at.row + sizes.padding - row * sizes.stride;
                const int l = at.column + sizes.padding - column * sizes.stride;
                const size_t window = (at.plane * sizes.out_height + row) * sizes.out_width + column;
                if (argmax[window] == k * sizes.kernel + l) gradient += grad_output[window];
            }
        }
        grad_x[i] = gradient;
    }
}

// The positions of a window along an axis that are counted: all, or those on the image.
DEVICE int counted(PoolSizes sizes, int count_padding, int window, int size) {
    const int first = window * sizes.stride - sizes.padding, end = first + sizes.kernel;
    return count_padding ? sizes.kernel : (end < size ? end : size) - (first > 0 ? first : 0);
}

template <typename T>
DEVICE T divisor(PoolSizes sizes, int count_padding, int row, int column) {
    return T(counted(sizes, count_padding, row, sizes.in_height)) * T(counted(sizes, count_padding, column, sizes.in_width));
}

template <typename T>
DEVICE void average_pool(PoolSizes sizes, int count_padding, Global<const T> x, Global<T> y) {
    const size_t len = sizes.planes * sizes.out_height * sizes.out_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const Place at = place_in(i, sizes.out_height, sizes.out_width);
        const int top = at.row * sizes.stride - sizes.padding, left = at.column * sizes.stride - sizes.padding;
        const size_t plane = at.plane * sizes.in_height * sizes.in_width;
        T sum = 0;
        for (int row = top < 0 ? 0 : top; row < top + sizes.kernel && row < sizes.in_height; row++) {
            for (int column = left < 0 ? 0 : left; column < left + sizes.kernel && column < sizes.in_width; column++) {
                sum += x[plane + size_t(row) * sizes.in_width + column];
            }
        }
        y[i] = sum / divisor<T>(sizes, count_padding, at.row, at.column);
    }
}

template <typename T>
DEVICE void average_pool_backward(PoolSizes sizes, int count_padding, Global<const T> grad_output, Global<T> grad_x, int mode) {
    const size_t len = sizes.planes * sizes.in_height * sizes.in_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const Place at = place_in(i, sizes.in_height, sizes.in_width);
        const Windows rows = windows_over(sizes, at.row, sizes.out_height);
        const Windows columns = windows_over(sizes, at.column, sizes.out_width);
        T gradient = mode == ADD ? grad_x[i] : T(0);
        for (int row = rows.first; row <= rows.last; row++) {
            for (int column = columns.first; column <= columns.last; column++) {
                const size_t window = (at.plane * sizes.out_height + row) * sizes.out_width + column;
                gradient += grad_output[window] / divisor<T>(sizes, count_padding, row, column);
            }
        }
        grad_x[i] = gradient;
    }
}

// One warp a plane. NaN for planes without elements.
template <typename T>
DEVICE void global_average_pool(size_t planes, size_t pixels, Global<const T> x, Global<T> y) {
    for (size_t plane = grid_warp(); plane < planes; plane += grid_warps()) {
        double sum = 0;
        for (size_t i = threadIdx.x % 32; i < pixels; i += 32) sum += x[plane * pixels + i];
        for (int delta = 16; delta > 0; delta /= 2) sum += shuffle_down(sum, delta);
        if (threadIdx.x % 32 == 0) y[plane] = T(sum / double(pixels));
    }
}

// `layout`: one channel a plane.
template <typename T>
DEVICE void global_average_pool_backward(Layout layout, Global<const T> grad_output, Global<T> grad_x, int mode) {
    each_in_channels<T>(layout, aligned16(grad_x), [&](auto width, size_t i, size_t plane) {
        constexpr int WIDTH = decltype(width)::value;
        const T share = grad_output[plane] / T(layout.inner);
        Pack<T, WIDTH> pack;
        for (int lane = 0; lane < WIDTH; lane++) pack.v[lane] = share;
        deposit(grad_x, i, pack, mode);
    });
}

#define KERNELS(T, SUFFIX)                                                                                              \
    KERNEL(pool2d_max##SUFFIX,                                                                                          \
           (PoolSizes sizes, int padding, Global<const T> x, Global<T> y, Global<unsigned char> argmax)) {                  \
        max_pool<T>(sizes, padding, x, y, argmax);                                                                      \
    }                                                                                                                   \
    KERNEL(pool2d_max_backward##SUFFIX, (PoolSizes sizes, Global<const unsigned char> argmax, Global<const T> grad_output,    \
                                         Global<T> grad_x, int mode)) {                                                 \
        max_pool_backward<T>(sizes, argmax, grad_output, grad_x, mode);                                                   \
    }                                                                                                                   \
    KERNEL(pool2d_average##SUFFIX, (PoolSizes sizes, int count_padding, Global<const T> x, Global<T> y)) {                  \
        average_pool<T>(sizes, count_padding, x, y);                                                                    \
    }                                                                                                                   \
    KERNEL(pool2d_average_backward##SUFFIX,                                                                             \
           (PoolSizes sizes, int count_padding, Global<const T> grad_output, Global<T> grad_x, int mode)) {                   \
        average_pool_backward<T>(sizes, count_padding, grad_output, grad_x, mode);                                        \
    }                                                                                                                   \
    KERNEL(pool2d_global##SUFFIX, (size_t planes, size_t pixels, Global<const T> x, Global<T> y)) {                     \
        global_average_pool<T>(planes, pixels, x, y);                                                                   \
    }                                                                                                                   \
    KERNEL(pool2d_global_backward##SUFFIX, (Layout layout, Global<const T> grad_output, Global<T> grad_x, int mode)) {    \
        global_average_pool_backward<T>(layout, grad_output, grad_x, mode);                                               \
    }
FOR_EACH_TYPE(KERNELS)
