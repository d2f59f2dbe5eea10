// Passes over whole tensors: each element once, in vectors where the tensors allow it.
#pragma once

#include "common.cuh"

// The sizes of a tensor `[outer, channels, inner]`: the twin of `Sizes`.
struct Layout {
    size_t outer, channels, inner;
};

// Calls `body(Width<WIDTH>, i)` for the `WIDTH` elements from `i` on. `aligned`: whether all tensors begin at 16 bytes.
template <typename T, typename Body>
DEVICE void each(size_t len, bool aligned, Body body) {
    size_t done = 0;
    if (aligned) {
        const size_t vectors = len / LANES<T>;
        for (size_t i = grid_thread(); i < vectors; i += grid_threads()) body(Width<LANES<T>>(), i * LANES<T>);
        done = vectors * LANES<T>;
    }
    for (size_t i = done + grid_thread(); i < len; i += grid_threads()) body(Width<1>(), i);
}

template <int WIDTH, typename Body>
DEVICE void each_of_width(Layout layout, Body body) {
    const size_t len = layout.outer * layout.channels * layout.inner;
    for (size_t i = grid_thread() * WIDTH; i < len; i += grid_threads() * WIDTH) {
        const size_t plane = divide(i, layout.inner);
        body(Width<WIDTH>(), i, plane - divide(plane, layout.channels) * layout.channels);
    }
}

// Calls `body(Width<WIDTH>, i, channel)` for the `WIDTH` elements from `i` on, all of one channel.
template <typename T, typename Body>
DEVICE void each_in_channels(Layout layout, bool aligned, Body body) {
    if (aligned && layout.inner % LANES<T> == 0) {
        each_of_width<LANES<T>>(layout, body);
    } else {
        each_of_width<1>(layout, body);
    }
}
