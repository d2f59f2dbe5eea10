//! The programs of this crate know what it brings.

use std::path::Path;
use std::process::Command;

/// The output of a program that must succeed.
fn ran(program: &str, arguments: &str, folder: &Path) -> String {
    let output = Command::new(program).args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const ZOO: &str = env!("CARGO_BIN_EXE_own_zoo");

#[test]
fn the_network_and_the_activation_are_listed_and_timed() {
    let folder = tempfile::tempdir().unwrap();
    let listed = ran(ZOO, "list", folder.path());
    assert!(listed.lines().any(|line| line.starts_with("own_network ")), "{listed}");
    assert!(listed.contains(",mine\n") && listed.lines().any(|line| line.starts_with("vgg16 ")), "{listed}");
    for arguments in [
        "bench --model own_network --activation mine --image 8 --classes 5 --batch 2 --steps 1",
        "bench --model cifar_resnet20 --activation mine --image 8 --batch 1 --steps 1",
        "info own_network --activation pvlu --classes 7",
    ] {
        let printed = ran(ZOO, arguments, folder.path());
        assert!(printed.contains(arguments.split(' ').find(|word| word.contains("net")).unwrap()), "{printed}");
    }
}

#[test]
fn a_name_of_ones_own_is_none_of_a_formula() {
    let arguments = ["info", "own_network", "--activation", "mine = x*sigmoid(x)"];
    let output = Command::new(ZOO).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("`mine` is an activation of this program"), "{said}");
}

#[test]
fn a_table_has_the_activation() {
    let folder = tempfile::tempdir().unwrap();
    let small = "--limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --quiet";
    ran(env!("CARGO_BIN_EXE_own_reproduce"), &format!("table1 --activations relu,mine {small}"), folder.path());
    let table = std::fs::read_to_string(folder.path().join("results/table1.csv")).unwrap();
    assert!(table.contains("table1/sequential6conv/mine/0"), "{table}");
    let parameters = std::fs::read_to_string(folder.path().join("results/table1_parameters.csv")).unwrap();
    assert!(parameters.lines().any(|line| line.contains(",mine,") && line.contains(",a,")), "{parameters}");
}

/// Networks typed with a built-in activation would apply that one in its place.
#[test]
fn a_built_in_name_is_none_of_ones_own() {
    use pvlu::activation::{Activation, Param, Real};
    use pvlu_zoo::registry::{Registry, find};

    #[derive(Clone, Copy, Debug, Default)]
    struct Other;
    impl Activation for Other {
        const NAME: &'static str = "pvlu";
        type Params<T: Copy> = [T; 0];
        const PARAMS: [Param; 0] = [];
        fn value<R: Real>(x: R, []: [R; 0]) -> R {
            x.tanh()
        }
        fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
            let tanh = x.tanh();
            (R::of(1.0) - tanh * tanh, [])
        }
    }
    let error = Registry::standard().with_activation::<Other>().install().unwrap_err().to_string();
    assert!(error.contains("cannot be called \"pvlu\""), "{error}");
    // Nothing was changed; the first look installs the standard one, which a later one does not replace.
    assert!(find("own_network").is_err());
    let error = own_network::registry().install().unwrap_err().to_string();
    assert!(error.contains("another registry is in use already"), "{error}");
}

/// CIFAR-100's binary format: the coarse label, the fine one, and the pixels, plane by plane.
fn cifar100(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (file, images) in [("train.bin", 200), ("test.bin", 100)] {
        let record = |image: usize| [vec![0, (image % 100) as u8], vec![(image % 251) as u8; 3 * 32 * 32]].concat();
        std::fs::write(folder.join(file), (0..images).flat_map(record).collect::<Vec<u8>>()).unwrap();
    }
}

#[test]
fn a_file_of_the_network_is_tuned_for_other_classes() {
    use pvlu_zoo::checkpoint::{Notes, save_model};
    use pvlu_zoo::registry::{Options, Start};
    use pvlu_zoo::weights::{Source, TensorFile};

    let folder = tempfile::tempdir().unwrap();
    cifar100(&folder.path().join("data"));
    // Built by its entry, and not by name: this process has the standard registry.
    let entry = own_network::entry();
    let options = Options { activation: "relu", classes: 10, image: None, weights: Start::Seed(0) };
    let file = folder.path().join("ten.safetensors");
    save_model(&*entry.build(&options).unwrap(), &entry, &file, Source::Native, &Notes::default()).unwrap();

    let tuned = "--dataset cifar100 --data data --batch-size 20";
    let how = "--activation mine --head-epochs 1 --epochs 1 --out tuned.safetensors";
    ran(ZOO, &format!("finetune --model own_network --weights ten.safetensors {tuned} {how}"), folder.path());
    let tensors = TensorFile::open(folder.path().join("tuned.safetensors")).unwrap();
    assert_eq!(tensors.entries()["fc.weight"].shape, [100, 32]);
    assert_eq!(tensors.entries()["act1.a"].shape, [32]);
    let evaluated = ran(ZOO, &format!("eval --weights tuned.safetensors {tuned}"), folder.path());
    assert!(evaluated.contains("images 100"), "{evaluated}");
}
