// The compiler at run time, which the stand-in has not: what dfdx compiles with it is out of reach, and says so.
#include <cstddef>

#include "cuda.h"

namespace {

// NVRTC_ERROR_COMPILATION.
constexpr int FAILED = 6;

int fail() {
    pvlu_host::tell("there is no NVRTC, which dfdx compiles concat, stack, to_dtype and some reshapes with");
    return FAILED;
}

}  // namespace

extern "C" {

int nvrtcCreateProgram(void**, const char*, const char*, int, const char* const*, const char* const*) { return fail(); }
int nvrtcCompileProgram(void*, int, const char* const*) { return fail(); }
int nvrtcDestroyProgram(void**) { return fail(); }
int nvrtcGetPTX(void*, char*) { return fail(); }
int nvrtcGetPTXSize(void*, size_t*) { return fail(); }
int nvrtcGetProgramLog(void*, char*) { return fail(); }
int nvrtcGetProgramLogSize(void*, size_t*) { return fail(); }

}  // extern "C"
