//! The operations of a program, each with its meaning once, for every register.

use crate::kernel::cpu::simd::{Lane, Portable, Real, Simd};

/// Hands the table of operations, `Name(operands) = value`, to a macro.
macro_rules! for_every_operation {
    ($use:ident) => {
        $use! {
            /// The operand negated, `-a`.
            Negate(a) = -a,
            /// The sum `a + b`.
            Add(a, b) = a + b,
            /// The difference `a - b`.
            Subtract(a, b) = a - b,
            /// The product `a b`.
            Multiply(a, b) = a * b,
            /// The quotient `a / b`.
            Divide(a, b) = a / b,
            /// `a b + c`, rounded once.
            MultiplyAdd(a, b, c) = a.mul_add(b, c),
            /// The smaller one; NaN if either is NaN.
            Min(a, b) = a.min(b),
            /// The larger one; NaN if either is NaN.
            Max(a, b) = a.max(b),
            /// The rectifier `max(0, a)`.
            Relu(a) = a.relu(),
            /// 1 for a > 0, 0 for a <= 0.
            Step(a) = a.step(),
            /// The absolute value `|a|`.
            Abs(a) = a.abs(),
            /// 1, 0 or -1.
            Sign(a) = sign(a),
            /// `b` for a > 0, `c` for a <= 0, NaN for NaN; the operand that is not taken may be infinite or NaN.
            Select(a, b, c) = select(a, b, c),
            /// The exponential function `e^a`.
            Exp(a) = a.exp(),
            /// `e^a - 1`, accurate near 0.
            ExpM1(a) = a.exp_m1(),
            /// The natural logarithm: minus infinity at zeros of either sign, NaN below.
            Ln(a) = a.ln(),
            /// `ln(1 + a)`, accurate near 0: minus infinity at -1, NaN below.
            Ln1p(a) = a.ln_1p(),
            /// The square root, correctly rounded: NaN below 0.
            Sqrt(a) = a.sqrt(),
            /// The hyperbolic tangent of `a`.
            Tanh(a) = a.tanh(),
            /// The error function of `a`.
            Erf(a) = a.erf(),
            /// The sine of `a` in radians.
            Sin(a) = a.sin(),
            /// The cosine of `a` in radians.
            Cos(a) = a.cos(),
            /// `s = 1 / (1 + e^-a)`.
            Sigmoid(a) = sigmoid(a).0,
            /// `s (1 - s)`, the derivative of the sigmoid.
            SigmoidSlope(a) = sigmoid(a).1,
            /// Softplus, `ln(1 + e^a)`, computed without overflow.
            Softplus(a) = softplus(a),
        }
    };
}
pub(super) use for_every_operation;

macro_rules! define {
    ($($(#[$doc:meta])* $name:ident($($operand:ident),+) = $value:expr,)+) => {
        /// An elementwise operation on one to three operands. Every one propagates NaN, but for
        /// [`Operation::Select`] from the operand that it does not take.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Number of operands, one to three.
            pub fn arity(self) -> usize {
                match self {
                    $(Operation::$name => [$(stringify!($operand)),+].len(),)+
                }
            }

            /// The value in `f64`, the same on every machine.
            ///
            /// # Panics
            /// If the number of operands is not the [arity](Operation::arity).
            pub fn of(self, operands: &[f64]) -> f64 {
                assert_eq!(operands.len(), self.arity());
                let mut operands = operands.iter().map(|&operand| Number::splat(operand));
                let mut next = || operands.next().unwrap_or(Number::splat(0.0));
                let value = match self {
                    $(Operation::$name => {
                        $(let $operand = next();)+
                        $value
                    })+
                };
                let mut element = [0.0];
                value.store(&mut element);
                element[0]
            }
        }
    };
}
for_every_operation!(define);

/// The portable register of one `f64`.
type Number = <Portable<false> as Simd>::F64;

#[inline(always)]
pub(super) fn sign<R: Real>(a: R) -> R {
    a.if_positive(R::of(1.0), (-a).if_positive(R::of(-1.0), a + R::of(0.0)))
}

#[inline(always)]
pub(super) fn select<R: Real>(a: R, positive: R, other: R) -> R {
    a.if_positive(positive, (-a).if_positive(other, other + a))
}

/// `s = 1 / (1 + e^-a)` and `s (1 - s)`: from e^-|a|, which cannot overflow, so that neither s nor 1 - s loses digits.
#[inline(always)]
pub(super) fn sigmoid<R: Real>(a: R) -> (R, R) {
    let e = (-a.abs()).exp();
    let larger = R::of(1.0) / (R::of(1.0) + e);
    let smaller = e * larger;
    (a.if_positive(larger, smaller), larger * smaller)
}

/// `max(0, a) + ln(1 + e^-|a|)`, which cannot overflow.
#[inline(always)]
pub(super) fn softplus<R: Real>(a: R) -> R {
    a.relu() + (-a.abs()).exp().ln_1p()
}
