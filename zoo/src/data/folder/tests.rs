use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::data::{Augmentation, Batch, Batches, Loader, LoaderConfig, SIDE};
use crate::image::Fit;

/// A file of `tests/fixtures/images`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images")).join(name)
}

/// A folder with copies of fixtures: `(path in it, fixture)`.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (path, name) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(fixture(name), path).unwrap();
    }
    dir
}

fn two_classes() -> TempDir {
    tree(&[
        ("cat/b.PNG", "wide.png"),
        ("cat/a.jpg", "lossy.jpg"),
        ("ape/x.JPEG", "turned.JPEG"),
        ("ape/y.webp", "lossy.webp"),
        ("ape/.hidden.txt", "gen.py"),
        ("README.md", "README.md"),
        (".git/c.png", "wide.png"),
    ])
}

fn names(folder: &ImageFolder) -> Vec<(String, usize)> {
    folder.files().map(|(path, label)| (path.file_name().unwrap().to_str().unwrap().to_owned(), label)).collect()
}

fn refusal(result: Result<impl std::fmt::Debug, DataError>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn classes_and_files_are_sorted_and_hidden_ones_ignored() {
    let dir = two_classes();
    let folder = ImageFolder::open(dir.path()).unwrap();
    assert_eq!(folder.classes(), ["ape", "cat"]);
    let expected = [("x.JPEG", 0), ("y.webp", 0), ("a.jpg", 1), ("b.PNG", 1)];
    assert_eq!(names(&folder), expected.map(|(name, label)| (name.to_owned(), label)));
}

/// The message about a folder, with `DIR` substituted for its path.
fn message(files: &[(&str, &str)]) -> String {
    let dir = tree(files);
    refusal(FolderParts::open(dir.path())).replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn what_does_not_belong_is_named() {
    let text = message(&[("cat/more/a.png", "wide.png")]);
    assert!(text.starts_with("DIR/cat/more: does not belong here: expected images, and no folder"), "{text}");
    assert!(text.contains("train, val and test (or training, valid, validation, dev, testing)"), "{text}");
    assert!(message(&[("cat/more.png/a.png", "wide.png")]).starts_with("DIR/cat/more.png: does not belong"));
    for image in ["a.png", "a.bmp"] {
        let text = message(&[(image, "wide.png"), ("cat/a.png", "wide.png")]);
        assert_eq!(text, format!("DIR/{image}: does not belong here: expected images in a folder for each class"));
    }
    assert_eq!(message(&[("README.md", "README.md")]), "DIR: expected a folder for each class, found nothing");
    assert_eq!(message(&[("cat/.keep", "README.md")]), "DIR/cat: expected images, found nothing");
    let text = message(&[("cat/notes.txt", "README.md"), ("cat/Thumbs.db", "README.md"), ("dog/a.png", "wide.png")]);
    assert_eq!(text, "DIR/cat: expected images, found no file that is one by its name, but Thumbs.db, notes.txt");
}

#[test]
fn files_that_are_no_images_by_name_are_passed_over_with_a_count() {
    let dir = tree(&[
        ("cat/a.png", "wide.png"),
        ("cat/Thumbs.db", "README.md"),
        ("cat/b.JFIF", "lossy.jpg"),
        ("cat/c.jpe", "lossy.jpg"),
        ("dog/Thumbs.db", "README.md"),
        ("dog/a.png", "wide.png"),
        ("dog/desktop.ini", "README.md"),
        ("dog/no\nextension", "README.md"),
        ("dog/@eaDir/a.png", "wide.png"),
        ("__MACOSX/cat/a.png", "wide.png"),
    ]);
    let folder = ImageFolder::open(dir.path()).unwrap();
    assert_eq!(folder.classes(), ["cat", "dog"]);
    let expected = [("a.png", 0), ("b.JFIF", 0), ("c.jpe", 0), ("a.png", 1)];
    assert_eq!(names(&folder), expected.map(|(name, label)| (name.to_owned(), label)));
    let line = "passed over 4 files that are no images (Thumbs.db, desktop.ini, no\\nextension)";
    assert_eq!(folder.warnings(), [format!("{}: {line}", dir.path().display())]);
    // Each of the three is an image that can be read.
    assert_eq!(folder.split().unwrap().len(), 4);
    let set = Dataset::open_folder(dir.path(), 0.5).unwrap();
    assert!(set.warnings.len() == 2 && set.warnings[0].ends_with(line), "{:?}", set.warnings);

    let dir = tree(&[("cat/a.png", "wide.png"), ("cat/1", "README.md")]);
    let warnings = ImageFolder::open(dir.path()).unwrap().warnings().to_vec();
    assert!(warnings[0].ends_with(": passed over 1 file that is no image (1)"), "{warnings:?}");
    let many: Vec<String> = (0..20).map(|file| format!("cat/{file:02}.txt")).collect();
    let mut files: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "README.md")).collect();
    files.push(("cat/a.png", "wide.png"));
    let warnings = ImageFolder::open(tree(&files).path()).unwrap().warnings().to_vec();
    let line = ": passed over 20 files that are no images (00.txt, 01.txt, 02.txt, 03.txt, 04.txt, 05.txt, ...)";
    assert!(warnings[0].ends_with(line), "{warnings:?}");
}

