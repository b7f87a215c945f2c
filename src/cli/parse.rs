//! Parsers of flags' values.

use argocd_auth_webhook::commands::context::SecretKey;
use argocd_auth_webhook::resolve::is_account_name;
use argocd_auth_webhook::settings::{duration, is_namespace_name, is_object_name};
use std::time::Duration;

/// A duration above zero.
pub fn bound(text: &str) -> Result<Duration, String> {
    duration(text)?.checked_sub(Duration::from_millis(1)).ok_or("it must be above 0")?;
    duration(text)
}

/// A number of bytes, with the binary suffixes of Kubernetes' quantities.
pub fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is no size; write it as a number of bytes, or with Ki, Mi or Gi");
    let (number, shift) = [("Ki", 10), ("Mi", 20), ("Gi", 30)]
        .into_iter()
        .find_map(|(suffix, shift)| text.strip_suffix(suffix).map(|number| (number, shift)))
        .unwrap_or((text, 0));
    let number: usize = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

pub fn count(text: &str) -> Result<usize, String> {
    const MAX_COUNT: usize = 1 << 20;
    let wrong = || format!("{text:?} is no number from 1 to {MAX_COUNT}");
    text.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count)).ok_or_else(wrong)
}

/// The name of a namespace.
pub fn namespace(text: &str) -> Result<String, String> {
    if is_namespace_name(text) { Ok(text.to_owned()) } else { Err(format!("no {NAMES}, at most 63")) }
}

/// The name of an object.
pub fn object(text: &str) -> Result<String, String> {
    if is_object_name(text) { Ok(text.to_owned()) } else { Err(format!("no {NAMES}, and '.', at most 253")) }
}

const NAMES: &str = "name that Kubernetes allows: lower case letters, digits and '-'";

/// A name that may be left out. Empty, as from an unset variable, is the same as left out.
#[derive(Clone, Debug)]
pub struct Maybe(Option<String>);

impl Maybe {
    pub fn namespace(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { namespace(text).map(|name| Self(Some(name))) }
    }

    pub fn object(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { object(text).map(|name| Self(Some(name))) }
    }

    /// The value of a flag, if it was given and isn't empty.
    pub fn given(flag: Option<&Self>) -> Option<String> {
        flag.and_then(|Self(name)| name.clone())
    }
}

pub fn account(text: &str) -> Result<String, String> {
    if is_account_name(text) {
        Ok(text.to_owned())
    } else {
        Err("no name of an account: letters, digits, '-', '_' and '.', at most 32".to_owned())
    }
}

pub fn password_secret(text: &str) -> Result<SecretKey, String> {
    SecretKey::parse(text, "password")
}

/// The life of a key, from 1 second to ten years: Argo CD counts in seconds, and would overflow.
pub fn lasting(text: &str) -> Result<Duration, String> {
    const MAX_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
    let time = duration(text)?;
    if (Duration::from_secs(1)..=MAX_LIFE).contains(&time) {
        Ok(time)
    } else {
        Err("it must be from 1s to 87600h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_read_and_nonsense_is_refused() {
        assert_eq!(size("8Mi"), Ok(8 << 20));
        assert_eq!(size("100"), Ok(100));
        for bad in ["", "0", "Mi", "8M", "-1", "99999999999999999999", "99999999999Gi0"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(count("0").is_err() && count("5") == Ok(5) && count("9223372036854775807").is_err());
        assert!(namespace("a-1").is_ok() && namespace("").is_err() && object("").is_err());
        assert_eq!(Maybe::given(Maybe::namespace("").ok().as_ref()), None);
        assert_eq!(Maybe::given(Maybe::object("a.b").ok().as_ref()).as_deref(), Some("a.b"));
        for bad in ["A", "a b", "a.b", "-a", "a/b"] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
        assert!(object("a.b").is_ok() && object("a/b").is_err() && object("A b").is_err());
        assert!(bound("0s").is_err() && bound("1ms").is_ok());
    }
}
