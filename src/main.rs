//! Parses arguments and returns an exit code; the library does the rest.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
