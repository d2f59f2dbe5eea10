//! Answers that mean nothing.

/// A logit that is infinite or no number. What would be made of it, a probability or an order of classes, means
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "image {image}: the logit of class {class} is {value}, not a finite number: weights or inputs are out of range"
)]
pub struct NotFinite {
    /// Which image, from 0 on.
    pub image: usize,
    /// The class.
    pub class: usize,
    /// The logit.
    pub value: f32,
}

/// [`NotFinite`] for the first of these logits `[batch, classes]` that is infinite or no number. `before` is the number
/// of images before these.
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
