//! Programs of written formulas against plain `f64` and against the kernels of built-in ones.

use super::super::{backward as built_in_backward, forward as built_in_forward};
use super::list::List;
use super::*;
use crate::activation::{Pvlu, Written};
use crate::kernel::cpu::simd::{Level, widest};
use crate::kernel::cpu::testing::{bits, random, same_everywhere, with_level, without_fma};

const PVLU: &str = "mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1";

/// Together they have every operation.
const FORMULAS: [&str; 8] = [
    PVLU,
    "f = x",
    "f = a*x; a = 2",
    "f = x*sigmoid(b*x) - cos(x)/(c + x^2) + sin(c*x); fixed b = 1; c = 3",
    "f = min(x, a) + abs(x - b) - max(a*x, c); a = 0.25; b = 0.5; c = -1",
    "f = x*tanh(softplus(x)) + exp(-x^2) + exp_m1(min(x, a)); a = 0.5",
    "f = ln(1 + x^2) + ln_1p(exp(x)) + sqrt(x^2 + a) + erf(x/2); a = 1",
    "f = relu(x)^1.5 + 2^x + (1 + abs(x))^a - 1/(x^2 + 1)^2; a = 2",
];

const LAYOUTS: [(usize, usize, usize); 16] = [
    (5, 3, 1),
    (5, 3, 3),
    (1, 7, 4),
    (5, 2, 31),
    (5, 3, 33),
    (2, 2, 1024),
    (1, 1, 1),
    (5, 1, 1),
    (1, 1, 5000),
    (3, 37, 49),
    (700, 29, 1),
    (30, 63, 4),
    (0, 3, 4),
    (0, 3, 40),
    (5, 3, 0),
    (5, 0, 7),
];

fn program(text: &str) -> Program {
    Written::parse(text).unwrap_or_else(|error| panic!("{error}")).program().clone()
}

/// One call of the kernels.
#[derive(Clone, Debug)]
struct Problem<E> {
    program: Program,
    layout: ChannelsLayout,
    x: Vec<E>,
    grad_output: Vec<E>,
    params: Vec<Vec<E>>,
}

impl<E: Element> Problem<E> {
    fn new(text: &str, (outer, channels, inner): (usize, usize, usize)) -> Self {
        let layout = ChannelsLayout { outer, channels, inner };
        let written = Written::parse(text).unwrap_or_else(|error| panic!("{error}"));
        let scaled = |seed, scale: f64| -> Vec<E> {
            random::<E>(seed, layout.len()).into_iter().map(|value| E::of(value.wide() * scale)).collect()
        };
        let mut x = scaled(1, 4.0);
        x.iter_mut().step_by(17).for_each(|x| *x = E::zero());
        let spread = random::<E>(3, channels);
        let around = |start: f64| spread.iter().map(|s| E::of(start * (1.0 + s.wide() / 10.0))).collect();
        let params = written.params().iter().map(|param| around(param.start)).collect();
        Problem { program: written.program().clone(), layout, x, grad_output: scaled(2, 1.0), params }
    }

    fn params(&self) -> Vec<&[E]> {
        self.params.iter().map(Vec::as_slice).collect()
    }

    fn forward(&self) -> Vec<E> {
        let mut y = vec![E::nan(); self.x.len()];
        forward(&self.program, self.layout, &self.x, &self.params(), &mut y);
        let mut in_place = self.x.clone();
        forward_in_place(&self.program, self.layout, &self.params(), &mut in_place);
        assert_eq!(bits(&in_place), bits(&y));
        y
    }

    /// Zeros for the gradients of the parameters.
    fn zeros(&self) -> Vec<Vec<E>> {
        vec![vec![E::zero(); self.layout.channels]; self.params.len()]
    }

    fn backward(&self, grad_x: InputGradient<&mut [E]>, grads: &mut [Vec<E>], wanted: impl Fn(usize) -> bool) {
        let mut grads: Vec<Option<&mut [E]>> =
            grads.iter_mut().enumerate().map(|(param, grad)| wanted(param).then_some(&mut grad[..])).collect();
        let grad_output: &[E] = if matches!(grad_x, InputGradient::InPlace(_)) { &[] } else { &self.grad_output };
        backward(&self.program, self.layout, (&self.x[..]).into(), &self.params(), grad_output, grad_x, &mut grads);
    }

    /// The gradient of x, and those of all parameters.
    fn gradients(&self) -> (Vec<E>, Vec<Vec<E>>) {
        let (mut grad_x, mut grads) = (vec![E::nan(); self.x.len()], self.zeros());
        self.backward(InputGradient::Overwrite(&mut grad_x), &mut grads, |_| true);
        (grad_x, grads)
    }
}

