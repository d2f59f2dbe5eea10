// Fibers by `ucontext`. Only the first entry goes through it, because it asks the kernel for the mask of signals each
// time; from then on a fiber is left and entered by `_setjmp` and `_longjmp`, which is some ten times as fast.
#include "fibers.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace pvlu_host {

struct Fiber {
    ucontext_t entry;
    jmp_buf inside;
    bool entered, done;
    void (*work)();
};

namespace {

// Enough to print and to throw on. Only the pages that are touched count.
constexpr size_t STACK = 128 << 10;

std::vector<Fiber*> idle;
Fiber* current = nullptr;
jmp_buf outside;

void loop() {
    for (;;) {
        current->work();
        current->done = true;
        park_fiber();
    }
}

Fiber* new_fiber() {
    // A page below the stack that nobody may touch: an overflow ends the process at once.
    const size_t page = sysconf(_SC_PAGESIZE);
    void* memory = mmap(nullptr, page + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) {
        perror("CUDA stand-in: no stack for a fiber");
        abort();
    }
    auto* fiber = new Fiber();
    getcontext(&fiber->entry);
    fiber->entry.uc_stack.ss_sp = static_cast<char*>(memory) + page;
    fiber->entry.uc_stack.ss_size = STACK;
    fiber->entry.uc_link = nullptr;
    makecontext(&fiber->entry, loop, 0);
    return fiber;
}

}  // namespace

Fiber* take_fiber() {
    if (idle.empty()) return new_fiber();
    Fiber* fiber = idle.back();
    idle.pop_back();
    return fiber;
}

void give_fiber_back(Fiber* fiber) { idle.push_back(fiber); }

bool run_fiber(Fiber* fiber, void (*work)()) {
    fiber->work = work;
    fiber->done = false;
    current = fiber;
    if (_setjmp(outside) == 0) {
        if (fiber->entered) _longjmp(fiber->inside, 1);
        fiber->entered = true;
        setcontext(&fiber->entry);
    }
    return current->done;
}

void park_fiber() {
    if (_setjmp(current->inside) == 0) _longjmp(outside, 1);
}

}  // namespace pvlu_host
