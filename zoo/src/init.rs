//! Start values that suit an activation.
//!
//! He et al. 2015 choose the variance of the weights so that the second moment of the signal stays the same from layer
//! to layer: with n inputs and an activation f, `Var[w] = 1 / (n E[f(z)^2])` for a standard normal z. For ReLU this is
//! the well-known 2 / n (their equation 10), for PReLU with slope a it is 2 / ((1 + a^2) n) (equation 15). Layers are
//! built with ReLU's; under an activation with a larger second moment the signal would grow: for PVLU with alpha = 0.5
//! and beta = 1, where E[f(z)^2] is 0.91, by 82 % a layer.

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::activation::{Activation, Definition, FusedElement};
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::layer::{AnyTensor, NamedTensor, ParamKind, Path, Visit, VisitorMut};
use pvlu::random::StandardNormal;
use rand::SeedableRng;
use rand::distributions::Distribution;
use rand::rngs::StdRng;

/// `E[f(z)^2]` for a standard normal z and the activation's start values, to about 1e-6.
#[doc(hidden)]
pub fn second_moment(activation: &Definition) -> f64 {
    // The trapezoid rule converges exponentially for a smooth integrand that vanishes at both ends; at the kink of f
    // its error is of the order of the step squared.
    const STEP: f64 = 1.0 / 512.0;
    const REACH: i32 = 9 * 512;
    let z: Vec<f64> = (-REACH..=REACH).map(|i| f64::from(i) * STEP).collect();
    let mut f = vec![0.0; z.len()];
    let params: Vec<[f64; 1]> = activation.params().iter().map(|param| [param.start]).collect();
    let params: Vec<&[f64]> = params.iter().map(<[f64; 1]>::as_slice).collect();
    let layout = ChannelsLayout { outer: 1, channels: 1, inner: z.len() };
    <f64 as FusedElement>::fused(activation).cpu.forward(layout, &z, &params, &mut f);
    let density = |z: f64| libm::exp(-0.5 * z * z) / std::f64::consts::TAU.sqrt();
    z.iter().zip(&f).map(|(&z, f)| f * f * density(z) * STEP).sum()
}

/// Draws the weights of a network in forward order: normal, with the variance that suits activation `A`; 2 / n under
/// ReLU.
///
/// For networks built with [`pvlu::layer::try_build_unfilled`]. Under ReLU these are the weights that dfdx's
/// `build_module` draws on a device with that seed.
pub fn he<A: Activation>(net: &mut dyn Visit<f32, Cpu>, seed: u64) -> Result<(), Error> {
    he_for(net, A::definition(), seed)
}

/// As [`he`], for an activation that is a value.
#[doc(hidden)]
pub fn he_for(net: &mut dyn Visit<f32, Cpu>, activation: &Definition, seed: u64) -> Result<(), Error> {
    he_under(net, seed, (0.5 / second_moment(activation)).sqrt(), &|_| true)
}

/// Draws the weights that `chosen` picks by their path, with ReLU's variance; for heads that no file has.
#[doc(hidden)]
pub fn he_of(net: &mut dyn Visit<f32, Cpu>, seed: u64, chosen: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    he_under(net, seed, 1.0, chosen)
}

fn he_under(net: &mut dyn Visit<f32, Cpu>, seed: u64, factor: f64, chosen: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let random = StdRng::seed_from_u64(seed);
    net.visit_mut(&mut Path::root(), &mut Draw { random, factor: factor as f32, chosen })
}

struct Draw<'a> {
    random: StdRng,
    factor: f32,
    chosen: &'a dyn Fn(&str) -> bool,
}

impl VisitorMut<f32, Cpu> for Draw<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if slot.kind == ParamKind::Weight && (self.chosen)(slot.path) {
            let fan_in: usize = tensor.dims().iter().skip(1).product();
            let deviation = (2.0 / fan_in as f64).sqrt();
            tensor.with_mut(&mut |values| {
                for value in values {
                    let normal: f64 = StandardNormal.sample(&mut self.random);
                    *value = (normal * deviation) as f32 * self.factor;
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvlu::activation::{PRelu, Pvlu, Relu};

    #[test]
    fn second_moments_are_those_of_the_closed_forms() {
        assert!((second_moment(Definition::of::<Relu>()) - 0.5).abs() < 1e-6);
        assert!((second_moment(Definition::of::<PRelu>()) - (1.0 + 0.25 * 0.25) / 2.0).abs() < 1e-6);
        // 1/2 + alpha e^(-1/2) + alpha^2 (1 - e^-2) / 2 with alpha = 1/2.
        let pvlu = 0.5 + 0.5 * (-0.5_f64).exp() + 0.125 * (1.0 - (-2.0_f64).exp());
        assert!((second_moment(Definition::of::<Pvlu>()) - pvlu).abs() < 1e-6);
    }
}
