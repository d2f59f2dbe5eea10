//! Sweeps: values that are tried with every arm before its runs. Each network and arm then gets the setting that is
//! best on held-out images, by seeds that its runs do not use.

use std::fmt;

use pvlu_zoo::text::{did_you_mean, listed, quoted};

/// The keys that can be swept: the name in a sweep, and the section and key in a protocol. The section `budget` stands
/// for the one of the preset. Data, networks, arms and what they train are left out: accuracies on other held-out
/// images tell nothing of a setting. So is the first phase of pretrained networks, which all arms share.
const KEYS: [(&str, &str, &str); 21] = [
    ("learning_rate", "optimizer", "learning_rate"),
    ("weight_decay", "optimizer", "weight_decay"),
    ("optimizer", "optimizer", "kind"),
    ("momentum", "optimizer", "momentum"),
    ("nesterov", "optimizer", "nesterov"),
    ("beta1", "optimizer", "beta1"),
    ("beta2", "optimizer", "beta2"),
    ("epsilon", "optimizer", "epsilon"),
    ("schedule", "schedule", "kind"),
    ("warm_up", "schedule", "warm_up"),
    ("factor", "schedule", "factor"),
    ("label_smoothing", "regularization", "label_smoothing"),
    ("mixup", "regularization", "mixup"),
    ("average", "regularization", "average"),
    ("flip", "augmentation", "flip"),
    ("shift", "augmentation", "shift"),
    ("cutout", "augmentation", "cutout"),
    ("part", "augmentation", "part"),
    ("jitter", "augmentation", "jitter"),
    ("epochs", "budget", "epochs"),
    ("batch_size", "budget", "batch_size"),
];

/// Seeds of the trials where none are given, unlike those that anyone takes for runs.
pub const TRIAL_SEEDS: [u64; 1] = [1000];

/// The most settings of a sweep.
pub const MAX_SETTINGS: usize = 100;

/// The most characters in a value.
const LONGEST: usize = 24;

/// The most bytes in the text of a sweep, which is in each row of a table.
pub const LONGEST_SWEEP: usize = 500;

/// The most keys of a sweep.
const MAX_KEYS: usize = 3;

/// Values that are tried, and the seeds of the trials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Seeds of the trials; each setting is tried with every one.
    pub seeds: Vec<u64>,
    /// The keys and their values; all combinations are tried.
    pub tried: Vec<Tried>,
}

/// A key and the values that are tried for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The name of the key in a sweep, such as `learning_rate`.
    pub key: &'static str,
    /// The values as TOML, in one form for each number.
    pub values: Vec<String>,
}

/// A value for each key of a sweep. It is shown as `learning_rate=1e-3+batch_size=64`, which is part of the address of
/// a trial and of the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(Vec<(&'static str, String)>);

impl Sweep {
    /// All combinations of the values, in the order in which they are given; the last key changes first.
    pub fn settings(&self) -> Vec<Setting> {
        self.tried.iter().fold(vec![Setting(Vec::new())], |settings, Tried { key, values }| {
            let with = |setting: &Setting, value: &String| {
                Setting(setting.0.iter().cloned().chain([(*key, value.clone())]).collect())
            };
            settings.iter().flat_map(|setting| values.iter().map(|value| with(setting, value))).collect()
        })
    }

    /// Makes sure that keys and seeds are there, each once, and that they are not more than can be tried.
    pub fn check(&self) -> Result<(), String> {
        let Self { seeds, tried } = self;
        if seeds.is_empty() {
            return Err("expected a seed for the trials, found none".to_owned());
        }
        if tried.is_empty() || tried.len() > MAX_KEYS {
            return Err(format!("expected 1 to {MAX_KEYS} keys, found {}", tried.len()));
        }
        for (index, of) in tried.iter().enumerate() {
            if tried.iter().take(index).any(|other| other.key == of.key) {
                return Err(format!("expected each key once, found {} twice", of.key));
            }
        }
        let settings = tried.iter().map(|of| of.values.len()).fold(1, usize::saturating_mul);
        if settings > MAX_SETTINGS {
            return Err(format!("expected at most {MAX_SETTINGS} settings, found {settings}"));
        }
        let length = self.to_string().len();
        if length > LONGEST_SWEEP {
            return Err(format!("expected at most {LONGEST_SWEEP} characters of values and seeds, found {length}"));
        }
        Ok(())
    }
}

