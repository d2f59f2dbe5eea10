use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::data::{IMAGE_LEN, SIDE};

const COUNT: usize = 103;

/// Image `i` is filled with byte `i` and has label `i`.
fn split() -> Arc<Split> {
    let pixels = (0..COUNT).flat_map(|i| [i as u8; IMAGE_LEN]).collect();
    Arc::new(Split::new(pixels, (0..COUNT as u16).collect(), None, COUNT).unwrap())
}

fn training() -> LoaderConfig {
    let augmentation = Augmentation { flip: true, shift: 4, cutout: Some(8), ..Augmentation::NONE };
    LoaderConfig::training(8, 5, Normalization::CIFAR10, augmentation)
}

fn epoch(config: LoaderConfig, epoch: u64) -> Vec<Batch> {
    Loader::new(split(), config).unwrap().epoch(epoch).collect()
}

fn labels(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.labels.clone()).collect()
}

#[test]
fn evaluation_is_in_file_order_with_a_partial_end() {
    let batches = epoch(LoaderConfig::evaluation(10, Normalization::NONE), 0);
    assert_eq!(labels(&batches), (0..COUNT).collect::<Vec<_>>());
    assert_eq!(batches.len(), 11);
    assert_eq!(batches[10].len(), 3);
    for batch in &batches {
        assert_eq!(batch.images.len(), batch.len() * IMAGE_LEN);
        for (image, &label) in batch.images.chunks_exact(IMAGE_LEN).zip(&batch.labels) {
            assert!(image.iter().all(|&value| value == label as f32 / 255.0));
        }
    }
}

#[test]
fn every_number_of_workers_gives_the_same_bits() {
    let bits = |batches: Vec<Batch>| -> Vec<(Vec<u32>, Vec<usize>)> {
        batches.into_iter().map(|b| (b.images.iter().map(|v| v.to_bits()).collect(), b.labels)).collect()
    };
    let expected = bits(epoch(LoaderConfig { workers: 0, ..training() }, 2));
    for (workers, in_flight) in [(1, 1), (1, 3), (2, 3), (3, 3), (3, 8), (7, 7), (50, 50), (9, 2), (2, usize::MAX)] {
        let config = LoaderConfig { workers, in_flight, ..training() };
        assert!(bits(epoch(config, 2)) == expected, "{workers} workers, {in_flight} in flight");
    }
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let images = |batch_size| {
        let batches = epoch(LoaderConfig { batch_size, ..training() }, 1);
        batches.into_iter().flat_map(|batch| batch.images).collect::<Vec<_>>()
    };
    let expected = images(8);
    assert!(images(1) == expected);
    assert!(images(31) == expected);
    assert!(images(usize::MAX) == expected);
    // Nor on its place in the epoch: the changes of an image stay when the order is another one.
    let by_label = |shuffle| {
        let batches = epoch(LoaderConfig { batch_size: 1, shuffle, ..training() }, 1);
        let mut images: Vec<_> = batches.into_iter().map(|batch| (batch.labels[0], batch.images)).collect();
        images.sort_by_key(|(label, _)| *label);
        images
    };
    assert!(by_label(Some(5)) == by_label(None));
}

#[test]
fn epochs_are_permutations_of_their_own() {
    let loader = Loader::new(split(), training()).unwrap();
    let [first, second, again] = [0, 1, 0].map(|index| labels(&loader.epoch(index).collect::<Vec<_>>()));
    assert_eq!(first, again);
    assert_ne!(first, second);
    assert_ne!(first, labels(&epoch(LoaderConfig { shuffle: Some(6), ..training() }, 0)));
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), COUNT);
    assert_eq!(second.iter().collect::<BTreeSet<_>>().len(), COUNT);
}

#[test]
fn the_length_is_known() {
    let loader = Loader::new(split(), training()).unwrap();
    let mut batches = loader.epoch(0);
    assert_eq!((loader.batches(), batches.len()), (13, 13));
    batches.next();
    assert_eq!(batches.len(), 12);
    assert_eq!(batches.by_ref().count(), 12);
    assert!(batches.next().is_none() && batches.next().is_none());
}

#[test]
fn no_images_no_batches() {
    let empty = Arc::new(Split::new(vec![], vec![], None, 10).unwrap());
    assert_eq!(Loader::new(empty, training()).unwrap().epoch(0).count(), 0);
}

