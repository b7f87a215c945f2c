//! The clock of the whole program: seconds since 1970 in UTC, and their text form.

use k8s_openapi::jiff::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub type Seconds = i64;

/// The current time.
#[must_use]
pub fn now() -> Seconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Seconds::try_from(since.as_secs()).unwrap_or(Seconds::MAX)
}

/// A time in RFC 3339, such as `2026-03-21T08:05:00Z`.
#[must_use]
pub fn rfc3339(time: Seconds) -> String {
    Timestamp::from_second(time).map_or_else(|_| "a time out of range".to_owned(), |time| time.to_string())
}
