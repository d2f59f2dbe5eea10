//! Checks for logits that are infinite or NaN.

/// A logit that is infinite or NaN. A probability or a ranking of classes that is computed from it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "image {image}: the logit of class {class} is {value}, not a finite number: weights or inputs are out of range"
)]
#[doc(hidden)]
pub struct NotFinite {
    /// Index of the image, from 0.
    pub image: usize,
    /// Index of the class.
    pub class: usize,
    /// Value of the logit.
    pub value: f32,
}

/// [`NotFinite`] for the first of these logits `[batch, classes]` that is infinite or NaN. `before` is the number of
/// images before these.
#[doc(hidden)]
pub fn check_finite(logits: &[f32], classes: usize, before: usize) -> Result<(), NotFinite> {
    match logits.iter().position(|logit| !logit.is_finite()) {
        Some(at) => Err(NotFinite { image: before + at / classes, class: at % classes, value: logits[at] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_logit_that_is_not_finite_is_named() {
        assert_eq!(check_finite(&[1.0, -2.0, f32::MAX, 0.0], 2, 0), Ok(()));
        assert_eq!(check_finite(&[], 2, 0), Ok(()));
        let error = check_finite(&[0.0, 0.0, 0.0, f32::NEG_INFINITY, f32::NAN, 0.0], 2, 7).unwrap_err();
        assert_eq!((error.image, error.class, error.value), (8, 1, f32::NEG_INFINITY));
        assert!(
            check_finite(&[f32::NAN], 1, 0).unwrap_err().to_string().contains("image 0: the logit of class 0 is NaN")
        );
    }
}
