//! Schedules of the learning rate over a run.

/// A factor on the base learning rate, as a function of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// `(1 + cos(pi step / total)) / 2`: from 1 down to 0 (Loshchilov and Hutter 2017, without restarts).
    Cosine,
}

impl Schedule {
    /// The factor at a step of a run of `total_steps` in epochs of `epoch_steps`.
    pub fn factor(self, step: u64, epoch_steps: u64, total_steps: u64) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Step { every, factor } => {
                let epoch = step / epoch_steps.max(1);
                libm::pow(factor, (epoch / every.max(1)) as f64)
            }
            Schedule::Cosine => {
                let progress = step as f64 / total_steps.max(1) as f64;
                0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress.min(1.0)))
            }
        }
    }
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

    #[test]
    fn degenerate_runs_have_finite_factors() {
        for schedule in [Schedule::Constant, Schedule::Step { every: 0, factor: 0.5 }, Schedule::Cosine] {
            assert!(schedule.factor(0, 0, 0).is_finite());
        }
    }
}
