//! The layers, in one list for the traits that all of them have alike.

/// Calls a macro with every layer that has no activation, each with its generics but for the element type `E` and the
/// device `D`. What uses it imports the layers.
macro_rules! layers_without_activation {
    ($call:ident) => {
        $call!(
            [] (),
            [const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool]
                Conv2D<I, O, K, S, P, BIAS, E, D>,
            [const I: usize, const O: usize] Linear<I, O, E, D>,
            [const I: usize] LinearTo<I, E, D>,
            [const C: usize, P: BatchNormDefaults] BatchNorm2D<C, P, E, D>,
            [const K: usize, const S: usize, const P: usize] MaxPool2D<K, S, P>,
            [const K: usize, const S: usize, const P: usize] ZeroPaddedMaxPool2D<K, S, P>,
            [const K: usize, const S: usize, const P: usize] AvgPool2D<K, S, P>,
            [] GlobalAvgPool2D,
            [const PERCENT: usize] Dropout<PERCENT>,
            [const C: usize, const H: usize, const W: usize, const WIDTH: usize] Flatten2D<C, H, W, WIDTH>,
            [const I: usize, const O: usize, const S: usize] SubsamplePad2D<I, O, S>,
            [] Add, [] Multiply, [] Identity,
            [const OUT: usize] Concat<OUT>,
            [const F: usize] Upsample2D<F>,
            [M: ZeroSizedModule] FromDfdx<M>,
        );
    };
}
pub(super) use layers_without_activation;