impl Tried {
    /// The values of a key, as a user writes them: numbers, `true`, `false`, or a word.
    pub fn of(name: &str, values: &[&str]) -> Result<Self, String> {
        let key = key(name)?;
        let mut tried = Self { key, values: Vec::new() };
        for text in values {
            let value = normalized(text)
                .ok_or_else(|| format!("{key}: expected a number, true, false or a word, found {}", quoted(text)))?;
            if tried.values.contains(&value) {
                return Err(format!("{key}: expected each value once, found {text} again"));
            }
            tried.values.push(value);
        }
        if tried.values.len() < 2 {
            return Err(format!("{key}: expected two values or more, found {}", tried.values.len()));
        }
        Ok(tried)
    }
}

/// The key of this name.
fn key(name: &str) -> Result<&'static str, String> {
    let names = KEYS.map(|(name, ..)| name);
    let found = KEYS.iter().find(|(short, section, key)| {
        name == *short || name.split_once('.').is_some_and(|(first, last)| (first, last) == (*section, *key))
    });
    found.map(|(name, ..)| *name).ok_or_else(|| match did_you_mean(name, &names) {
        meant if meant.is_empty() => {
            format!("{} cannot be swept: expected {}", quoted(name), listed(&names[..], names.len()))
        }
        meant => format!("{} cannot be swept{meant}", quoted(name)),
    })
}

/// True if an error begins with the keys in a protocol that this key of a sweep stands for.
pub fn is_about(what: &str, name: &str) -> bool {
    let path = what.split(':').next().unwrap_or_default();
    let is_of = |(of, section, key): &(&str, &str, &str)| {
        *of == name && path.starts_with(&format!("{section}.")) && path.ends_with(&format!(".{key}"))
    };
    KEYS.iter().any(is_of)
}

/// A value as TOML, numbers in one form; `None` of a text that is neither a number nor a word.
fn normalized(text: &str) -> Option<String> {
    let text = text.trim();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if text.len() > LONGEST {
        return None;
    }
    // TOML groups digits.
    match text.replace('_', "").parse::<f64>() {
        Ok(number) if number.is_finite() && number.abs() < 1e15 && number.fract() == 0.0 => {
            Some(format!("{number:.0}").replace("-0", "0"))
        }
        Ok(number) => number.is_finite().then(|| format!("{number:e}")),
        Err(_) if ["true", "false"].contains(&text) => Some(text.to_owned()),
        Err(_) => (!text.is_empty() && text.bytes().all(is_word)).then(|| format!("\"{text}\"")),
    }
}

impl Setting {
    /// The setting as the sections of a protocol whose `[budget]` has this name, in TOML.
    pub fn toml(&self, budget: &str) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            for (_, section, key) in KEYS.iter().filter(|(of, ..)| of == name) {
                let within = if *section == "budget" { format!("budget.{budget}") } else { (*section).to_owned() };
                // A dotted key makes no section a second time.
                text.push_str(&format!("{within}.{key} = {value}\n"));
            }
        }
        text
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "+" };
            write!(f, "{before}{key}={}", value.trim_matches('"'))?;
        }
        Ok(())
    }
}

impl fmt::Display for Sweep {
    /// The values and the seeds: `learning_rate=1e-3|3e-3, seed 1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Tried { key, values }) in self.tried.iter().enumerate() {
            let before = if index == 0 { "" } else { " " };
            write!(f, "{before}{key}={}", values.join("|").replace('"', ""))?;
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        write!(f, ", seed{} {}", if seeds.len() == 1 { "" } else { "s" }, seeds.join(" "))
    }
}

