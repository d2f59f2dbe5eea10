use std::collections::BTreeMap;

use super::*;
use crate::activation::{LeakyRelu, Pvlu};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};

/// Kind, trained or not, and shape of each tensor that a visit shows.
#[derive(Default)]
struct Kinds(BTreeMap<String, (ParamKind, bool, Vec<usize>)>);

impl Visitor<f64, Cpu> for Kinds {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        let shape = tensor.dims();
        assert!(self.0.insert(slot.path.to_owned(), (slot.kind, slot.trained, shape)).is_none(), "{}", slot.path);
        Ok(())
    }
}

#[test]
fn a_visit_names_every_tensor_and_what_it_is() {
    let net = shaken::<((Conv2D<1, 2, 3>, BatchNorm2D<2>), Act<Pvlu, 2>, Act<LeakyRelu, 2>, Linear<2, 3>)>(1);
    let mut kinds = Kinds::default();
    net.visit(&mut Path::root(), &mut kinds).unwrap();
    let expected: BTreeMap<String, (ParamKind, bool, Vec<usize>)> = [
        ("0.0.weight", ParamKind::Weight, true, vec![2, 1, 3, 3]),
        ("0.0.bias", ParamKind::Bias, true, vec![2]),
        ("0.1.scale", ParamKind::Scale, true, vec![2]),
        ("0.1.shift", ParamKind::Shift, true, vec![2]),
        ("0.1.running_mean", ParamKind::RunningMean, false, vec![2]),
        ("0.1.running_var", ParamKind::RunningVariance, false, vec![2]),
        ("1.alpha", ParamKind::Activation, true, vec![2]),
        ("1.beta", ParamKind::Activation, true, vec![2]),
        ("2.slope", ParamKind::Hyperparameter, false, vec![2]),
        ("3.weight", ParamKind::Weight, true, vec![3, 2]),
        ("3.bias", ParamKind::Bias, true, vec![3]),
    ]
    .into_iter()
    .map(|(path, kind, trained, shape)| (path.to_owned(), (kind, trained, shape)))
    .collect();
    assert_eq!(kinds.0, expected);
    assert!(ParamKind::Weight.decays());
    for kind in [ParamKind::Bias, ParamKind::Scale, ParamKind::Shift, ParamKind::Activation, ParamKind::Hyperparameter]
    {
        assert!(!kind.decays());
    }
}

#[test]
fn an_error_of_a_visitor_ends_the_visit() {
    struct Stop(usize);
    impl Visitor<f64, Cpu> for Stop {
        fn tensor(&mut self, slot: NamedTensor<'_>, _: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            self.0 += 1;
            if slot.kind == ParamKind::Bias {
                Err(Error::MissingGradient { path: slot.path.to_owned() })
            } else {
                Ok(())
            }
        }
    }
    let net = shaken::<(Conv2D<1, 2, 3>, Linear<2, 3>)>(2);
    let mut stop = Stop(0);
    let error = net.visit(&mut Path::root(), &mut stop).unwrap_err();
    assert_eq!(error, Error::MissingGradient { path: "0.bias".to_owned() });
    assert_eq!(stop.0, 2);
}
