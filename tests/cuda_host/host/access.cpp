// What becomes of a kernel that reads or writes where it may not.
#include <cstring>
#include <vector>

#include "block.h"
#include "memory.h"

namespace pvlu_host {

namespace {

// As `float` and `double`, NaN.
constexpr unsigned char SPOILED = 0xFF;
// As much as a block has without asking for more.
constexpr size_t SHARED_LIMIT = 48 << 10;

// Counts blocks, over all launches: an array that last saw another block is entered for the first time.
uint64_t block_number = 0;
std::vector<SharedZone*> entered;

}  // namespace

void outside(const void* base, size_t index, size_t size, const char* what) {
    const Range& range = range_of(base);
    const auto address = reinterpret_cast<uintptr_t>(base);
    if (base == nullptr) {
        tell("kernel %s, block (%u, %u, %u), thread %u: %s %zu of a null pointer", kernel_name(), blockIdx.x, blockIdx.y,
             blockIdx.z, threadIdx.x, what, index);
    } else if (range.low == range.high) {
        tell("kernel %s, block (%u, %u, %u), thread %u: %s %zu of a pointer into no live allocation", kernel_name(),
             blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, what, index);
    } else {
        tell("kernel %s, block (%u, %u, %u), thread %u: %s %zu of %zu bytes each, %zu bytes into an allocation of %zu bytes",
             kernel_name(), blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, what, index, size, size_t(address - range.low),
             size_t(range.high - range.low));
    }
    abandon(CUDA_ERROR_ILLEGAL_ADDRESS);
}

void misaligned(const void* pointer, size_t alignment) {
    tell("kernel %s, block (%u, %u, %u), thread %u: address %p is no multiple of %zu", kernel_name(), blockIdx.x, blockIdx.y,
         blockIdx.z, threadIdx.x, pointer, alignment);
    abandon(CUDA_ERROR_MISALIGNED_ADDRESS);
}

void begin_shared() {
    block_number++;
    entered.clear();
}

void SharedZone::enter_block(unsigned char* storage, size_t count) {
    if (block == block_number) return;
    block = block_number;
    bytes = storage;
    size = count;
    memset(bytes, SPOILED, BYTES + size + BYTES);
    entered.push_back(this);
    size_t total = 0;
    for (const SharedZone* zone : entered) total += zone->size;
    if (total > SHARED_LIMIT) {
        tell("kernel %s: shared arrays of %zu bytes", kernel_name(), total);
        abandon(CUDA_ERROR_LAUNCH_FAILED);
    }
}

bool shared_zones_are_intact() {
    for (const SharedZone* zone : entered) {
        const unsigned char *before = zone->bytes, *after = zone->bytes + SharedZone::BYTES + zone->size;
        for (size_t i = 0; i < SharedZone::BYTES; i++) {
            if (before[i] != SPOILED || after[i] != SPOILED) return false;
        }
    }
    return true;
}

}  // namespace pvlu_host
