//! The clock of the whole program: seconds since 1970 in UTC, and their text form.

use k8s_openapi::jiff::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub type Seconds = i64;

/// The current time.
#[must_use]
pub fn now() -> Seconds {
    at(SystemTime::now())
}

/// A time of the system's clock; 0 before 1970.
#[must_use]
pub fn at(time: SystemTime) -> Seconds {
    seconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole seconds, without what is over.
#[must_use]
pub fn seconds(time: Duration) -> Seconds {
    Seconds::try_from(time.as_secs()).unwrap_or(Seconds::MAX)
}

/// A time in RFC 3339, such as `2026-03-21T08:05:00Z`.
#[must_use]
pub fn rfc3339(time: Seconds) -> String {
    Timestamp::from_second(time).map_or_else(|_| "a time out of range".to_owned(), |time| time.to_string())
}
