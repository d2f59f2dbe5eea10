// Stacks on which work can be left in the middle and gone on with.
#pragma once

namespace pvlu_host {

struct Fiber;

// A fiber that has nothing to do. With the lock of the driver held, as all of these.
Fiber* take_fiber();

void give_fiber_back(Fiber* fiber);

// Lets the fiber do its work, or go on with it, until it parks or is done. True if it is done.
bool run_fiber(Fiber* fiber, void (*work)());

// Leaves the fiber that this is called on; returns when it is run again.
void park_fiber();

}  // namespace pvlu_host
