//! Compiles the stand-in for the driver, and with it the kernels of `pvlu` and of dfdx, as C++.

#[path = "../../src/kernel/cuda/sources.rs"]
mod sources;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use sources::{files, sources};

/// A folder that is compiled in place of the kernels of `pvlu`: for planting mistakes.
const KERNELS: &str = "PVLU_CUDA_KERNELS";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={}", message.replace('\n', " | "));
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    // The driver of the machine takes its place.
    if env::var_os("CARGO_FEATURE_HOST").is_none() {
        return Ok(());
    }
    println!("cargo::rerun-if-env-changed={KERNELS}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=host");
    let kernels = env::var_os(KERNELS).map_or_else(|| PathBuf::from("../../src/kernel/cuda"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", kernels.display());
    let activations = Path::new("../../src/activation");
    println!("cargo::rerun-if-changed={}", activations.display());
    let out = out()?;
    let mut build = compiler();
    build.files(files(Path::new("host"), "cpp")?);
    let mut objects = objects(&mut build)?;
    let mut build = compiler();
    // By themselves, files of this ending are not C++ to the compiler.
    build.flag("-xc++").flag("-DPVLU_HOST").flag("-include").flag("host/host.cuh").include(&kernels).include(&out);
    build.files(sources(&kernels, activations, &out)?).files(files(Path::new("host"), "cu")?);
    objects.extend(self::objects(&mut build)?);
    let mut build = compiler();
    build.file(dfdx_kernels()?).warnings(false).flag("-w");
    objects.extend(self::objects(&mut build)?);
    let mut archive = compiler();
    // Whole: nothing refers to a kernel but its own registration.
    archive.objects(objects).link_lib_modifier("+whole-archive");
    archive.try_compile("pvlu_cuda_host").map_err(|error| error.to_string())
}

/// Optimized in every profile: the kernels are run, thread by thread.
fn compiler() -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(2).debug(false).flag("-U_FORTIFY_SOURCE");
    // For quoted names only: some of our headers are called as headers of the system are.
    build.flag("-iquote").flag("host");
    // Products are rounded before they are added, on processors with fused multiply-adds too.
    build.flag("-ffp-contract=off");
    // Sums are unrolled and vectorized as they stand, in their order.
    build.flag("-ftree-vectorize").cargo_warnings(true).flag_if_supported("-Wno-unused-function");
    build
}

fn objects(build: &mut cc::Build) -> Result<Vec<PathBuf>, String> {
    build.try_compile_intermediates().map_err(|error| error.to_string())
}

/// The folder for what this script makes.
fn out() -> Result<PathBuf, String> {
    env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| "OUT_DIR is not set".to_owned())
}

/// Writes one C++ file of all kernels of dfdx. Each of its files is a namespace, because they define functions of the
/// same names; and so that the compiler may see several kernels of one name, `extern "C"` goes and they are registered
/// instead.
fn dfdx_kernels() -> Result<PathBuf, String> {
    let out = out()?;
    // In place of system headers: those are included once, outside all namespaces.
    let headers = out.join("headers");
    fs::create_dir_all(&headers).map_err(|error| error.to_string())?;
    for header in ["cuda_fp16.h", "math.h", "cstdint"] {
        fs::write(headers.join(header), "").map_err(|error| error.to_string())?;
    }
    let mut text = String::from("#include \"dfdx.cuh\"\n");
    let source = dfdx_source()?.join("src").join("tensor_ops");
    let utilities = source.join("utilities");
    let mut sources = Vec::new();
    for entry in fs::read_dir(&source).map_err(|error| error.to_string())?.flatten() {
        if entry.path().is_dir() {
            sources.extend(files(&entry.path(), "cu")?);
        }
    }
    sources.sort();
    for (number, source) in sources.iter().enumerate() {
        let mut expand = cc::Build::new();
        expand.cpp(true).cargo_metadata(false).warnings(false).flag("-xc++").flag("-P").flag("-D__CUDA_ARCH__=800");
        let expanded = expand.include(&headers).include(&utilities).file(source).try_expand();
        let expanded = expanded.map_err(|error| error.to_string())?;
        let expanded = String::from_utf8(expanded).map_err(|error| error.to_string())?;
        text += &format!("namespace dfdx_{number} {{\n{}\n", expanded.replace("extern \"C\"", ""));
        for name in kernel_names(&expanded) {
            text += &format!("const pvlu_host::Registration registration_of_{name}(\"{name}\", &{name}, false);\n");
        }
        text += "}\n";
    }
    let path = out.join("dfdx_kernels.cpp");
    fs::write(&path, text).map_err(|error| error.to_string())?;
    Ok(path)
}

/// The names between `extern "C" __global__ void` and the parameters.
fn kernel_names(expanded: &str) -> BTreeSet<&str> {
    let exported = expanded.split("extern \"C\"").skip(1);
    let named =
        exported.filter_map(|text| text.trim_start().strip_prefix("__global__")?.trim_start().strip_prefix("void"));
    named.filter_map(|text| text.split('(').next()).map(str::trim).collect()
}

/// The folder in which Cargo keeps the sources of dfdx.
fn dfdx_source() -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").ok_or("CARGO is not set")?;
    let output = Command::new(cargo).args(["metadata", "--format-version", "1"]).output();
    let output = output.map_err(|error| format!("cargo metadata: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let package = text.split_once(r#""name":"dfdx","version":"#).ok_or("cargo metadata does not list dfdx")?.1;
    let path = package.split_once(r#""manifest_path":""#).ok_or("dfdx has no manifest")?.1;
    let path = path.split('"').next().unwrap_or_default();
    Ok(Path::new(path).parent().ok_or("dfdx has no folder")?.to_owned())
}
