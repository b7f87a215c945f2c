//! Decides the next change to the credential.
//!
//! Pure: no I/O and no clock. A plan has at most one change, after which everything is observed again. So a
//! process that is killed between two changes leaves nothing that its successor couldn't continue: at most a
//! key that nobody has, which is retired like any other.
//!
//! The rules behind all of it: a key that works is left alone, whoever made it, unless it expires (in
//! password mode); a key that is refused, expires, is missing or isn't a usable key at all is replaced only
//! while Argo CD accepts a fresh session of our own; a replaced key is retired later, and only if it is ours.
//! `docs/credentials.md` describes a key's whole life.

use super::action::{Action, CredentialStatus, MintReason, NextStep, Plan, RetireReason};
use super::reach::trouble;
use super::record::CredentialRecord;
use super::snapshot::{Check, Fresh, Key, Login, Mirror, Snapshot, SupersededKey};
use crate::argocd::verify::{KeyHealth, Refusal, diagnose};
use crate::controller::Consumers;
use crate::core::Mode;
use crate::time::Seconds;

/// How many superseded keys of ours are kept.
const MAX_SUPERSEDED_KEYS: usize = 2;
/// The age in seconds below which a refused key isn't replaced at once: a replica may not know it yet, or a
/// clock may be ahead.
const YOUNG_KEY_AGE: Seconds = 60;
/// For how many seconds a younger key has to be refused before that counts.
const MIN_REFUSED_TIME: Seconds = 5;
/// By how many seconds Argo CD's clock may be behind that of the key's issuer, for the key to be waited for.
const MAX_CLOCK_LAG: Seconds = 600;
/// How many seconds a fresh key may take to be accepted.
const KEY_ACCEPTANCE_TIMEOUT: Seconds = 10;
/// After how many seconds a key is checked again once it was first seen to work, if the interval is longer.
const FIRST_CHECKS: [Seconds; 4] = [1, 5, 15, 30];
/// The longest time, in seconds, without checking whether a refused key is accepted again.
const POLL_INTERVAL: Seconds = 30;

/// The settings' durations that a plan depends on, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long services that read the Secret by name may go on using the former key.
    pub follow_after: Seconds,
    /// The time between two checks of a key that works.
    pub check: Seconds,
}

/// Plans the next change for what was observed, at `now` (seconds since 1970).
#[must_use]
pub fn plan(seen: &Snapshot, terms: Timing, now: Seconds) -> Plan {
    let view = View { seen, terms, now };
    let (state, next) = view.next();
    // This observation answers a request whatever it showed, unless the next one follows in a moment.
    let next = match next {
        NextStep::Execute(_) | NextStep::RequeueSoon => next,
        _ if seen.asked() => {
            let explained = if let Key::Refused { id, .. } = &seen.key { Some(id.clone()) } else { None };
            let answered = seen.requests.clone();
            NextStep::Execute(Action::Remember(CredentialRecord { answered, explained, ..seen.record.clone() }))
        }
        other => other,
    };
    Plan { state, next }
}

struct View<'s> {
    seen: &'s Snapshot,
    terms: Timing,
    now: Seconds,
}

