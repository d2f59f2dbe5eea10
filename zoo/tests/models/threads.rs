//! Models on small stacks and on many threads.

use std::sync::Arc;
use std::thread;

use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{Options, Start, find};

use crate::{images, small};

#[test]
fn the_deepest_and_the_largest_model_live_on_a_stack_of_two_mebibytes() {
    let work = || {
        for name in ["resnet152v2", "vgg19"] {
            let entry = find(name).unwrap();
            let options = Options { activation: "pvlu", classes: 1000, image: None, weights: Start::Unfilled };
            drop(entry.build(&options).unwrap());
            let model = small(entry, "relu", Start::Seed(1));
            assert_eq!(model.logits(images(1)).unwrap().len(), 10);
            let mut model = model.swap_activation(pvlu_zoo::registry::activation("pvlu").unwrap()).unwrap();
            let step = model.step(images(1), &[0]).unwrap();
            assert!(step.loss.is_finite());
        }
    };
    thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_model_is_shared_by_threads() {
    let model: Arc<dyn Model> = Arc::from(small(find("cifar_resnet20").unwrap(), "pvlu", Start::Seed(4)));
    let expected = model.logits(images(3)).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (model, expected) = (model.clone(), expected.clone());
            thread::spawn(move || assert_eq!(model.logits(images(3)).unwrap(), expected))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
