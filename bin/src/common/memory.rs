//! A lower bound on the memory of a step, compared with the memory that the process may use: a batch that cannot fit is
//! an error before the work, and does not end the process in the middle of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use pvlu::layer::{Extent, LayerKind, LayerSummary, ParamKind, Path as Walked};
use pvlu_zoo::device::Device;
use pvlu_zoo::model::Model;

use crate::common::device;
use crate::common::error::CliError;
use crate::common::ranks;

/// Bytes of an `f32` value.
const VALUE: u128 = size_of::<f32>() as u128;

/// Refuses a batch of `images` if one step takes more memory than the process may use: a training step of the layers
/// that are not frozen if it `trains`, else inference. The error names `option`, which sets the number of images.
///
/// The estimate is a lower bound, so that no batch is refused that would fit. Of several [ranks](crate::common::ranks)
/// each has its part of the batch and of the shards.
pub fn check_batch(model: &dyn Model, images: usize, trained: Option<usize>, option: &str) -> Result<(), CliError> {
    // The memory of another device is left to its driver, which reports when there is none left.
    let Some(allowed) = allowed().filter(|_| device::chosen() == Device::Cpu) else { return Ok(()) };
    let (ranks, all) = (ranks::count(), images);
    let (images, trained) = (images / ranks, trained.map(|shards| shards / ranks));
    let least = least(model, images, trained).map_err(|source| CliError::Model { model: "model", source })?;
    if least <= u128::from(allowed) {
        return Ok(());
    }
    let (wanted, allowed) = (readable(least), readable(allowed.into()));
    Err(CliError::Memory { images: all, wanted, allowed, option: option.to_owned() })
}

/// The least bytes that a step takes, which trains the model in so many shards or does not train it: those of the model
/// and of the gradients of all shards but one, and for each image those of the layer with the largest input and output,
/// or of all inputs that layers keep for the gradients of trained weights if these are more.
fn least(model: &dyn Model, images: usize, shards: Option<usize>) -> Result<u128, pvlu::Error> {
    let (mut elements, mut trained) = (0_u128, BTreeSet::new());
    let copies = shards.unwrap_or(1).saturating_sub(1) as u128;
    model.tensors(&mut |tensor| {
        let count = tensor.values.len() as u128;
        elements += if tensor.slot.trained { (1 + copies) * count } else { count };
        if shards.is_some() && tensor.slot.trained && tensor.slot.kind == ParamKind::Weight {
            trained.insert(tensor.slot.path.to_owned());
        }
    })?;
    let (mut widest, mut kept) = (0_u128, 0_u128);
    let mut show = |layer: LayerSummary<'_>| {
        let [input, output] = [layer.input, layer.output].map(|extent| extent.elements() as u128);
        match layer.kind {
            // Other layers may write their output over their input.
            LayerKind::Conv2D { .. } | LayerKind::Linear | LayerKind::Pool2D { .. } => {
                widest = widest.max(input + output)
            }
            _ => {}
        }
        // A shortcut shares its input with the branch beside it.
        let counts = !layer.path.split('.').any(|step| step == "shortcut");
        if counts && trained.contains(&format!("{}.weight", layer.path)) {
            kept += input;
        }
    };
    let (height, width) = model.image();
    model.net().summarize(&mut Walked::root(), Extent::image(3, height, width), &mut show)?;
    Ok((elements + widest.max(kept) * images as u128) * VALUE)
}

/// The most bytes that the process may use, memory and swap; `None` where the system does not say. Memory in use by
/// other programs is not subtracted, since they may end.
fn allowed() -> Option<u64> {
    static ALLOWED: OnceLock<Option<u64>> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        let read = |path: &Path| fs::read_to_string(path).ok();
        let meminfo = read(Path::new("/proc/meminfo"))?;
        let of = |key: &str| kilobytes(&meminfo, key);
        let (memory, swap) = (of("MemTotal:")?, of("SwapTotal:").unwrap_or(0));
        let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
        let group = groups_limit(&groups, &|path| read(Path::new(path)));
        let address_space = read(Path::new("/proc/self/limits")).and_then(|limits| address_space(&limits));
        let limits = [Some(memory), group].into_iter().flatten().map(|limit| limit.saturating_add(swap));
        limits.chain(address_space).min()
    })
}

