//! Text from outside, as it may be shown.

/// What a manifest or a pod says, for a terminal or a log: nothing in it moves a cursor, turns the
/// direction of writing, or is there without being seen; those characters come as escapes. At most
/// `most` characters, then `…`.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match c {
            // Nothing but a string literal needs these escaped.
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
