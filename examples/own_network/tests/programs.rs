//! The programs of this crate know what it brings.

use std::path::Path;
use std::process::Command;

/// What a program that succeeds prints.
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
    let small = "--limit-train 40 --limit-test 20 --epochs 1 --quiet";
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