/// True if a text can be the setting of a trial, which is part of the names of files.
pub fn is_setting(text: &str) -> bool {
    let parts: Vec<&str> = text.split('+').collect();
    let is_value = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_part = |part: &&str| {
        part.split_once('=').is_some_and(|(name, value)| {
            KEYS.iter().any(|(of, ..)| *of == name)
                && (1..=LONGEST).contains(&value.len())
                && value.bytes().all(is_value)
        })
    };
    parts.len() <= MAX_KEYS && parts.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(name: &str, values: &[&str]) -> Tried {
        Tried::of(name, values).unwrap()
    }

    #[test]
    fn all_combinations_are_tried_and_each_has_an_address() {
        let tried = vec![tried("learning_rate", &["1e-3", "0.003"]), tried("schedule", &["cosine", "constant"])];
        let sweep = Sweep { seeds: vec![7, 8], tried };
        sweep.check().unwrap();
        let texts: Vec<String> = sweep.settings().iter().map(Setting::to_string).collect();
        let expected = [
            "learning_rate=1e-3+schedule=cosine",
            "learning_rate=1e-3+schedule=constant",
            "learning_rate=3e-3+schedule=cosine",
            "learning_rate=3e-3+schedule=constant",
        ];
        assert_eq!(texts, expected);
        assert!(texts.iter().all(|text| is_setting(text)));
        assert_eq!(sweep.to_string(), "learning_rate=1e-3|3e-3 schedule=cosine|constant, seeds 7 8");
        assert_eq!(sweep.settings()[0].toml("full"), "optimizer.learning_rate = 1e-3\nschedule.kind = \"cosine\"\n");
        let of_budget = Sweep { seeds: vec![7], tried: vec![self::tried("budget.batch_size", &["32", "64"])] };
        assert_eq!(of_budget.settings()[1].toml("quick"), "budget.quick.batch_size = 64\n");
        assert_eq!(of_budget.settings()[1].value("batch_size"), Some("64"));
    }

    #[test]
    fn a_number_has_one_form_and_what_is_no_value_is_refused() {
        let same = Tried::of("learning_rate", &["1e-3", "0.001"]).unwrap_err();
        assert!(same.contains("0.001 again"), "{same}");
        assert_eq!(tried("warm_up", &["0", "-0", "5.0"][1..]).values, ["0", "5"]);
        assert_eq!(tried("batch_size", &["1_0", "20"]).values, ["10", "20"]);
        assert_eq!(tried("weight_decay", &["0.0", "5e-4", "2.5E-3"]).values, ["0", "5e-4", "2.5e-3"]);
        for wrong in ["", "a b", "nan", "1e400", "../x", "x+y", "x=y", "\"x\"", "0123456789012345678901234.5"] {
            let error = Tried::of("learning_rate", &["1e-3", wrong]).unwrap_err();
            assert!(error.contains("learning_rate: expected a number"), "{error}");
        }
        assert!(Tried::of("learning_rate", &["1e-3"]).unwrap_err().contains("two values"));
        assert!(Tried::of("leaning_rate", &["1", "2"]).unwrap_err().contains("did you mean learning_rate?"));
        assert!(Tried::of("seeds", &["1", "2"]).unwrap_err().contains("cannot be swept"));
        for harm in ["", "learning_rate", "x=1", "learning_rate=", "learning_rate=../x", "learning_rate=1/2", "a=1+"] {
            assert!(!is_setting(harm), "{harm}");
        }
    }

    #[test]
    fn a_sweep_that_is_too_much_or_nothing_is_refused() {
        let of = |tried| Sweep { seeds: vec![1], tried }.check().unwrap_err();
        assert!(of(Vec::new()).contains("1 to 3 keys"));
        let rate = tried("learning_rate", &["1", "2"]);
        assert!(of(vec![rate.clone(), rate.clone()]).contains("learning_rate twice"));
        let many: Vec<String> = (1..=11).map(|index| index.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(of(vec![tried("epochs", &many), tried("batch_size", &many)]).contains("found 121"));
        let seeds = Sweep { seeds: (0..200).collect(), tried: vec![rate.clone()] };
        assert!(seeds.check().unwrap_err().contains("at most 500 characters"));
        let none = Sweep { seeds: Vec::new(), tried: vec![rate] };
        assert!(none.check().unwrap_err().contains("expected a seed"));
    }
}
