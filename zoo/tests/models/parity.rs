//! Training steps of every model, and PVLU swapped in for ReLU.

use pvlu::layer::{Mode, ParamKind, Path, Switch};
use pvlu_zoo::registry::{Start, activation, models};

use crate::{images, small};

#[test]
fn pvlu_at_alpha_zero_is_relu_to_the_last_bit_in_every_model() {
    for entry in models() {
        let relu = small(entry, "relu", Start::Seed(11));
        let expected = relu.logits(images(2)).unwrap();
        assert_eq!(expected.len(), 2 * 10);
        assert!(expected.iter().all(|logit| logit.is_finite()) && expected.iter().any(|logit| *logit != expected[0]));
        let pvlu = relu.swap_activation(activation("pvlu").unwrap()).unwrap();
        assert_eq!(pvlu.activation(), Some("pvlu"));
        let found = pvlu.logits(images(2)).unwrap();
        let bits = |logits: &[f32]| logits.iter().map(|logit| logit.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&expected), "{}", entry.name);
    }
}

#[test]
fn a_step_of_every_model_reaches_every_parameter() {
    let mut still = Vec::new();
    for entry in models() {
        let mut model = small(entry, "pvlu", Start::Seed(5));
        model.set_mode(Mode::Train);
        let mut step = model.step(images(2), &[3, 8]).unwrap();
        assert!(step.loss.is_finite() && step.logits.iter().all(|logit| logit.is_finite()), "{}", entry.name);
        let mut parameters = Vec::new();
        let mut look = |slot: pvlu::layer::NamedTensor<'_>, _: &mut [f32], gradient: &[f32]| {
            assert!(gradient.iter().all(|g| g.is_finite()), "{} of {}", slot.path, entry.name);
            parameters.push((slot.path.to_owned(), slot.kind, gradient.iter().any(|g| *g != 0.0)));
            Ok(())
        };
        model.update(&mut step.gradients, &mut look).unwrap();
        assert_eq!(parameters.len(), model.net().tensor_count_trained(), "{}", entry.name);
        // A bias right before batch norm shifts all of a channel, which batch norm takes away again: its gradient is
        // zero.
        let next = parameters.iter().skip(1).map(|(_, kind, _)| Some(*kind)).chain([None]);
        let before_norm = |kind, next| kind == ParamKind::Bias && next == Some(ParamKind::Scale);
        let unmoved =
            parameters.iter().zip(next).filter(|((_, kind, moves), next)| !moves && !before_norm(*kind, *next));
        still.extend(unmoved.map(|((path, ..), _)| format!("{path} of {}", entry.name)));
    }
    assert!(still.is_empty(), "without gradient: {}", still.join(", "));
}

/// Counts the trained tensors.
trait CountTrained {
    fn tensor_count_trained(&self) -> usize;
}

impl CountTrained for dyn pvlu::layer::Visit<f32, dfdx::tensor::Cpu> + '_ {
    fn tensor_count_trained(&self) -> usize {
        struct Count(usize);
        impl pvlu::layer::Visitor<f32, dfdx::tensor::Cpu> for Count {
            fn tensor(
                &mut self,
                slot: pvlu::layer::NamedTensor<'_>,
                _: &dyn pvlu::layer::AnyTensor<f32, dfdx::tensor::Cpu>,
            ) -> Result<(), pvlu::Error> {
                self.0 += usize::from(slot.trained);
                Ok(())
            }
        }
        let mut count = Count(0);
        self.visit(&mut Path::root(), &mut count).unwrap();
        count.0
    }
}

#[test]
fn a_swap_keeps_switches_and_every_other_tensor() {
    let entry = pvlu_zoo::registry::find("cifar_resnet20").unwrap();
    let mut relu = small(entry, "relu", Start::Seed(2));
    relu.net_mut().freeze_batch_norm(true, true);
    let before = crate::bits(&*relu);
    let pvlu = relu.swap_activation(activation("pvlu").unwrap()).unwrap();
    let after = crate::bits(&*pvlu);
    assert_eq!(after.len(), before.len() + 2 * 19);
    assert!(before.iter().all(|tensor| after.contains(tensor)));
    let mut trained = Vec::new();
    pvlu.tensors(&mut |tensor| trained.extend(tensor.slot.trained.then_some(tensor.slot.kind))).unwrap();
    assert!(!trained.contains(&ParamKind::Scale), "batch norms are still frozen");

    let error = pvlu.swap_activation(activation("elu").unwrap()).err().unwrap();
    let says = "cannot swap the activation \"pvlu\" for \"elu\": only a model with relu can";
    assert_eq!(error.to_string(), says);
}
