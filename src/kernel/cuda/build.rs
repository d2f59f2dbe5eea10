//! Compiles the kernels beside this file, and the formulas of activations, with nvcc. Does nothing without the feature
//! `cuda`; with `ci-check` too it writes empty modules, so that everything type-checks where there is no toolkit.

mod sources;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The folder of the kernels.
const KERNELS: &str = "src/kernel/cuda";

/// The folder of the activations.
const ACTIVATIONS: &str = "src/activation";

/// The oldest compute capability: those before lack instructions that dfdx's own kernels use.
const OLDEST: u32 = 80;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={KERNELS}");
    println!("cargo::rerun-if-changed={ACTIVATIONS}");
    println!("cargo::rerun-if-env-changed=CUDA_COMPUTE_CAP");
    println!("cargo::rerun-if-env-changed=CUDA_PATH");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return ExitCode::SUCCESS;
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let sources = sources::sources(Path::new(KERNELS), Path::new(ACTIVATIONS), &out)?;
    let target = |source: &Path| out.join(source.file_stem().unwrap_or_default()).with_extension("ptx");
    if std::env::var_os("CARGO_FEATURE_CI_CHECK").is_some() {
        return sources
            .iter()
            .try_for_each(|source| std::fs::write(target(source), "").map_err(|error| format!("{error}")));
    }
    let capability = capability()?;
    for source in &sources {
        let mut nvcc = Command::new(nvcc());
        // As dfdx's own kernels are: its device works on the default stream of the thread.
        nvcc.args(["--ptx", "-O3", "--std=c++17", "--default-stream", "per-thread"]);
        nvcc.arg("--include-path").arg(KERNELS).arg("--include-path").arg(&out);
        nvcc.arg(format!("--gpu-architecture=sm_{capability}")).arg("--output-file").arg(target(source)).arg(source);
        let output = nvcc.output().map_err(|error| {
            format!(
                "nvcc could not be started ({error}): install the CUDA toolkit, and put nvcc on PATH or set CUDA_PATH"
            )
        })?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).replace('\n', " | ");
            return Err(format!("nvcc does not compile {} for sm_{capability}: {message}", source.display()));
        }
    }
    Ok(())
}

fn nvcc() -> PathBuf {
    let folder = std::env::var_os("CUDA_PATH").map(|root| PathBuf::from(root).join("bin"));
    folder.map(|folder| folder.join("nvcc")).filter(|nvcc| nvcc.is_file()).unwrap_or_else(|| "nvcc".into())
}

/// The compute capability to compile for, as in `sm_80`: that in `CUDA_COMPUTE_CAP`, or of the first GPU.
fn capability() -> Result<u32, String> {
    let (text, from) = match std::env::var("CUDA_COMPUTE_CAP") {
        Ok(text) => (text, "CUDA_COMPUTE_CAP"),
        Err(_) => {
            let mut query = Command::new("nvidia-smi");
            query.args(["--query-gpu=compute_cap", "--format=csv,noheader"]);
            let output = query.output().map_err(|error| {
                format!("nvidia-smi could not be started ({error}): set CUDA_COMPUTE_CAP, for example to 80")
            })?;
            let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
            (text, "nvidia-smi")
        }
    };
    let digits = text.trim().trim_start_matches("sm_").replace('.', "");
    let capability =
        digits.parse().map_err(|_| format!("{from} says compute capability '{text}': expected one like 80 or 8.0"))?;
    if capability < OLDEST {
        return Err(format!("compute capability {capability} from {from}: at least {OLDEST} is needed"));
    }
    Ok(capability)
}
