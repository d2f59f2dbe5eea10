use std::collections::BTreeMap;

use super::*;
use crate::activation::{LeakyRelu, Pvlu};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};

/// What a walk shows: roles and what is trained.
#[derive(Default)]
struct Roles(BTreeMap<String, (Role, bool, Vec<usize>)>);

impl Walker<f64, Cpu> for Roles {
    fn tensor(&mut self, slot: Slot<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        let shape = tensor.dims();
        assert!(self.0.insert(slot.path.to_owned(), (slot.role, slot.trained, shape)).is_none(), "{}", slot.path);
        Ok(())
    }
}

#[test]
fn a_walk_names_every_tensor_and_what_it_is() {
    let net = shaken::<((Conv2D<1, 2, 3>, BatchNorm2D<2>), Act<Pvlu, 2>, Act<LeakyRelu, 2>, Linear<2, 3>)>(1);
    let mut roles = Roles::default();
    net.walk(&mut Path::root(), &mut roles).unwrap();
    let expected: BTreeMap<String, (Role, bool, Vec<usize>)> = [
        ("0.0.weight", Role::Weight, true, vec![2, 1, 3, 3]),
        ("0.0.bias", Role::Bias, true, vec![2]),
        ("0.1.scale", Role::Scale, true, vec![2]),
        ("0.1.shift", Role::Shift, true, vec![2]),
        ("0.1.running_mean", Role::RunningMean, false, vec![2]),
        ("0.1.running_var", Role::RunningVariance, false, vec![2]),
        ("1.alpha", Role::Activation, true, vec![2]),
        ("1.beta", Role::Activation, true, vec![2]),
        ("2.slope", Role::Hyperparameter, false, vec![2]),
        ("3.weight", Role::Weight, true, vec![3, 2]),
        ("3.bias", Role::Bias, true, vec![3]),
    ]
    .into_iter()
    .map(|(path, role, trained, shape)| (path.to_owned(), (role, trained, shape)))
    .collect();
    assert_eq!(roles.0, expected);
    assert!(Role::Weight.decays());
    for role in [Role::Bias, Role::Scale, Role::Shift, Role::Activation, Role::Hyperparameter] {
        assert!(!role.decays());
    }
}

#[test]
fn an_error_of_a_walker_ends_the_walk() {
    struct Stop(usize);
    impl Walker<f64, Cpu> for Stop {
        fn tensor(&mut self, slot: Slot<'_>, _: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            self.0 += 1;
            if slot.role == Role::Bias { Err(Error::MissingGradient { path: slot.path.to_owned() }) } else { Ok(()) }
        }
    }
    let net = shaken::<(Conv2D<1, 2, 3>, Linear<2, 3>)>(2);
    let mut stop = Stop(0);
    let error = net.walk(&mut Path::root(), &mut stop).unwrap_err();
    assert_eq!(error, Error::MissingGradient { path: "0.bias".to_owned() });
    assert_eq!(stop.0, 2);
}
