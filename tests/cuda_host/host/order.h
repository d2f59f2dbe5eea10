// In which order threads and blocks run: a result that depends on it lacks a barrier.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "block.h"

namespace pvlu_host {

class Sequence {
    Order order;
    uint64_t state;

    // xorshift64*.
    uint64_t random() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 0x2545F4914F6CDD1Du >> 32;
    }

public:
    Sequence(Order order, unsigned seed) : order(order), state(seed * 0x9E3779B97F4A7C15u | 1) {}

    // The numbers below `count`; shuffled anew each time.
    void arrange(std::vector<unsigned>& numbers, size_t count) {
        if (order != Order::SHUFFLED && numbers.size() == count) return;
        numbers.resize(count);
        std::iota(numbers.begin(), numbers.end(), 0u);
        for (size_t i = 0; order == Order::REVERSE && i < count / 2; i++) std::swap(numbers[i], numbers[count - 1 - i]);
        for (size_t i = count; order == Order::SHUFFLED && i > 1; i--) std::swap(numbers[i - 1], numbers[random() % i]);
    }
};

}  // namespace pvlu_host
