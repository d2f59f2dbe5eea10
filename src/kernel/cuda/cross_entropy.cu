// Softmax cross-entropy: the loss of each row and the gradient of the mean loss.
#include "reduce.cuh"

// The largest value of the block, in all of its threads. NaNs are passed over.
template <typename T>
DEVICE T block_maximum(T own) {
    SHARED(T, of_warps, 32);
    SHARED(T, of_block, 1);
    for (int delta = 16; delta > 0; delta /= 2) {
        const T other = shuffle_down(own, delta);
        own = other > own ? other : own;
    }
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = own;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned warp = 1; warp < blockDim.x / 32; warp++) own = of_warps[warp] > own ? of_warps[warp] : own;
        of_block[0] = own;
    }
    __syncthreads();
    return of_block[0];
}

// One block a row: its maximum, the exponentials and their sum, and the gradient. `scale` is one over the rows. A
// thread reads only what it wrote itself of the gradient. The second sum is of the distances from the maximum.
template <typename T>
DEVICE void rows(Global<const T> logits, Global<const size_t> labels, size_t count, size_t classes, double scale,
                 double smoothing, Global<T> gradient, Global<double> losses) {
    SHARED(double, total, 1);
    for (size_t row = blockIdx.x; row < count; row += gridDim.x) {
        const size_t first = row * classes, label = labels[row];
        T maximum = -INFINITY;
        for (size_t i = threadIdx.x; i < classes; i += blockDim.x) {
            const T x = logits[first + i];
            maximum = x > maximum ? x : maximum;
        }
        maximum = block_maximum(maximum);
        double sum[2] = {0, 0};
        for (size_t i = threadIdx.x; i < classes; i += blockDim.x) {
            const T power = exp(logits[first + i] - maximum);
            gradient[first + i] = power;
            sum[0] += power;
            sum[1] += double(maximum) - double(logits[first + i]);
        }
        block_sums(sum);
        if (threadIdx.x == 0) {
            total[0] = sum[0];
            const double own = double(maximum) - double(logits[first + label]), mean = sum[1] / double(classes);
            // Where a share is 0 its distance does not count, even if that is infinite.
            const double both = (1 - smoothing) * own + smoothing * mean;
            const double below = smoothing == 0 ? own : smoothing == 1 ? mean : both;
            losses[row] = log(sum[0]) + below;
        }
        __syncthreads();
        const T factor = T(scale / total[0]), uniform = T(scale * (smoothing / double(classes)));
        for (size_t i = threadIdx.x; i < classes; i += blockDim.x) {
            const T share = gradient[first + i] * factor - uniform;
            gradient[first + i] = i == label ? share - T(scale * (1 - smoothing)) : share;
        }
    }
}

// The mean of the losses, by one block.
KERNEL(cross_entropy_mean, (Global<const double> losses, size_t count, Global<double> mean)) {
    double sum[1] = {0};
    for (size_t i = threadIdx.x; i < count; i += blockDim.x) sum[0] += losses[i];
    block_sums(sum);
    if (blockIdx.x == 0 && threadIdx.x == 0) mean[0] = sum[0] / double(count);
}

#define KERNELS(T, SUFFIX)                                                                                          \
    KERNEL(cross_entropy_rows##SUFFIX, (Global<const T> logits, Global<const size_t> labels, size_t count, size_t classes, \
                                        double scale, double smoothing, Global<T> gradient,                         \
                                        Global<double> losses)) {                                                   \
        rows<T>(logits, labels, count, classes, scale, smoothing, gradient, losses);                                \
    }
FOR_EACH_TYPE(KERNELS)
