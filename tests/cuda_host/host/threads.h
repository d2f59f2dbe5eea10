// The threads of a block as a kernel sees them: who it is, and how it waits for the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pvlu_host {

struct Index {
    unsigned x, y, z;
};

// Of the thread that runs: threads of a launch run one after the other, and launches do too.
extern Index threadIdx, blockIdx, blockDim, gridDim;

// Returns when all threads of the block wait here.
void wait_for_block(const char* file, int line);

// Returns when all threads of the warp wait here: what the thread `delta` further handed in, or `value` if there is
// none.
uint64_t shuffle_bits(const char* file, int line, uint64_t value, int delta);

template <typename T>
inline T shuffle_down_at(const char* file, int line, T value, int delta) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, int> ||
                  std::is_same_v<T, unsigned>);
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    bits = shuffle_bits(file, line, bits, delta);
    memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace pvlu_host
