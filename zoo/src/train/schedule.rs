//! Schedules of the learning rate over a run.

use std::f64::consts::PI;

/// A factor on the base learning rate, as a function of the step.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// The base learning rate at every step.
    Constant,
    /// The factor `factor^floor(epoch / every)`, with epochs from 0.
    Step {
        /// Epochs between two changes.
        every: u64,
        /// Factor by which each change multiplies the learning rate.
        factor: f64,
    },
    /// The factor `factor^n` after `n` of these moments: He et al. 2015, section 4.2, divide by 10 twice.
    Milestones {
        /// Moments of the changes, in epochs from the beginning. A fraction is rounded to the nearest step.
        epochs: Vec<f64>,
        /// Factor by which each change multiplies the learning rate.
        factor: f64,
    },
    /// `(1 + cos(pi step / total)) / 2`: from 1 down to 0 (Loshchilov and Hutter 2017, without restarts).
    Cosine,
    /// One cycle (Smith and Topin 2018): half a cosine from 1/25 up to 1 in the first three tenths of the steps, and
    /// another down to 4e-6. The factors of PyTorch's `OneCycleLR` with its default settings, which cycles the momentum
    /// too unless `cycle_momentum=False`; here it is constant.
    OneCycle,
}

/// Constants of [`Schedule::OneCycle`], PyTorch's: share of the steps that rise, first factor, and last one.
const RISING: f64 = 0.3;
const FIRST: f64 = 1.0 / 25.0;
const LAST: f64 = FIRST / 1e4;

impl Schedule {
    /// The factor at a step of a run of `total_steps` in epochs of `epoch_steps`.
    pub fn factor(&self, step: u64, epoch_steps: u64, total_steps: u64) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Step { every, factor } => {
                let epoch = step / epoch_steps.max(1);
                libm::pow(*factor, (epoch / (*every).max(1)) as f64)
            }
            Schedule::Milestones { epochs, factor } => {
                let past = epochs.iter().filter(|epoch| step as f64 >= (*epoch * epoch_steps as f64).round()).count();
                libm::pow(*factor, past as f64)
            }
            Schedule::Cosine => falling(step as f64 / total_steps.max(1) as f64),
            Schedule::OneCycle => {
                // The last step of each of the two parts.
                let (top, end) = (RISING * total_steps as f64 - 1.0, total_steps as f64 - 1.0);
                let step = step as f64;
                if step <= top {
                    FIRST + (1.0 - FIRST) * (1.0 - falling(if top > 0.0 { step / top } else { 1.0 }))
                } else {
                    let fall = end - top;
                    LAST + (1.0 - LAST) * falling(if fall > 0.0 { (step - top) / fall } else { 0.0 })
                }
            }
        }
    }

    /// The factor at a step if the first `warm_up` steps rise in a straight line to 1. Cosines span the steps after
    /// them; changes at given epochs are counted from the beginning of the run (Goyal et al. 2017, section 5.1).
    pub(super) fn factor_after(&self, warm_up: u64, step: u64, epoch_steps: u64, total_steps: u64) -> f64 {
        if step < warm_up {
            return (step + 1) as f64 / warm_up as f64;
        }
        match self {
            Schedule::Cosine | Schedule::OneCycle => {
                self.factor(step - warm_up, epoch_steps, total_steps.saturating_sub(warm_up))
            }
            _ => self.factor(step, epoch_steps, total_steps),
        }
    }
}

/// Half a cosine from 1 at 0 to 0 at 1.
fn falling(progress: f64) -> f64 {
    0.5 * (1.0 + libm::cos(PI * progress.min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn cosine_goes_from_one_over_a_half_to_zero() {
        assert_eq!(Schedule::Cosine.factor(0, 10, 100), 1.0);
        assert!((Schedule::Cosine.factor(50, 10, 100) - 0.5).abs() < 1e-15);
        assert!(Schedule::Cosine.factor(100, 10, 100).abs() < 1e-15);
        assert!(Schedule::Cosine.factor(120, 10, 100).abs() < 1e-15);
    }

    #[test]
    fn steps_change_at_their_epochs() {
        let schedule = Schedule::Step { every: 2, factor: 0.1 };
        assert_eq!(schedule.factor(19, 10, 100), 1.0);
        assert!((schedule.factor(20, 10, 100) - 0.1).abs() < 1e-15);
        assert!((schedule.factor(40, 10, 100) - 0.01).abs() < 1e-15);
        assert_eq!(Schedule::Constant.factor(99, 10, 100), 1.0);
    }

    /// He et al. divide by 10 at 32,000 and 48,000 of 64,000 steps, which are 352 an epoch of 45,000 images.
    #[test]
    fn milestones_may_lie_within_an_epoch() {
        let schedule =
            Schedule::Milestones { epochs: [32_000.0, 48_000.0].map(|step| step / 352.0).to_vec(), factor: 0.1 };
        let at = |step| schedule.factor(step, 352, 64_000);
        assert_eq!([at(0), at(31_999), at(32_000), at(47_999)], [1.0, 1.0, 0.1, 0.1]);
        assert!((at(48_000) - 0.01).abs() < 1e-17 && (at(63_999) - 0.01).abs() < 1e-17);
    }

    /// `torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1, total_steps=10)` of torch 2.15 in `f64`.
    #[test]
    fn one_cycle_has_the_rates_of_pytorch() {
        let torch = [
            0.040000000000000036,
            0.52,
            1.0,
            0.9504846320134737,
            0.8117456539497631,
            0.6112620219362893,
            0.38874197806371075,
            0.18825834605023697,
            0.049519367986526286,
            4e-06,
        ];
        for (step, expected) in (0..).zip(torch) {
            let found = Schedule::OneCycle.factor(step, 5, 10);
            assert!((found - expected).abs() < 1e-12, "{step}: {found} {expected}");
        }
    }

    #[test]
    fn a_warm_up_rises_to_one_and_cosines_span_the_rest() {
        let at = |schedule: &Schedule, step| schedule.factor_after(4, step, 10, 24);
        assert_eq!([0, 1, 2, 3].map(|step| at(&Schedule::Cosine, step)), [0.25, 0.5, 0.75, 1.0]);
        assert_eq!([4, 14, 24].map(|step| (at(&Schedule::Cosine, step) * 1e9).round()), [1e9, 5e8, 0.0]);
        let milestone = Schedule::Milestones { epochs: vec![1.0], factor: 0.5 };
        assert_eq!([3, 9, 10].map(|step| at(&milestone, step)), [1.0, 1.0, 0.5]);
    }

    #[test]
    fn degenerate_runs_have_finite_factors() {
        let milestones = Schedule::Milestones { epochs: vec![0.0], factor: 0.1 };
        let step = Schedule::Step { every: 0, factor: 0.5 };
        for schedule in [Schedule::Constant, step, milestones, Schedule::Cosine, Schedule::OneCycle] {
            for (at, total) in [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (9, 3)] {
                for warm_up in [0, 1, 5] {
                    let factor = schedule.factor_after(warm_up, at, 0, total);
                    assert!((0.0..=1.0).contains(&factor), "{schedule:?} {at} {total} {warm_up}: {factor}");
                }
            }
        }
    }
}
