//! The account of Argo CD that a command uses, and its password.

use super::{CommandContext, ContextError, SecretKey};
use crate::commands::terminal;
use crate::core::{Mode, SecretKeyRef};
use crate::resolve::no_password;
use secrecy::{ExposeSecret, SecretString};
use std::io::Read;

/// The most bytes that are read from standard input, for a password or token: 64 KiB.
const MAX_BYTES: u64 = 64 << 10;

/// Where a password comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordFrom {
    /// The Secret that the settings name in password mode; in token mode it is asked for at the terminal.
    #[default]
    Settings,
    /// It is asked for at the terminal, without echo.
    Terminal,
    /// Standard input, up to its end, without one newline there.
    Stdin,
    /// A Secret in the Runtime's namespace.
    Secret(SecretKey),
}

impl CommandContext {
    /// The account's name: of the flag, or else of the settings.
    ///
    /// # Errors
    /// It can't be read from where the settings say.
    pub async fn account(&self) -> Result<String, ContextError> {
        if let Some(name) = &self.options.account {
            return Ok(name.clone());
        }
        Ok(self.resolver().username(&self.settings().auth.username).await??)
    }

    /// The password of the account.
    ///
    /// # Errors
    /// It can't be read or can't be a password, or there is no terminal to ask at.
    pub async fn password(&self, from: &PasswordFrom, account: &str) -> Result<SecretString, ContextError> {
        let credential = &self.settings().auth;
        match from {
            PasswordFrom::Secret(SecretKey { name, key }) => {
                let place = SecretKeyRef { name: name.clone(), key: key.clone(), optional: None };
                Ok(self.resolver().password(&place).await??)
            }
            PasswordFrom::Settings if credential.mode == Mode::Password => {
                Ok(self.resolver().password(&credential.credential).await??)
            }
            PasswordFrom::Stdin => typed(read_secret_line(&mut std::io::stdin().lock(), "password")?),
            PasswordFrom::Settings | PasswordFrom::Terminal => typed(ask(account).await?),
        }
    }
}

/// A password that a person typed, unless it can't be one: that login would only count as a failed one.
fn typed(password: SecretString) -> Result<SecretString, ContextError> {
    match no_password(password.expose_secret()) {
        None => Ok(password),
        Some(what) => Err(ContextError::Other(format!("the password that was given is {what}, and no password"))),
    }
}

async fn ask(account: &str) -> Result<SecretString, ContextError> {
    terminal::ask_password(&format!("Password of Argo CD's account {account}: ")).await.map_err(|error| {
        ContextError::Other(format!(
            "nobody can be asked for the password ({error}); give --password-stdin or --password-secret"
        ))
    })
}

/// Reads all of `input` as UTF-8, without one newline at its end. `name` is what it is, for errors.
///
/// # Errors
/// It can't be read, is empty, longer than 64 KiB, or not UTF-8.
pub fn read_secret_line(input: &mut impl Read, name: &str) -> Result<SecretString, ContextError> {
    let wrong = |why: &str| ContextError::Other(format!("standard input holds no {name}: {why}"));
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| wrong(&error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong("it is too long"));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not text"))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(wrong("it is empty")) } else { Ok(SecretString::from(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_not_the_passwords() {
        let read = |text: &[u8]| read_secret_line(&mut &*text, "password").map(|s| s.expose_secret().to_owned());
        assert_eq!(read(b"pass word \n").unwrap(), "pass word ");
        assert_eq!(read(b"two\nlines\r\n").unwrap(), "two\nlines");
        for bad in [&b""[..], b"\n", b"\xff", &"a".repeat(70_000).into_bytes()] {
            assert!(read(bad).is_err());
        }
    }
}
