//! Refuses text that the parser and go-yaml would read differently.

use super::{Error, Position};
use granit_parser::ScalarStyle;

/// Refuses characters that the two read differently.
pub(super) fn check(text: &str) -> Result<(), Error> {
    // In YAML 1.1, and so in go-yaml, these break lines; for the parser they are text.
    const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    let Some(at) = text.find(BREAKS) else { return Ok(()) };
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let at = Position { line: before.matches('\n').count() + 1, column };
    Err(Error::new(at, "a line break of Unicode (U+0085, U+2028 or U+2029); write it as an escape in double quotes"))
}

/// Refuses scalars that go-yaml can't read or reads differently; `written` is the scalar's source text.
pub(super) fn scalar(written: Option<&str>, style: ScalarStyle, in_brackets: bool) -> Result<(), &'static str> {
    let Some(written) = written else { return Ok(()) };
    match style {
        ScalarStyle::Plain if in_brackets && written.contains('?') => {
            Err("a question mark in text without quotes between brackets, which ends the text for Kubernetes; quote it")
        }
        ScalarStyle::Plain if in_brackets && written.starts_with(':') => Err(COLON),
        ScalarStyle::DoubleQuoted => escapes(written),
        _ => Ok(()),
    }
}

fn escapes(written: &str) -> Result<(), &'static str> {
    let mut characters = written.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            continue;
        }
        match characters.next() {
            Some('/') => return Err("an escape that Kubernetes' YAML doesn't have (backslash and slash)"),
            Some('u') => {
                let code = characters.as_str().get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                if code.is_some_and(|code| (0xd800..0xe000).contains(&code)) {
                    return Err(
                        "half of a character as an escape, which Kubernetes' YAML doesn't have; write the character",
                    );
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The characters that end a plain scalar inside brackets.
const ENDS: [char; 5] = [',', '[', ']', '{', '}'];
const COLON: &str = "a colon without a blank after it between brackets, which is part of the text for Kubernetes; write a blank or quotes";

/// Refuses text behind a scalar inside brackets that go-yaml takes for more of the scalar, or for a value
/// without a key.
pub(super) fn behind(written: Option<&str>, style: ScalarStyle, after: &str, is_key: bool) -> Result<(), &'static str> {
    let Some(written) = written.filter(|_| style == ScalarStyle::Plain) else { return Ok(()) };
    let wrong = if written.is_empty() {
        is_key && after.trim_start().starts_with(':')
    } else {
        let next = after.trim_start();
        let is_below = after.len() > next.len() && after[..after.len() - next.len()].contains(['\n', '\r']);
        after.strip_prefix(':').is_some_and(|after| after.starts_with(ENDS))
            || is_key && is_below && next.starts_with(':')
    };
    if wrong { Err(COLON) } else { Ok(()) }
}

/// Refuses a tag that is longer for go-yaml, or never ends. `around` is the text that holds the tag.
pub(super) fn tag(around: &str) -> Result<(), &'static str> {
    let Some((_, tag)) = around.split_once('!') else { return Ok(()) };
    // Between angle brackets a tag may have any of these characters.
    let tag = if tag.starts_with('<') { tag.split_once('>').map_or(tag, |(_, behind)| behind) } else { tag };
    let name = tag.split(char::is_whitespace).next().unwrap_or_default();
    if name.contains(ENDS) { Err("a tag without a blank after it; write one") } else { Ok(()) }
}

/// Refuses a tab where go-yaml expects the spaces that indent a block scalar. `before` is the text up to the
/// block's content, `indent` the content's indentation in columns.
pub(super) fn block(before: &str, content: &str, indent: usize) -> Result<(), &'static str> {
    const WRONG: &str = "a tab among the spaces that indent a block of text";
    let header = before.trim_end().rsplit('\n').next().unwrap_or_default();
    let header = header.split(" #").next().unwrap_or_default().trim_end();
    // If the header doesn't give the indentation, the first non-empty line does.
    let said = header.trim_end_matches(['+', '-']).ends_with(|c: char| c.is_ascii_digit())
        && header.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-').ends_with(['|', '>']);
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let wrong = |line: &str| line.trim_start_matches(' ').starts_with('\t') && spaces(line) < indent;
    if !said && content.starts_with('\t') || content.lines().skip(1).any(wrong) { Err(WRONG) } else { Ok(()) }
}

/// Refuses names of anchors and aliases that are shorter for go-yaml.
pub(super) fn name(written: Option<&str>) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match written.and_then(|written| written.strip_prefix(['&', '*'])) {
        Some(name) if !name.chars().all(plain) => {
            Err("the name of an anchor with other characters than letters, digits, - and _")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::yaml::read;

    #[test]
    fn what_goes_on_for_kubernetes_between_brackets_is_refused() {
        for text in [
            "[a:]",
            "[a:, b]",
            "[--listen=0.0.0.0:, --prefix]",
            "{a:}",
            "{a: b:}",
            "[a::]",
            "[::]",
            "[:a]",
            "{:a: b}",
            "[:]",
            "[[a:], b]",
            "[!a]",
            "[!a, b]",
            "{a: !t}",
            "- !a,b x",
            "[!<!t>, a]",
            "{a: !<b>}",
            "{a\n  : b}",
            "[a?b]",
            "\"\\ud83d\\ude00\"",
            "\"\\uDC00\"",
            "\"\\/\"",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in [
            "[\"a:\", 'b:']",
            "{a: , b: }",
            "{\"a\":b, \"c\":}",
            "[http://a:1/b, a:b]",
            "[! a, !!str 1, !t a]",
            "!!str",
            "a: !t",
            "!<tag:yaml.org,2002:str> 12",
            "\"\\u00e9\\ue000\\U0001F600\\\\ud83d\"",
            "a: b:c",
        ] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        }
    }
}
