// The driver without its memory and launches: one device, whose streams and events have nothing to wait for.
#include <cstdint>
#include <cstring>

#include "cuda.h"

namespace {

// What handles point at; nobody reads it.
char anything;

CUresult hand_out(void** handle) {
    *handle = &anything;
    return CUDA_SUCCESS;
}

// As in `CUdevice_attribute`.
enum Attribute {
    MAX_THREADS_PER_BLOCK = 1,
    WARP_SIZE = 10,
    MULTIPROCESSOR_COUNT = 16,
    COMPUTE_CAPABILITY_MAJOR = 75,
    MEMORY_POOLS_SUPPORTED = 115,
};

}  // namespace

extern "C" {

CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
CUresult cuProfilerStart() { return CUDA_SUCCESS; }
CUresult cuProfilerStop() { return CUDA_SUCCESS; }

CUresult cuDeviceGetCount(int* count) {
    *count = 1;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(int* device, int ordinal) {
    *device = 0;
    return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetName(char* name, int length, int) {
    strncpy(name, "stand-in", length);
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, int) {
    *bytes = size_t{8} << 30;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case MAX_THREADS_PER_BLOCK: *value = 1024; break;
        case WARP_SIZE: *value = 32; break;
        case MULTIPROCESSOR_COUNT: *value = 4; break;
        case COMPUTE_CAPABILITY_MAJOR: *value = 8; break;
        case MEMORY_POOLS_SUPPORTED: *value = 1; break;
        default: *value = 0;
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(void** context, int) { return hand_out(context); }
CUresult cuDevicePrimaryCtxRelease_v2(int) { return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(void*) { return CUDA_SUCCESS; }
CUresult cuCtxGetCurrent(void** context) { return hand_out(context); }
CUresult cuCtxSynchronize() { return CUDA_SUCCESS; }

CUresult cuStreamCreate(void** stream, unsigned) { return hand_out(stream); }
CUresult cuStreamDestroy_v2(void*) { return CUDA_SUCCESS; }
CUresult cuStreamSynchronize(void*) { return CUDA_SUCCESS; }
CUresult cuStreamWaitEvent(void*, void*, unsigned) { return CUDA_SUCCESS; }

CUresult cuEventCreate(void** event, unsigned) { return hand_out(event); }
CUresult cuEventDestroy_v2(void*) { return CUDA_SUCCESS; }
CUresult cuEventRecord(void*, void*) { return CUDA_SUCCESS; }
CUresult cuEventQuery(void*) { return CUDA_SUCCESS; }
CUresult cuEventSynchronize(void*) { return CUDA_SUCCESS; }

CUresult cuEventElapsedTime(float* milliseconds, void*, void*) {
    *milliseconds = 0;
    return CUDA_SUCCESS;
}

// Modules are empty: the kernels are linked in, and found by name.
CUresult cuModuleLoad(void** module, const char*) { return hand_out(module); }
CUresult cuModuleLoadData(void** module, const void*) { return hand_out(module); }
CUresult cuModuleUnload(void*) { return CUDA_SUCCESS; }

}  // extern "C"
