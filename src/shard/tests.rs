use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module, ModuleMut};
use dfdx::shapes::Const;
use dfdx::tensor::{AsArray, Cpu, TensorFromVec};

use super::early::PART;
use super::*;
use crate::activation::Pvlu;
use crate::error::Error;
use crate::kernel::cpu::testing::random;
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Dropout, Flatten2D, Linear};
use crate::layer::{AnyTensor, NamedTensor, Path, Switch, Visit, Visitor};
use crate::loss::{Targets, try_cross_entropy_mixed};
use crate::tape::{LeafGradients, TrackExt, try_backward, try_backward_of_shard};

type Net = (
    (Conv2D<2, 4, 3, 1, 1>, BatchNorm2D<4>, Act<Pvlu, 4>, Dropout<30>),
    (Conv2D<4, 3, 3, 2, 1>, BatchNorm2D<3>),
    Flatten2D<3, 3, 2, 18>,
    Dropout<20>,
    Linear<18, 5>,
);

/// Loss, logits, gradients of the parameters and running statistics, each by its name.
type Results<E> = Vec<(String, Vec<E>)>;

struct Read<'a, E: dfdx::shapes::Unit> {
    gradients: &'a mut LeafGradients<E, Cpu>,
    found: Results<E>,
}

impl<E: dfdx::shapes::Dtype + crate::kernel::cpu::CpuElement> Visitor<E, Cpu> for Read<'_, E> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), Error> {
        let values = match tensor.gradient(self.gradients)? {
            Some(gradient) if slot.trained => gradient.to_vec(),
            _ => tensor.read()?.into_owned(),
        };
        self.found.push((slot.path.to_owned(), values));
        Ok(())
    }
}

/// A step of the network above over images of 2 x 5 x 4, of which `shard` is the range, or all.
macro_rules! step {
    ($element:ty, $net:expr, $images:expr, $values:expr, $labels:expr) => {{
        let (mut net, images): (<Net as BuildOnDevice<Cpu, $element>>::Built, Range<usize>) = ($net, $images);
        let part: Vec<$element> = $values[images.start * 40..images.end * 40].to_vec();
        let shape = (images.len(), Const::<2>, Const::<5>, Const::<4>);
        let x = Cpu::default().tensor_from_vec(part, shape);
        let labels = &$labels[images.clone()];
        let others: Vec<usize> = labels.iter().map(|label| 4 - label).collect();
        let targets = Targets { smoothing: 0.1, mixed: Some((&others, 0.7)), ..Targets::of(labels) };
        let loss = try_cross_entropy_mixed(net.forward_mut(x.track()), &targets).unwrap();
        let value = loss.array();
        let mut gradients = try_backward(loss).unwrap();
        let mut read = Read { gradients: &mut gradients, found: vec![("loss".to_owned(), vec![value])] };
        net.visit(&mut Path::root(), &mut read).unwrap();
        read.found
    }};
}

const BATCH: usize = 7;
const LABELS: [usize; BATCH] = [3, 0, 4, 1, 1, 2, 0];

macro_rules! in_shards {
    ($name:ident, $whole:ident, $element:ty) => {
        /// The sums over shards; running statistics are of the first one.
        fn $name(shards: usize, threads: usize) -> Results<$element> {
            let mut net = Cpu::seed_from_u64(3).build_module::<Net, $element>();
            net.seed_dropout(5);
            let values = random::<$element>(4, BATCH * 40);
            let group = ShardGroup::new(shards, threads).unwrap();
            let work = |net, images: Range<usize>| Ok(step!($element, net, images, values, LABELS));
            let parts = group.run(BATCH, vec![net; shards], work).unwrap();
            for part in &parts {
                for ((name, first), (_, values)) in parts[0].iter().zip(part) {
                    assert!(!name.contains("running") || first == values, "{name} differs between shards");
                }
            }
            let sum = in_pairs(parts, |mut a, b| {
                for ((name, a), (_, b)) in a.iter_mut().zip(&b) {
                    if !name.contains("running") {
                        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                    }
                }
                a
            });
            sum.unwrap()
        }

        fn $whole() -> Results<$element> {
            let mut net = Cpu::seed_from_u64(3).build_module::<Net, $element>();
            net.seed_dropout(5);
            step!($element, net, 0..BATCH, random::<$element>(4, BATCH * 40), LABELS)
        }
    };
}
in_shards!(in_shards, whole, f64);
in_shards!(in_shards_f32, whole_f32, f32);

