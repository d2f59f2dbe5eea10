// Runs the blocks of a launch. A fiber runs threads one after the other until one of them waits; only then is another
// fiber started. When all threads of the block ended or wait, those go on whose wait is over, and if there is none, the
// threads wait for each other for ever: an error.
#include "block.h"

#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "fibers.h"
#include "order.h"

namespace pvlu_host {

Index threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr unsigned WARP = 32;

// Thrown through a thread to end it.
struct Abandoned {};

enum class State { RUNNING, AT_BARRIER, AT_SHUFFLE, ENDED };

struct Thread {
    State state;
    Fiber* fiber;
    // Where it waits.
    const char* file;
    int line;
    // What it hands to others of its warp, or was handed.
    uint64_t value;
    int delta;
};

const Launch* launch;
CUresult error;
std::vector<Thread> threads;
std::vector<unsigned> order;
// How many of `order` were started, and who runs.
size_t started;
unsigned running;

void fail_in_block(const char* what) {
    tell("kernel %s, block (%u, %u, %u): %s", launch->kernel->name, blockIdx.x, blockIdx.y, blockIdx.z, what);
    error = CUDA_ERROR_LAUNCH_FAILED;
}

void run_threads() {
    while (started < order.size() && error == CUDA_SUCCESS) {
        running = order[started++];
        threadIdx = {running, 0, 0};
        try {
            launch->kernel->call(launch->kernel->function, launch->arguments);
        } catch (const Abandoned&) {
        }
        threads[running].state = State::ENDED;
    }
}

// Threads of a block may be the last on their fiber: one that parks keeps it.
void go_on(Fiber* fiber) {
    if (run_fiber(fiber, run_threads)) {
        give_fiber_back(fiber);
    } else {
        threads[running].fiber = fiber;
    }
}

void wait(State state, const char* file, int line) {
    Thread& thread = threads[running];
    thread.state = state;
    thread.file = file;
    thread.line = line;
    park_fiber();
    if (error != CUDA_SUCCESS) throw Abandoned();
}

bool same_place(const Thread& a, const Thread& b) { return a.line == b.line && strcmp(a.file, b.file) == 0; }

// Hands values on in a warp whose lanes are all there.
bool exchange(Thread* lanes) {
    for (unsigned lane = 0; lane < WARP; lane++) {
        const Thread& thread = lanes[lane];
        if (thread.state != State::AT_SHUFFLE || !same_place(thread, lanes[0]) || thread.delta != lanes[0].delta) return false;
    }
    const int delta = lanes[0].delta;
    // Ascending, so that each value is read before its lane is written.
    for (unsigned lane = 0; lane < WARP; lane++) {
        const unsigned from = lane + delta;
        if (delta >= 0 && from < WARP) lanes[lane].value = lanes[from].value;
        lanes[lane].state = State::RUNNING;
    }
    return true;
}

bool all_at_barrier() {
    const Thread* first = nullptr;
    for (const Thread& thread : threads) {
        // CUDA lets those go that ended, which dfdx's kernels need; ours keep all threads to the end.
        if (thread.state == State::ENDED && !launch->kernel->strict) continue;
        if (thread.state != State::AT_BARRIER) return false;
        if (first == nullptr) first = &thread;
        if (launch->kernel->strict && !same_place(thread, *first)) return false;
    }
    return true;
}

const char* place_name(const Thread& thread) {
    const char* slash = strrchr(thread.file, '/');
    return slash == nullptr ? thread.file : slash + 1;
}

void tell_who_waits() {
    const Thread *waiting = nullptr, *other = nullptr;
    for (const Thread& thread : threads) {
        if (waiting == nullptr && thread.state != State::ENDED) waiting = &thread;
    }
    for (const Thread& thread : threads) {
        const bool shuffled = thread.state == State::AT_SHUFFLE && waiting->state == State::AT_SHUFFLE;
        const bool differs = thread.state != waiting->state || !same_place(thread, *waiting) ||
                             (shuffled && thread.delta != waiting->delta);
        if (other == nullptr && differs) other = &thread;
    }
    char text[300];
    const auto number = [](const Thread* thread) { return int(thread - threads.data()); };
    const auto kind = [](const Thread* thread) { return thread->state == State::AT_BARRIER ? "barrier" : "shuffle"; };
    if (other == nullptr) {
        snprintf(text, sizeof(text), "all threads wait at the %s in %s:%d", kind(waiting), place_name(*waiting), waiting->line);
    } else if (other->state == State::ENDED) {
        snprintf(text, sizeof(text), "thread %d waits at the %s in %s:%d, but thread %d has ended", number(waiting),
                 kind(waiting), place_name(*waiting), waiting->line, number(other));
    } else {
        const char* distance = waiting->line == other->line ? ", by another distance" : "";
        snprintf(text, sizeof(text), "thread %d waits at the %s in %s:%d, but thread %d at the %s in %s:%d%s", number(waiting),
                 kind(waiting), place_name(*waiting), waiting->line, number(other), kind(other), place_name(*other),
                 other->line, distance);
    }
    fail_in_block(text);
}

// Ends the waits that can be ended.
void release() {
    bool any = false;
    for (unsigned warp = 0; warp + WARP <= threads.size(); warp += WARP) any |= exchange(&threads[warp]);
    if (any) return;
    if (!all_at_barrier()) return tell_who_waits();
    for (Thread& thread : threads) {
        if (thread.state == State::AT_BARRIER) thread.state = State::RUNNING;
    }
}

void run_block(Sequence& sequence) {
    sequence.arrange(order, launch->threads);
    threads.assign(launch->threads, Thread{State::RUNNING, nullptr, "", 0, 0, 0});
    started = 0;
    begin_shared();
    while (started < order.size() && error == CUDA_SUCCESS) go_on(take_fiber());
    for (;;) {
        bool waits = false;
        for (const Thread& thread : threads) waits |= thread.fiber != nullptr;
        if (!waits) break;
        if (error == CUDA_SUCCESS) release();
        sequence.arrange(order, launch->threads);
        for (unsigned number : order) {
            Thread& thread = threads[number];
            // After an error they all go on, to be ended.
            if (thread.fiber == nullptr || (thread.state != State::RUNNING && error == CUDA_SUCCESS)) continue;
            running = number;
            threadIdx = {number, 0, 0};
            go_on(std::exchange(thread.fiber, nullptr));
        }
    }
    if (error == CUDA_SUCCESS && !shared_zones_are_intact()) fail_in_block("something was written next to a shared array");
}

}  // namespace

