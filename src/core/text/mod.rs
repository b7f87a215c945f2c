//! Text from outside, made safe to show.

mod reflected;

pub(crate) use reflected::gives_away;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;

/// Replaces a text that quotes a secret. The whole text goes: what surrounds the secret would give away its
/// length.
pub(crate) const HIDDEN: &str = "[hidden, because it quotes what was sent]";

/// Whether a character moves the cursor, reverses the direction of writing, begins a line or is invisible.
fn is_unseen(c: char) -> bool {
    !c.is_ascii_graphic() && c != ' ' && !c.escape_debug().eq([c])
}

/// The innermost source of an error, which says most: `connection refused` rather than `client error`.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Makes foreign text one line: unseen characters become spaces, and after `most` characters it is cut with
/// `…`. If the text gives away one of `secrets`, all of it is replaced by [`HIDDEN`].
pub(crate) fn line(text: &str, most: usize, secrets: &[&str]) -> String {
    if gives_away(text, secrets) {
        return HIDDEN.to_owned();
    }
    let seen: String = reflected::beginning(text).chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    let seen = seen.trim();
    let mut line: String = seen.chars().take(most).collect();
    if line.len() < seen.len() || seen.len() < text.trim().len() && text.len() > reflected::MAX_LOOKED_THROUGH {
        line.push('…');
    }
    line
}

/// How many base64 characters in a row could be a credential.
const MIN_BASE64: usize = 40;

/// Like [`line`], but also hides every word that looks like a credential, whoever's it is.
pub(crate) fn words(text: &str, most: usize, secrets: &[&str]) -> String {
    if gives_away(text, secrets) {
        return HIDDEN.to_owned();
    }
    // Before the cut: half a credential no longer looks like one.
    let whole = line(text, usize::MAX, &[]);
    let words: Vec<&str> = whole.split(' ').map(|word| if is_suspect(word) { "[hidden]" } else { word }).collect();
    line(&words.join(" "), most, &[])
}

/// Whether a word could be a credential: it holds part of a JWT, or one long run of base64. Ids with dashes
/// and names with dots are made of shorter runs.
fn is_suspect(word: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '=');
    word.contains("eyJ") || word.split(|c| !is_base64(c)).any(|run| run.len() >= MIN_BASE64)
}

/// Whether a character can be part of a JWT, the dots between its parts included.
fn is_of_a_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Hides everything that begins like a JWT: people paste keys into the wrong place.
fn without_tokens(text: &str) -> Cow<'_, str> {
    const BEGINS: &str = "eyJ";
    /// The shortest header of a JWT, in characters.
    const MIN_HEADER: usize = 12;
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGINS) {
        let (before, token) = rest.split_at(at);
        let end = token.find(|c| !is_of_a_token(c)).unwrap_or(token.len());
        let is_part_of_a_word = before.ends_with(|c: char| c.is_ascii_alphanumeric());
        shown.push_str(before);
        shown.push_str(if end < MIN_HEADER || is_part_of_a_word { &token[..end] } else { "[hidden]" });
        rest = &token[end..];
    }
    if shown.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// A URL without what may be secret: a password before `@`, anything after `?` or `#`.
pub(crate) fn without_url_secrets(url: &str) -> Cow<'_, str> {
    let rest = url.rsplit_once('@').map(|(_, rest)| rest);
    let shown = rest.unwrap_or(url);
    let cut = shown.find(['?', '#']).map(|end| &shown[..end]);
    if rest.is_none() && cut.is_none() {
        return Cow::Borrowed(url);
    }
    let (begin, end) = (if rest.is_some() { "…@" } else { "" }, if cut.is_some() { "?…" } else { "" });
    Cow::Owned(format!("{begin}{}{end}", cut.unwrap_or(shown)))
}

/// Makes our own output of several lines safe for a terminal: control and invisible characters become
/// escapes, tokens are hidden. Borrowed if nothing changes.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    match without_tokens(text) {
        Cow::Borrowed(text) => obedient(text),
        Cow::Owned(text) => Cow::Owned(obedient(&text).into_owned()),
    }
}

