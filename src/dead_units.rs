//! Channels of activations that are dead, that is, give zero everywhere: the measure of ReLU's dying.

use std::cell::RefCell;

use crate::kernel::Element;
use crate::kernel::layout::ChannelsLayout;

thread_local! {
    /// Live channels of each activation since [`watch`] began; `None` outside of it.
    static SEEN: RefCell<Option<Vec<Vec<bool>>>> = const { RefCell::new(None) };
}

/// Runs `work`, and returns with its result the live channels of the activations that it applied on this thread: for
/// each application, in order, and each channel, true if it had an element other than zero. NaN is alive.
pub fn watch<T>(work: impl FnOnce() -> T) -> (T, Vec<Vec<bool>>) {
    let outer = SEEN.with_borrow_mut(|seen| seen.replace(Vec::new()));
    let result = work();
    let seen = SEEN.with_borrow_mut(|seen| std::mem::replace(seen, outer));
    (result, seen.unwrap_or_default())
}

/// True inside of [`watch`] on this thread.
pub fn is_watched() -> bool {
    SEEN.with_borrow(Option::is_some)
}

/// Adds the channels that [`watch`] saw on another thread, which computed for this one, to those seen here.
pub fn seen_elsewhere(layers: Vec<Vec<bool>>) {
    SEEN.with_borrow_mut(|seen| {
        if let Some(seen) = seen {
            seen.extend(layers);
        }
    });
}

/// Notes the output of an activation inside of [`watch`].
pub(crate) fn note<E: Element>(layout: ChannelsLayout, output: &[E]) {
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return };
        let ChannelsLayout { channels, inner, .. } = layout;
        let mut alive = vec![false; channels];
        if inner > 0 && channels > 0 {
            let planes = output.chunks_exact(inner).zip((0..channels).cycle());
            for (plane, channel) in planes {
                alive[channel] = alive[channel] || plane.iter().any(|value| *value != E::default());
            }
        }
        seen.push(alive);
    });
}

#[cfg(test)]
mod tests {
    use dfdx::nn::DeviceBuildExt;
    use dfdx::prelude::Module;
    use dfdx::shapes::Const;
    use dfdx::tensor::{Cpu, Tensor, TensorFrom, TensorFromVec};

    use super::*;
    use crate::activation::{Pvlu, Relu};
    use crate::layer::builder::Act;

    #[test]
    fn channels_that_give_zero_everywhere_are_dead() {
        let device = Cpu::default();
        let net = device.build_module::<(Act<Relu, 3>, Act<Pvlu, 3>), f32>();
        // Two images of three channels of two pixels: the first channel is positive once, the second never, the third
        // is NaN.
        let values = vec![-1.0, -2.0, -3.0, -1.0, -1.0, -1.0, -1.0, 4.0, -1.0, -0.0, f32::NAN, -1.0];
        let images: Tensor<(usize, Const<3>, usize, usize), f32, Cpu> =
            device.tensor_from_vec(values, (2, Const, 1, 2));
        let (output, seen) = watch(|| net.try_forward(images.clone()).map(drop));
        output.unwrap();
        assert_eq!(seen, [[true, false, true], [true, false, true]]);
        // sin(beta * -1) is not zero.
        let alone = device.build_module::<Act<Pvlu, 3>, f32>();
        let (_, seen) = watch(|| alone.try_forward(images.clone()).map(drop));
        assert_eq!(seen, [[true; 3]]);
        // Features, and nobody watching.
        let features = device.tensor([[1.0_f32, -1.0, 0.0]]);
        let relu = device.build_module::<Act<Relu, 3>, f32>();
        let (_, seen) = watch(|| relu.try_forward(features.clone()).map(drop));
        assert_eq!(seen, [[true, false, false]]);
        relu.try_forward(features).unwrap();
        assert!(watch(|| ()).1.is_empty());
    }

    #[test]
    fn what_another_thread_saw_is_added_where_somebody_watches() {
        let layers = vec![vec![true, false]];
        seen_elsewhere(layers.clone());
        assert!(!is_watched());
        let (_, seen) = watch(|| {
            assert!(is_watched());
            seen_elsewhere(layers.clone());
        });
        assert_eq!(seen, layers);
    }
}
