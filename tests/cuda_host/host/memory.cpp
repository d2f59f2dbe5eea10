// Allocation, copies and fills, as the driver offers them. All of them are done when they return.
#include <cstring>

#include "allocations.h"

using pvlu_host::allocate;
using pvlu_host::driver_lock;
using pvlu_host::is_live;
using pvlu_host::release;
using pvlu_host::tell;

namespace {

void* host(CUdeviceptr pointer) { return reinterpret_cast<void*>(pointer); }

// Whether the device owns the bytes; tells if not.
bool owns(CUdeviceptr pointer, size_t bytes, const char* what) {
    const bool live = is_live(pointer, bytes);
    if (!live) tell("%s %zu bytes at %#llx, which are not in one live allocation", what, bytes, pointer);
    return live;
}

CUresult copy_in(CUdeviceptr to, const void* from, size_t bytes) {
    std::lock_guard guard(driver_lock());
    if (!owns(to, bytes, "a copy from the host writes")) return CUDA_ERROR_INVALID_VALUE;
    if (bytes != 0) memcpy(host(to), from, bytes);
    return CUDA_SUCCESS;
}

CUresult copy_out(void* to, CUdeviceptr from, size_t bytes) {
    std::lock_guard guard(driver_lock());
    if (!owns(from, bytes, "a copy to the host reads")) return CUDA_ERROR_INVALID_VALUE;
    if (bytes != 0) memcpy(to, host(from), bytes);
    return CUDA_SUCCESS;
}

CUresult copy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    std::lock_guard guard(driver_lock());
    if (!owns(to, bytes, "a copy writes") || !owns(from, bytes, "a copy reads")) return CUDA_ERROR_INVALID_VALUE;
    if (bytes != 0) memmove(host(to), host(from), bytes);
    return CUDA_SUCCESS;
}

CUresult fill(CUdeviceptr to, unsigned char byte, size_t bytes) {
    std::lock_guard guard(driver_lock());
    if (!owns(to, bytes, "a fill writes")) return CUDA_ERROR_INVALID_VALUE;
    if (bytes != 0) memset(host(to), byte, bytes);
    return CUDA_SUCCESS;
}

CUresult allocate_into(CUdeviceptr* pointer, size_t bytes) {
    std::lock_guard guard(driver_lock());
    *pointer = allocate(bytes);
    return *pointer == 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuMemAlloc_v2(CUdeviceptr* pointer, size_t bytes) {
    return bytes == 0 ? CUDA_ERROR_INVALID_VALUE : allocate_into(pointer, bytes);
}

// Unlike the above, gives nothing for nothing: dfdx's device begins with an allocation of no bytes, and a real one lets
// it.
CUresult cuMemAllocAsync(CUdeviceptr* pointer, size_t bytes, void*) {
    *pointer = 0;
    return bytes == 0 ? CUDA_SUCCESS : allocate_into(pointer, bytes);
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
    std::lock_guard guard(driver_lock());
    return pointer == 0 ? CUDA_SUCCESS : release(pointer);
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, void*) { return cuMemFree_v2(pointer); }

CUresult cuMemGetInfo_v2(size_t* available, size_t* total) {
    *available = *total = size_t{8} << 30;
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) { return copy_in(to, from, bytes); }
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, void*) { return copy_in(to, from, bytes); }
CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) { return copy_out(to, from, bytes); }
CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, void*) { return copy_out(to, from, bytes); }
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy(to, from, bytes); }
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void*) { return copy(to, from, bytes); }
CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char byte, size_t bytes) { return fill(to, byte, bytes); }
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char byte, size_t bytes, void*) { return fill(to, byte, bytes); }

}  // extern "C"
