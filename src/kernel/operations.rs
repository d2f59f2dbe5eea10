//! The list of operations that devices have kernels of, typed once.
//!
//! An entry is a method of [`Kernels`](crate::backend::Kernels), a field of the [table](crate::kernel::cpu::Table) of
//! the CPU's kernels, and the call of a kernel on each device: `module::function` of `kernel/cpu` and of `kernel/cuda`,
//! which take the arguments in this order (on CUDA after the [`Gpu`](crate::kernel::cuda::Gpu)). Types:
//!
//! | in the list | on the CPU | on CUDA |
//! |---|---|---|
//! | `View`, `ViewMut` | `&[E]`, `&mut [E]` | `View<E>`, `ViewMut<E>` |
//! | `Channels` | `&[f64]`, returned `Vec<f64>` | `&CudaSlice<f64>`, returned in an `Arc` |
//! | `Bytes` | `&[u8]`, returned `Vec<u8>` | `&CudaSlice<u8>`, returned without the reference |
//! | `Scaling`, `Gradients`, `Statistics` | those of [`normalization`](crate::kernel::normalization) over the above |
//!
//! Anything else is the same everywhere, in parentheses where it is more than one token. Formulas, shapes and special
//! values are documented at the CPU's kernels.

/// The modules of `kernel/cpu` and `kernel/cuda` with the kernels of the list.
macro_rules! operation_modules {
    (@list $attributes:tt $($module:ident)*) => {
        $(operation_modules!(@module $attributes $module);)*
    };
    (@module ($($attribute:tt)*) $module:ident) => {
        $($attribute)*
        pub mod $module;
    };
    ($($attribute:tt)*) => {
        operation_modules! {
            @list ($($attribute)*)
            batch_norm columns conv2d cross_entropy dropout elementwise linear multiply pool2d subsample upsample
        }
    };
}

