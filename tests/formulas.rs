//! Formulas that no person would write: those of the fuzzer's corpus, and damaged ones.
//!
//! What has to hold, `fuzz/formulas.rs` says, through which every text here goes.

#[path = "../fuzz/formulas.rs"]
mod formulas;

use std::fs;
use std::path::Path;

/// The texts of the corpus, sorted.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/formula");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{} files", files.len());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn texts_of_the_corpus_give_formulas_or_errors() {
    corpus().iter().for_each(|text| formulas::formula(text));
}

#[test]
fn damaged_texts_give_formulas_or_errors() {
    /// Texts that make a difference to the parser.
    const PIECES: [&str; 32] = [
        "(", ")", "x", "a", "^", "-", "+", "*", "/", ",", ";", "=", " ", "1", "1e", "e9", ".", "0", "pi", "max(",
        "sin(", "ln(", "fixed", "swap", "; a = ", "^0.5", "^-3", "^a", "\0", "\n", "é", "\u{202e}",
    ];
    let texts = corpus();
    let mut random = Random(1);
    for text in &texts {
        for _ in 0..1000 {
            let mut damaged = text.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(damaged.len() + 1);
                match random.below(4) {
                    0 => damaged.truncate(at),
                    1 => {
                        damaged =
                            [&damaged[..at], PIECES[random.below(PIECES.len())].as_bytes(), &damaged[at..]].concat()
                    }
                    2 => {
                        let other = &texts[random.below(texts.len())];
                        damaged = [&damaged[..at], &other[random.below(other.len())..]].concat();
                    }
                    _ => {
                        if let Some(byte) = damaged.get_mut(at) {
                            *byte = random.below(256) as u8;
                        }
                    }
                }
            }
            formulas::formula(&damaged);
        }
    }
}

#[test]
fn texts_without_sense_give_errors() {
    let mut random = Random(2);
    for _ in 0..10_000 {
        let characters = b"x+-*/^()a,;= .1e9xpsin";
        let length = random.below(60);
        let text: Vec<u8> = (0..length).map(|_| characters[random.below(characters.len())]).collect();
        formulas::formula(&[b"f = ", &text[..]].concat());
    }
    for piece in ["(", "-", "sin(", "x^", "x*", "a=1;", "max(x,", "1e", "\u{fffd}"] {
        for start in ["", "f = ", "f = x; "] {
            formulas::formula(format!("{start}{}", piece.repeat(100_000 / piece.len())).as_bytes());
            formulas::formula(format!("{start}{}", piece.repeat(900 / piece.len())).as_bytes());
        }
    }
}
