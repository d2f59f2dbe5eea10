// Memory as a kernel sees it: pointers into allocations, and arrays of a block. Both know their bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pvlu_host {

// What an access asked for that it may not have. Ends the launch with an error: does not return.
[[noreturn]] void outside(const void* base, size_t index, size_t size, const char* what);
[[noreturn]] void misaligned(const void* pointer, size_t alignment);

// The live allocation that contains `base`; without bytes if there is none.
struct Range {
    uintptr_t base, low, high;
};

// The last ranges that were asked for. Emptied when memory is freed. Whoever runs a kernel holds the lock of the
// driver.
constexpr size_t RANGES = 256;
extern Range recent_ranges[RANGES];

const Range& find_range(uintptr_t base);

inline const Range& range_of(const void* pointer) {
    const uintptr_t base = reinterpret_cast<uintptr_t>(pointer);
    const Range& recent = recent_ranges[(base * 0x9E3779B97F4A7C15u) >> 56];
    return recent.base == base ? recent : find_range(base);
}

// A pointer into the memory of the device. What it reads and writes must lie in the live allocation that contains it.
template <typename T>
class Global {
    T* raw;

    template <typename>
    friend class Global;

    static void check_alignment(const T* pointer, size_t alignment) {
        if (reinterpret_cast<uintptr_t>(pointer) % alignment != 0) misaligned(pointer, alignment);
    }

public:
    Global() = default;
    Global(std::nullptr_t) : raw(nullptr) {}
    template <typename U, typename = std::enable_if_t<std::is_same_v<const U, T>>>
    Global(Global<U> other) : raw(other.raw) {}

    uintptr_t address() const { return reinterpret_cast<uintptr_t>(raw); }
    explicit operator bool() const { return raw != nullptr; }
    bool operator==(Global other) const { return raw == other.raw; }
    bool operator!=(Global other) const { return raw != other.raw; }

    T& operator[](size_t index) const {
        const Range& range = range_of(raw);
        if (index >= (range.high - address()) / sizeof(T)) outside(raw, index, sizeof(T), "element");
        check_alignment(raw, alignof(T));
        return raw[index];
    }

    T& operator*() const { return (*this)[0]; }

    // Stays in its allocation or behind its last element: in a neighboring one, nothing would tell that it got there.
    Global operator+(size_t count) const {
        if (count == 0) return *this;
        const Range& range = range_of(raw);
        if (count > (range.high - address()) / sizeof(T)) outside(raw, count, sizeof(T), "a pointer to element");
        Global moved;
        moved.raw = raw + count;
        return moved;
    }

    Global& operator+=(size_t count) { return *this = *this + count; }

    // Where the vector at element `index` lies.
    T* sixteen_bytes(size_t index) const {
        const Range& range = range_of(raw);
        const size_t available = (range.high - address()) / sizeof(T), lanes = 16 / sizeof(T);
        if (index >= available || available - index < lanes) outside(raw, index, sizeof(T), "vector at element");
        check_alignment(raw + index, 16);
        return raw + index;
    }
};

static_assert(sizeof(Global<float>) == sizeof(void*) && std::is_trivially_copyable_v<Global<float>>);

// An array of `__shared__` memory. Blocks run one after the other, so one is enough for all: what is in it is spoiled
// when a block first enters, and so is a zone on both sides, which must still be so when the block ends.
class SharedZone {
    uint64_t block = 0;

protected:
    // Spoils the bytes if this block enters for the first time.
    void enter_block(unsigned char* bytes, size_t size);

public:
    static constexpr size_t BYTES = 256;
    // With the zones; of the array alone.
    unsigned char* bytes = nullptr;
    size_t size = 0;
};

template <typename T, size_t COUNT>
class SharedArray : public SharedZone {
    alignas(16) unsigned char storage[BYTES + COUNT * sizeof(T) + BYTES] = {};

public:
    using Array = T[COUNT];

    Array& enter() {
        enter_block(storage, COUNT * sizeof(T));
        return *reinterpret_cast<Array*>(storage + BYTES);
    }
};

}  // namespace pvlu_host
