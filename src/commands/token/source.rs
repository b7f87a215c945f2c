//! The place of a token that a person asks about.

use crate::commands::context::{CommandContext, ContextError, SecretKey};
use secrecy::zeroize::Zeroizing;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;

/// How many bytes are read, which is more than any token has.
const MAX_BYTES: u64 = 64 << 10;

/// The place of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A key of a Secret.
    Secret(SecretKey),
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// Reads the bytes as they are, white space included, except for a newline at the end of a file.
    pub(super) async fn read(&self, access: &CommandContext) -> Result<Zeroizing<Vec<u8>>, ContextError> {
        let bytes = match self {
            Self::Secret(place) => access.secret_value(place).await?,
            Self::File(path) => {
                let failed = |error| ContextError::File { what: "reading the token from", path: path.clone(), error };
                without_newline(bounded(std::fs::File::open(path).map_err(failed)?).map_err(failed)?)
            }
            Self::Stdin => without_newline(
                bounded(std::io::stdin().lock())
                    .map_err(|error| ContextError::Other(format!("reading the token from standard input: {error}")))?,
            ),
        };
        Ok(Zeroizing::new(bytes))
    }
}

/// Drops a final newline, which comes from a shell or from Windows and isn't part of the token.
fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.pop_if(|last| *last == b'\n').is_some() {
        bytes.pop_if(|last| *last == b'\r');
    }
    bytes
}

fn bounded(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(std::io::Error::other("it is too long for a token")) } else { Ok(bytes) }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(place) => write!(f, "Secret {place}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}