#[test]
fn settings_are_checked() {
    let fails = |config| matches!(Loader::new(split(), config), Err(DataError::Setting { .. }));
    assert!(fails(LoaderConfig { batch_size: 0, ..training() }));
    assert!(fails(LoaderConfig { in_flight: 0, ..training() }));
    let preprocessing = Normalization { std: [0.0; 3], ..Normalization::NONE }.into();
    assert!(fails(LoaderConfig { preprocessing, ..training() }));
    let augmentation = Some((Augmentation { shift: 32, ..Augmentation::NONE }, 0));
    assert!(fails(LoaderConfig { augmentation, ..training() }));
}

#[test]
fn any_preprocessing_is_applied_to_images_in_memory() {
    let pixels: Vec<u8> = (0..2 * IMAGE_LEN).map(|i| (i * 7 % 251) as u8).collect();
    let split = Arc::new(Split::new(pixels, vec![0, 1], None, 2).unwrap());
    let images: Vec<Image> = (0..2).map(|index| Image::from_planes(SIDE, SIDE, split.image(index))).collect();
    for (of, image) in images.iter().enumerate() {
        assert_eq!(image.planes(), split.image(of));
    }
    let at = |preprocessing: Preprocessing, input| preprocessing.whole(input).unwrap();
    for preprocessing in [
        at(Preprocessing::KERAS_CAFFE, (32, 32)),
        at(Preprocessing::KERAS_TF, (32, 32)),
        at(Preprocessing::TORCHVISION, (64, 64)),
        Preprocessing::KERAS_CAFFE,
        Preprocessing::TORCHVISION.with_input((32, 32)).unwrap(),
    ] {
        let loader = Loader::new(Arc::clone(&split), LoaderConfig::evaluation(2, preprocessing)).unwrap();
        assert_eq!(loader.epoch(0).next().unwrap().images, preprocessing.apply(&images), "{preprocessing}");
    }
}

/// Fails instead of hanging: `work` runs on a thread that is given ten seconds.
fn in_time(work: impl FnOnce() + Send + 'static) {
    let (sender, done) = channel();
    let thread = thread::spawn(move || {
        work();
        sender.send(()).unwrap();
    });
    let result = done.recv_timeout(Duration::from_secs(10));
    assert!(result != Err(std::sync::mpsc::RecvTimeoutError::Timeout), "still running");
    thread.join().unwrap();
}

#[test]
fn dropped_early_it_neither_hangs_nor_leaks() {
    in_time(|| {
        let split = split();
        for (workers, in_flight) in [(0, 1), (1, 1), (1, 3), (3, 3), (4, 9)] {
            for taken in [0, 1, 5, 13] {
                let config = LoaderConfig { workers, in_flight, ..training() };
                let loader = Loader::new(Arc::clone(&split), config).unwrap();
                let mut batches = loader.epoch(0);
                assert_eq!(batches.by_ref().take(taken).count(), taken);
                drop((batches, loader));
                // Every worker held a reference; all are joined.
                assert_eq!(Arc::strong_count(&split), 1, "{workers} workers, {taken} batches taken");
            }
        }
    });
}

#[test]
fn workers_stop_at_the_bound() {
    in_time(|| {
        for (workers, in_flight) in [(1, 1), (1, 3), (2, 3), (3, 3)] {
            let config = LoaderConfig { batch_size: 1, workers, in_flight, ..training() };
            let loader = Loader::new(split(), config).unwrap();
            let (sender, made) = channel();
            let mut batches = loader.epoch_with(0, 0, move |batch| sender.send(batch).unwrap());
            let settle = |expected: usize| {
                let until = Instant::now() + Duration::from_secs(5);
                let mut count = 0;
                while count < expected && Instant::now() < until {
                    count += made.recv_timeout(Duration::from_millis(50)).map_or(0, |_| 1);
                }
                // Time for one too many.
                count + made.recv_timeout(Duration::from_millis(60)).map_or(0, |_| 1)
            };
            assert_eq!(settle(in_flight), in_flight, "{workers} workers, {in_flight} in flight, before the first");
            batches.next();
            assert_eq!(settle(1), 1, "{workers} workers, {in_flight} in flight, after the first");
        }
    });
}

#[test]
fn a_panic_of_a_worker_reaches_the_reader() {
    in_time(|| {
        let config = LoaderConfig { workers: 2, ..training() };
        let loader = Loader::new(split(), config).unwrap();
        let mut batches = loader.epoch_with(0, 0, |batch| {
            if batch == 5 {
                // Without the message and the trace that a panic prints.
                std::panic::resume_unwind(Box::new("broken"));
            }
        });
        assert_eq!(batches.by_ref().take(5).count(), 5);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| batches.next())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"broken"));
        drop(batches);
    });
}