#[test]
fn shards_give_the_numbers_of_their_batch() {
    let whole = whole();
    assert_eq!(whole.len(), 1 + (2 + 4 + 2) + (2 + 4) + 2);
    // With more shards than images, too.
    for shards in [1, 2, 3, 4, 7, 10] {
        for ((name, expected), (_, found)) in whole.iter().zip(in_shards(shards, 2)) {
            let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
            let error = expected.iter().zip(&found).fold(0.0_f64, |error, (a, b)| error.max((a - b).abs()));
            // The biases of convolutions before a batch norm have no gradient but that of rounding.
            assert!(error <= 1e-12 * largest.max(1e-2), "{shards} shards, {name}: {error:e} of {largest:e}");
        }
    }
}

#[test]
fn one_shard_has_the_bits_of_the_batch_and_several_their_own_on_any_number_of_threads() {
    assert_eq!(in_shards_f32(1, 1), whole_f32());
    for shards in [2, 3, 8] {
        let expected = in_shards_f32(shards, 1);
        assert_ne!(expected, whole_f32(), "{shards}");
        for threads in [2, 3, 8, 17] {
            assert_eq!(in_shards_f32(shards, threads), expected, "{shards} shards, {threads} threads");
        }
    }
}

/// The step in shards of `ranks` processes, which are threads here; all of them have the same results. Gradients are
/// exchanged in parts of so many elements or more.
fn in_ranks<R: Ranks + 'static>(shards: usize, ranks: Vec<R>, part: usize) -> Results<f32> {
    let (values, count) = (random::<f32>(4, BATCH * 40), ranks.len());
    let of_rank = |rank: R| {
        let mut net = Cpu::seed_from_u64(3).build_module::<Net, f32>();
        net.seed_dropout(5);
        let mut group = ShardGroup::among(shards, 2, None, Some(Arc::new(rank))).unwrap();
        group.part = part;
        assert_eq!(group.shards(), shards / count);
        let work = |mut net: <Net as BuildOnDevice<Cpu, f32>>::Built, images: Range<usize>| {
            let part = values[images.start * 40..images.end * 40].to_vec();
            let x = Cpu::default().tensor_from_vec(part, (images.len(), Const::<2>, Const::<5>, Const::<4>));
            let labels = &LABELS[images];
            let others: Vec<usize> = labels.iter().map(|label| 4 - label).collect();
            let targets = Targets { smoothing: 0.1, mixed: Some((&others, 0.7)), ..Targets::of(labels) };
            let loss = try_cross_entropy_mixed(net.try_forward_mut(x.track())?, &targets)?;
            Ok(((vec![f64::from(loss.array())], net), try_backward_of_shard(loss)?))
        };
        let (parts, gradients) = group.run_backward(BATCH, vec![net.clone(); group.shards()], work).unwrap();
        let (losses, nets): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let mut sum = gradients.sum(&net).unwrap();
        let loss = group.sum(losses)[0] as f32;
        let mut read = Read { gradients: &mut sum, found: vec![("loss".to_owned(), vec![loss])] };
        nets[0].visit(&mut Path::root(), &mut read).unwrap();
        read.found
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(|| of_rank(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|results| *results == found[0]), "{shards} shards on {count} ranks");
    found.into_iter().next().unwrap()
}

/// Ranks without a second line.
struct OneLine(ThreadRanks);

impl Ranks for OneLine {
    fn rank(&self) -> usize {
        self.0.rank()
    }
    fn count(&self) -> usize {
        self.0.count()
    }
    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        self.0.exchange(messages)
    }
}

/// Ranks whose fourth exchange, that of the second batch norm on the way back, waits for one over the second line.
struct Watched {
    ranks: ThreadRanks,
    exchanges: AtomicUsize,
    second: Arc<(Mutex<usize>, Condvar)>,
}

/// The second line of [`Watched`].
struct Noted(Arc<dyn Ranks>, Arc<(Mutex<usize>, Condvar)>);

impl Ranks for Noted {
    fn rank(&self) -> usize {
        self.0.rank()
    }
    fn count(&self) -> usize {
        self.0.count()
    }
    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let received = self.0.exchange(messages);
        *self.1.0.lock().unwrap() += 1;
        self.1.1.notify_all();
        received
    }
}

