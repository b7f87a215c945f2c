//! What Argo CD says to people, cleaned of what must not be passed on.

use std::fmt;

/// A message is cut here.
const MOST: usize = 300;
/// A word of so many characters of base64 could be a credential.
const LONG: usize = 40;
/// Anything shorter stands in words by chance: `a`, or an account's name.
const SHORT: usize = 6;
const HIDDEN: &str = "[hidden]";

/// A message of Argo CD for people. Without control characters, without anything that was sent as a
/// secret, and without anything that looks like one. Only to be shown: its words change by version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// Takes over a text. One that quotes a secret of the call that it answers is hidden whole:
    /// what stands around it would give away its length.
    #[must_use]
    pub fn new(text: &str, secrets: &[&str]) -> Self {
        if secrets.iter().any(|secret| secret.len() >= SHORT && text.contains(secret)) {
            return Self("[hidden, because it quotes what was sent]".to_owned());
        }
        let text = text.replace(|c: char| c.is_control(), " ");
        let words: Vec<&str> = text.split(' ').map(|word| if is_suspect(word) { HIDDEN } else { word }).collect();
        let text = words.join(" ");
        let mut cut: String = text.trim().chars().take(MOST).collect();
        if cut.len() < text.trim().len() {
            cut.push('…');
        }
        Self(cut)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a word could be a credential: part of a JWT, or one long run of base64. Ids with dashes
/// and names with dots in them are shorter runs.
fn is_suspect(word: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '=');
    word.contains("eyJ") || word.split(|c| !is_base64(c)).any(|run| run.len() >= LONG)
}

/// With a colon before it, to stand behind what was found; nothing where there is none.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_pass_and_credentials_do_not() {
        let clean = |text: &str| Message::new(text, &["hunter2", "no", ""]).0;
        let said = "invalid session: account admin does not have token with id argocd-auth-webhook-codefresh-0190c2a8-7b1e-7cc0-8000-000000000000";
        assert_eq!(clean(said), said);
        assert_eq!(clean("password hunter2 is wrong"), "[hidden, because it quotes what was sent]");
        assert_eq!(clean("got eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "got [hidden]");
        assert_eq!(clean(&format!("key {}", "a1".repeat(20))), "key [hidden]");
        assert_eq!(clean("a\u{1b}[31mb\n"), "a [31mb");
        assert_eq!(clean(&"no ".repeat(1000)).chars().count(), MOST + 1);
        assert_eq!(format!("no{}", Message::default()), "no");
    }

    proptest! {
        #[test]
        fn a_secret_of_the_call_never_passes(before in "\\PC{0,400}", secret in "[!-~]{6,60}", after in "\\PC{0,40}") {
            prop_assume!(!"[hidden, because it quotes what was sent]".contains(&secret));
            let shown = Message::new(&format!("{before}{secret}{after}"), &[&secret]).0;
            prop_assert!(!shown.contains(&secret), "{}", shown);
        }
    }
}