impl View<'_> {
    fn next(&self) -> (CredentialStatus, NextStep) {
        if let Some(fresh) = &self.seen.fresh {
            return self.store_fresh_key(fresh);
        }
        let health = self.seen.session.as_ref().map(|session| &session.health);
        match diagnose(self.seen.key.answer(self.seen.mode), health) {
            KeyHealth::Works => self.works(),
            KeyHealth::Odd | KeyHealth::Unknown(None) => self.left_alone(),
            // In token mode only a person can do anything.
            _ if self.seen.mode == Mode::Token => self.report_bad_token(),
            // No login is spent while the replacement has to wait.
            KeyHealth::Undecided if self.is_lost() => self.waits_after_losses().unwrap_or_else(|| self.log_in()),
            KeyHealth::Undecided => self.log_in(),
            KeyHealth::Unknown(Some(error)) => (CredentialStatus::Unavailable(trouble(&error)), NextStep::Backoff),
            KeyHealth::ServerBroken(how) => (CredentialStatus::ServerBroken(how), NextStep::Backoff),
            KeyHealth::Withheld(Refusal::Disabled) => (CredentialStatus::AccountDisabled, NextStep::Backoff),
            KeyHealth::Withheld(_) => (CredentialStatus::NoApiKey, NextStep::Backoff),
            KeyHealth::Dead => self.replace(),
        }
    }

    fn works(&self) -> (CredentialStatus, NextStep) {
        match &self.seen.key {
            Key::Works { id, expires: Some(when) } => (CredentialStatus::Expires(*when), self.keep(id)),
            Key::Works { id, expires: None } => {
                let lost = self.vanishing(None).unwrap_or(CredentialStatus::Valid);
                (lost, self.keep(id))
            }
            _ => self.left_alone(),
        }
    }

    fn left_alone(&self) -> (CredentialStatus, NextStep) {
        let status = match &self.seen.key {
            Key::Odd(how) => CredentialStatus::Odd(how.clone()),
            Key::Unknown(transient) => CredentialStatus::Unavailable(transient.clone()),
            _ => return self.report_bad_token(),
        };
        (status, NextStep::Backoff)
    }

    /// The state of a token that doesn't work, for the person who has to replace it.
    fn report_bad_token(&self) -> (CredentialStatus, NextStep) {
        match &self.seen.key {
            Key::Absent(what) => (CredentialStatus::Missing(what.clone()), self.check_again()),
            Key::WrongKind(what) => (CredentialStatus::WrongKind(what.clone()), self.check_again()),
            Key::Refused { said, .. } => (CredentialStatus::Refused(said.clone()), NextStep::Backoff),
            Key::Works { .. } | Key::Odd(_) | Key::Unknown(_) => (CredentialStatus::Valid, self.check_again()),
        }
    }

    /// Why the Secret's key is replaced.
    fn reason(&self) -> MintReason {
        match &self.seen.key {
            Key::Absent(_) => MintReason::Absent,
            Key::WrongKind(what) => MintReason::WrongKind(what.clone()),
            Key::Works { .. } => MintReason::Expires,
            Key::Refused { .. } | Key::Odd(_) | Key::Unknown(_) => MintReason::Refused,
        }
    }

    const fn check_again(&self) -> NextStep {
        NextStep::WaitUntil(self.now.saturating_add(self.terms.check))
    }

    /// Writes the fresh key into the Secret, if it works and is still needed.
    fn store_fresh_key(&self, fresh: &Fresh) -> (CredentialStatus, NextStep) {
        match &self.seen.key {
            Key::Unknown(_) | Key::Odd(_) => return self.left_alone(),
            // Another process stored a key first, which is as good.
            Key::Works { expires: None, .. } => return (CredentialStatus::Valid, NextStep::Execute(Action::Discard)),
            _ => {}
        }
        let why = self.reason();
        let next = match &fresh.check {
            Check::Works => NextStep::Execute(Action::Store(why.clone())),
            Check::NotKnown if self.now < fresh.since.saturating_add(KEY_ACCEPTANCE_TIMEOUT) => NextStep::RequeueSoon,
            Check::NotKnown => NextStep::Execute(Action::Discard),
            Check::Unknown(trouble) => return (CredentialStatus::Unavailable(trouble.clone()), NextStep::Backoff),
        };
        (CredentialStatus::Replacing(why), next)
    }

    /// Replaces a dead key: waits for clocks and replicas, records losses, and then mints.
    fn replace(&self) -> (CredentialStatus, NextStep) {
        let why = self.reason();
        let made = self.seen.session.as_ref().and_then(|session| session.made);
        if let Some((from, wait)) = made.and_then(|made| self.not_yet(made)) {
            let poll = wait.min(self.terms.check).min(POLL_INTERVAL);
            return (CredentialStatus::NotYet(from), NextStep::WaitUntil(self.now.saturating_add(poll)));
        }
        if self.may_be_replica_lag() {
            return (CredentialStatus::Replacing(why), NextStep::RequeueSoon);
        }
        if let Some(loss) = self.new_loss() {
            return (CredentialStatus::Replacing(why), NextStep::Execute(Action::Remember(loss)));
        }
        if let Some(waits) = self.waits_after_losses() {
            return waits;
        }
        // Count the key in the Secret, which is superseded by a new one.
        let to_be = self.seen.left.len() + usize::from(self.seen.held_is_ours);
        let next = if let Some(oldest) = self.oldest().filter(|_| to_be > MAX_SUPERSEDED_KEYS) {
            // Retired before minting, so that there are never more.
            Self::retire(oldest, RetireReason::TooMany)
        } else {
            NextStep::Execute(Action::Mint(why.clone()))
        };
        (CredentialStatus::Replacing(why), next)
    }

    /// The record with a key that has vanished, unless it is there already. A change of the password also
    /// makes keys invalid, but those stay listed.
    fn new_loss(&self) -> Option<CredentialRecord> {
        let Key::Refused { id, .. } = &self.seen.key else { return None };
        let known = self.seen.record.lost.iter().any(|lost| lost.id == *id);
        (self.seen.held_vanished && !known && !self.is_explained()).then(|| self.seen.record.with_loss(id, self.now))
    }

    /// Whether a person's request explains the loss: who requests a check may have revoked the key, and gets
    /// another one at once.
    fn is_explained(&self) -> bool {
        let explained = self.seen.record.explained.as_deref();
        self.seen.asked() || matches!(&self.seen.key, Key::Refused { id, .. } if explained == Some(id.as_str()))
    }

    /// What to wait for before another key is minted for one that has vanished; `None` if nothing.
    fn waits_after_losses(&self) -> Option<(CredentialStatus, NextStep)> {
        let next = self.seen.record.next_mint(self.now).filter(|_| !self.is_explained())?;
        let poll = self.now.saturating_add(self.terms.check.min(POLL_INTERVAL));
        let status = self.vanishing(Some(next)).unwrap_or_else(|| CredentialStatus::Replacing(self.reason()));
        Some((status, NextStep::WaitUntil(next.min(poll))))
    }

    /// Whether the key is recorded as vanished.
    fn is_lost(&self) -> bool {
        matches!(&self.seen.key, Key::Refused { id, .. } if self.seen.record.lost.iter().any(|lost| lost.id == *id))
    }

    /// The state if keys vanish repeatedly within an hour. A single loss is taken for a revocation by
    /// somebody.
    fn vanishing(&self, next: Option<Seconds>) -> Option<CredentialStatus> {
        let lost = self.seen.record.recent_losses(self.now).count();
        let lived = self.seen.record.recent_losses(self.now).next_back()?.lived;
        (lost > 1).then_some(CredentialStatus::KeyLost { lost, lived, next })
    }

    /// When the key becomes valid, if only a clock makes it refused: Argo CD's, which issued the session, is
    /// behind that of the key's issuer. With the seconds until then.
    fn not_yet(&self, made: Seconds) -> Option<(Seconds, Seconds)> {
        let Key::Refused { from, .. } = &self.seen.key else { return None };
        let wait = from.saturating_sub(made);
        (1..=MAX_CLOCK_LAG).contains(&wait).then_some((*from, wait))
    }

    /// Whether the refusal of a young key may only mean that this replica doesn't know it yet.
    fn may_be_replica_lag(&self) -> bool {
        let Key::Refused { issued, since, .. } = &self.seen.key else { return false };
        let young = self.now.abs_diff(*issued) < YOUNG_KEY_AGE.unsigned_abs();
        young && self.now < since.saturating_add(MIN_REFUSED_TIME)
    }

    fn log_in(&self) -> (CredentialStatus, NextStep) {
        match &self.seen.login {
            Login::Missing(what) => (CredentialStatus::Missing(what.clone()), self.check_again()),
            Login::Free => (CredentialStatus::Replacing(self.reason()), NextStep::Execute(Action::Login)),
            Login::NoWay(trouble) => (CredentialStatus::Unavailable(trouble.clone()), NextStep::Backoff),
            Login::Tried { until, said } => {
                let state = said.as_ref().map_or(CredentialStatus::LoginUnknown(*until), |said| {
                    CredentialStatus::LoginRefused(*until, said.clone())
                });
                // The key may be accepted again before, and then no login is needed.
                let poll = self.now.saturating_add(self.terms.check.min(POLL_INTERVAL));
                (state, NextStep::WaitUntil((*until).min(poll)))
            }
        }
    }

    /// For a key that works: updates the record, retires superseded keys, and checks again later.
    fn keep(&self, id: &str) -> NextStep {
        let record = self.record(id);
        if record != self.seen.record {
            return NextStep::Execute(Action::Remember(record));
        }
        if let Some(never_delivered) = self.seen.left.iter().find(|left| left.never_delivered) {
            return Self::retire(never_delivered, RetireReason::Unused);
        }
        if self.seen.mirror == Mirror::Differs {
            return NextStep::Execute(Action::Copy);
        }
        // The login shows whether the password is right, which a pod waits for.
        if self.seen.login_due && self.seen.login == Login::Free {
            return NextStep::Execute(Action::Login);
        }
        // A key that was minted a moment ago may vanish a moment later.
        let since = record.valid.as_ref().map_or(self.now, |(_, since)| *since);
        let first = FIRST_CHECKS.map(|after| since.saturating_add(after)).into_iter().find(|then| *then > self.now);
        let check = self.now.saturating_add(self.terms.check);
        let check = first.map_or(check, |first| first.min(check));
        if self.clears_mirror(&record) {
            return NextStep::Execute(Action::Clear);
        }
        let Some(oldest) = self.oldest() else { return NextStep::WaitUntil(check) };
        if self.seen.left.len() > MAX_SUPERSEDED_KEYS {
            return Self::retire(oldest, RetireReason::TooMany);
        }
        if self.seen.consumers != Consumers::InStep {
            return NextStep::WaitUntil(check);
        }
        let due = self.due(&record, oldest);
        if due <= self.now {
            Self::retire(oldest, RetireReason::Superseded)
        } else {
            NextStep::WaitUntil(due.min(check))
        }
    }

    /// When a superseded key may be retired, in seconds since 1970.
    fn due(&self, record: &CredentialRecord, left: &SupersededKey) -> Seconds {
        let since = record.superseded.get(&left.id).copied().unwrap_or(self.now);
        since.saturating_add(self.terms.follow_after)
    }

    /// Whether `argocd-token` has to be emptied: its key of ours is about to be retired or gone, and no pod
    /// holds it.
    fn clears_mirror(&self, record: &CredentialRecord) -> bool {
        let Mirror::Former { id, gone } = &self.seen.mirror else { return false };
        let left = self.seen.left.iter().find(|left| left.id == *id);
        let over = left.map_or(*gone, |left| self.due(record, left) <= self.now);
        over && self.seen.consumers == Consumers::InStep
    }

    /// The record while a key works.
    fn record(&self, id: &str) -> CredentialRecord {
        let before = &self.seen.record;
        let valid = before.valid.clone().filter(|(known, since)| known == id && *since <= self.now);
        let superseded = |left: &SupersededKey| {
            // A time in the future comes from a wrong clock.
            let since = before.superseded.get(&left.id).copied().filter(|since| *since <= self.now);
            (left.id.clone(), since.unwrap_or(self.now))
        };
        let holding = self.seen.left.iter().map(|left| &left.account);
        CredentialRecord {
            valid: Some(valid.unwrap_or_else(|| (id.to_owned(), self.now))),
            superseded: self.seen.left.iter().map(superseded).collect(),
            explained: None,
            accounts: holding.chain(&self.seen.unreadable_accounts).chain(&self.seen.account).cloned().collect(),
            lost: before.recent_losses(self.now).cloned().collect(),
            answered: if self.seen.asked() { self.seen.requests.clone() } else { before.answered.clone() },
        }
    }

    /// The superseded key that is retired first.
    fn oldest(&self) -> Option<&SupersededKey> {
        let since = |left: &SupersededKey| self.seen.record.superseded.get(&left.id).copied().unwrap_or(Seconds::MAX);
        self.seen.left.iter().min_by_key(|left| (!left.never_delivered, since(left), left.issued))
    }

    fn retire(left: &SupersededKey, gone: RetireReason) -> NextStep {
        NextStep::Execute(Action::Retire(left.account.clone(), left.id.clone(), gone))
    }
}