impl Ranks for Watched {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }
    fn count(&self) -> usize {
        self.ranks.count()
    }
    fn second(&self) -> Option<Arc<dyn Ranks>> {
        Some(Arc::new(Noted(self.ranks.second()?, Arc::clone(&self.second))))
    }
    fn exchange(&self, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        if self.exchanges.fetch_add(1, Ordering::Relaxed) == 3 {
            let done = self.second.0.lock().unwrap();
            let limit = Duration::from_secs(60);
            let (done, _) = self.second.1.wait_timeout_while(done, limit, |done| *done < 2).unwrap();
            assert!(*done >= 2, "no gradient was exchanged before the backward pass was over");
        }
        self.ranks.exchange(messages)
    }
}

/// A gradient, that of the linear layer, is exchanged before the first batch norm comes to its turn.
#[test]
fn gradients_are_exchanged_while_the_backward_pass_goes_on() {
    let watch = |ranks| Watched { ranks, exchanges: AtomicUsize::new(0), second: Arc::default() };
    let found = in_ranks(4, ThreadRanks::new(2).into_iter().map(watch).collect(), 1);
    assert_eq!(found[1..], in_shards_f32(4, 2)[1..]);
}

#[test]
fn the_number_of_ranks_changes_no_bit() {
    for (shards, of_ranks) in [(1, vec![1]), (4, vec![1, 2, 4]), (6, vec![1, 2, 3, 6]), (8, vec![1, 2, 4, 8])] {
        let mut expected = in_shards_f32(shards, 2);
        // A loss is summed in f32 there.
        expected[0].1.clear();
        for ranks in of_ranks {
            // All gradients in a part, each in one of its own, and all after the backward pass.
            for part in [PART, 1, 0] {
                let all = ThreadRanks::new(ranks);
                let mut found = match part {
                    0 => in_ranks(shards, all.into_iter().map(OneLine).collect(), PART),
                    part => in_ranks(shards, all, part),
                };
                let loss = std::mem::take(&mut found[0].1)[0];
                assert!((loss / whole_f32()[0].1[0] - 1.0).abs() < 1e-5);
                assert_eq!(found, expected, "{shards} shards on {ranks} ranks, parts of {part}");
            }
        }
    }
    let ranks = ThreadRanks::new(3).swap_remove(1);
    let refused = ShardGroup::among(4, 1, None, Some(Arc::new(ranks))).unwrap_err();
    assert_eq!(refused, Error::ShardsOfRanks { shards: 4, ranks: 3 });
}

#[test]
fn no_more_threads_compute_at_a_time_than_may() {
    for (shards, threads, of_each) in [(4, 2, 1), (4, 7, 1), (2, 4, 2), (3, 9, 3), (1, 3, 3)] {
        // Threads of one number never compute at a time.
        static NUMBERS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        NUMBERS.lock().unwrap().clear();
        let start = |number| NUMBERS.lock().unwrap().push(number);
        let group = ShardGroup::with_start(shards, threads, Some(start)).unwrap();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let compute = || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(3));
            now.fetch_sub(1, Ordering::SeqCst);
        };
        let found = group.run(0, vec![(); shards], |(), _| {
            let shard = current().unwrap();
            for _ in 0..4 {
                compute();
                shard.all.all_reduce(shard.index, vec![1.0], add);
            }
            Ok(crate::kernel::cpu::tasks::threads())
        });
        assert_eq!(found, Ok(vec![of_each; shards]), "{shards} shards, {threads} threads");
        assert_eq!(most.into_inner(), shards.min(threads), "{shards} shards, {threads} threads");
        while NUMBERS.lock().unwrap().len() < shards * of_each {
            // A thread that had nothing to do may not have begun.
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut numbers = NUMBERS.lock().unwrap().clone();
        numbers.sort_unstable();
        let mut expected: Vec<usize> = (0..shards * of_each).map(|thread| thread % threads).collect();
        expected.sort_unstable();
        assert_eq!(numbers, expected, "{shards} shards, {threads} threads");
    }
}

#[test]
fn a_batch_is_cut_into_ranges_that_differ_by_one() {
    assert_eq!(cut(7, 3), [0..3, 3..5, 5..7]);
    assert_eq!(cut(2, 3), [0..1, 1..2, 2..2]);
    assert_eq!(cut(0, 2), [0..0, 0..0]);
    assert_eq!(cut(6, 1), vec![0..6]);
}

