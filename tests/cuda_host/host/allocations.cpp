// The memory of the device: memory of the host with a list of what is live. Fresh and freed memory is spoiled, and so
// is a zone on both sides of an allocation, which must still be so when it is freed.
#include "allocations.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>

#include "memory.h"

namespace {

// As the real allocators align.
constexpr size_t ALIGNMENT = 256;
constexpr size_t ZONE = 256;
// As `float` and `double`, NaN; as an index, beyond everything.
constexpr unsigned char SPOILED = 0xFF;
// Otherwise a NaN that a kernel writes could pass for it.
constexpr unsigned char FENCE = 0xA5;

struct Allocation {
    size_t bytes;
    std::thread::id owner;
};

// By address.
std::map<uintptr_t, Allocation>& live() {
    static std::map<uintptr_t, Allocation> live;
    return live;
}

size_t padded(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

// The allocation that `address` lies in.
std::map<uintptr_t, Allocation>::iterator containing(uintptr_t address) {
    auto after = live().upper_bound(address);
    if (after == live().begin()) return live().end();
    auto found = std::prev(after);
    return address - found->first < found->second.bytes ? found : live().end();
}

bool is_intact(const unsigned char* zone, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (zone[i] != FENCE) return false;
    }
    return true;
}

}  // namespace

namespace pvlu_host {

Range recent_ranges[RANGES];

const Range& find_range(uintptr_t base) {
    Range& range = recent_ranges[(base * 0x9E3779B97F4A7C15u) >> 56];
    auto found = containing(base);
    // Without bytes from `base` on, so that each access fails.
    range = {base, base, base};
    if (found != live().end()) range = {base, found->first, found->first + found->second.bytes};
    return range;
}

bool is_live(uintptr_t address, size_t bytes) {
    if (bytes == 0) return true;
    auto found = containing(address);
    return found != live().end() && bytes <= found->first + found->second.bytes - address;
}

CUdeviceptr allocate(size_t bytes) {
    const size_t inner = padded(bytes);
    auto* start = static_cast<unsigned char*>(aligned_alloc(ALIGNMENT, ZONE + inner + ZONE));
    if (start == nullptr) return 0;
    memset(start, FENCE, ZONE);
    memset(start + ZONE, SPOILED, bytes);
    memset(start + ZONE + bytes, FENCE, inner - bytes + ZONE);
    const auto pointer = reinterpret_cast<uintptr_t>(start + ZONE);
    live()[pointer] = {bytes, std::this_thread::get_id()};
    // What was found before may have said that nothing is here.
    memset(recent_ranges, 0, sizeof(recent_ranges));
    return pointer;
}

CUresult release(CUdeviceptr pointer) {
    auto found = live().find(pointer);
    if (found == live().end()) {
        tell("memory at %#llx is freed that is not live", pointer);
        return CUDA_ERROR_INVALID_VALUE;
    }
    const size_t bytes = found->second.bytes, inner = padded(bytes);
    auto* memory = reinterpret_cast<unsigned char*>(pointer);
    const bool intact = is_intact(memory - ZONE, ZONE) && is_intact(memory + bytes, inner - bytes + ZONE);
    live().erase(found);
    memset(recent_ranges, 0, sizeof(recent_ranges));
    memset(memory, SPOILED, bytes);
    free(memory - ZONE);
    if (!intact) {
        tell("something was written next to an allocation of %zu bytes", bytes);
        return CUDA_ERROR_ILLEGAL_ADDRESS;
    }
    return CUDA_SUCCESS;
}

}  // namespace pvlu_host

// Bytes that this thread allocated and nobody freed.
extern "C" size_t pvlu_host_allocated() {
    std::lock_guard guard(pvlu_host::driver_lock());
    size_t bytes = 0;
    for (const auto& [_, allocation] : live()) {
        if (allocation.owner == std::this_thread::get_id()) bytes += allocation.bytes;
    }
    return bytes;
}
