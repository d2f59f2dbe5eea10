// Every n-th row and column of an image, with channels of zeros around.
#include "common.cuh"

// The twin of `SubsampleSizes` in `subsample.rs`. `before`: channels of zeros ahead of the given ones.
struct SubsampleSizes {
    size_t batch, in_channels, out_channels, before, height, width, stride, out_height, out_width;
};

template <typename T>
DEVICE void forward(SubsampleSizes sizes, Global<const T> x, Global<T> y) {
    const size_t len = sizes.batch * sizes.out_channels * sizes.out_height * sizes.out_width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t line = divide(i, sizes.out_width), column = i - line * sizes.out_width;
        const size_t plane = divide(line, sizes.out_height), row = line - plane * sizes.out_height;
        const size_t image = divide(plane, sizes.out_channels), channel = plane - image * sizes.out_channels;
        // Wraps around, to a large number, ahead of the given channels.
        const size_t from = channel - sizes.before;
        y[i] = from < sizes.in_channels
                   ? x[((image * sizes.in_channels + from) * sizes.height + row * sizes.stride) * sizes.width + column * sizes.stride]
                   : T(0);
    }
}

template <typename T>
DEVICE void backward(SubsampleSizes sizes, Global<const T> grad_output, Global<T> grad_x, int mode) {
    const size_t len = sizes.batch * sizes.in_channels * sizes.height * sizes.width;
    for (size_t i = grid_thread(); i < len; i += grid_threads()) {
        const size_t line = divide(i, sizes.width), column = i - line * sizes.width;
        const size_t plane = divide(line, sizes.height), row = line - plane * sizes.height;
        const size_t image = divide(plane, sizes.in_channels), channel = plane - image * sizes.in_channels;
        const size_t out_row = divide(row, sizes.stride), out_column = divide(column, sizes.stride);
        if (out_row * sizes.stride == row && out_column * sizes.stride == column) {
            const size_t to = image * sizes.out_channels + sizes.before + channel;
            const T gradient = grad_output[(to * sizes.out_height + out_row) * sizes.out_width + out_column];
            grad_x[i] = mode == ADD ? grad_x[i] + gradient : gradient;
        } else if (mode == REPLACE) {
            grad_x[i] = 0;
        }
    }
}

#define KERNELS(T, SUFFIX)                                                                                      \
    KERNEL(subsample_forward##SUFFIX, (SubsampleSizes sizes, Global<const T> x, Global<T> y)) { forward<T>(sizes, x, y); } \
    KERNEL(subsample_backward##SUFFIX, (SubsampleSizes sizes, Global<const T> grad_output, Global<T> grad_x, int mode)) {  \
        backward<T>(sizes, grad_output, grad_x, mode);                                                            \
    }
FOR_EACH_TYPE(KERNELS)
