//! Table of the code behind the transcendental functions of a register.

/// The functions of [`Real`](super::Real) that are more than arithmetic: in `f32` made of polynomials, in `f64` element
/// by element from `libm`.
macro_rules! transcendental {
    (f32) => {
        transcendental!(sin_cos -> (Self, Self): sine::sin_cos);
        transcendental!(exp -> Self: sine::exp);
        transcendental!(exp_m1 -> Self: sine::exp_m1);
        transcendental!(ln -> Self: logarithm::ln);
        transcendental!(ln_1p -> Self: logarithm::ln_1p);
        transcendental!(tanh -> Self: tanh::tanh);
        transcendental!(erf -> Self: erf::erf);
        transcendental!(normal -> (Self, Self): normal::normal);
    };
    (f64) => {
        transcendental!(sin_cos -> (Self, Self): sine::sin_cos_f64);
        transcendental!(exp -> Self: sine::each_f64, libm::exp);
        transcendental!(exp_m1 -> Self: sine::each_f64, libm::expm1);
        transcendental!(ln -> Self: sine::each_f64, libm::log);
        transcendental!(ln_1p -> Self: sine::each_f64, libm::log1p);
        transcendental!(tanh -> Self: sine::each_f64, libm::tanh);
        transcendental!(erf -> Self: sine::each_f64, libm::erf);
        transcendental!(normal -> (Self, Self): normal::normal_f64);
    };
    ($name:ident -> $result:ty: $code:path $(, $each:path)?) => {
        #[inline(always)]
        fn $name(self) -> $result {
            $code(self $(, $each)?)
        }
    };
}
pub(super) use transcendental;
