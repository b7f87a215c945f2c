//! Writes a serving certificate for development.
//!
//! ```text
//! cargo run --example development-certificate -- [FOLDER [NAME...]]
//! ```
//!
//! Makes `ca.crt`, `tls.crt` and `tls.key` in the folder (`certs/generated`) for the names
//! (`localhost` and its addresses). What is there already is written over.

use argocd_auth_webhook::webhook::development_certificate;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "certs/generated".to_owned()));
    let names: Vec<String> = arguments.collect();
    let made = match development_certificate(&names) {
        Ok(made) => made,
        Err(error) => {
            eprintln!("can't make a certificate for {}: {error}", names.join(", "));
            return ExitCode::from(2);
        }
    };
    for (name, text, mode) in
        [("ca.crt", &made.ca_pem, 0o644), ("tls.crt", &made.cert_pem, 0o644), ("tls.key", &made.key_pem, 0o600)]
    {
        let path = folder.join(name);
        if let Err(error) = write(&path, text, mode) {
            eprintln!("can't write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{}", path.display());
    }
    ExitCode::SUCCESS
}

/// A new file each time: one that is there would keep its own mode, and a reader of it would see it
/// half written.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    fs::rename(unfinished, path)
}