#[test]
fn filtered_images_are_normalized_and_changed_as_others_are() {
    let pixels: Vec<u8> = (0..2 * IMAGE_LEN).map(|i| (i * 89 % 253) as u8).collect();
    let split = Arc::new(Split::new(pixels.clone(), vec![0, 1], None, 2).unwrap());
    let filter = Gaussian { sigma: 1.0, radius: 4 };
    let images = |config: LoaderConfig| -> Vec<f32> {
        Loader::new(Arc::clone(&split), config).unwrap().epoch(0).flat_map(|batch| batch.images).collect()
    };
    let plain = LoaderConfig::evaluation(2, Normalization::CIFAR10);
    let found = images(LoaderConfig { filter: Some(filter), ..plain.clone() });
    let blurred = pixels.chunks_exact(IMAGE_LEN).flat_map(|image| filter.apply(image, (SIDE, SIDE)));
    let Normalization { mean, std } = Normalization::CIFAR10;
    for (at, (found, value)) in found.iter().zip(blurred).enumerate() {
        let channel = at / (SIDE * SIDE) % CHANNELS;
        assert!((found - (value / 255.0 - mean[channel]) / std[channel]).abs() < 1e-6);
    }
    assert_ne!(found, images(plain.clone()));

    // A filter so narrow that it changes nothing, under every augmentation: values of the table, to a rounding.
    let narrow = Some(Gaussian { sigma: 0.01, radius: 1 });
    let augmented = LoaderConfig { augmentation: training().augmentation, ..plain };
    let [same, table] = [narrow, None].map(|filter| images(LoaderConfig { filter, ..augmented.clone() }));
    assert!(same.iter().zip(&table).all(|(same, table)| (same - table).abs() < 1e-6));

    let wrong = Some(Gaussian { sigma: -1.0, radius: 4 });
    assert!(Loader::new(split, LoaderConfig { filter: wrong, ..augmented }).is_err());
}

/// A batch of files is shared out to a pool whose one thread is the reader's, as in a program.
#[test]
fn a_reader_of_the_pool_works_along_while_it_waits() {
    let reader = thread::spawn(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).use_current_thread().build().unwrap();
        let pool = Arc::new(pool);
        let shared = Arc::clone(&pool);
        // Each image waits until two threads have one in hand, or for so long that there is no second.
        let make = move |_| {
            let here = std::sync::Mutex::new(BTreeSet::new());
            let one = |_| {
                let start = Instant::now();
                here.lock().unwrap().insert(format!("{:?}", thread::current().id()));
                while here.lock().unwrap().len() < 2 && start.elapsed() < Duration::from_secs(2) {
                    thread::yield_now();
                }
            };
            shared.install(|| (0..8).into_par_iter().with_max_len(1).for_each(one));
            here.into_inner().unwrap().len()
        };
        ahead::Epoch::new(make, 3, (1, 1)).collect::<Vec<usize>>()
    });
    assert_eq!(reader.join().unwrap(), [2, 2, 2]);
}

#[test]
fn images_of_one_channel_reach_a_network_as_they_are() {
    let pixels: Vec<u8> = (0..4 * 6 * 5).map(|i| (i * 2) as u8).collect();
    let split = Arc::new(Split::with_shape([1, 6, 5], pixels.clone(), vec![0, 1, 1, 0], None, 2).unwrap());
    let measured = Normalization::measured(&split).unwrap();
    assert_eq!((measured.mean[1..].to_vec(), measured.std[1..].to_vec()), (vec![0.0; 2], vec![1.0; 2]));
    let batches = |config| Loader::new(Arc::clone(&split), config).unwrap().epoch(0).collect::<Vec<_>>();

    // Squashed to its own size an image stays as it is.
    let squashed = Preprocessing::new(
        (6, 5),
        crate::image::Fit::Squash,
        crate::image::Interpolation::Bilinear,
        Channels::Bgr,
        255.0,
        measured.mean,
        measured.std,
    )
    .unwrap();
    let plain = batches(LoaderConfig::evaluation(3, squashed));
    let (mean, std) = (measured.mean[0], measured.std[0]);
    let expected: Vec<f32> = pixels.iter().map(|&byte| (f32::from(byte) / 255.0 - mean) / std).collect();
    let found = [&plain[0].images[..], &plain[1].images[..]].concat();
    assert_eq!(found, expected);
    assert_eq!(labels(&plain), [0, 1, 1, 0]);
    let augmented = batches(LoaderConfig::training(4, 1, squashed, Augmentation::STANDARD));
    assert_eq!(augmented[0].images.len(), 4 * 6 * 5);

    for refused in [
        Loader::new(Arc::clone(&split), LoaderConfig::evaluation(3, measured)).unwrap_err(),
        Loader::new(
            Arc::new(Split::with_shape([4, 6, 5], vec![0; 120], vec![0], None, 1).unwrap()),
            LoaderConfig::evaluation(3, measured),
        )
        .unwrap_err(),
    ] {
        assert!(matches!(refused, DataError::Setting { .. }), "{refused}");
    }
}

