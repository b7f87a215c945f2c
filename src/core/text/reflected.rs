//! Whether a text gives away a secret that was sent to its author.
//!
//! Servers and proxies quote what they are sent: as it is, escaped as in their logs, or in part. The text is
//! decoded in each of these ways, several times over, and searched for both ends of the secret and for any
//! longer part of it. No library does that.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use std::collections::HashSet;

/// How many bytes of a text are searched. No more than these may be shown.
pub(super) const MAX_LOOKED_THROUGH: usize = 4096;
/// How many characters of either end of a secret give it away. A shorter secret must appear whole.
const MIN_END: usize = 6;
/// A secret with fewer characters occurs in words by chance, and counts only as a word of its own.
const MIN_WORD: usize = 4;
/// How many bytes in a row from anywhere in a secret give it away.
const MIN_PART: usize = 8;
/// How many encodings, one inside the other, are decoded.
const MAX_DEPTH: usize = 3;
/// How many readings of a text are tried at each depth.
const MAX_READINGS: usize = 64;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether the first [`MAX_LOOKED_THROUGH`] bytes of the text give away one of the secrets.
pub(crate) fn gives_away(text: &str, secrets: &[&str]) -> bool {
    let secrets = secrets.iter().map(|secret| visible(secret)).filter(|secret| !secret.is_empty());
    let (secrets, words): (Vec<String>, Vec<String>) = secrets.partition(|secret| secret.chars().count() >= MIN_WORD);
    if secrets.is_empty() && words.is_empty() || text.is_empty() {
        return false;
    }
    let parts: HashSet<&[u8]> = secrets.iter().flat_map(|secret| secret.as_bytes().windows(MIN_PART)).collect();
    let ends: Vec<&str> = secrets.iter().flat_map(|secret| ends(secret)).collect();
    readings(beginning(text)).iter().any(|reading| {
        let is_word = |word: &str| words.iter().any(|secret| visible(word) == *secret);
        let seen = visible(reading);
        ends.iter().any(|end| seen.contains(end))
            || seen.as_bytes().windows(MIN_PART).any(|window| parts.contains(window))
            || !words.is_empty() && reading.split(|c: char| " \t\n\"'`:,;=<>()[]{}".contains(c)).any(is_word)
    })
}

/// The searched part of a text, cut at a character boundary.
pub(super) fn beginning(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_LOOKED_THROUGH)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// Drops white space and invisible characters, and lowers the case.
fn visible(text: &str) -> String {
    let seen = |c: &char| !c.is_whitespace() && (c.is_ascii_graphic() || !super::is_unseen(*c));
    text.chars().filter(seen).flat_map(char::to_lowercase).collect()
}

fn ends(secret: &str) -> [&str; 2] {
    let from = secret.char_indices().rev().nth(MIN_END - 1).map_or(0, |(place, _)| place);
    let to = secret.char_indices().nth(MIN_END).map_or(secret.len(), |(place, _)| place);
    [&secret[..to], &secret[from..]]
}

/// The text and everything that it decodes to.
fn readings(text: &str) -> HashSet<String> {
    let mut level = vec![text.to_owned()];
    let mut met: HashSet<String> = HashSet::from([text.to_owned()]);
    for _ in 0..MAX_DEPTH {
        let undone: Vec<String> = level.iter().flat_map(|text| undo(text)).collect();
        level = undone.into_iter().filter(|text| !met.contains(text)).collect();
        level.truncate(MAX_READINGS);
        met.extend(level.iter().cloned());
    }
    met
}

/// Decodes one layer, in each way that applies.
fn undo(text: &str) -> Vec<String> {
    let mut undone = Vec::new();
    if text.contains('%') {
        undone.push(percent_decode_str(text).decode_utf8_lossy().into_owned());
    }
    if text.contains('&') {
        undone.push(of_html(text));
    }
    if text.contains('\\') {
        undone.push(of_json(text));
    }
    undone.extend(of_base64(text));
    undone.extend(of_hex(text));
    undone
}

fn of_html(text: &str) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest)));
        match known {
            Some((c, rest)) => {
                out.push(c);
                out.push_str(rest);
            }
            None => out.extend(["&", part]),
        }
    }
    out
}

