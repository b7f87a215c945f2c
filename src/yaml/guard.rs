//! What the parser takes apart otherwise than go-yaml does, told from the text.

use super::{Error, Position};
use granit_parser::ScalarStyle;

/// Refuses what the two would read as different things.
pub(super) fn check(text: &str) -> Result<(), Error> {
    // go-yaml follows YAML 1.1, where these break lines; for the parser they are text.
    const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    let Some(at) = text.find(BREAKS) else { return Ok(()) };
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let at = Position { line: before.matches('\n').count() + 1, column };
    Err(Error::new(at, "a line break of Unicode (U+0085, U+2028 or U+2029); write it as an escape in double quotes"))
}

/// Refuses scalars that go-yaml doesn't read, or reads otherwise; `written` is what stands in the text.
pub(super) fn scalar(written: Option<&str>, style: ScalarStyle, in_brackets: bool) -> Result<(), &'static str> {
    let Some(written) = written else { return Ok(()) };
    match style {
        ScalarStyle::Plain if in_brackets && written.contains('?') => {
            Err("a question mark in text without quotes between brackets, which ends the text for Kubernetes; quote it")
        }
        ScalarStyle::DoubleQuoted => {
            let mut characters = written.chars();
            while let Some(c) = characters.next() {
                if c == '\\' && characters.next() == Some('/') {
                    return Err("an escape that Kubernetes' YAML doesn't have (backslash and slash)");
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses names of anchors and aliases that end earlier for go-yaml.
pub(super) fn name(written: Option<&str>) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match written.and_then(|written| written.strip_prefix(['&', '*'])) {
        Some(name) if !name.chars().all(plain) => {
            Err("the name of an anchor with other characters than letters, digits, - and _")
        }
        _ => Ok(()),
    }
}
