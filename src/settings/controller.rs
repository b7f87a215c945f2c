//! The settings of the controller: `credentials` and `rollout`.

use super::block::{Block, Report};
use super::duration;
use std::time::Duration;

/// What the controller does about pods that have drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// It replaces them.
    Automatic,
    /// It only reports them.
    Report,
}

/// What services that read a Secret by name do when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByName {
    /// They read it again by themselves.
    Follow,
    /// They read it only when they start, so they have to be restarted.
    Restart,
}

/// How long an observation of the credential stays valid: three check intervals, at least 5 minutes, so that
/// one failed check stops nothing. Every part of the program uses this bound.
#[must_use]
pub const fn freshness(check_interval: Duration) -> Duration {
    const MIN_FRESHNESS: Duration = Duration::from_mins(5);
    let three = check_interval.saturating_mul(3);
    if three.as_secs() < MIN_FRESHNESS.as_secs() { MIN_FRESHNESS } else { three }
}

/// How the controller keeps the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// How long services that read the Secret by name may go on using the key that it held before: the former
    /// key is retired after that. An assumption, since the Runtime doesn't document it. 0 to 24 hours, 10
    /// minutes by default.
    pub follow_after: Duration,
    /// How often the credential is verified while nothing changes. 1 second to 24 hours, 30 seconds by
    /// default.
    pub check_interval: Duration,
    /// How long the same user name and password aren't tried again after a login that wasn't seen to succeed.
    /// 1 second to 24 hours. Argo CD locks an account after five failures within 300 seconds, hence 310 by
    /// default.
    pub login_wait: Duration,
    /// Whether token mode keeps a verified copy of the token in Secret `argocd-token`, which promotion
    /// workflows read in either mode. No effect in password mode, where the minted key is there anyway.
    pub mirror_token: bool,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            follow_after: Duration::from_mins(10),
            check_interval: Duration::from_secs(30),
            login_wait: Duration::from_secs(310),
            mirror_token: false,
        }
    }
}

const MAX_INTERVAL: Duration = Duration::from_hours(24);

/// The keys that `credentials` may have, those included that only the chart reads.
pub(super) const CREDENTIALS: [&str; 6] =
    ["createSecret", "keepFormerSecret", "followAfter", "checkInterval", "loginWait", "mirrorToken"];
/// The keys that `rollout` may have, if it is a mapping.
pub(super) const ROLLOUT: [&str; 3] = ["mode", "byName", "requireVerified"];

/// Reads `credentials`; a key left out has its default.
pub(super) fn credentials(root: &Block<'_>, report: &mut Report) -> Credentials {
    let defaults = Credentials::default();
    let Some(block) = root.block("credentials", report) else { return defaults };
    block.only(&CREDENTIALS, report);
    let mirror_token = block.boolean("mirrorToken", report).unwrap_or(defaults.mirror_token);
    let mut time = |key: &str, least: Duration, default: Duration| {
        let Some(text) = block.string(key, report) else { return default };
        match duration(text) {
            Ok(time) if (least..=MAX_INTERVAL).contains(&time) => time,
            Ok(_) => {
                let text = format!("{text:?} is out of bounds; allowed: {least:?} to 24h");
                report.problem::<()>(&block.path_of(key), text);
                default
            }
            Err(wrong) => {
                report.problem::<()>(&block.path_of(key), wrong);
                default
            }
        }
    };
    Credentials {
        follow_after: time("followAfter", Duration::ZERO, defaults.follow_after),
        check_interval: time("checkInterval", Duration::from_secs(1), defaults.check_interval),
        login_wait: time("loginWait", Duration::from_secs(1), defaults.login_wait),
        mirror_token,
    }
}

/// The `rollout` block after reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RolloutSettings {
    pub mode: Rollout,
    pub by_name: ByName,
    /// Whether a running pod is replaced only while the credential has been seen to work.
    pub require_verified: bool,
}

/// Reads `rollout`: either the mode as a string, or a mapping of `mode`, `byName` and `requireVerified`.
pub(super) fn rollout(root: &Block<'_>, report: &mut Report) -> RolloutSettings {
    const MODES: [(&str, Rollout); 2] = [("automatic", Rollout::Automatic), ("report", Rollout::Report)];
    const BY_NAME: [(&str, ByName); 2] = [("follow", ByName::Follow), ("restart", ByName::Restart)];
    let defaults = RolloutSettings { mode: Rollout::Automatic, by_name: ByName::Follow, require_verified: true };
    let mode =
        |block: &Block<'_>, key: &str, report: &mut Report| block.one_of(key, &MODES, report).unwrap_or(defaults.mode);
    match root.get("rollout") {
        Some(value) if value.is_object() => {
            let Some(block) = root.block("rollout", report) else { return defaults };
            block.only(&ROLLOUT, report);
            RolloutSettings {
                mode: mode(&block, "mode", report),
                by_name: block.one_of("byName", &BY_NAME, report).unwrap_or(defaults.by_name),
                require_verified: block.boolean("requireVerified", report).unwrap_or(defaults.require_verified),
            }
        }
        Some(value) if !value.is_string() => {
            let text = "is not allowed; allowed: automatic, report, or a mapping of mode, byName and requireVerified";
            report.problem::<()>(&root.path_of("rollout"), text);
            defaults
        }
        _ => RolloutSettings { mode: mode(root, "rollout", report), ..defaults },
    }
}