/// The outputs of a list for one element, by the meaning of its operations.
fn evaluate(list: &List, x: f64, params: &[f64]) -> Vec<f64> {
    let mut registers = vec![f64::NAN; list.registers];
    registers[0] = x;
    registers[1..1 + params.len()].copy_from_slice(params);
    registers[1 + params.len()..][..list.constants.len()].copy_from_slice(&list.constants);
    for instruction in &list.instructions {
        let operands = instruction.operands.map(|operand| registers[operand]);
        let operands = &operands[..instruction.operation.arity()];
        let second = match instruction.operation {
            Operation::Sin => Operation::Cos,
            _ => Operation::SigmoidSlope,
        };
        let other = instruction.second.map(|register| (register, second.of(operands)));
        registers[instruction.target] = instruction.operation.of(operands);
        if let Some((register, value)) = other {
            registers[register] = value;
        }
    }
    list.outputs.iter().map(|&output| registers[output]).collect()
}

fn tolerance<E: Element>() -> f64 {
    if E::epsilon().wide() > 1e-10 { 3e-6 } else { 1e-12 }
}

#[track_caller]
fn assert_close<E: Element>(found: &[E], truth: &[f64], scale: impl Fn(usize) -> f64, what: &str) {
    assert_eq!(found.len(), truth.len());
    for (i, (found, truth)) in found.iter().zip(truth).enumerate() {
        let error = (found.wide() - truth).abs();
        assert!(error <= tolerance::<E>() * scale(i), "{what}, element {i}: {found:?} is not {truth}");
    }
}

#[test]
fn every_program_agrees_with_its_formula_in_every_layout() {
    fn check<E: Element>(text: &str, layout: (usize, usize, usize)) {
        let problem = Problem::<E>::new(text, layout);
        let ChannelsLayout { channels, inner, .. } = problem.layout;
        let (mut value, mut slope) = (Vec::new(), Vec::new());
        let mut sums = vec![vec![0.25; channels]; problem.params.len()];
        let mut magnitudes = vec![vec![10.0; channels]; problem.params.len()];
        for (i, (x, g)) in problem.x.iter().zip(&problem.grad_output).enumerate() {
            let channel = i / inner % channels;
            let params: Vec<f64> = problem.params.iter().map(|param| param[channel].wide()).collect();
            value.extend(evaluate(&problem.program.value, x.wide(), &params));
            let derivatives = evaluate(&problem.program.derivatives, x.wide(), &params);
            slope.push(g.wide() * derivatives[0]);
            for (param, d) in derivatives[1..].iter().enumerate() {
                sums[param][channel] += g.wide() * d;
                magnitudes[param][channel] += (g.wide() * d).abs();
            }
        }
        for level in Level::available() {
            let what = format!("{text}, {level:?} {layout:?}");
            let (y, grad_x, grads, in_place) = with_level(level, 1, || {
                let mut grad_x = vec![E::of(0.25); problem.x.len()];
                let mut grads = vec![vec![E::of(0.25); channels]; problem.params.len()];
                problem.backward(InputGradient::Accumulate(&mut grad_x), &mut grads, |_| true);
                let (mut in_place, mut others) = (problem.grad_output.clone(), problem.zeros());
                problem.backward(InputGradient::InPlace(&mut in_place), &mut others, |_| true);
                (problem.forward(), grad_x, grads, in_place)
            });
            assert_close(&y, &value, |i| value[i].abs().max(10.0), &what);
            assert_close(&in_place, &slope, |i| slope[i].abs().max(10.0), &what);
            let added: Vec<f64> = slope.iter().map(|slope| slope + 0.25).collect();
            assert_close(&grad_x, &added, |i| added[i].abs().max(10.0), &what);
            for (param, grad) in grads.iter().enumerate() {
                assert_close(grad, &sums[param], |i| magnitudes[param][i], &what);
            }
        }
    }
    for layout in LAYOUTS {
        for text in FORMULAS {
            check::<f32>(text, layout);
            check::<f64>(text, layout);
        }
    }
}

/// The distance in units in the last place of the larger of two terms, at most that of 1e-30.
fn ulps<E: Element>(found: E, expected: E, terms: [f64; 2]) -> f64 {
    let larger = terms[0].abs().max(terms[1].abs()).max(1e-30);
    let ulp = E::epsilon().wide() * larger.log2().floor().exp2();
    (found.wide() - expected.wide()).abs() / ulp
}

