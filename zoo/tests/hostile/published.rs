//! Configurations that timm puts beside its weights, and names of published weights, damaged in every way.

use super::{Random, files, mutation, readers, turn};

#[test]
fn damage_of_every_kind_to_a_configuration_of_timm_gives_an_error_or_a_preprocessing() {
    let _turn = turn();
    let seeds = files("fuzz/corpus/published", &[""]);
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..2000 {
            readers::published(&mutation::of(bytes, &seeds, &mut random));
        }
    }
}

#[test]
fn a_configuration_of_lists_without_an_end_takes_no_more_than_it_is_worth() {
    let _turn = turn();
    for part in ["[", "[0],", "{\"\":0},", "{\"\":", "1e999,", "\"\\u0000\","] {
        readers::published(format!("{{\"architecture\": [{}", part.repeat(50_000)).as_bytes());
        readers::published(format!("{{\"architecture\": [{}0]}}", part.repeat(50_000)).as_bytes());
    }
}
