// Launches: what is asked for is checked, then run to the end before the call returns.
#include "block.h"

using pvlu_host::Order;
using pvlu_host::tell;

namespace {

// Of the thread that launches: tests run on many.
thread_local Order order = Order::FORWARD;
thread_local unsigned seed = 0;
thread_local size_t launches = 0;

}  // namespace

extern "C" {

// 0: ascending, 1: descending, 2: shuffled. For launches of this thread.
void pvlu_host_set_order(int chosen, unsigned chosen_seed) {
    order = static_cast<Order>(chosen);
    seed = chosen_seed;
}

// Of this thread.
size_t pvlu_host_launches() { return launches; }

CUresult cuLaunchKernel(const pvlu_host::Kernel* kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, void*, void** arguments, void** extra) {
    const char* wrong = nullptr;
    if (grid_x == 0 || grid_y == 0 || grid_z == 0 || block_x == 0 || block_y == 0 || block_z == 0) wrong = "is empty";
    if (grid_x > INT32_MAX || grid_y > 65535 || grid_z > 65535) wrong = "has too large a grid";
    if (block_y != 1 || block_z != 1) wrong = "has blocks of more than one dimension";
    if (block_x > 1024) wrong = "has too large blocks";
    if (kernel->strict && block_x % 32 != 0) wrong = "has blocks that are not whole warps";
    if (shared_bytes != 0 || extra != nullptr) wrong = "asks for what the stand-in does not have";
    if (wrong != nullptr) {
        tell("the launch of kernel %s, grid (%u, %u, %u), block (%u, %u, %u), %s", kernel->name, grid_x, grid_y, grid_z,
             block_x, block_y, block_z, wrong);
        return CUDA_ERROR_INVALID_VALUE;
    }
    launches++;
    std::lock_guard guard(pvlu_host::driver_lock());
    return pvlu_host::run({kernel, arguments, {grid_x, grid_y, grid_z}, block_x, order, seed});
}

}  // extern "C"
