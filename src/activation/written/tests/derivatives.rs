//! Derivatives against finite differences.

use super::*;

/// Formulas with every function and operator.
pub(super) const FORMULAS: [&str; 25] = [
    "f = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1",
    "f = x + sin(a*x)^2/a; a = 1.5",
    "f = x*sigmoid(b*x); b = 1.25",
    "f = x*tanh(softplus(x))",
    "f = x*(1 + erf(x/sqrt(2)))/2",
    "f = x/2*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x^3)))",
    "f = (x + a*sin(b*x))*sigmoid(x); a = 0.5; b = 2",
    "f = (p - q)*x*sigmoid(c*(p - q)*x) + q*x; p = 1.2; q = -0.3; c = 0.9",
    "f = max(x, 0) + a*min(x, 0); a = 0.25",
    "f = max(x, 0) + a*exp_m1(min(x, 0)); a = 1.5",
    "f = max(a*x, b*x); a = 0.1; b = 1",
    "f = abs(x - a) - min(a*x, 1 - x); a = 0.3",
    "f = ln(1 + a^2*x^2) + ln_1p(exp(x)); a = 1.5",
    "f = sqrt(x^2 + a) - sqrt(a); fixed a = 0.5",
    "f = exp(-(x - a)^2) + exp_m1(x/4)^2; a = 0.2",
    "f = cos(a*x)/(1.5 + sin(x)) - sin(x)*cos(x); a = 2",
    "f = 2^x + x^5 - x^4/3 + (1 + x^2)^-1 + (2 + x^2)^-0.5",
    "f = (1 + x^2)^a + (2 + abs(x))^(b*x); a = 0.7; b = 0.5",
    "f = relu(x)^1.5 + relu(-x)^2.5",
    "f = softplus(a*x)/a - softplus(-x); a = 2",
    "f = erf(a*x)*erf(x) + tanh(b*x)^2; a = 0.5; b = -1",
    "f = a*x/(1 + abs(b*x)) - c/(1 + x^2); a = 1; b = 2; c = 0.5",
    "f = -x^2*a--x+(-x)^3; a = 0.2",
    "f = x*min(max(x + 3, 0), 6)/6",
    "f = relu(x)^c + c^x; fixed c = 1.75",
];

/// A derivative by differences of fourth order, and how far off it may be for roundings and for what it leaves out.
fn difference(function: impl Fn(f64) -> f64, step: f64) -> (f64, f64) {
    let slope = |h: f64| (function(h) - function(-h)) / (2.0 * h);
    let richardson = |h: f64| (4.0 * slope(h / 2.0) - slope(h)) / 3.0;
    let (coarse, fine) = (richardson(step), richardson(step / 2.0));
    (fine, (coarse - fine).abs() + 1e-14 * function(0.0).abs() / step)
}

/// Compares the derivatives of a formula with differences; returns how many there were to compare and how many were not
/// smooth enough to.
#[track_caller]
fn compare(text: &str, inputs: &[f64]) -> (usize, usize) {
    let written = written(text);
    let params = starts(&written);
    let (mut compared, mut skipped) = (0, 0);
    for &x in inputs {
        let (_, derivatives) = evaluate(&written, x, &params);
        for (variable, derivative) in derivatives.into_iter().enumerate() {
            // Nobody asks for that by a fixed parameter, and it need not be a number.
            if variable > 0 && !written.params()[variable - 1].trained {
                continue;
            }
            let moved = |h: f64| {
                let mut params = params.clone();
                if variable > 0 {
                    params[variable - 1] += h;
                }
                evaluate(&written, if variable == 0 { x + h } else { x }, &params).0
            };
            let (expected, doubt) = difference(moved, 1e-3);
            let bound = 1e-6 * expected.abs().max(1e-3);
            // Written so that a NaN is skipped, and not taken for agreement.
            if doubt < bound / 4.0 {
                let error = (derivative - expected).abs();
                assert!(error <= bound, "{text}: derivative {variable} at {x} is {derivative}, not {expected}");
                compared += 1;
            } else {
                skipped += 1;
            }
        }
    }
    (compared, skipped)
}

/// Away from the kinks of the formulas above.
const INPUTS: [f64; 14] = [-3.71, -2.9, -1.93, -1.21, -0.77, -0.41, -0.113, 0.097, 0.37, 0.71, 1.27, 1.83, 2.61, 3.63];

#[test]
fn derivatives_agree_with_finite_differences() {
    for text in FORMULAS {
        let (compared, skipped) = compare(text, &INPUTS);
        assert!(skipped <= compared / 20, "{text}: {skipped} skipped");
    }
}

/// A formula that a seed makes.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn formula(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(8) == 0 {
            let number = self.below(40) as f64 / 10.0 - 2.0;
            return ["x", "x", "a", "b", "pi", &format!("({number})")][self.below(6)].to_owned();
        }
        let mut inner = || self.formula(depth - 1);
        let (a, b) = (inner(), inner());
        match self.below(16) {
            0 | 1 => format!("({a} + {b})"),
            2 => format!("({a} - {b})"),
            3..6 => format!("{a}*{b}"),
            6 => format!("({a}/(1.5 + {b}^2))"),
            7 => format!("(-{a})"),
            8 => format!("({a})^{}", self.below(5)),
            9 => format!("(1 + abs({a}))^{}", self.below(60) as f64 / 10.0 - 3.0),
            10 => format!("ln(1.25 + {a}^2)"),
            11 => format!("sqrt(abs({a}) + 0.5)"),
            12 => format!("exp(min({a}, 1))"),
            13 => format!("{}({a}, {b})", ["min", "max"][self.below(2)]),
            _ => {
                let functions = ["tanh", "erf", "abs", "sin", "cos", "sigmoid", "relu", "softplus", "sin", "exp_m1"];
                format!("{}({a})", functions[self.below(functions.len())])
            }
        }
    }
}

#[test]
fn derivatives_of_random_formulas_agree_with_finite_differences() {
    let (mut compared, mut skipped, mut refused) = (0, 0, 0);
    for seed in 0..400 {
        let mut random = Random(seed);
        let text = format!("f = {} + 0*(a + b + x); a = 0.7; b = -1.3", random.formula(4));
        match Written::parse(&text) {
            Ok(_) => {
                let (more, rough) = compare(&text, &INPUTS[..6]);
                (compared, skipped) = (compared + more, skipped + rough);
            }
            Err(error) => {
                assert!(matches!(error.kind(), Kind::NotFinite { .. }), "{error}");
                refused += 1;
            }
        }
    }
    assert!(compared > 4000 && skipped < compared / 5 && refused < 40, "{compared} {skipped} {refused}");
}
