//! Small Go programs that say what Kubernetes does, built by `go build` once for each state of their sources.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program of these sources (under `tests/`); `None`, and said, where there is no Go to build it with:
/// `lost` is what isn't looked at then.
pub fn program(sources: &str, lost: &str) -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(sources);
    let name = sources.file_name().expect("a folder").to_str().expect("a plain name");
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    for name in ["go.mod", "go.sum", "main.go"] {
        // What needs no module has no sums.
        digest.update(&std::fs::read(sources.join(name)).unwrap_or_default());
    }
    let digest = digest.finish().as_ref().iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{digest:016x}"));
    if program.exists() {
        return Some(program);
    }
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("NOT RUN: {lost}: `go` is not installed");
        return None;
    }
    // Whoever else builds it at the same time puts the same there.
    let own = program.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
    let built = Command::new("go")
        .args(["build", "-trimpath", "-buildvcs=false", "-o"])
        .arg(&own)
        .arg(".")
        .current_dir(&sources)
        .env("CGO_ENABLED", "0")
        .status()
        .expect("go runs");
    assert!(built.success(), "go build in {}: {built}", sources.display());
    std::fs::rename(&own, &program).expect("the program can be put in its place");
    Some(program)
}
