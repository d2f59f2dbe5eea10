//! The operations of every activation, run one by one, against its layer.

use std::collections::BTreeMap;

use dfdx::nn::{DeviceBuildExt, Module};
use dfdx::prelude::{Cpu, TensorFrom};
use pvlu::activation::{Activation, BUILT_IN, Chosen, Param, Real, find};
use pvlu::layer::Identity;
use pvlu::layer::builder::Act;

use super::*;
use crate::export::onnx::builder::Elements;

/// The value of the operations that a builder has, at x and with these parameters; true is 1.
fn run(builder: &Builder, output: Value, given: &[(Value, f64)]) -> f64 {
    let mut values: BTreeMap<Value, f64> = given.iter().copied().collect();
    for tensor in builder.initializers() {
        let Elements::Floats(numbers) = &tensor.elements else { panic!("{tensor:?}") };
        assert!(tensor.dims.is_empty(), "{tensor:?}");
        values.insert(tensor.value(), f64::from(numbers[0]));
    }
    for operation in builder.operations() {
        let inputs: Vec<f64> = operation.inputs().map(|input| values[&input]).collect();
        let value = match (operation.name, &inputs[..]) {
            ("Relu", [a]) => a.max(0.0),
            ("Neg", [a]) => -a,
            ("Abs", [a]) => a.abs(),
            ("Exp", [a]) => a.exp(),
            ("Log", [a]) => a.ln(),
            ("Sqrt", [a]) => a.sqrt(),
            ("Tanh", [a]) => a.tanh(),
            ("Erf", [a]) => libm::erf(*a),
            ("Sin", [a]) => a.sin(),
            ("Cos", [a]) => a.cos(),
            ("Sign", [a]) => {
                if *a == 0.0 {
                    0.0
                } else {
                    a.signum()
                }
            }
            ("Sigmoid", [a]) => 1.0 / (1.0 + (-a).exp()),
            ("Softplus", [a]) => a.max(0.0) + (-a.abs()).exp().ln_1p(),
            ("Cast" | "Shape", [a]) => *a,
            ("Add", [a, b]) => a + b,
            ("Sub", [a, b]) => a - b,
            ("Mul", [a, b]) => a * b,
            ("Div", [a, b]) => a / b,
            ("Min", [a, b]) => a.min(*b),
            ("Max", [a, b]) => a.max(*b),
            ("Greater", [a, b]) => f64::from(a > b),
            ("PRelu", [a, slope]) => {
                if *a > 0.0 {
                    *a
                } else {
                    a * slope
                }
            }
            ("Where", [condition, a, b]) => {
                if *condition == 1.0 {
                    *a
                } else {
                    *b
                }
            }
            ("Expand", [a, _]) => *a,
            (name, inputs) => panic!("{name} of {inputs:?}"),
        };
        values.insert(operation.output(), value);
    }
    values[&output]
}

/// The values that the operations of an activation give at some x, with the parameters that it starts with.
fn values_at(definition: &'static Definition, points: &[f64]) -> Option<Vec<f64>> {
    let mut builder = Builder::new(&Identity);
    let x = builder.named("x");
    let listed = definition.params();
    let params: Vec<Value> = listed.iter().map(|param| builder.named(param.name)).collect();
    let output = activation(&mut builder, "0.act", definition, x, &params)?;
    let starts = params.iter().copied().zip(listed.iter().map(|param| param.start));
    let given: Vec<(Value, f64)> = starts.chain([(x, 0.0)]).collect();
    let at = |&point: &f64| {
        let mut given = given.clone();
        given.last_mut().unwrap().1 = point;
        run(&builder, output, &given)
    };
    Some(points.iter().map(at).collect())
}

#[test]
fn the_operations_of_every_activation_compute_it() {
    let texts = [
        // Most parameters start at 0 or 1, where a formula without them would be right too.
        "leaky_relu; slope = 0.3",
        "elu; alpha = 0.7",
        "prelu; alpha = -0.3",
        "sine_relu; epsilon = 0.4",
        "swish_beta; beta = -0.6",
        "vlu; a = 0.3; b = 1.7",
        "pvlu; alpha = -0.4; beta = 1.7",
        "snake; a = 0.6",
        "sinlu; a = -0.4; b = 1.7",
        "acon_c; p1 = 1.3; p2 = -0.4; beta = 0.7",
        "f = min(x, a) - 2^x + abs(x)/(1 + a^2*x^2) - max(sin(x), cos(a*x)); a = 0.5",
        "f = ln(1 + x^2) + ln_1p(exp(x)) + sqrt(x^2 + a) + erf(x/2) + exp_m1(-x^2); a = 1",
        "f = x*tanh(softplus(x)) - sigmoid(x)*relu(-x)",
        "f = a*x^0; a = 2",
        "f = x",
    ];
    let written = texts.map(|text| find(text).unwrap());
    let points = [-9.0, -3.5, -1.0, -0.25, -1e-5, 0.0, 1e-5, 0.5, 1.0, 4.0, 8.75];
    for definition in BUILT_IN.iter().copied().chain(written) {
        let found = values_at(definition, &points).unwrap_or_else(|| panic!("no form of {}", definition.text()));
        let dev = Cpu::default();
        let mut layer = dev.build_module::<Act<Chosen, 1>, f64>();
        layer.choose(definition).unwrap();
        for (&x, found) in points.iter().zip(found) {
            let expected = layer.forward(dev.tensor([[x]])).as_vec()[0];
            // Constants of the file are 32-bit floats.
            let error = (found - expected).abs();
            assert!(error <= 1e-6 * expected.abs().max(1.0), "{} at {x}: {found} {expected}", definition.text());
        }
    }
}

#[test]
fn snake_is_x_where_its_parameter_is_zero() {
    let flat = find("snake; a = 0").unwrap();
    assert_eq!(values_at(flat, &[-2.0, 0.0, 3.0]).unwrap(), [-2.0, 0.0, 3.0]);
}

/// An activation of a name that is no built-in one's.
#[derive(Clone, Copy, Debug, Default)]
struct Own;

impl Activation for Own {
    const NAME: &'static str = "own";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x
    }
    fn derivatives<R: Real>(_: R, []: [R; 0]) -> (R, [R; 0]) {
        (R::of(1.0), [])
    }
}

#[test]
fn an_activation_of_another_program_has_no_operations() {
    assert!(values_at(Definition::of::<Own>(), &[0.0]).is_none());
}
