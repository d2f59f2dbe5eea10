//! Window arithmetic on dimensions: what a kernel, a stride and a padding make of an image side.
//!
//! On stable Rust a const generic cannot be computed from another, so the compile-time case is a trait with an
//! associated type. Windows that keep the size are implemented for every `Const<N>`, the others for N from 1 to 256;
//! `usize` takes any window and is checked at run time.

use dfdx::shapes::{Const, Dim};

use crate::error::Error;

/// A dimension over which a window of `K` elements slides with stride `S` and padding `P` on both sides.
///
/// The result has `(n + 2 P - K) / S + 1` elements, rounded down. A [`Const`] whose window does not fit has no
/// implementation, which makes a wrong image size a compile error.
#[diagnostic::on_unimplemented(
    message = "a window of {K} with stride {S} and padding {P} does not slide over a dimension of `{Self}`",
    label = "the window does not fit, or there is none like it for sizes known at compile time",
    note = "sizes known at compile time go from 1 to 256, with kernel/stride/padding 1/1/0, 1/2/0, 2/1/0, 2/2/0, \
            3/1/0, 3/1/1, 3/2/0, 3/2/1, 5/1/2, 5/2/2, 7/2/0 and 7/2/3",
    note = "`usize` takes any window and is checked at run time"
)]
pub trait Window<const K: usize, const S: usize, const P: usize>: Dim {
    /// The dimension of the result.
    type Out: Dim;

    /// The result, or [`Error::Window`] where the window does not fit or is degenerate (`K` or `S` zero).
    fn try_slide(self) -> Result<Self::Out, Error>;
}

impl<const K: usize, const S: usize, const P: usize> Window<K, S, P> for usize {
    type Out = usize;

    fn try_slide(self) -> Result<usize, Error> {
        let misfit = Error::Window { size: self, kernel: K, stride: S, padding: P };
        if K == 0 || S == 0 {
            return Err(misfit);
        }
        match (self + 2 * P).checked_sub(K) {
            Some(rest) => Ok(rest / S + 1),
            None => Err(misfit),
        }
    }
}

/// Windows that leave the size as it is.
macro_rules! same {
    ($($k:literal / $s:literal / $p:literal),*) => {$(
        impl<const N: usize> Window<$k, $s, $p> for Const<N> {
            type Out = Const<N>;
            fn try_slide(self) -> Result<Const<N>, Error> {
                Ok(Const)
            }
        }
    )*};
}
same!(1 / 1 / 0, 3 / 1 / 1, 5 / 1 / 2);

/// Windows that change the size, over a list of sizes.
macro_rules! windows {
    ([$($n:literal)*] $window:tt) => {
        $(windows!(@one $n $window);)*
    };
    (@one $n:literal ($k:literal / $s:literal / $p:literal)) => {
        impl Window<$k, $s, $p> for Const<$n> {
            type Out = Const<{ ($n + 2 * $p - $k) / $s + 1 }>;
            fn try_slide(self) -> Result<Self::Out, Error> {
                Ok(Const)
            }
        }
    };
}

/// Every window over the sizes that it fits into: those from the first size listed with it.
macro_rules! over {
    (from 1: $($window:tt)*) => {
        over!(from 2: $($window)*);
        $(windows!([1] $window);)*
    };
    (from 2: $($window:tt)*) => {
        over!(from 3: $($window)*);
        $(windows!([2] $window);)*
    };
    (from 3: $($window:tt)*) => {
        over!(from 7: $($window)*);
        $(windows!([3 4 5 6] $window);)*
    };
    (from 7: $($window:tt)*) => {
        $(windows!([
            7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41
            42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75
            76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106
            107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128 129 130 131
            132 133 134 135 136 137 138 139 140 141 142 143 144 145 146 147 148 149 150 151 152 153 154 155 156
            157 158 159 160 161 162 163 164 165 166 167 168 169 170 171 172 173 174 175 176 177 178 179 180 181
            182 183 184 185 186 187 188 189 190 191 192 193 194 195 196 197 198 199 200 201 202 203 204 205 206
            207 208 209 210 211 212 213 214 215 216 217 218 219 220 221 222 223 224 225 226 227 228 229 230 231
            232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256
        ] $window);)*
    };
}
over!(from 1: (1 / 2 / 0) (3 / 2 / 1) (5 / 2 / 2) (7 / 2 / 3));
over!(from 2: (2 / 1 / 0) (2 / 2 / 0));
over!(from 3: (3 / 1 / 0) (3 / 2 / 0));
over!(from 7: (7 / 2 / 0));