#[test]
fn images_of_formats_that_are_not_read_are_named_all_at_once() {
    let text = message(&[
        ("cat/a.GIF", "README.md"),
        ("cat/b.png", "wide.png"),
        ("dog/c.tiff", "README.md"),
        ("dog/notes.txt", "README.md"),
    ]);
    let expected = "DIR: expected PNG, JPEG, WebP, BMP or Netpbm images, found 2 that are not read here: \
                    cat/a.GIF (GIF), dog/c.tiff (TIFF): convert them (to PNG), or remove them";
    assert_eq!(text, expected);
    let names = ["gif", "tif", "pam", "ico", "jp2", "avif", "heic", "jxl", "tga"];
    let files: Vec<String> = names.iter().map(|extension| format!("cat/1.{extension}")).collect();
    let text = message(&files.iter().map(|path| (path.as_str(), "README.md")).collect::<Vec<_>>());
    assert!(
        text.contains("found 9 that are") && text.contains("cat/1.gif (GIF)") && text.contains(", ...: "),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_named() {
    let dir = tree(&[("cat/a.png", "wide.png")]);
    std::os::unix::fs::symlink(dir.path().join("none"), dir.path().join("cat/b.png")).unwrap();
    let text = refusal(ImageFolder::open(dir.path()));
    assert!(text.contains("found 1 that is not read here: cat/b.png (a link that leads nowhere)"), "{text}");
    fs::remove_file(dir.path().join("cat/b.png")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("none"), dir.path().join("dog")).unwrap();
    let text = refusal(ImageFolder::open(dir.path()));
    assert!(text.contains("dog (a link that leads nowhere)"), "{text}");
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let dir = two_classes();
    assert!(refusal(ImageFolder::open(dir.path().join("none"))).ends_with("no such folder"));
    assert!(refusal(ImageFolder::open(dir.path().join("README.md"))).ends_with("expected a folder, found a file"));
}

/// The batches of an epoch.
fn batches(folder: &ImageFolder, config: LoaderConfig, epoch: u64) -> Vec<Result<Batch, DataError>> {
    Loader::new(Arc::new(folder.clone()), config).unwrap().epoch(epoch).collect()
}

fn whole(batches: Vec<Result<Batch, DataError>>) -> Vec<Batch> {
    batches.into_iter().collect::<Result<_, _>>().unwrap()
}

#[test]
fn batches_are_the_images_in_order_for_any_number_of_threads() {
    let dir = two_classes();
    let folder = ImageFolder::open(dir.path()).unwrap();
    let preprocessing = Preprocessing::KERAS_CAFFE.with_input((24, 28)).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let here = LoaderConfig { workers: 0, ..LoaderConfig::evaluation(3, preprocessing) };
        pool.install(|| whole(batches(&folder, here, 0)))
    };
    let expected = run(1);
    assert_eq!(expected.iter().map(|batch| batch.labels.clone()).collect::<Vec<_>>(), [vec![0, 0, 1], vec![1]]);
    let images: Vec<f32> = expected.iter().flat_map(|batch| batch.images.clone()).collect();
    let opened: Vec<Image> = folder.files().map(|(path, _)| Image::open(path).unwrap()).collect();
    assert_eq!(images, preprocessing.apply(&opened));
    assert_eq!(run(4), expected);
    let ahead = LoaderConfig { workers: 2, ..LoaderConfig::evaluation(3, preprocessing) };
    assert_eq!(whole(batches(&folder, ahead, 0)), expected);
    let loader = Loader::new(Arc::new(folder), LoaderConfig::evaluation(3, preprocessing)).unwrap();
    assert_eq!(whole(Batches::epoch(&loader, 0).collect()), expected);
}

#[test]
fn training_batches_are_shuffled_and_changed_by_the_seed_alone() {
    let dir = two_classes();
    let folder = ImageFolder::open(dir.path()).unwrap();
    let config = |seed, augmentation| {
        let preprocessing = Preprocessing::TORCHVISION.with_input((40, 40)).unwrap();
        LoaderConfig::training(3, seed, preprocessing, augmentation)
    };
    let augmentation = Augmentation { flip: true, shift: 5, cutout: None, ..Augmentation::NONE };
    let run = |seed, epoch| whole(batches(&folder, config(seed, augmentation), epoch));
    assert_eq!(run(1, 1), run(1, 1));
    assert_ne!(run(1, 1), run(2, 1));
    assert_ne!(run(1, 1), run(1, 2));
    let labels = |batches: &[Batch]| batches.iter().flat_map(|batch| batch.labels.clone()).collect::<Vec<_>>();
    let orders: Vec<Vec<usize>> = (0..8).map(|epoch| labels(&run(1, epoch))).collect();
    assert!(orders.iter().any(|order| *order != orders[0]), "{orders:?}");
    for mut order in orders {
        order.sort_unstable();
        assert_eq!(order, [0, 0, 1, 1]);
    }
    assert_ne!(run(1, 1), whole(batches(&folder, config(1, Augmentation::NONE), 1)));
}

#[test]
fn the_first_file_that_is_no_image_is_named_and_the_next_batch_follows() {
    let dir =
        tree(&[("a/1.png", "wide.png"), ("a/2.png", "README.md"), ("a/3.png", "gen.py"), ("a/4.png", "wide.png")]);
    let folder = ImageFolder::open(dir.path()).unwrap();
    let batches = batches(&folder, LoaderConfig::evaluation(3, Normalization::NONE), 0);
    assert_eq!(batches.len(), 2);
    let error = batches[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("2.png: expected a PNG, JPEG, WebP, BMP or Netpbm image"), "{error}");
    assert!(batches[1].is_ok());
    assert!(refusal(folder.split()).contains("2.png"));
}

#[test]
fn the_last_files_of_each_class_are_held_out() {
    let dir = tree(&[
        ("a/1.png", "wide.png"),
        ("a/2.png", "wide.png"),
        ("a/3.png", "wide.png"),
        ("b/1.png", "wide.png"),
        ("b/2.png", "wide.png"),
        ("c/1.png", "wide.png"),
    ]);
    let folder = ImageFolder::open(dir.path()).unwrap();
    let (train, held) = folder.split_validation(0.1).unwrap();
    let expected = |names: &[(&str, usize)]| names.iter().map(|(n, l)| ((*n).to_owned(), *l)).collect::<Vec<_>>();
    assert_eq!(names(&train), expected(&[("1.png", 0), ("2.png", 0), ("1.png", 1), ("1.png", 2)]));
    assert_eq!(names(&held), expected(&[("3.png", 0), ("2.png", 1)]));
    assert_eq!(held.classes(), folder.classes());
    assert!(held.limit(0).is_empty());
    assert!(folder.split_validation(1.0).is_err());
}

#[test]
fn a_split_gives_the_batches_of_the_folder_at_32x32() {
    let dir = tree(&[("a/1.png", "square32.png"), ("b/2.png", "wide.png"), ("b/3.png", "one_pixel.png")]);
    let folder = ImageFolder::open(dir.path()).unwrap();
    let split = folder.split().unwrap();
    assert_eq!((split.len(), split.labels(), split.classes()), (3, [0, 1, 1].as_slice(), 2));
    // 32x32 images are not touched.
    let image = Image::open(fixture("square32.png")).unwrap();
    let red: Vec<u8> = image.pixels().iter().step_by(3).copied().collect();
    assert_eq!(split.image(0)[..1024], red);

    let normalization = Normalization::CIFAR10;
    let loader = Loader::new(Arc::new(split), LoaderConfig::evaluation(3, normalization)).unwrap();
    let lazily = whole(batches(&folder, LoaderConfig::evaluation(3, normalization), 0));
    assert_eq!(loader.epoch(0).collect::<Vec<_>>(), lazily);
}

#[test]
fn a_folder_may_be_divided() {
    for (first, second) in [
        ("train", "test"),
        ("train", "val"),
        ("train", "valid"),
        ("training", "validation"),
        ("training", "testing"),
        ("Train", "Test"),
        ("TRAIN", "dev"),
    ] {
        let dir = tree(&[
            (&format!("{first}/ape/1.png"), "wide.png"),
            (&format!("{first}/cat/1.png"), "tall.png"),
            (&format!("{second}/ape/2.png"), "wide.png"),
            (&format!("{second}/cat/2.png"), "tall.png"),
            ("README.md", "README.md"),
        ]);
        let FolderParts::Divided { train, test } = FolderParts::open(dir.path()).unwrap() else { panic!() };
        assert_eq!((train.len(), test.len()), (2, 2));
        assert_eq!(train.path(), dir.path().join(first));
        assert_eq!(test.path(), dir.path().join(second));
        let set = Dataset::open_folder(dir.path(), 0.0).unwrap();
        assert_eq!((set.name, set.classes, set.train.len(), set.test.len()), ("folder", 2, 2, 2));
        assert_eq!((set.class_name(1).as_deref(), set.class_name(2)), (Some("cat"), None));
        assert!(set.warnings.is_empty());
    }
}

#[test]
fn parts_with_other_classes_are_refused() {
    let dir = tree(&[
        ("train/ape/1.png", "wide.png"),
        ("train/cat/1.png", "wide.png"),
        ("test/ape/1.png", "wide.png"),
        ("test/dog/1.png", "wide.png"),
    ]);
    let message = refusal(FolderParts::open(dir.path()));
    assert!(message.ends_with("other classes than expected: missing cat; unexpected dog"), "{message}");
}

#[test]
fn images_to_test_on_go_before_those_to_validate_with() {
    let dir = tree(&[
        ("train/ape/1.png", "wide.png"),
        ("valid/ape/2.png", "wide.png"),
        ("Test/ape/3.png", "wide.png"),
        ("Test/ape/Thumbs.db", "README.md"),
    ]);
    let test = FolderParts::open(dir.path()).unwrap().to_evaluate();
    assert_eq!(names(&test), [("3.png".to_owned(), 0)]);
    let place = dir.path().display();
    let warnings = [
        format!("{place}/Test: passed over 1 file that is no image (Thumbs.db)"),
        format!("{place}/valid: not used, since {place}/Test is what is measured with"),
    ];
    assert_eq!(test.warnings(), warnings);
    assert_eq!(Dataset::open_folder(dir.path(), 0.5).unwrap().warnings, warnings);

    let text = message(&[("val/ape/1.png", "wide.png"), ("Valid/ape/1.png", "wide.png")]);
    assert!(text.starts_with("DIR: two folders for the same part of the data: Valid, val"), "{text}");
}

#[test]
fn a_class_may_be_called_train() {
    let dir = tree(&[("train/1.png", "wide.png"), ("bus/1.png", "wide.png")]);
    let FolderParts::Whole(folder) = FolderParts::open(dir.path()).unwrap() else { panic!() };
    assert_eq!(folder.classes(), ["bus", "train"]);
}

#[test]
fn an_undivided_folder_is_divided_with_a_warning() {
    let dir =
        tree(&[("a/1.png", "wide.png"), ("a/2.png", "tall.png"), ("b/1.png", "wide.png"), ("b/2.png", "tall.png")]);
    let set = Dataset::open_folder(dir.path(), 0.5).unwrap();
    assert_eq!((set.train.len(), set.test.len(), set.warnings.len()), (2, 2, 1));
    assert!(set.warnings[0].ends_with("the last 2 of 4 are held out"), "{}", set.warnings[0]);
    assert!(Dataset::open_folder(dir.path(), 0.0).is_err());
}

#[test]
fn a_lone_part_is_for_what_it_is_called() {
    let dir = tree(&[("val/a/1.png", "wide.png")]);
    assert_eq!(FolderParts::open(dir.path()).unwrap().to_evaluate().len(), 1);
    assert!(refusal(Dataset::open_folder(dir.path(), 0.5)).ends_with("train: no such folder"));
}

#[test]
fn labels_follow_a_networks_names() {
    let dir = tree(&[("n01443537/1.png", "wide.png"), ("n15075141/1.png", "wide.png")]);
    let folder = ImageFolder::open(dir.path()).unwrap();
    let labeled = folder.clone().with_labels_of(crate::labels::LabelSet::imagenet_ids()).unwrap();
    assert_eq!(labeled.files().map(|(_, label)| label).collect::<Vec<_>>(), [1, 999]);
    assert_eq!(labeled.classes().len(), 1000);
    let message = refusal(folder.with_labels_of(&["n01443537"]));
    assert!(message.ends_with("missing nothing; unexpected n15075141"), "{message}");
}

#[test]
fn a_limit_takes_all_classes_in_turn() {
    let dir = two_classes();
    let folder = ImageFolder::open(dir.path()).unwrap().limit(3);
    assert_eq!(names(&folder).iter().map(|(_, label)| *label).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(ImageFolder::open(dir.path()).unwrap().limit(99).len(), 4);
}

#[test]
fn small_images_are_fitted_by_their_shorter_side() {
    assert_eq!(Preprocessing::small(Normalization::NONE).fit(), Fit::Crop { shorter: SIDE });
}

#[test]
fn the_pixels_of_all_files_are_measured_at_their_sizes() {
    let dir = tempfile::tempdir().unwrap();
    for (class, name) in [("cat", "square32.png"), ("dog", "wide.png")] {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images").join(name);
        std::fs::create_dir(dir.path().join(class)).unwrap();
        std::fs::copy(fixture, dir.path().join(class).join(name)).unwrap();
    }
    let folder = ImageFolder::open(dir.path()).unwrap();
    let images: Vec<Image> = folder.files().map(|(path, _)| Image::open(path).unwrap()).collect();
    let values = |channel: usize| -> Vec<f64> {
        let pixels = images.iter().flat_map(|image| image.pixels().iter().skip(channel).step_by(3));
        pixels.map(|&value| f64::from(value) / 255.0).collect()
    };
    let measured = folder.normalization().unwrap();
    for channel in 0..3 {
        let values = values(channel);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!((f64::from(measured.mean[channel]) - mean).abs() < 1e-6);
        assert!((f64::from(measured.std[channel]) - variance.sqrt()).abs() < 1e-6);
    }
    std::fs::write(dir.path().join("dog/a.png"), "x").unwrap();
    let error = ImageFolder::open(dir.path()).unwrap().normalization().unwrap_err().to_string();
    assert!(error.contains("a.png"), "{error}");
}
