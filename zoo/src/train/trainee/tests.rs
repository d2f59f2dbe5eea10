//! Features that are kept, and those that there is no room for.

use std::sync::Arc;

use super::*;
use crate::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
use crate::registry::build;
use crate::transfer::FreezePolicy;

/// Features of an image of `cifar_resnet20`: a mean for each channel.
const FEATURES: usize = 64 * size_of::<f32>();

fn headed() -> Box<dyn Model> {
    let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
    FreezePolicy::HEAD.apply(model.net_mut());
    model
}

fn loader(count: usize) -> Loader {
    let images = Arc::new(Dataset::procedural(10, count, 0, 5).unwrap().train);
    let normalization = Normalization::measured(&images).unwrap();
    Loader::new(images, LoaderConfig::training(4, 3, normalization, Augmentation::NONE)).unwrap()
}

/// Makes another order of an order.
type Lie = fn(Vec<Vec<usize>>) -> Vec<Vec<usize>>;

/// Batches whose order is another one than theirs.
struct Lying(Loader, Lie);

impl Batches for Lying {
    fn batches(&self) -> usize {
        self.0.batches()
    }
    fn epoch_from(&self, epoch: u64, first: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>>> {
        Batches::epoch_from(&self.0, epoch, first)
    }
    fn order(&self, epoch: u64) -> Option<Vec<Vec<usize>>> {
        // The first order says how many images there are.
        let order = self.0.order(epoch)?;
        Some(if epoch == 0 { order } else { self.1(order) })
    }
}

fn all(inputs: &Inputs<'_>, epoch: u64) -> Result<Vec<Batch>, TrainError> {
    inputs.epoch_from(epoch, 0).collect()
}

#[test]
fn sets_that_there_is_room_for_are_kept_in_their_order() {
    let mut model = headed();
    let sets = [loader(9), loader(6), loader(5)];
    // What fits, and whether each of the sets is kept.
    let cases = [
        (20 * FEATURES, 2, [true, true, true]),
        (20 * FEATURES - 1, 2, [true, true, false]),
        // The second one does not fit, and the third does.
        (14 * FEATURES, 2, [true, false, true]),
        (9 * FEATURES - 1, 2, [false, true, false]),
        (0, 2, [false; 3]),
        // Of a single epoch nothing is read again.
        (20 * FEATURES, 1, [false; 3]),
    ];
    for (room, epochs, expected) in cases {
        let trainee = Trainee::with_room(model.as_mut(), room).unwrap();
        let inputs = sets.each_ref().map(|set| trainee.inputs(set, epochs, None));
        let kept = inputs.each_ref().map(|inputs| inputs.features.as_ref().unwrap().kept.is_some());
        assert_eq!(kept, expected, "{room}");
        for (inputs, set) in inputs.iter().zip(&sets) {
            for epoch in [1, 2, 7] {
                let found = all(inputs, epoch).unwrap();
                let anew =
                    Trainee::with_room(headed().as_mut(), 0).map(|trainee| all(&trainee.inputs(set, 2, None), epoch));
                assert!(found == anew.unwrap().unwrap(), "{room}, epoch {epoch}");
            }
        }
    }
}

#[test]
fn an_epoch_that_is_gone_on_with_leaves_the_rest_to_the_next() {
    let mut model = headed();
    let (trainee, set) = (Trainee::new(model.as_mut()).unwrap(), loader(9));
    let inputs = trainee.inputs(&set, 3, None);
    let missing = || inputs.features.as_ref().unwrap().kept.as_ref().unwrap().borrow().missing;
    assert_eq!(inputs.epoch_from(1, 1).count(), 2);
    assert_eq!(missing(), 4);
    assert_eq!(all(&inputs, 2).unwrap().len(), 3);
    assert_eq!(missing(), 0);
    // From memory, as from the images.
    let rest: Vec<Batch> = inputs.epoch_from(3, 1).map(Result::unwrap).collect();
    let images: Vec<Vec<usize>> = Batches::epoch_from(&set, 3, 1).map(|batch| batch.unwrap().labels).collect();
    assert_eq!(rest.iter().map(|batch| batch.labels.clone()).collect::<Vec<_>>(), images);
}

#[test]
fn an_order_that_is_not_that_of_the_batches_is_an_error() {
    let lies: [(Lie, &str); 3] = [
        (|order| order[..2].to_vec(), "expected as many images as their order says, found 1 for 0"),
        (|order| vec![order[0][..2].to_vec(); 3], "expected as many images as their order says, found 4 for 2"),
        (
            |order| order.iter().map(|batch| batch.iter().map(|index| index + 9).collect()).collect(),
            "expected those of the first epoch",
        ),
    ];
    for (lie, expected) in lies {
        let mut model = headed();
        let (trainee, set) = (Trainee::new(model.as_mut()).unwrap(), Lying(loader(9), lie));
        let error = all(&trainee.inputs(&set, 2, None), 1).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
