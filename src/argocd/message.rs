//! Argo CD's messages to people, cleaned of what must not be passed on.

use crate::core::text::words;
use std::fmt;

/// How many characters of a message are shown.
const MAX_MESSAGE: usize = 300;
/// A message of Argo CD's on one line, without anything that was sent as a secret, however encoded, and
/// without anything that looks like one. Only for people: its wording changes between versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    text: String,
    known: Option<Known>,
}

/// Recognised messages, even if their text is hidden. Argo CD has no code for these errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The account lacks the capability `apiKey`.
    NoApiKeys,
    /// The account has a key with this id.
    IdTaken,
}

impl Known {
    fn of(text: &str) -> Option<Self> {
        let says = |words: &str| text.contains(words);
        match () {
            () if says("does not have apiKey") => Some(Self::NoApiKeys),
            () if says("already has token with id") => Some(Self::IdTaken),
            () => None,
        }
    }
}

impl Message {
    /// Cleans a text. If it quotes one of `secrets`, all of it is hidden.
    #[must_use]
    pub fn new(text: &str, secrets: &[&str]) -> Self {
        Self { text: words(text, MAX_MESSAGE, secrets), known: Known::of(text) }
    }

    /// The cleaned text; may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn known(&self) -> Option<Known> {
        self.known
    }
}

/// Displays as `: MESSAGE`, to be appended to an error; as nothing if the message is empty.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::HIDDEN as QUOTES;
    use proptest::prelude::*;

    #[test]
    fn words_pass_and_credentials_do_not() {
        let clean = |text: &str| Message::new(text, &["hunter2", ""]).text;
        let said = "invalid session: account admin does not have token with id argocd-auth-webhook-codefresh-0190c2a8-7b1e-7cc0-8000-000000000000";
        assert_eq!(clean(said), said);
        assert_eq!(clean("password hunter2 is wrong"), QUOTES);
        assert_eq!(clean("password hunter is wrong"), QUOTES);
        assert_eq!(clean("got eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "got [hidden]");
        assert_eq!(clean(&format!("key {}", "a1".repeat(20))), "key [hidden]");
        assert_eq!(clean("a\u{1b}[31mb\n"), "a [31mb");
        assert_eq!(clean(&"no ".repeat(1000)).chars().count(), MAX_MESSAGE + 1);
        assert_eq!(format!("no{}", Message::default()), "no");
        let hidden = Message::new("account does not have apiKey capability", &["capability"]);
        assert_eq!((hidden.as_str(), hidden.known()), (QUOTES, Some(Known::NoApiKeys)), "understood all the same");
    }

    proptest! {
        #[test]
        fn a_secret_of_the_call_never_passes(before in "\\PC{0,400}", secret in "[!-~]{6,60}", after in "\\PC{0,40}") {
            prop_assume!(!QUOTES.contains(&secret));
            let shown = Message::new(&format!("{before}{secret}{after}"), &[&secret]).text;
            prop_assert!(!shown.contains(&secret), "{}", shown);
        }
    }
}