CUresult run(const Launch& asked) {
    launch = &asked;
    error = CUDA_SUCCESS;
    gridDim = asked.grid;
    blockDim = {asked.threads, 1, 1};
    Sequence sequence(asked.order, asked.seed);
    std::vector<unsigned> blocks;
    sequence.arrange(blocks, size_t{asked.grid.x} * asked.grid.y * asked.grid.z);
    order.clear();
    for (unsigned block : blocks) {
        blockIdx = {block % asked.grid.x, block / asked.grid.x % asked.grid.y, block / asked.grid.x / asked.grid.y};
        run_block(sequence);
        if (error != CUDA_SUCCESS) break;
    }
    launch = nullptr;
    return error;
}

const char* kernel_name() { return launch->kernel->name; }
bool kernel_is_strict() { return launch->kernel->strict; }

void abandon(CUresult code) {
    error = code;
    throw Abandoned();
}

void wait_for_block(const char* file, int line) { wait(State::AT_BARRIER, file, line); }

uint64_t shuffle_bits(const char* file, int line, uint64_t value, int delta) {
    const unsigned number = running;
    threads[number].value = value;
    threads[number].delta = delta;
    wait(State::AT_SHUFFLE, file, line);
    return threads[number].value;
}

}  // namespace pvlu_host