fn entity(name: &str) -> Option<char> {
    let number = |text: &str| match text.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(number).and_then(char::from_u32),
    }
}

/// Decodes the backslash escapes of JSON, Go and Python.
fn of_json(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let digits = match after.chars().next() {
            Some('u') => 4,
            Some('U') => 8,
            Some('x') => 2,
            _ => 0,
        };
        let code = after.get(1..=digits).filter(|_| digits > 0).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        if let Some(c) = code.and_then(char::from_u32) {
            out.push(c);
            rest = &after[1 + digits..];
        } else {
            // An escaped quote, slash or backslash leaves itself; of an escaped newline nothing is searched
            // for.
            let next = after.chars().next();
            out.extend(next);
            rest = &after[next.map_or(0, char::len_utf8)..];
        }
    }
    out.push_str(rest);
    out
}

/// Decodes each longer run of base64, at each offset: the run may begin in the middle of a group.
fn of_base64(text: &str) -> Vec<String> {
    let is_in = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let runs = text.split(|c: char| !is_in(c)).filter(|run| run.len() >= MIN_PART);
    let plain = |run: &str| run.replace('-', "+").replace('_', "/");
    let decoded = runs.flat_map(|run| {
        let run = plain(run);
        (0..4).filter_map(move |from| {
            let part = run.get(from..)?;
            let part = if part.len() % 4 == 1 { &part[..part.len() - 1] } else { part };
            Some(String::from_utf8_lossy(&BASE64.decode(part).ok()?).into_owned())
        })
    });
    decoded.collect()
}

fn of_hex(text: &str) -> Vec<String> {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * MIN_END);
    let decoded = runs.flat_map(|run| {
        (0..2).filter_map(move |from| {
            let pairs = run.as_bytes().get(from..)?.chunks_exact(2);
            let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
            Some(String::from_utf8_lossy(&bytes.collect::<Option<Vec<u8>>>()?).into_owned())
        })
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD as PADDED, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    fn html(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")
    }

    fn hex(text: &str) -> String {
        text.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    fn all_percent(text: &str) -> String {
        text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
    }

    fn unicode(text: &str) -> String {
        text.chars().fold(String::new(), |text, c| text + &format!("\\u{:04x}", u32::from(c)))
    }

    const WAYS: [fn(&str) -> String; 10] = [
        str::to_owned,
        |text| serde_json::to_string(text).unwrap(),
        |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        all_percent,
        |text| PADDED.encode(text),
        |text| URL_SAFE_NO_PAD.encode(format!("user:{text}")),
        html,
        hex,
        unicode,
        str::to_uppercase,
    ];

    #[test]
    fn a_password_is_known_in_each_disguise_and_in_part() {
        let secret = "S3cret\"pass/wo<rd&'%";
        let told = |text: &str| gives_away(text, &[secret]);
        for way in WAYS {
            assert!(told(&format!("refused: {}!", way(secret))), "{}", way(secret));
        }
        assert!(told("S3cret") && told("it was <rd&'%.") && told("cret\"pass") && told("S\u{200b}3 c r e t"));
        assert!(!told("cret\"pa") && !told("invalid session: account admin does not exist") && !told(""));
        assert!(!gives_away("anything", &[""]));
        assert!(gives_away("it was abc12", &["abc12"]) && !gives_away("it was abc1", &["abc12"]), "a short one whole");
        assert!(gives_away("it was \"t\"", &["t"]) && !gives_away("it was taken", &["t"]), "a shorter one as a word");
        assert!(gives_away("…correct-h", &["nothing", "correct-horse"]), "any of them");
    }

    proptest! {
        #[test]
        fn no_disguise_over_another_hides_it(
            before in "[ -~]{0,20}",
            secret in "[!-~]{6,40}",
            one in 0..WAYS.len(),
            two in 0..WAYS.len(),
        ) {
            let text = format!("{before} {}", WAYS[two](&WAYS[one](&secret)));
            // Most encodings don't survive a change of case.
            prop_assume!(two != WAYS.len() - 1 || one == 0);
            prop_assert!(gives_away(&text, &[&secret]), "{}", text);
        }

        #[test]
        fn any_text_is_read_to_its_end(text in ".{0,300}", secret in "\\PC{0,12}") {
            let _ = gives_away(&text, &[&secret]);
        }
    }
}