#[test]
fn color_images_of_another_size_are_resized() {
    let split = Arc::new(Split::with_shape([3, 40, 48], vec![100; 2 * 3 * 40 * 48], vec![0, 1], None, 2).unwrap());
    let batch = Loader::new(split, LoaderConfig::evaluation(2, Normalization::NONE)).unwrap().epoch(0).next().unwrap();
    assert_eq!(batch.images, vec![100.0 / 255.0; 2 * 3 * 32 * 32]);
}

/// Images with other values at every pixel.
fn gradients(count: usize) -> Arc<Split> {
    let value =
        |image: usize, at: usize| ((image * 37 + at % SIDE * 5 + at / SIDE % SIDE * 3 + at / 1024 * 60) % 256) as u8;
    let pixels = (0..count).flat_map(|image| (0..IMAGE_LEN).map(move |at| value(image, at))).collect();
    Arc::new(Split::new(pixels, (0..count as u16).collect(), None, count).unwrap())
}

#[test]
fn parts_and_colors_depend_on_seed_epoch_and_index_alone() {
    let split = gradients(23);
    let images = |augmentation: Augmentation, seed: u64, number: u64, batch_size: usize, workers: usize| {
        let training = LoaderConfig::training(batch_size, 9, Normalization::NONE, augmentation);
        let config = LoaderConfig { workers, augmentation: Some((augmentation, seed)), ..training };
        let batches = Loader::new(split.clone(), config).unwrap().epoch(number);
        let mut images: Vec<(usize, Vec<f32>)> = Vec::new();
        for batch in batches {
            images.extend(batch.labels.into_iter().zip(batch.images.chunks(IMAGE_LEN).map(<[f32]>::to_vec)));
        }
        images.sort_by_key(|(label, _)| *label);
        images
    };
    let changed = Augmentation { part: Some(0.08), jitter: Some(0.4), ..Augmentation::NONE };
    let expected = images(changed, 1, 2, 7, 0);
    assert!(images(changed, 1, 2, 4, 3) == expected);
    for (seed, epoch) in [(2, 2), (1, 3)] {
        let other = images(changed, seed, epoch, 7, 0);
        assert!(other.iter().zip(&expected).all(|(other, image)| other != image));
    }
    // The whole of a square is the image itself; each change alone is another one than both.
    let plain = images(Augmentation::NONE, 1, 2, 7, 0);
    assert!(images(Augmentation { part: Some(1.0), ..Augmentation::NONE }, 1, 2, 7, 0) == plain);
    for one in [Augmentation { jitter: None, ..changed }, Augmentation { part: None, ..changed }] {
        let found = images(one, 1, 2, 7, 0);
        let differs = |others: &[(usize, Vec<f32>)]| found.iter().zip(others).all(|(found, other)| found != other);
        assert!(differs(&plain) && differs(&expected), "{one:?}");
    }
    // A part is resized to the input: the values of a plane without steps stay within those of the image.
    for (_, image) in images(Augmentation { part: Some(0.5), ..Augmentation::NONE }, 1, 2, 7, 0) {
        assert!(image.len() == IMAGE_LEN && image.iter().all(|value| (0.0..=1.0).contains(value)));
    }
}

#[test]
fn parts_and_colors_out_of_range_or_of_gray_images_are_refused() {
    let refused = |split: Arc<Split>, augmentation: Augmentation| {
        let config = LoaderConfig::training(2, 0, Normalization::NONE, augmentation);
        Loader::new(split, config).unwrap_err().to_string()
    };
    for wrong in [0.0, -0.1, 1.1, f64::NAN] {
        let part = Augmentation { part: Some(wrong), ..Augmentation::NONE };
        assert!(refused(gradients(2), part).contains("part of the image: expected a share above 0"), "{wrong}");
        let jitter = Augmentation { jitter: Some(wrong), ..Augmentation::NONE };
        assert!(refused(gradients(2), jitter).contains("change of the colors: expected a share above 0"), "{wrong}");
    }
    let gray = Arc::new(Split::with_shape([1, 32, 32], vec![0; 2 * 1024], vec![0, 1], None, 2).unwrap());
    let part = Augmentation { part: Some(0.5), ..Augmentation::NONE };
    assert!(refused(gray, part).contains("channels of the images: expected 3"));
}