#[test]
fn a_written_pvlu_agrees_with_the_built_in_one_to_4_ulp_of_the_larger_term() {
    fn check<E: Element>() {
        // One element a channel, so that the gradients of the parameters are not sums.
        let count = 5000;
        let mut problem = Problem::<E>::new(PVLU, (1, count, 1));
        problem.params[1] = random::<E>(9, count).into_iter().map(|b| E::of(3.0 * b.wide())).collect();
        problem.grad_output.fill(E::one());
        for inner in [1, count] {
            let layout = ChannelsLayout { outer: 1, channels: count / inner, inner };
            let mut problem = Problem { layout, ..problem.clone() };
            problem.params.iter_mut().for_each(|param| param.truncate(layout.channels));
            let params = problem.params();
            let (mut y, mut dx) = (vec![E::zero(); count], vec![E::zero(); count]);
            let mut grads = problem.zeros();
            built_in_forward::<Pvlu, E>(layout, &problem.x, &params, &mut y);
            let mut targets: Vec<Option<&mut [E]>> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
            let target = InputGradient::Overwrite(&mut dx[..]);
            built_in_backward::<Pvlu, E>(
                layout,
                (&problem.x[..]).into(),
                &params,
                &problem.grad_output,
                target,
                &mut targets,
            );

            let (found_y, (found_dx, found_grads)) = (problem.forward(), problem.gradients());
            for i in 0..count {
                let channel = i / inner;
                let [a, b] = [problem.params[0][channel].wide(), problem.params[1][channel].wide()];
                let x = problem.x[i].wide();
                let (sin, cos) = (b * x).sin_cos();
                assert!(ulps(found_y[i], y[i], [x.max(0.0), a * sin]) <= 4.0, "value at {x}");
                let step = f64::from(x > 0.0);
                assert!(ulps(found_dx[i], dx[i], [step, a * b * cos]) <= 4.0, "derivative by x at {x}");
                if inner == 1 {
                    assert!(ulps(found_grads[0][i], grads[0][i], [0.0, sin]) <= 4.0, "derivative by a at {x}");
                    assert!(ulps(found_grads[1][i], grads[1][i], [0.0, a * x * cos]) <= 4.0, "derivative by b at {x}");
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn threads_levels_and_fma_change_no_bit() {
    fn check<E: Element>(text: &str) {
        // Planes of whole blocks and with a rest, over several tasks; rows of every kind.
        for layout in [(9, 10, 1024), (3, 5, 37), (2, 2, 40_011), (1500, 65, 1), (90, 30, 9), (7, 3, 1)] {
            let problem = Problem::<E>::new(text, layout);
            let run = || {
                let (grad_x, grads) = problem.gradients();
                [bits(&problem.forward()), bits(&grad_x), bits(&grads.concat())]
            };
            let everywhere = same_everywhere((text, layout), run);
            if problem.x.len() < 1000 {
                assert_eq!(without_fma(run), everywhere, "{text}");
            }
        }
    }
    for text in FORMULAS {
        check::<f32>(text);
    }
    for text in [FORMULAS[0], FORMULAS[3], FORMULAS[6]] {
        check::<f64>(text);
    }
}

#[test]
fn each_output_alone_has_the_bits_that_it_has_with_the_others() {
    for text in FORMULAS {
        for layout in [(5, 3, 3), (3, 4, 37)] {
            let problem = Problem::<f32>::new(text, layout);
            let (grad_x, all) = problem.gradients();
            let mut alone = vec![0.0; problem.x.len()];
            let mut grads = vec![vec![7.0; problem.layout.channels]; problem.params.len()];
            problem.backward(InputGradient::Accumulate(&mut alone), &mut grads, |_| false);
            assert_eq!(alone, grad_x, "{text}");
            assert!(grads.iter().flatten().all(|&grad| grad == 7.0), "{text}");
            for wanted in 0..problem.params.len() {
                let mut grads = problem.zeros();
                problem.backward(InputGradient::Skip, &mut grads, |param| param == wanted);
                for (param, grad) in grads.iter().enumerate() {
                    let expected = if param == wanted { &all[param] } else { &problem.zeros()[param] };
                    assert_eq!(grad, expected, "{text}");
                }
            }
            problem.backward(InputGradient::Skip, &mut grads, |_| false);
        }
    }
}

#[test]
fn nan_stays_nan_and_its_neighbors_do_not_notice() {
    for text in FORMULAS {
        for n in [3, 19, 67, 300] {
            for at in [0, n - 1] {
                for layout in [(1, 1, n), (n, 1, 1)] {
                    let mut problem = Problem::<f32>::new(text, layout);
                    problem.x[at] = f32::NAN;
                    for level in Level::available() {
                        let (y, (grad_x, _)) = with_level(level, 1, || (problem.forward(), problem.gradients()));
                        let strange = |values: &[f32]| {
                            values
                                .iter()
                                .enumerate()
                                .filter(|(_, v)| !v.is_finite())
                                .map(|(i, _)| i)
                                .collect::<Vec<_>>()
                        };
                        assert_eq!(strange(&y), [at], "{text} {level:?}");
                        // That of a line is the same everywhere.
                        let line = ["f = x", FORMULAS[2]].contains(&text);
                        assert_eq!(strange(&grad_x), if line { vec![] } else { vec![at] }, "{text} {level:?}");
                    }
                }
            }
        }
    }
}

/// a / x, whose derivatives are infinite at x = 0, with which blocks are filled up.
#[test]
fn elements_past_the_end_do_not_leak_into_sums() {
    let nodes = [
        Node::X,
        Node::Param(0),
        Node::Constant(1.0),
        Node::Apply(Operation::Divide, [1, 0, 0]),
        Node::Apply(Operation::Divide, [2, 0, 0]),
        Node::Apply(Operation::Multiply, [3, 4, 0]),
        Node::Apply(Operation::Negate, [5, 0, 0]),
    ];
    let program = Program::new(&nodes, 3, &[6, 4]);
    for (outer, inner) in [(3, 37), (5, 3), (1, 300)] {
        let layout = ChannelsLayout { outer, channels: 1, inner };
        let x = vec![2.0_f32; layout.len()];
        for level in Level::available() {
            let mut grad = [0.0];
            with_level(level, 1, || {
                backward(&program, layout, (&x[..]).into(), &[&[1.0]], &x, InputGradient::Skip, &mut [Some(&mut grad)]);
            });
            assert_eq!(grad, [layout.len() as f32]);
        }
    }
}

#[test]
fn sine_and_cosine_of_one_argument_are_one_instruction() {
    let program = program(PVLU);
    let operations = |list: &List| list.instructions.iter().map(|step| step.operation).collect::<Vec<_>>();
    use Operation::{Multiply, MultiplyAdd, Relu, Sin, Step};
    assert_eq!(operations(&program.value), [Relu, Multiply, Sin, MultiplyAdd]);
    let derivatives = operations(&program.derivatives);
    assert_eq!(derivatives.iter().filter(|&&operation| operation == Sin).count(), 1);
    assert!(derivatives.contains(&Step) && !derivatives.contains(&Operation::Cos), "{derivatives:?}");
    // The derivative by a needs neither those by x and b nor the step.
    let of_a: Vec<_> = program.derivatives.instructions.iter().filter(|step| step.outputs & 0b010 != 0).collect();
    assert_eq!(of_a.len(), 2, "{of_a:?}");

    let swish = self::program("f = x*sigmoid(b*x); b = 1");
    let sigmoids = operations(&swish.derivatives).into_iter().filter(|&operation| operation == Operation::Sigmoid);
    assert_eq!(sigmoids.count(), 1);
    assert!(!operations(&swish.derivatives).contains(&Operation::SigmoidSlope));
}

#[test]
fn registers_are_used_again() {
    // A long chain of values that are each needed once.
    let chain = format!("f = {}x{}", "sin(".repeat(60), ")".repeat(60));
    assert_eq!(program(&chain).value.registers, 3);
    assert!(program(PVLU).derivatives.registers <= 8, "{:?}", program(PVLU).derivatives);
}

#[test]
fn blocks_hold_whole_registers_of_the_processor() {
    assert_eq!(block::BLOCK % widest::<f32>(), 0);
}

#[test]
fn the_nodes_of_a_value_give_it_again() {
    for text in FORMULAS {
        let written = Written::parse(text).unwrap();
        let params: Vec<f64> = written.params().iter().map(|param| param.start).collect();
        let (nodes, output) = written.program().value_nodes();
        for x in [-2.5, -1.0, 0.0, 0.75, 3.0] {
            let mut values: Vec<f64> = Vec::new();
            for node in &nodes {
                values.push(match node {
                    Node::X => x,
                    Node::Param(number) => params[*number],
                    Node::Constant(value) => *value,
                    Node::Apply(operation, _) => {
                        let operands: Vec<f64> = node.operands().iter().map(|&operand| values[operand]).collect();
                        operation.of(&operands)
                    }
                });
            }
            let layout = ChannelsLayout { outer: 1, channels: 1, inner: 1 };
            let params: Vec<&[f64]> = params.iter().map(std::slice::from_ref).collect();
            let mut expected = [0.0];
            forward(written.program(), layout, &[x], &params, &mut expected);
            let error = (values[output] - expected[0]).abs();
            assert!(error <= 1e-14 * expected[0].abs().max(1.0), "{text} at {x}: {} {}", values[output], expected[0]);
        }
    }
}
