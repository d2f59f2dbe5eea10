// What cudarc names and nobody here calls: for the linker.
#include "cuda.h"

namespace {

CUresult not_supported() {
    pvlu_host::tell("the stand-in has neither occupancies nor external memory");
    return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace

// Without the parameters they are declared with, which nobody reads.
extern "C" {

CUresult cuDestroyExternalMemory() { return not_supported(); }
CUresult cuExternalMemoryGetMappedBuffer() { return not_supported(); }
CUresult cuImportExternalMemory() { return not_supported(); }
CUresult cuOccupancyAvailableDynamicSMemPerBlock() { return not_supported(); }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor() { return not_supported(); }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags() { return not_supported(); }
CUresult cuOccupancyMaxActiveClusters() { return not_supported(); }
CUresult cuOccupancyMaxPotentialBlockSize() { return not_supported(); }
CUresult cuOccupancyMaxPotentialBlockSizeWithFlags() { return not_supported(); }
CUresult cuOccupancyMaxPotentialClusterSize() { return not_supported(); }

}  // extern "C"
