// Inverted dropout with the mask of `src/kernel/cpu/dropout.rs`, bit for bit.
#include "common.cuh"

// Counters side by side: their first words belong to so many elements, their second words to the next ones, and so on.
constexpr size_t COUNTERS = 16;

// Philox-4x32 with ten rounds.
DEVICE void philox(unsigned (&words)[4], unsigned k, unsigned l) {
    for (int round = 0; round < 10; round++) {
        const uint64_t first = uint64_t(words[0]) * 0xD2511F53, second = uint64_t(words[2]) * 0xCD9E8D57;
        words[0] = unsigned(second >> 32) ^ words[1] ^ k;
        words[1] = unsigned(second);
        words[2] = unsigned(first >> 32) ^ words[3] ^ l;
        words[3] = unsigned(first);
        k += 0x9E3779B9;
        l += 0xBB67AE85;
    }
}

// One counter a thread. A NaN stays where it is dropped.
template <typename T>
DEVICE void dropout(uint64_t key, unsigned drop_below, T scale, Global<const T> x, Global<T> y, size_t len, int mode) {
    const size_t counters = (len + 4 * COUNTERS - 1) / (4 * COUNTERS) * COUNTERS;
    for (size_t counter = grid_thread(); counter < counters; counter += grid_threads()) {
        unsigned words[4] = {unsigned(counter), unsigned(uint64_t(counter) >> 32), 0, 0};
        philox(words, unsigned(key), unsigned(key >> 32));
        const size_t first = counter / COUNTERS * (4 * COUNTERS) + counter % COUNTERS;
        for (int word = 0; word < 4; word++) {
            const size_t i = first + word * COUNTERS;
            if (i < len) {
                const T kept = x[i] * (words[word] < drop_below ? T(0) : scale);
                y[i] = mode == ADD ? y[i] + kept : kept;
            }
        }
    }
}

#define KERNELS(T, SUFFIX)                                                                                            \
    KERNEL(dropout_apply##SUFFIX, (uint64_t key, unsigned drop_below, T scale, Global<const T> x, Global<T> y, size_t len, \
                                   int mode)) {                                                                       \
        dropout<T>(key, drop_below, scale, x, y, len, mode);                                                          \
    }
FOR_EACH_TYPE(KERNELS)