/// A dimension each of whose elements is repeated `F` times.
#[diagnostic::on_unimplemented(
    message = "a dimension of `{Self}` is not enlarged {F} times",
    label = "there is no such enlargement for sizes known at compile time",
    note = "sizes known at compile time go from 1 to 128, with a factor of 2",
    note = "`usize` takes any factor"
)]
pub trait Enlarge<const F: usize>: Dim {
    /// The dimension of the result.
    type Out: Dim;

    /// The dimension multiplied by `F`.
    fn enlarge(self) -> Self::Out;
}

impl<const F: usize> Enlarge<F> for usize {
    type Out = usize;

    fn enlarge(self) -> usize {
        self * F
    }
}

/// Twice a size, over a list of sizes.
macro_rules! doubles {
    ($($n:literal)*) => {$(
        impl Enlarge<2> for Const<$n> {
            type Out = Const<{ 2 * $n }>;
            fn enlarge(self) -> Self::Out {
                Const
            }
        }
    )*};
}
doubles!(
    1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
    31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
    61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90
    91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120
    121 122 123 124 125 126 127 128
);

/// A dimension of factors for one of `N`: as large, or one, whose factor is then that of all.
///
/// Another constant does not compile where it is used; a size known at run time is asked.
pub trait Gates<N: Dim>: Dim {
    /// [`Error::Shape`] where the run-time size is another.
    fn try_gate(self, to: N) -> Result<(), Error>;
}

fn gates(gate: usize, to: usize) -> Result<(), Error> {
    if gate == to || gate == 1 { Ok(()) } else { Err(Error::Shape { expected: to, found: gate }) }
}

impl<const N: usize, const M: usize> Gates<Const<N>> for Const<M> {
    fn try_gate(self, _: Const<N>) -> Result<(), Error> {
        const { assert!(M == N || M == 1, "a gate has the size of the map or one row and one column") };
        Ok(())
    }
}

impl<const M: usize> Gates<usize> for Const<M> {
    fn try_gate(self, to: usize) -> Result<(), Error> {
        gates(M, to)
    }
}

impl<N: Dim> Gates<N> for usize {
    fn try_gate(self, to: N) -> Result<(), Error> {
        gates(self, to.size())
    }
}

/// A dimension that is, or is asked at run time to be, `N`.
///
/// Implemented for `Const<N>` alone among the constants, so that another constant is a compile error, and for `usize`.
#[diagnostic::on_unimplemented(
    message = "this layer takes a dimension of {N}, but the tensor has `{Self}`",
    label = "wrong size"
)]
pub trait Is<const N: usize>: Dim {
    /// [`Error::Shape`] where the run-time size is another.
    fn try_is(self) -> Result<(), Error>;
}

impl<const N: usize> Is<N> for Const<N> {
    fn try_is(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<const N: usize> Is<N> for usize {
    fn try_is(self) -> Result<(), Error> {
        if self == N { Ok(()) } else { Err(Error::Shape { expected: N, found: self }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant<const K: usize, const S: usize, const P: usize, W: Window<K, S, P> + Default>() -> usize {
        W::default().try_slide().unwrap().size()
    }

    #[test]
    fn constants_agree_with_run_time_sizes() {
        macro_rules! agree {
            ($($n:literal $k:literal / $s:literal / $p:literal),*) => {$(
                assert_eq!(constant::<$k, $s, $p, Const<$n>>(), Window::<$k, $s, $p>::try_slide($n).unwrap());
            )*};
        }
        agree!(
            1 1/1/0, 224 1/1/0, 56 1/2/0, 1 1/2/0, 2 2/2/0, 7 2/2/0, 256 2/1/0, 3 3/1/0, 32 3/1/1, 230 3/2/0, 112 3/2/1,
            1 3/2/1, 33 5/1/2, 33 5/2/2, 230 7/2/0, 7 7/2/0, 224 7/2/3, 256 7/2/3
        );
        assert_eq!(constant::<7, 2, 3, Const<224>>(), 112);
    }

    #[test]
    fn a_window_that_does_not_fit_is_an_error() {
        assert_eq!(Window::<3, 1, 0>::try_slide(2), Err(Error::Window { size: 2, kernel: 3, stride: 1, padding: 0 }));
        assert!(Window::<2, 0, 0>::try_slide(2).is_err());
        assert!(Window::<0, 1, 0>::try_slide(2).is_err());
        assert_eq!(Window::<3, 2, 1>::try_slide(1), Ok(1));
        assert_eq!(Window::<4, 3, 2>::try_slide(9), Ok(4));
    }

    #[test]
    fn a_run_time_size_is_checked() {
        assert_eq!(Is::<4>::try_is(5), Err(Error::Shape { expected: 4, found: 5 }));
        assert_eq!(Is::<4>::try_is(4), Ok(()));
    }
}
