//! What is different where a person sits at a terminal.

use secrecy::SecretString;
use std::io::{self, IsTerminal, Write};

/// Whether colours are for this stream: on a terminal, unless `NO_COLOR` is set.
#[must_use]
pub fn has_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line on standard error that says what is waited for. Only on a terminal; gone when it is
/// dropped.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Says it.
    #[must_use]
    pub fn begin(text: &str) -> Self {
        let mut progress = Self { shown: io::stderr().is_terminal() };
        progress.say(text);
        progress
    }

    /// Says the next thing in its place.
    pub fn say(&mut self, text: &str) {
        if self.shown {
            let mut out = io::stderr();
            let _ = write!(out, "\r\x1b[K{text} …");
            let _ = out.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Asks at the terminal, without echo.
///
/// # Errors
/// There is no terminal, or nothing was typed.
pub async fn ask_password(prompt: &str) -> io::Result<SecretString> {
    let prompt = prompt.to_owned();
    let asked = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt)).await;
    let text = asked.map_err(|_| io::Error::other("the question failed"))??;
    if text.is_empty() { Err(io::Error::other("nothing was typed")) } else { Ok(SecretString::from(text)) }
}
