//! The arms of a protocol, the parts that they train, and their comparison.

use clap::ValueEnum;
use pvlu::activation::BUILT_IN;
use pvlu_zoo::registry::{self, RegistryError};
use pvlu_zoo::text::quoted;
use pvlu_zoo::transfer::FreezePolicy;

use super::values::unless_empty;
use crate::common::parts::{Part, policy};
use crate::reproduce::protocol::arm::{AFFINE, Arm, NEW_HEAD, Trains};
use crate::reproduce::protocol::definition::{FIRST, PRETRAIN, Start};
use crate::reproduce::protocol::limits::is_name;
use crate::reproduce::protocol::reader::{ProtocolError, Section, Value};

/// The arms of a protocol, in its order.
pub fn arms(top: &Section<'_>, start: &Start) -> Result<Vec<Arm>, ProtocolError> {
    let mut arms: Vec<Arm> = Vec::new();
    let value = top.need("arms", "a section [[arms]] for each arm")?;
    for item in unless_empty(&value, "a section [[arms]] for each arm")? {
        let arm = arm(&item.section()?, start)?;
        if arms.iter().any(|other| other.name == arm.name) {
            return Err(item.error(&format!("expected arms of different names, found {} twice", quoted(&arm.name))));
        }
        arms.push(arm);
    }
    Ok(arms)
}

fn arm(section: &Section<'_>, start: &Start) -> Result<Arm, ProtocolError> {
    section.only(&["name", "activation", "trains"])?;
    let value = section.need("activation", "the name of an activation, or a formula")?;
    let text = value.string("the name of an activation, or a formula")?;
    // An error in a formula goes on with the place in it, in lines of their own.
    let wrong = |error: RegistryError| value.error(&error.to_string().lines().next().unwrap_or_default());
    let activation = registry::activation(text).map_err(wrong)?;
    let own = section.find("trains");
    let mut arm = match (start, &own) {
        (Start::Scratch, Some(value)) => {
            return Err(value.error(&"expected in a protocol whose `start` is \"pretrained\" alone"));
        }
        (Start::Scratch, None) => {
            let policy = FreezePolicy::ALL;
            Arm::of(activation, Trains { policy, ..Trains::NOTHING })
        }
        (Start::Pretrained(_), Some(value)) => {
            Arm { trains: parts(value, false)?, ..Arm::of(activation, Trains::NOTHING) }
        }
        (Start::Pretrained(pretrained), None) => Arm::of(activation, pretrained.arms),
    };
    let named = section.find("name");
    if let Some(name) = &named {
        arm.name = name.string("a name")?.to_owned();
    }
    let place = named.unwrap_or(value);
    let is_built_in = || BUILT_IN.iter().any(|built_in| built_in.name() == arm.name);
    if !is_name(&arm.name) || [FIRST, PRETRAIN].contains(&arm.name.as_str()) {
        let expected = format!("a name of 1 to 64 letters, digits and _, other than {FIRST} and {PRETRAIN}");
        return Err(place.error(&format!("expected {expected}, found {}", quoted(&arm.name))));
    }
    if is_built_in() && activation.name() != arm.name {
        let found = quoted(activation.name()).to_string();
        return Err(place.error(&format!("expected another name, since {} is an activation and not {found}", arm.name)));
    }
    Ok(arm)
}

/// The base and the proposed arm of the planned comparison.
pub fn compared(top: &Section<'_>, arms: &[Arm]) -> Result<[String; 2], ProtocolError> {
    let section = top.need_section("comparison")?;
    section.only(&["base", "proposed"])?;
    let names: Vec<(&str, String)> = arms.iter().map(|arm| (arm.name.as_str(), arm.name.clone())).collect();
    let base = section.need("base", "the arm that the others are compared to")?.choice(&names)?;
    let value = section.need("proposed", "the arm whose comparison is planned")?;
    let proposed = value.choice(&names)?;
    if proposed == base {
        return Err(value.wrong("another arm than `base`"));
    }
    Ok([base, proposed])
}

/// The parts of a network that a list names; some names are for the first phase alone, and some for arms.
pub fn parts(value: &Value<'_>, is_first: bool) -> Result<Trains, ProtocolError> {
    let variants = Part::value_variants().iter().filter(|part| **part != Part::None);
    let named = |part: &Part| Some((part.to_possible_value()?.get_name().to_owned(), Some(*part)));
    let mut known: Vec<(String, Option<Part>)> = variants.filter_map(named).collect();
    known.push((if is_first { NEW_HEAD } else { AFFINE }.to_owned(), None));
    let known: Vec<(&str, Option<Part>)> = known.iter().map(|(name, part)| (name.as_str(), *part)).collect();
    let found: Vec<Option<Part>> = value.list()?.iter().map(|item| item.choice(&known)).collect::<Result<_, _>>()?;
    let by_network = found.contains(&None);
    let parts: Vec<Part> = found.into_iter().flatten().collect();
    Ok(Trains { policy: policy(&parts), affine: by_network && !is_first, new_head: by_network && is_first })
}