#[test]
fn a_shard_that_ends_early_or_panics_keeps_nobody_waiting() {
    let exchange = |rounds: usize, _| {
        let shard = current().unwrap();
        let sums = (0..rounds).map(|_| shard.all.all_reduce(shard.index, vec![1.0], add).map_or(0.0, |sum| sum[0]));
        Ok(sums.sum::<f64>())
    };
    let group = ShardGroup::new(4, 2).unwrap();
    assert_eq!(group.run(4, vec![3; 4], exchange), Ok(vec![12.0; 4]));
    assert_eq!(group.run(4, vec![5, 2, 5, 5], exchange), Err(Error::ShardsDiffer));
    let erring = |rounds, images| if rounds == 2 { Err(Error::NoOutputs) } else { exchange(rounds, images) };
    assert_eq!(group.run(4, vec![5, 2, 5, 5], erring), Err(Error::NoOutputs));
    assert_eq!(group.run(4, vec![5; 3], exchange), Err(Error::ShardCount { expected: 4, found: 3 }));
    let panicking = |rounds, images| if rounds == 0 { panic!("as it should") } else { exchange(rounds, images) };
    let panic = catch_unwind(AssertUnwindSafe(|| group.run(4, vec![5, 5, 0, 5], panicking))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"as it should"));
    assert!(current().is_none());
    // The threads are there for the next batch.
    assert_eq!(group.run(4, vec![1; 4], exchange), Ok(vec![4.0; 4]));
}

#[test]
fn a_shard_is_that_of_the_innermost_call_on_one_thread() {
    struct Alone;
    impl AllReduce for Alone {
        fn all_reduce(&self, _: usize, numbers: Vec<f64>, _: Add) -> Option<Arc<[f64]>> {
            Some(numbers.into())
        }
    }
    let shard = |index| Shard::new(index, index..index + 1, 2, Arc::new(Alone));
    let index = || current().map(|shard| shard.index);
    within(shard(0), || {
        within(shard(1), || assert_eq!(index(), Some(1)));
        assert_eq!(index(), Some(0));
        std::thread::scope(|scope| scope.spawn(|| assert!(current().is_none())).join().unwrap());
    });
    assert_eq!(index(), None);
}

type Tied = (Linear<4, 4>, Linear<4, 4>);

/// The sum of the gradients of a network that reads its first layer twice, in shards on some ranks, and after `passes`
/// backward passes of each shard; with operations of dfdx's own in between if `opaque`.
fn tied(shards: usize, ranks: usize, opaque: bool, passes: usize) -> Result<Results<f32>, Error> {
    let values = random::<f32>(4, BATCH * 4);
    let of_rank = |rank: ThreadRanks| {
        let net = Cpu::seed_from_u64(3).build_module::<Tied, f32>();
        let mut group = ShardGroup::among(shards, 2, None, Some(Arc::new(rank)))?;
        group.part = 1;
        let work = |net: <Tied as BuildOnDevice<Cpu, f32>>::Built, images: Range<usize>| {
            let backward = || {
                let part = values[images.start * 4..images.end * 4].to_vec();
                let x = Cpu::default().tensor_from_vec(part, (images.len(), Const::<4>));
                let twice = net.0.try_forward(net.0.try_forward(x.track())?)?;
                let logits = net.1.try_forward(if opaque { twice.sin() } else { twice })?;
                let labels: Vec<usize> = images.clone().map(|image| image % 4).collect();
                try_backward_of_shard(try_cross_entropy_mixed(logits, &Targets::of(&labels))?)
            };
            (1..passes).try_for_each(|_| backward().map(|_| ()))?;
            Ok(((), backward()?))
        };
        let (_, gradients) = group.run_backward(BATCH, vec![net.clone(); group.shards()], work)?;
        let mut sum = gradients.sum(&net)?;
        let mut read = Read { gradients: &mut sum, found: Vec::new() };
        net.visit(&mut Path::root(), &mut read)?;
        Ok(read.found)
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = ThreadRanks::new(ranks).into_iter().map(|rank| scope.spawn(|| of_rank(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|results| *results == found[0]));
    found.into_iter().next().unwrap()
}

#[test]
fn a_parameter_that_is_read_twice_leaves_when_it_is_finished_and_once() {
    for opaque in [false, true] {
        let expected = tied(4, 1, opaque, 1).unwrap();
        assert_eq!(expected.len(), 4);
        assert!(expected.iter().all(|(_, gradient)| gradient.iter().any(|x| *x != 0.0)));
        for ranks in [2, 4] {
            assert_eq!(tied(4, ranks, opaque, 1).as_ref(), Ok(&expected), "{ranks} ranks, opaque: {opaque}");
        }
        // Gradients of two passes are not to be mixed; operations of dfdx's own keep them all until the end.
        let twice = tied(4, 2, opaque, 2);
        assert_eq!(twice, if opaque { Ok(expected) } else { Err(Error::ShardsDiffer) });
    }
}
