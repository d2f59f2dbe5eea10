// What of the driver's interface the stand-in's files share: error codes, the lock, and how errors are told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

using CUresult = int;
using CUdeviceptr = unsigned long long;

constexpr CUresult CUDA_SUCCESS = 0;
constexpr CUresult CUDA_ERROR_INVALID_VALUE = 1;
constexpr CUresult CUDA_ERROR_OUT_OF_MEMORY = 2;
constexpr CUresult CUDA_ERROR_NOT_FOUND = 500;
constexpr CUresult CUDA_ERROR_ILLEGAL_ADDRESS = 700;
constexpr CUresult CUDA_ERROR_MISALIGNED_ADDRESS = 716;
constexpr CUresult CUDA_ERROR_LAUNCH_FAILED = 719;
constexpr CUresult CUDA_ERROR_NOT_SUPPORTED = 801;

namespace pvlu_host {

// Held by whoever touches the memory of the device: one thread after the other, as on one stream.
std::mutex& driver_lock();

// Tells an error on the standard error, and keeps the text for the thread that asks for its last one.
[[gnu::format(printf, 1, 2)]] void tell(const char* format, ...);

// Whether the bytes lie in one live allocation. Nothing lies everywhere. With the lock held.
bool is_live(uintptr_t address, size_t bytes);

}  // namespace pvlu_host
