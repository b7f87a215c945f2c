//! Output to a terminal, and questions to a person at one.

use crate::core::text;
use secrecy::SecretString;
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// Whether to use colours on this stream: it is a terminal, and `NO_COLOR` isn't set.
#[must_use]
pub fn has_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Makes text safe to print. Line breaks and, with `colour`, our own colour escapes stay; any other character
/// that a terminal would obey or not show is escaped.
#[must_use]
pub fn printable(text: &str, colour: bool) -> Cow<'_, str> {
    if !colour {
        return text::lines(text);
    }
    let mut parts = text.split("\x1b[");
    let mut out = text::lines(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        match part.split_once('m').filter(|(code, _)| !code.is_empty() && code.bytes().all(|c| c.is_ascii_digit())) {
            Some((code, rest)) => out.extend(["\x1b[", code, "m", &text::lines(rest)]),
            None => out.push_str(&text::lines(&format!("\x1b[{part}"))),
        }
    }
    Cow::Owned(out)
}

/// Makes JSON safe to print, on one line or, with `pretty`, on several.
#[must_use]
pub fn printable_json(json: &Value, pretty: bool) -> String {
    text::json(&if pretty { format!("{json:#}") } else { json.to_string() })
}

/// A progress line on standard error, shown only on a terminal and removed on drop.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Shows this text.
    #[must_use]
    pub fn begin(text: &str) -> Self {
        let mut progress = Self { shown: io::stderr().is_terminal() };
        progress.say(text);
        progress
    }

    /// Replaces the text.
    pub fn say(&mut self, text: &str) {
        if self.shown {
            let mut out = io::stderr();
            let _ = write!(out, "\r\x1b[K{} …", text::line(text, usize::MAX, &[]));
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

/// Asks for a password at the terminal, without echo.
///
/// # Errors
/// There is no terminal, or nothing was typed.
pub async fn ask_password(prompt: &str) -> io::Result<SecretString> {
    let prompt = prompt.to_owned();
    let asked = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt)).await;
    let text = asked.map_err(|_| io::Error::other("the question failed"))??;
    if text.is_empty() { Err(io::Error::other("nothing was typed")) } else { Ok(SecretString::from(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_lines_and_colours_reach_the_terminal() {
        let text = "\x1b[32mok\x1b[0m a\x1b]52;c;x\x07\n\x1b[2Jb\u{202e}";
        assert_eq!(printable(text, true), "\x1b[32mok\x1b[0m a\\u{1b}]52;c;x\\u{7}\n\\u{1b}[2Jb\\u{202e}");
        assert!(!printable(text, false).contains('\x1b'));
        // Only colours are allowed in our own escapes.
        for forged in ["\x1b[2Jm", "\x1b[1;31m", "\x1b[m", "\x1b[?25lm", "\x1bcm"] {
            assert!(!printable(forged, true).contains('\x1b'), "{forged:?}");
        }
        assert_eq!(printable("a\n", false), "a\n");
    }
}
