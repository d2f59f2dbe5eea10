// Kernels by name, and how one is called with the arguments of a launch.
#pragma once

#include <cstddef>
#include <utility>

namespace pvlu_host {

struct Kernel {
    const char* name;
    // One of ours: held to the rules of this project, not only to those of CUDA.
    bool strict;
    void (*function)();
    // Calls `function` for one thread. As the driver is given them: a pointer to each argument.
    void (*call)(void (*function)(), void** arguments);
};

// The kernel of this name; null if there is none. `twice` tells that several files define one of ours.
const Kernel* find_kernel(const char* name, bool& twice);

void register_kernel(const Kernel& kernel);

template <typename... Arguments>
struct Call {
    template <size_t... I>
    static void unpack(void (*function)(Arguments...), void** arguments, std::index_sequence<I...>) {
        function(*static_cast<Arguments*>(arguments[I])...);
    }

    static void call(void (*function)(), void** arguments) {
        unpack(reinterpret_cast<void (*)(Arguments...)>(function), arguments, std::index_sequence_for<Arguments...>());
    }
};

// As a static object, it registers a kernel before `main` begins.
struct Registration {
    template <typename... Arguments>
    Registration(const char* name, void (*function)(Arguments...), bool strict) {
        register_kernel({name, strict, reinterpret_cast<void (*)()>(function), Call<Arguments...>::call});
    }
};

}  // namespace pvlu_host
