use super::*;

/// A configuration of table 3 whose arithmetic, device and weights are not said.
pub fn config() -> Config {
    let setup = Setup {
        version: "0.1.0".to_owned(),
        numerics: None,
        device: None,
        precision: None,
        shards: None,
        data: "procedural".to_owned(),
        data_sha256: "abc".to_owned(),
        data_warnings: String::new(),
        preset: "quick".to_owned(),
        overridden: String::new(),
        classes: 10,
        train_images: 720,
        val_images: 80,
        test_images: 400,
    };
    Config {
        table: "table3".to_owned(),
        model: "vgg16".to_owned(),
        arm: "pvlu".to_owned(),
        seed: 2,
        activation: Some("pvlu".to_owned()),
        epochs: 3,
        batch_size: 32,
        learning_rate: "1e-3".to_owned(),
        first_epochs: Some(3),
        first_learning_rate: Some("1e-2".to_owned()),
        pretrained: None,
        pretrained_sha256: None,
        trial: None,
        chosen: None,
        swept: None,
        recipe_sha256: None,
        setup,
        other: BTreeMap::new(),
    }
}

fn with_numerics(of: Config, numerics: u64) -> Config {
    Config { setup: Setup { numerics: Some(numerics), ..of.setup }, ..of }
}

#[test]
fn a_run_has_an_address_and_a_name() {
    assert_eq!(config().id(), "table3/vgg16/pvlu/2");
    assert_eq!(config().stem(), "table3-vgg16-pvlu-2");
    let trial = Config { trial: Some("learning_rate=1e-3".to_owned()), ..config() };
    assert_eq!(trial.id(), "table3/vgg16/pvlu/2/learning_rate=1e-3");
    assert_eq!(trial.stem(), "table3-vgg16-pvlu-2-learning_rate=1e-3");
}

#[test]
fn a_difference_is_named_and_changes_the_hash() {
    let (here, kept) = (config(), Config { epochs: 5, ..config() });
    let difference = here.difference(&kept).unwrap();
    assert_eq!((&*difference.key, &*difference.here, &*difference.kept), ("epochs", "3", "5"));
    let without = Config { first_epochs: None, ..config() };
    assert_eq!(here.difference(&without).unwrap().kept, "nothing");
    assert_eq!(without.difference(&here).unwrap().here, "nothing");
    assert_eq!(here.difference(&here.clone()), None);
    assert_ne!(here.hash(), kept.hash());
    // The boundary between key and value counts.
    let other =
        |key: &str, value: &str| Config { other: BTreeMap::from([(key.to_owned(), value.to_owned())]), ..config() };
    assert_ne!(other("a", "bc").hash(), other("ab", "c").hash());
    assert_eq!(here.hash().len(), 64);
    assert_eq!(Config::of_json(&here.to_json()), Ok(here));
}

#[test]
fn another_arithmetic_is_said_before_all_that_differs() {
    let (old, new) = (Config { first_epochs: Some(1), ..config() }, with_numerics(config(), 3));
    let new = Config { first_epochs: None, ..new };
    let difference = new.difference(&old).unwrap();
    assert_eq!(difference.to_string(), "computed by a program before numerics version 3");
    let difference = new.difference(&with_numerics(old.clone(), 2)).unwrap();
    assert_eq!(difference.to_string(), "computed with numerics version 2, here it is 3");
    let difference = old.difference_but(&new, &[NUMERICS]).unwrap();
    assert_eq!(difference.to_string(), "there first_epochs is nothing, here 1");
    assert_eq!(old.difference_but(&new, &[NUMERICS, "first_epochs"]), None);
}

#[test]
fn a_reduced_precision_is_another_configuration_and_f32_is_that_of_earlier_builds() {
    let of = |name: &str| {
        let (preset, overridden) = (format!("quick, precision {name} not f32"), format!("precision={name}"));
        let precision = Some(name.to_owned());
        Config { setup: Setup { precision, preset, overridden, ..config().setup }, ..config() }
    };
    let [split, rounded] = ["bf16x3", "bf16"].map(of);
    assert!(config().to_json().get(PRECISION).is_none());
    assert_eq!(split.to_json()[PRECISION], "bf16x3");
    assert!(config().hash() != split.hash() && split.hash() != rounded.hash());
    // It is said before what it is called by, and where it is f32 too.
    assert_eq!(config().difference(&split).unwrap().to_string(), "there precision is bf16x3, here f32");
    assert_eq!(rounded.difference(&split).unwrap().to_string(), "there precision is bf16x3, here bf16");
    // So are shards, of which earlier builds had one.
    let shards = Some(8);
    let sharded = Config { setup: Setup { shards, overridden: "shards=8".to_owned(), ..config().setup }, ..config() };
    assert_eq!(sharded.to_json()[SHARDS], "8");
    assert_eq!(config().difference(&sharded).unwrap().to_string(), "there shards is 8, here 1");
    assert_eq!(rounded.difference(&config()).unwrap().between("a", "b"), "a: precision is bf16, b: f32");
}

fn changed(key: &str, value: impl Into<Value>) -> Result<Config, String> {
    let mut json = config().to_json();
    json[key] = value.into();
    Config::of_json(&json)
}

#[test]
fn what_a_terminal_would_act_on_is_refused_or_escaped_and_what_is_long_is_cut() {
    assert!(changed("data_warnings", "it's \"odd\", \u{e9}").is_ok());
    for (key, value) in [("a\u{1b}[2J", ""), ("a", "\u{1b}[2J"), ("a", "\n"), ("A", ""), (&"a".repeat(41), "")] {
        assert_eq!(changed(key, value), Err("expected a configuration".to_owned()), "{key:?} {value:?}");
    }
    assert!(changed("a", "x".repeat(4001)).is_err() && changed("epochs", 3).is_err());
    let kept = changed("a", format!("\u{202e}'{}", "x".repeat(300))).unwrap();
    let difference = config().difference(&kept).unwrap();
    assert_eq!(difference.kept, format!("\\u{{202e}}'{}...", "x".repeat(text::SHOWN - 2)));
}

