//! Values of flags: what is read, and what is refused.

use argocd_auth_webhook::commands::context::{SecretKey, is_account};
use argocd_auth_webhook::settings::duration;
use std::time::Duration;

/// A time above zero.
pub fn bound(text: &str) -> Result<Duration, String> {
    duration(text)?.checked_sub(Duration::from_millis(1)).ok_or("it must be above 0")?;
    duration(text)
}

/// Bytes, with the binary suffixes of Kubernetes' quantities.
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
    const MOST: usize = 1 << 20;
    let wrong = || format!("{text:?} is no number from 1 to {MOST}");
    text.parse().ok().filter(|count| (1..=MOST).contains(count)).ok_or_else(wrong)
}

pub fn account(text: &str) -> Result<String, String> {
    if is_account(text) {
        Ok(text.to_owned())
    } else {
        Err("no name of an account: letters, digits, '-', '_' and '.', at most 32".to_owned())
    }
}

pub fn password_secret(text: &str) -> Result<SecretKey, String> {
    SecretKey::parse(text, "password")
}

/// Argo CD counts in seconds, and what is far away overflows there.
pub fn lasting(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_hours(10 * 365 * 24);
    let time = duration(text)?;
    if (Duration::from_secs(1)..=MOST).contains(&time) {
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
        assert!(bound("0s").is_err() && bound("1ms").is_ok());
    }
}
