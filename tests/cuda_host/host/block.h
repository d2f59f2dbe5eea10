// One launch, block after block.
#pragma once

#include <cstdint>

#include "cuda.h"
#include "kernel.h"
#include "threads.h"

namespace pvlu_host {

enum class Order { FORWARD, REVERSE, SHUFFLED };

struct Launch {
    const Kernel* kernel;
    void** arguments;
    Index grid;
    unsigned threads;
    Order order;
    unsigned seed;
};

// Runs all blocks, with the lock of the driver held.
CUresult run(const Launch& launch);

// Spoils the zones of what the block entered, and tells of those that were written to.
bool shared_zones_are_intact();

// A block begins: no array of it was entered yet.
void begin_shared();

// Ends the launch with an error, from within a thread of it.
[[noreturn]] void abandon(CUresult error);

// Who runs, for messages.
const char* kernel_name();
bool kernel_is_strict();

}  // namespace pvlu_host