/// A line of `/proc/meminfo`, in bytes.
fn kilobytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The soft limit of the address space in `/proc/self/limits`, if there is one.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The least limit of the control groups that `/proc/self/cgroup` names and of those around them: version 2
/// (`0::/a/b`), and the group `memory` of version 1.
fn groups_limit(groups: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(kinds), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (root, file) = match kinds {
            "" => ("/sys/fs/cgroup", "memory.max"),
            kinds if kinds.split(',').any(|kind| kind == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be that of the machine outside, and the root the group itself.
        for group in Path::new(path).ancestors() {
            let group = group.to_string_lossy();
            let limit = read(&format!("{root}{}/{file}", group.trim_end_matches('/')));
            let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
            least = [least, limit].into_iter().flatten().min();
        }
    }
    least
}

/// A number of bytes with its unit, as in `1.5 GB`.
fn readable(bytes: u128) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6)];
    let bytes = bytes as f64;
    let (unit, size) = units.into_iter().find(|(_, size)| bytes >= *size).unwrap_or(("kB", 1e3));
    format!("{:.1} {unit}", bytes / size)
}

#[cfg(test)]
mod tests {
    use pvlu_zoo::registry::build;
    use pvlu_zoo::transfer::FreezePolicy;

    use super::*;

    #[test]
    fn a_step_takes_at_least_its_widest_layer_and_what_training_keeps() {
        let mut model = build("cifar_resnet20", "relu", 10, 1).unwrap();
        let tensors = 269_722 + 1_376;
        // A 3x3 convolution of the first stage: 16 channels of 32x32 in and out.
        let widest = 2 * 16 * 32 * 32;
        let infers = least(model.as_ref(), 5, None).unwrap();
        assert_eq!(infers, 4 * (tensors + 5 * widest));
        // The image, 6 and 1 inputs of 16x32x32, 5 and 1 of 32x16x16, 5 of 64x8x8, and 64 features.
        let kept = 3 * 1024 + 7 * 16_384 + 6 * 8_192 + 5 * 4_096 + 64;
        FreezePolicy::ALL.apply(model.net_mut());
        assert_eq!(least(model.as_ref(), 5, Some(1)).unwrap(), 4 * (tensors + 5 * kept));
        FreezePolicy::HEAD.apply(model.net_mut());
        assert_eq!(least(model.as_ref(), 5, Some(1)).unwrap(), infers);
        // Two sets of gradients more, of a head of 64 features and 10 classes.
        assert_eq!(least(model.as_ref(), 5, Some(3)).unwrap(), infers + 4 * 2 * (64 * 10 + 10));
    }

    #[test]
    fn what_cannot_fit_is_refused_and_says_how_much_it_is() {
        let model = build("cifar_resnet20", "relu", 10, 1).unwrap();
        check_batch(model.as_ref(), 1, Some(1), "--batch-size").unwrap();
        if allowed().is_none() {
            println!("skipped: the system does not say how much memory there is");
            return;
        }
        let error = check_batch(model.as_ref(), 1 << 40, None, "--batch-size").unwrap_err().to_string();
        let words = ["1099511627776 images", "at least 144115", "TB", "--batch-size"];
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn limits_of_the_system_are_read_as_it_writes_them() {
        let meminfo = "MemTotal:       24576000 kB\nMemFree: 1 kB\nSwapTotal:             0 kB\n";
        assert_eq!(
            [kilobytes(meminfo, "MemTotal:"), kilobytes(meminfo, "SwapTotal:")],
            [Some(25_165_824_000), Some(0)]
        );
        let limits = |value: &str| {
            format!("Limit  Soft Limit  Hard Limit  Units\nMax address space  {value}  unlimited  bytes\n")
        };
        assert_eq!([address_space(&limits("unlimited")), address_space(&limits("5000"))], [None, Some(5000)]);
        let read = |path: &str| match path {
            "/sys/fs/cgroup/a/b/memory.max" => Some("max\n".to_owned()),
            "/sys/fs/cgroup/a/memory.max" => Some("2000\n".to_owned()),
            "/sys/fs/cgroup/memory/memory.limit_in_bytes" => Some("1000\n".to_owned()),
            _ => None,
        };
        assert_eq!(groups_limit("0::/a/b\n", &read), Some(2000));
        assert_eq!(groups_limit("5:cpu,memory:/docker/x\n1:pids:/a\n", &read), Some(1000));
        assert_eq!(groups_limit("0::/\nodd\n", &read), None);
    }
}
