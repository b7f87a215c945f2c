//! From what stands in the cluster and in Argo CD to the one thing to do next.
//!
//! Pure: no I/O and no clock. At most one change comes out, and after it everything is looked at
//! again; so a process that is killed between two changes leaves nothing that its successor can't
//! carry on from: at the most a key that nobody has, which is retired like any other.
//!
//! The rules behind all of it: a key that works is left alone, whoever made it; a key is replaced
//! only on a definite no, which is a no to the key beside a yes to a fresh session of our own; what is
//! replaced is retired later, and only if it is ours. `docs/credentials.md` tells the whole life.

use super::action::{Action, CredentialStatus, Decision, MintReason, Plan, RetireReason};
use super::reach::trouble;
use super::record::CredentialRecord;
use super::snapshot::{Check, Fresh, Key, Login, Mirror, Snapshot, SupersededKey};
use crate::argocd::verify::{KeyHealth, Refusal, diagnose};
use crate::controller::Consumers;
use crate::core::Mode;
use crate::time::Seconds;

/// How many superseded keys of ours are kept.
const MAX_LEFT: usize = 2;
/// How old a key is, at least, that is taken for refused at once. A younger one may be unknown to a
/// replica yet, or be of a clock that is ahead.
const MIN_AGE: Seconds = 60;
/// How long a young key has to be refused before it counts.
const MIN_REFUSED: Seconds = 5;
/// How far Argo CD's clock may be behind the one by which a key was made, for the key to be waited for.
const MAX_BEHIND: Seconds = 600;
/// How long a fresh key may take to be accepted.
const SETTLE_DELAY: Seconds = 10;
/// When a key is looked at again after it was first seen to work, whatever the interval.
const FIRST_CHECKS: [Seconds; 4] = [1, 5, 15, 30];
/// The longest time without asking whether a key is accepted again.
const POLL_INTERVAL: Seconds = 30;

/// What the settings say about time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Services that read the Secret by name are taken to have read it again after this.
    pub follow_after: Seconds,
    /// Time between two looks at a key that works.
    pub check: Seconds,
}