/// Replaces characters that a terminal would obey by escapes.
fn obedient(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c != '\n' && is_unseen(c);
    if !text.chars().any(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Makes JSON safe for a terminal: unseen characters become JSON's own escapes, tokens are hidden.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in without_tokens(text).chars() {
        if c != '\n' && is_unseen(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Makes text of a manifest or pod safe for a terminal or log: control, direction and invisible characters
/// become escapes. Cut after `most` characters with `…`.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match c {
            // `escape_debug` escapes these for a string literal; here they are harmless.
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_somebody_elses_is_one_line_and_quotes_nothing() {
        assert_eq!(line(" a\u{1b}[2J\nCredential: valid\u{202e} ", 40, &[]), "a [2J Credential: valid");
        assert_eq!(line("abcdef", 3, &[]), "abc…");
        assert_eq!(line(&"é".repeat(5000), 9000, &[]).chars().count(), 2049);
        assert_eq!(line("password hunter2 is wrong", 40, &["hunter2"]), HIDDEN);
        let far = format!("{}hunter2", "x ".repeat(3000));
        assert!(!line(&far, 9000, &["hunter2"]).contains("hunter2"), "what isn't looked through isn't shown");
    }

    #[test]
    fn our_own_lines_stay_and_nothing_else_is_obeyed() {
        assert_eq!(lines("größer: \"a\"\n'b'\\n"), "größer: \"a\"\n'b'\\n");
        assert_eq!(lines("a\u{1b}[31m\u{202e}\n\r\u{2028}"), "a\\u{1b}[31m\\u{202e}\n\\r\\u{2028}");
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_repeated() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_c2ln";
        for (before, after) in [("", ""), ("no such context \"", "\" (it has: a)"), ("größer: ", "\n")] {
            let text = format!("{before}{token}{after}");
            assert_eq!(lines(&text), format!("{before}[hidden]{after}"));
            assert_eq!(json(&text), format!("{before}[hidden]{after}"));
        }
        assert_eq!(lines(&format!("{token},{token}\u{1b}")), "[hidden],[hidden]\\u{1b}");
        for stays in ["", "key eyJ of it", "the abc-KeyJournal-of-a-release", "nothing"] {
            assert!(matches!(lines(stays), Cow::Borrowed(text) if text == stays) || lines(stays) == stays, "{stays}");
        }
    }

    #[test]
    fn a_url_is_quoted_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://argocd/root", "https://argocd/root"),
            ("https://admin:hunter2@argocd", "…@argocd"),
            ("https://a@b:hunter2@argocd/x?token=hunter2", "…@argocd/x?…"),
            ("https://argocd#hunter2", "https://argocd?…"),
        ] {
            assert_eq!(without_url_secrets(url), shown);
        }
    }

    #[test]
    fn json_is_the_same_to_whoever_reads_it() {
        let value = serde_json::json!({ "a\u{1b}": "größer \u{202e}\u{e0001} \u{9b}" });
        let shown = json(&format!("{value:#}"));
        assert!(shown.contains("\\u202e\\udb40\\udc01 \\u009b") && shown.contains("größer"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text_and_length_is_bounded() {
        assert_eq!(shown("it's a \"name\" – größer", 40), "it's a \"name\" – größer");
        assert_eq!(shown("\u{1b}]0;x\u{7}\r\n\u{202e}a\u{2066}\u{200b}\u{feff}", 40), {
            "\\u{1b}]0;x\\u{7}\\r\\n\\u{202e}a\\u{2066}\\u{200b}\\u{feff}"
        });
        assert_eq!(shown("\u{9b}2J\u{2028}", 40), "\\u{9b}2J\\u{2028}");
        assert_eq!(shown("abcdef", 3), "abc…");
        assert_eq!(shown("abc", 3), "abc");
    }
}
