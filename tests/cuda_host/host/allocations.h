// The memory of the device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda.h"

namespace pvlu_host {

// All with the lock held. Fresh memory, spoiled; 0 if there is none.
CUdeviceptr allocate(size_t bytes);

CUresult release(CUdeviceptr pointer);

}  // namespace pvlu_host