#[test]
fn a_key_that_this_build_does_not_know_is_kept_and_told() {
    let kept = changed("simd", "avx512").unwrap();
    assert_eq!(kept.to_json()["simd"], "avx512");
    assert_eq!(config().difference(&kept).unwrap().to_string(), "there simd is avx512, here nothing");
}

#[test]
fn each_number_that_is_none_is_refused_by_its_key() {
    let with_numerics = with_numerics(config(), 3);
    let setup = Setup { shards: Some(8), ..with_numerics.setup };
    let mut all = Config { setup, ..with_numerics }.to_json();
    let json = all.as_object_mut().unwrap();
    let numbers = json.iter().filter(|(_, value)| decimal::parse::<u64>(value.as_str().unwrap()).is_some());
    let keys: Vec<String> = numbers.map(|(key, _)| key.clone()).collect();
    assert_eq!(keys.len(), NUMBERS.len());
    for key in keys {
        let said = Err(format!("expected a known {key} of a run, found another"));
        assert_eq!(changed(&key, "many"), said);
        assert_eq!(changed(&key, "03"), said);
    }
}

/// Texts and hashes that earlier builds wrote.
#[test]
fn a_configuration_of_an_earlier_build_keeps_its_bytes_and_its_hash() {
    let written = [
        // Table 1, before numerics version 2.
        (
            "fe92cc38a3ffac43427500c0716f56a1a7864728023d7478b3c00caad15b3b7d",
            concat!(
                r#"{"activation":"pvlu","arm":"pvlu","batch_size":"20","classes":"10","data":"procedural","#,
                r#""data_sha256":"8c05960a5ad59c731ef0b35c86939f0774aa7841febea238f9c1cf67219248c6","#,
                r#""data_warnings":"","epochs":"2","learning_rate":"1e-3","model":"sequential6conv","#,
                r#""overridden":"epochs=2 limit-train=40 limit-test=20 batch-size=20","preset":"quick","#,
                r#""seed":"0","simd":"avx512","table":"table1","test_images":"20","train_images":"30","#,
                r#""val_images":"10","version":"0.1.0"}"#,
            ),
        ),
        // Table 3.
        (
            "43520dd5ac7aba6986cf99430b2b804a1c2af8d548c607d2733bd2341a7d79bb",
            concat!(
                r#"{"activation":"pvlu","arm":"pvlu","batch_size":"32","classes":"10","data":"procedural","#,
                r#""data_sha256":"506698220a05149dcd5167531aa6bac0c55c7578b98b592e865f2f73afd6c039","#,
                r#""data_warnings":"","device":"cpu","epochs":"3","first_epochs":"3","#,
                r#""first_learning_rate":"1e-2","learning_rate":"1e-3","model":"vgg16_bn","numerics":"3","#,
                r#""overridden":"","preset":"quick","pretrained":"procedural","pretrained_sha256":"","#,
                r#""seed":"0","table":"table3","test_images":"400","train_images":"720","val_images":"80","#,
                r#""version":"0.1.0"}"#,
            ),
        ),
        // The first phase of table 5.
        (
            "8bb34e3d0e5ad9aca1c32df837ff255a066220297295c6a37c298502dd0d2ea4",
            concat!(
                r#"{"arm":"first","batch_size":"32","classes":"10","data":"procedural","#,
                r#""data_sha256":"b86f8b04e8dbf26c44764a222b44d2d560180f55b4db23cc6b876de83bdac0bb","#,
                r#""data_warnings":"","device":"cpu","epochs":"20","first_epochs":"1","#,
                r#""first_learning_rate":"1e-3","learning_rate":"1e-3","model":"cifar_resnet20","numerics":"3","#,
                r#""overridden":"first-epochs=1 epochs=20 limit-train=200 limit-test=100","preset":"quick,"#,
                r#" 1 of 3 first epochs, 20 epochs not 3, 200 of 800 training images, 100 of 400 test images","#,
                r#""pretrained":"procedural","pretrained_sha256":"","seed":"0","table":"table5","#,
                r#""test_images":"100","train_images":"180","val_images":"20","version":"0.1.0"}"#,
            ),
        ),
        // The training on procedural images before it.
        (
            "c06018697e34ff7cc00630544f21354ded4bb510085c65619adf977149ccdc96",
            concat!(
                r#"{"arm":"pretrain","batch_size":"32","classes":"10","data":"procedural","#,
                r#""data_sha256":"b86f8b04e8dbf26c44764a222b44d2d560180f55b4db23cc6b876de83bdac0bb","#,
                r#""data_warnings":"","device":"cpu","epochs":"20","first_epochs":"1","#,
                r#""first_learning_rate":"1e-3","learning_rate":"1e-3","model":"cifar_resnet20","numerics":"3","#,
                r#""overridden":"first-epochs=1 epochs=20 limit-train=200 limit-test=100","preset":"quick,"#,
                r#" 1 of 3 first epochs, 20 epochs not 3, 200 of 800 training images, 100 of 400 test images","#,
                r#""pretrained":"procedural","pretrained_sha256":"","seed":"0","table":"table5","#,
                r#""test_images":"100","train_images":"1500","val_images":"20","version":"0.1.0"}"#,
            ),
        ),
    ];
    for (hash, text) in written {
        let config = Config::of_json(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(config.to_json().to_string(), text);
        assert_eq!(config.hash(), hash);
    }
}