/// Hands the list to the macro `then`.
macro_rules! operations {
    ($then:ident) => {
        $then! {
            /// Writes the sum of two tensors, element by element: `y = a + b`.
            fn add(a: View, b: View, y: ViewMut) = elementwise::add;
            /// Adds a tensor to another, element by element: `y += x`.
            fn add_assign(y: ViewMut, x: View) = elementwise::add_assign;
            /// Copies a tensor's elements: `y = x`.
            fn copy(x: View, y: ViewMut) = elementwise::copy;
            /// Multiplies each element by a factor: `x *= factor`.
            fn scale(x: ViewMut, factor: E) = elementwise::scale;
            /// Multiplies each plane of `pixels` elements by its element of the gate.
            fn multiply(pixels: usize, x: View, gate: View, y: ViewMut, write: Write) = multiply::multiply;
            /// Computes the gradient of the gate of `multiply`.
            fn multiply_backward_gate(
                pixels: usize, x: View, grad_output: View, grad_gate: ViewMut, write: Write
            ) = multiply::multiply_backward_gate;
            /// Writes a tensor over its columns of a concatenation.
            fn write_columns(columns: Columns, x: View, y: ViewMut) = columns::write_columns;
            /// Reads a tensor from its columns of a concatenation.
            fn read_columns(columns: Columns, y: View, x: ViewMut, write: Write) = columns::read_columns;

            /// Computes a convolution with an optional bias.
            fn conv2d(
                shape: (&ConvShape), x: View, weight: View, bias: (Option View), y: ViewMut
            ) = conv2d::forward;
            /// Computes the gradient of a convolution's input.
            fn conv2d_backward_input(
                shape: (&ConvShape), weight: View, grad_output: View, grad_x: ViewMut, write: Write
            ) = conv2d::backward_input;
            /// Accumulates the gradient of a convolution's weight.
            fn conv2d_backward_weight(
                shape: (&ConvShape), x: View, grad_output: View, grad_weight: ViewMut
            ) = conv2d::backward_weight;
            /// Accumulates the gradient of a convolution's bias.
            fn conv2d_backward_bias(
                shape: (&ConvShape), grad_output: View, grad_bias: ViewMut
            ) = conv2d::backward_bias;

            /// Computes `y = x weight^T + bias`; `sizes` are rows, inputs and outputs.
            fn linear(
                sizes: [usize; 3], x: View, weight: View, bias: (Option View), y: ViewMut
            ) = linear::forward;
            /// Computes the gradient of a linear layer's input.
            fn linear_backward_input(
                sizes: [usize; 3], weight: View, grad_output: View, grad_x: ViewMut, write: Write
            ) = linear::backward_input;
            /// Accumulates the gradient of a linear layer's weight.
            fn linear_backward_weight(
                sizes: [usize; 3], x: View, grad_output: View, grad_weight: ViewMut
            ) = linear::backward_weight;
            /// Accumulates the gradient of a linear layer's bias.
            fn linear_backward_bias(
                sizes: [usize; 3], grad_output: View, grad_bias: ViewMut
            ) = linear::backward_bias;

            /// Computes mean and biased variance of each channel.
            fn batch_statistics(layout: ChannelsLayout, x: View) -> Statistics = batch_norm::batch_statistics;
            /// Widens a tensor of one element a channel to `f64`.
            fn widened(x: View) -> Channels = batch_norm::widened;
            /// Computes `1 / sqrt(variance + epsilon)` of each channel.
            fn inv_std(variance: Channels, epsilon: f64) -> Channels = batch_norm::inv_std;
            /// Normalizes, scales and shifts each channel.
            fn normalize(
                layout: ChannelsLayout, x: View, scaling: Scaling, beta: View, y: ViewMut
            ) = batch_norm::normalize;
            /// Normalizes, scales and shifts each channel in place.
            fn normalize_in_place(
                layout: ChannelsLayout, scaling: Scaling, beta: View, x: ViewMut
            ) = batch_norm::normalize_in_place;
            /// Computes the gradient of the input and, accumulated, those of scale and shift, through the
            /// statistics of the batch.
            fn batch_norm_backward(
                layout: ChannelsLayout, x: View, scaling: Scaling, grad_output: View, gradients: Gradients
            ) = batch_norm::backward;
            /// Computes the gradients of `batch_norm_backward` with constant statistics.
            fn batch_norm_backward_running(
                layout: ChannelsLayout, x: View, scaling: Scaling, grad_output: View, gradients: Gradients
            ) = batch_norm::backward_running;

            /// Takes the maximum over windows. If `argmax` is set, it returns the position of each
            /// maximum in its window.
            fn max_pool(
                shape: PoolShape, padding: MaxPadding, x: View, y: ViewMut, argmax: bool
            ) -> (Option Bytes) = pool2d::max_pool;
            /// Computes the gradient of a maximum pooling's input.
            fn max_pool_backward(
                shape: PoolShape, argmax: Bytes, grad_output: View, grad_x: ViewMut, write: Write
            ) = pool2d::max_pool_backward;
            /// Takes the mean over windows; the padding counts as zeros if `count_padding` is set.
            fn average_pool(shape: PoolShape, count_padding: bool, x: View, y: ViewMut) = pool2d::average_pool;
            /// Computes the gradient of an average pooling's input.
            fn average_pool_backward(
                shape: PoolShape, count_padding: bool, grad_output: View, grad_x: ViewMut, write: Write
            ) = pool2d::average_pool_backward;
            /// Takes the mean of each plane of `pixels` elements.
            fn global_average_pool(pixels: usize, x: View, y: ViewMut) = pool2d::global_average_pool;
            /// Computes the gradient of a global average pooling's input.
            fn global_average_pool_backward(
                pixels: usize, grad_output: View, grad_x: ViewMut, write: Write
            ) = pool2d::global_average_pool_backward;

            /// Takes every n-th row and column, and adds channels of zeros.
            fn subsample(shape: Subsample, x: View, y: ViewMut) = subsample::forward;
            /// Computes the gradient of a subsampling's input.
            fn subsample_backward(
                shape: Subsample, grad_output: View, grad_x: ViewMut, write: Write
            ) = subsample::backward;
            /// Enlarges images by repeating rows and columns.
            fn upsample(shape: Upsample, x: View, y: ViewMut) = upsample::forward;
            /// Computes the gradient of an upsampling's input.
            fn upsample_backward(
                shape: Upsample, grad_output: View, grad_x: ViewMut, write: Write
            ) = upsample::backward;

            /// Drops elements at random with probability `p`, by the mask of `key`, and scales the
            /// others.
            fn dropout(key: u64, p: f64, x: View, y: ViewMut, write: Write) = dropout::apply;

            /// Returns the mean cross-entropy with label smoothing, and writes its gradient.
            fn cross_entropy(
                logits: View, classes: usize, labels: (&[usize]), smoothing: f64, grad_logits: ViewMut
            ) -> f64 = cross_entropy::cross_entropy_smoothed;
        }
    };
}

pub(crate) use {operation_modules, operations};
