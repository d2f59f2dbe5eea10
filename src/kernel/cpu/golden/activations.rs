//! The bits of activations, and of the functions that a written formula can be made of.

use crate::activation::*;
use crate::kernel::cpu::activation;
use crate::kernel::cpu::testing::{bits, random};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::InputGradient;
use crate::kernel::{Element, Formula};

/// A computation whose bits are held.
pub type Run = fn() -> Vec<u64>;

/// The kernels of activations.
pub fn kernels<E: Element>() -> Vec<(&'static str, Run)> {
    vec![
        ("relu", activation::<Relu, E>),
        ("leaky relu", activation::<LeakyRelu, E>),
        ("elu", activation::<Elu, E>),
        ("prelu", activation::<PRelu, E>),
        ("sine relu", activation::<SineRelu, E>),
        ("swish", activation::<Swish, E>),
        ("vlu", activation::<Vlu, E>),
        ("pvlu", activation::<Pvlu, E>),
        ("relu, elsewhere", activation_elsewhere::<Relu, E>),
        ("leaky relu, elsewhere", activation_elsewhere::<LeakyRelu, E>),
        ("elu, elsewhere", activation_elsewhere::<Elu, E>),
        ("prelu, elsewhere", activation_elsewhere::<PRelu, E>),
        ("sine relu, elsewhere", activation_elsewhere::<SineRelu, E>),
        ("swish, elsewhere", activation_elsewhere::<Swish, E>),
        ("vlu, elsewhere", activation_elsewhere::<Vlu, E>),
        ("pvlu, elsewhere", activation_elsewhere::<Pvlu, E>),
        ("gelu", activation::<Gelu, E>),
        ("gelu tanh", activation::<GeluTanh, E>),
        ("mish", activation::<Mish, E>),
        ("softplus", activation::<Softplus, E>),
        ("tanh", activation::<Tanh, E>),
        ("snake", activation::<Snake, E>),
        ("sinlu", activation::<SinLu, E>),
        ("swish beta", activation::<SwishBeta, E>),
        ("acon c", activation::<AconC, E>),
        ("gelu, elsewhere", activation_elsewhere::<Gelu, E>),
        ("gelu tanh, elsewhere", activation_elsewhere::<GeluTanh, E>),
        ("mish, elsewhere", activation_elsewhere::<Mish, E>),
        ("softplus, elsewhere", activation_elsewhere::<Softplus, E>),
        ("tanh, elsewhere", activation_elsewhere::<Tanh, E>),
        ("snake, elsewhere", activation_elsewhere::<Snake, E>),
        ("sinlu, elsewhere", activation_elsewhere::<SinLu, E>),
        ("swish beta, elsewhere", activation_elsewhere::<SwishBeta, E>),
        ("acon c, elsewhere", activation_elsewhere::<AconC, E>),
        ("functions", functions::<E>),
    ]
}

/// A value of a parameter around its start.
fn near(start: f64, spread: f64) -> f64 {
    if start == 0.0 { spread / 4.0 } else { start * (1.0 + spread / 4.0) }
}

/// The results of `run` for inputs and parameters of planes and of rows.
fn planes_and_rows<A: Activation, E: Element>(run: impl Fn(ChannelsLayout, &[E], &[&[E]]) -> Vec<u64>) -> Vec<u64> {
    let mut all = Vec::new();
    for (outer, channels, inner) in [(3, 2, 1100), (5, 7, 3)] {
        let layout = ChannelsLayout { outer, channels, inner };
        // Some angles beyond what the fast reduction of the sine takes.
        let mut x: Vec<E> = random::<E>(1, layout.len()).into_iter().map(|x| x * E::of(6.0)).collect();
        x.iter_mut().step_by(97).for_each(|x| *x = *x * E::of(5000.0));
        let spread = random::<E>(2, channels);
        let starts = A::PARAMS.as_slice().to_vec();
        let params: Vec<Vec<E>> =
            starts.iter().map(|param| spread.iter().map(|&s| E::of(near(param.start, s.wide()))).collect()).collect();
        let params: Vec<&[E]> = params.iter().map(Vec::as_slice).collect();
        all.extend(run(layout, &x, &params));
    }
    all
}

/// Forward, and the gradients of the input and of the parameters.
fn activation<A: Activation, E: Element>() -> Vec<u64> {
    planes_and_rows::<A, E>(|layout, x, params| {
        let mut y = vec![E::zero(); x.len()];
        activation::forward::<A, E>(layout, x, params, &mut y);
        let (mut grad_x, mut grads) = (vec![E::zero(); x.len()], vec![vec![E::zero(); layout.channels]; params.len()]);
        let mut wanted: Vec<_> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
        let target = InputGradient::Overwrite(&mut grad_x[..]);
        activation::backward::<A, E>(layout, x.into(), params, &random(3, x.len()), target, &mut wanted);
        [bits(&y), bits(&grad_x), bits(&grads.concat())].concat()
    })
}

/// The same where the output replaces the input and `grad_x` takes the place of `grad_output`, where the gradient is
/// added, and where it is left out.
fn activation_elsewhere<A: Activation, E: Element>() -> Vec<u64> {
    planes_and_rows::<A, E>(|layout, x, params| {
        let mut y = x.to_vec();
        activation::forward_in_place::<A, E>(layout, params, &mut y);
        let mut all = bits(&y);
        let (grad_output, start): (Vec<E>, Vec<E>) = (random(3, x.len()), random(4, x.len()));
        let (mut replaced, mut added) = (grad_output.clone(), start);
        for target in
            [InputGradient::InPlace(&mut replaced[..]), InputGradient::Accumulate(&mut added[..]), InputGradient::Skip]
        {
            let mut grads = vec![vec![E::one(); layout.channels]; params.len()];
            let mut wanted: Vec<_> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
            activation::backward::<A, E>(layout, x.into(), params, &grad_output, target, &mut wanted);
            all.extend(bits(&grads.concat()));
        }
        all.extend([bits(&replaced), bits(&added)].concat());
        all
    })
}

/// The functions that a formula can be made of.
#[derive(Clone, Copy, Debug, Default)]
struct Functions<const PART: usize>;

impl<const PART: usize> Formula for Functions<PART> {
    type Params<T: Copy> = [T; 1];

    #[inline(always)]
    fn f<R: Real>(x: R, [a]: [R; 1]) -> R {
        match PART {
            0 => x.abs().ln(),
            1 => x.abs().sqrt().ln_1p(),
            2 => x.tanh(),
            3 => x.erf(),
            4 => x.max(a),
            _ => (-x).min(x * a),
        }
    }
    #[inline(always)]
    fn df<R: Real>(x: R, _: [R; 1]) -> (R, [R; 1]) {
        (x, [x])
    }
}

fn functions<E: Element>() -> Vec<u64> {
    fn run<const PART: usize, E: Element>() -> Vec<u64> {
        let mut x = random::<E>(1, 2000);
        for (x, &scale) in x.iter_mut().zip([1e-6, 0.01, 0.5, 3.0, 20.0, 1e7].iter().cycle()) {
            *x = *x * E::of(scale);
        }
        let mut y = vec![E::zero(); x.len()];
        let layout = ChannelsLayout { outer: 1, channels: 1, inner: x.len() };
        activation::forward::<Functions<PART>, E>(layout, &x, &[&[E::of(0.5)]], &mut y);
        bits(&y)
    }
    [run::<0, E>(), run::<1, E>(), run::<2, E>(), run::<3, E>(), run::<4, E>(), run::<5, E>()].concat()
}