/// Decides what to do next.
#[must_use]
pub fn plan(seen: &Snapshot, terms: Timing, now: Seconds) -> Plan {
    let view = View { seen, terms, now };
    let (state, next) = view.next();
    // A request is answered by the look that has just been had, whatever it showed, unless the next one
    // in a moment says more.
    let next = match next {
        Decision::Act(_) | Decision::Soon => next,
        _ if seen.asked() => {
            let explained = if let Key::Refused { id, .. } = &seen.key { Some(id.clone()) } else { None };
            let answered = seen.requests.clone();
            Decision::Act(Action::Remember(CredentialRecord { answered, explained, ..seen.marks.clone() }))
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
    fn next(&self) -> (CredentialStatus, Decision) {
        if let Some(fresh) = &self.seen.fresh {
            return self.deliver(fresh);
        }
        let health = self.seen.session.as_ref().map(|session| &session.health);
        match diagnose(self.seen.key.answer(self.seen.mode), health) {
            KeyHealth::Works => self.works(),
            KeyHealth::Odd | KeyHealth::Unknown(None) => self.left_alone(),
            // Nobody but a person can do anything in token mode.
            _ if self.seen.mode == Mode::Token => self.complain(),
            // No login is spent on what is waited with.
            KeyHealth::Undecided if self.is_lost() => self.waits_after_losses().unwrap_or_else(|| self.log_in()),
            KeyHealth::Undecided => self.log_in(),
            KeyHealth::Unknown(Some(error)) => (CredentialStatus::Unavailable(trouble(&error)), Decision::Backoff),
            KeyHealth::ServerBroken(how) => (CredentialStatus::ServerBroken(how), Decision::Backoff),
            KeyHealth::Withheld(Refusal::Disabled) => (CredentialStatus::AccountDisabled, Decision::Backoff),
            KeyHealth::Withheld(_) => (CredentialStatus::NoApiKey, Decision::Backoff),
            KeyHealth::Dead => self.replace(),
        }
    }

    fn works(&self) -> (CredentialStatus, Decision) {
        match &self.seen.key {
            Key::Works { id, expires: Some(when) } => (CredentialStatus::Expires(*when), self.keep(id)),
            Key::Works { id, expires: None } => {
                let lost = self.vanishing(None).unwrap_or(CredentialStatus::Valid);
                (lost, self.keep(id))
            }
            _ => self.left_alone(),
        }
    }

    fn left_alone(&self) -> (CredentialStatus, Decision) {
        let status = match &self.seen.key {
            Key::Odd(how) => CredentialStatus::Odd(how.clone()),
            Key::Unknown(transient) => CredentialStatus::Unavailable(transient.clone()),
            _ => return self.complain(),
        };
        (status, Decision::Backoff)
    }

    /// In token mode: what is wrong, for the person who has to mend it.
    fn complain(&self) -> (CredentialStatus, Decision) {
        match &self.seen.key {
            Key::Absent(what) => (CredentialStatus::Missing(what.clone()), self.check_again()),
            Key::WrongKind(what) => (CredentialStatus::WrongKind(what.clone()), self.check_again()),
            Key::Refused { said, .. } => (CredentialStatus::Refused(said.clone()), Decision::Backoff),
            Key::Works { .. } | Key::Odd(_) | Key::Unknown(_) => (CredentialStatus::Valid, self.check_again()),
        }
    }

    /// Why what stands there is replaced.
    fn reason(&self) -> MintReason {
        match &self.seen.key {
            Key::Absent(_) => MintReason::Absent,
            Key::WrongKind(what) => MintReason::WrongKind(what.clone()),
            Key::Works { .. } => MintReason::Expires,
            Key::Refused { .. } | Key::Odd(_) | Key::Unknown(_) => MintReason::Refused,
        }
    }

    const fn check_again(&self) -> Decision {
        Decision::At(self.now.saturating_add(self.terms.check))
    }

    /// Brings a fresh key into the Secret, if it is any good and still needed.
    fn deliver(&self, fresh: &Fresh) -> (CredentialStatus, Decision) {
        match &self.seen.key {
            Key::Unknown(_) | Key::Odd(_) => return self.left_alone(),
            // Somebody else was faster. Theirs is as good.
            Key::Works { expires: None, .. } => return (CredentialStatus::Valid, Decision::Act(Action::Discard)),
            _ => {}
        }
        let why = self.reason();
        let next = match &fresh.check {
            Check::Works => Decision::Act(Action::Store(why.clone())),
            Check::NotKnown if self.now < fresh.since.saturating_add(SETTLE_DELAY) => Decision::Soon,
            Check::NotKnown => Decision::Act(Action::Discard),
            Check::Unknown(trouble) => return (CredentialStatus::Unavailable(trouble.clone()), Decision::Backoff),
        };
        (CredentialStatus::Replacing(why), next)
    }

    /// A key has to be made, and can be.
    fn replace(&self) -> (CredentialStatus, Decision) {
        let why = self.reason();
        let made = self.seen.session.as_ref().and_then(|session| session.made);
        if let Some((from, wait)) = made.and_then(|made| self.not_yet(made)) {
            let poll = wait.min(self.terms.check).min(POLL_INTERVAL);
            return (CredentialStatus::NotYet(from), Decision::At(self.now.saturating_add(poll)));
        }
        if self.may_be_a_moments_no() {
            return (CredentialStatus::Replacing(why), Decision::Soon);
        }
        if let Some(loss) = self.new_loss() {
            return (CredentialStatus::Replacing(why), Decision::Act(Action::Remember(loss)));
        }
        if let Some(waits) = self.waits_after_losses() {
            return waits;
        }
        // With the one that is held: it is superseded as soon as there is another.
        let to_be = self.seen.left.len() + usize::from(self.seen.held_is_ours);
        let next = if let Some(oldest) = self.oldest().filter(|_| to_be > MAX_LEFT) {
            // Before, so that there never are more.
            Self::retire(oldest, RetireReason::TooMany)
        } else {
            Decision::Act(Action::Mint(why.clone()))
        };
        (CredentialStatus::Replacing(why), next)
    }

    /// What is to be remembered of a key that vanished and was not lost before. A change of the password
    /// kills keys too, and leaves them in the list.
    fn new_loss(&self) -> Option<CredentialRecord> {
        let Key::Refused { id, .. } = &self.seen.key else { return None };
        let known = self.seen.marks.lost.iter().any(|lost| lost.id == *id);
        (self.seen.held_vanished && !known && !self.is_explained()).then(|| self.seen.marks.with_loss(id, self.now))
    }

    /// Whether a person explains that the key is gone: who asks for a look may have revoked it, and gets
    /// another one at once.
    fn is_explained(&self) -> bool {
        let explained = self.seen.marks.explained.as_deref();
        self.seen.asked() || matches!(&self.seen.key, Key::Refused { id, .. } if explained == Some(id.as_str()))
    }

    /// What is waited for before another key is made in place of one that vanished.
    fn waits_after_losses(&self) -> Option<(CredentialStatus, Decision)> {
        let next = self.seen.marks.next_mint(self.now).filter(|_| !self.is_explained())?;
        let poll = self.now.saturating_add(self.terms.check.min(POLL_INTERVAL));
        let status = self.vanishing(Some(next)).unwrap_or_else(|| CredentialStatus::Replacing(self.reason()));
        Some((status, Decision::At(next.min(poll))))
    }

    /// Whether the key is known to have vanished.
    fn is_lost(&self) -> bool {
        matches!(&self.seen.key, Key::Refused { id, .. } if self.seen.marks.lost.iter().any(|lost| lost.id == *id))
    }

    /// Whether keys vanish: more than one did within an hour. A single one is somebody's revocation.
    fn vanishing(&self, next: Option<Seconds>) -> Option<CredentialStatus> {
        let lost = self.seen.marks.recent_losses(self.now).count();
        let lived = self.seen.marks.recent_losses(self.now).next_back()?.lived;
        (lost > 1).then_some(CredentialStatus::KeyLost { lost, lived, next })
    }

    /// From when the key is good, where it is refused for no more than a clock: Argo CD's own, which made
    /// the session, is behind the one that made the key. With the seconds until then.
    fn not_yet(&self, made: Seconds) -> Option<(Seconds, Seconds)> {
        let Key::Refused { from, .. } = &self.seen.key else { return None };
        let wait = from.saturating_sub(made);
        (1..=MAX_BEHIND).contains(&wait).then_some((*from, wait))
    }

    /// Whether another replica may know a young key that this one doesn't.
    fn may_be_a_moments_no(&self) -> bool {
        let Key::Refused { issued, since, .. } = &self.seen.key else { return false };
        let young = self.now.abs_diff(*issued) < MIN_AGE.unsigned_abs();
        young && self.now < since.saturating_add(MIN_REFUSED)
    }

    fn log_in(&self) -> (CredentialStatus, Decision) {
        match &self.seen.login {
            Login::Missing(what) => (CredentialStatus::Missing(what.clone()), self.check_again()),
            Login::Free => (CredentialStatus::Replacing(self.reason()), Decision::Act(Action::Login)),
            Login::NoWay(trouble) => (CredentialStatus::Unavailable(trouble.clone()), Decision::Backoff),
            Login::Tried { until, said } => {
                let state = said.as_ref().map_or(CredentialStatus::LoginUnknown(*until), |said| {
                    CredentialStatus::LoginRefused(*until, said.clone())
                });
                // The key may be accepted again before: then no login is needed.
                let poll = self.now.saturating_add(self.terms.check.min(POLL_INTERVAL));
                (state, Decision::At((*until).min(poll)))
            }
        }
    }

    /// The key works: what it superseded is retired, and remembered until then.
    fn keep(&self, id: &str) -> Decision {
        let marks = self.marks(id);
        if marks != self.seen.marks {
            return Decision::Act(Action::Remember(marks));
        }
        if let Some(never_delivered) = self.seen.left.iter().find(|left| left.never_delivered) {
            return Self::retire(never_delivered, RetireReason::Unused);
        }
        if self.seen.mirror == Mirror::Differs {
            return Decision::Act(Action::Copy);
        }
        // It shows whether the password is still the account's: a pod waits for it.
        if self.seen.login_due && self.seen.login == Login::Free {
            return Decision::Act(Action::Login);
        }
        // A key that was made a moment ago may be gone a moment later.
        let since = marks.valid.as_ref().map_or(self.now, |(_, since)| *since);
        let first = FIRST_CHECKS.map(|after| since.saturating_add(after)).into_iter().find(|then| *then > self.now);
        let check = self.now.saturating_add(self.terms.check);
        let check = first.map_or(check, |first| first.min(check));
        if self.clears(&marks) {
            return Decision::Act(Action::Clear);
        }
        let Some(oldest) = self.oldest() else { return Decision::At(check) };
        if self.seen.left.len() > MAX_LEFT {
            return Self::retire(oldest, RetireReason::TooMany);
        }
        if self.seen.consumers != Consumers::InStep {
            return Decision::At(check);
        }
        let due = self.due(&marks, oldest);
        if due <= self.now { Self::retire(oldest, RetireReason::Superseded) } else { Decision::At(due.min(check)) }
    }

    /// When a superseded key may go.
    fn due(&self, marks: &CredentialRecord, left: &SupersededKey) -> Seconds {
        let since = marks.superseded.get(&left.id).copied().unwrap_or(self.now);
        since.saturating_add(self.terms.follow_after)
    }

    /// Whether `argocd-token` holds a key of ours that is about to be retired, or was, and no pod has it.
    fn clears(&self, marks: &CredentialRecord) -> bool {
        let Mirror::Former { id, gone } = &self.seen.mirror else { return false };
        let left = self.seen.left.iter().find(|left| left.id == *id);
        let over = left.map_or(*gone, |left| self.due(marks, left) <= self.now);
        over && self.seen.consumers == Consumers::InStep
    }

    /// What there is to remember while a key works.
    fn marks(&self, id: &str) -> CredentialRecord {
        let before = &self.seen.marks;
        let valid = before.valid.clone().filter(|(known, since)| known == id && *since <= self.now);
        let superseded = |left: &SupersededKey| {
            // A time in the future is a clock's mistake.
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

    /// Of the keys that are left over, the one that goes first.
    fn oldest(&self) -> Option<&SupersededKey> {
        let since = |left: &SupersededKey| self.seen.marks.superseded.get(&left.id).copied().unwrap_or(Seconds::MAX);
        self.seen.left.iter().min_by_key(|left| (!left.never_delivered, since(left), left.issued))
    }

    fn retire(left: &SupersededKey, gone: RetireReason) -> Decision {
        Decision::Act(Action::Retire(left.account.clone(), left.id.clone(), gone))
    }
}
