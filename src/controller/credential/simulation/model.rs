//! The world of the simulation: an Argo CD, a cluster, and two controllers of which one holds the
//! Lease.

use super::super::action::NextStep;
use super::super::logins::LoginRecord;
use super::super::plan::{Timing, plan};
use super::super::record::CredentialRecord;
use super::super::snapshot::{Check, Fresh, Key, Login, Mirror, Session, Snapshot, SupersededKey, Transient};
use super::steps::Fault;
use crate::argocd::verify::SessionHealth;
use crate::argocd::{ArgoCdError, Cause};
use crate::controller::Consumers;
use crate::core::Mode;
use crate::time::Seconds;
use proptest::prelude::*;

pub(super) const TERMS: Timing = Timing { follow_after: 100, check: 50 };
pub(super) const WAIT: Seconds = 310;
const START: Seconds = 1_800_000_000;

/// A key as Argo CD lists it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) id: u64,
    pub(super) ours: bool,
    pub(super) issued: Seconds,
}

/// What the Secret holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Held {
    Nothing,
    Rubbish,
    Key { id: u64, ours: bool, issued: Seconds },
}

/// What a controller's process knows; gone when it is killed.
#[derive(Clone, Debug, Default)]
pub(super) struct CredentialMemory {
    pub(super) session: bool,
    pub(super) fresh: Option<(Token, Seconds)>,
    pub(super) discarded: Vec<u64>,
    pub(super) refused: Option<(u64, Seconds)>,
    /// The next call of this process goes wrong in this way.
    pub(super) fault: Fault,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the world's own")]
pub(super) struct World {
    pub(super) now: Seconds,
    // Argo CD.
    pub(super) tokens: Vec<Token>,
    /// Creations whose client has left, and which are stored later.
    pub(super) stalled: Vec<Token>,
    pub(super) password: u32,
    pub(super) changed: Seconds,
    pub(super) enabled: bool,
    pub(super) capable: bool,
    pub(super) broken: bool,
    pub(super) away: bool,
    // The cluster.
    pub(super) held: Held,
    pub(super) secret_password: u32,
    /// The user name in the settings: 0 is the account's, others are somebody's.
    pub(super) user: u32,
    pub(super) record: CredentialRecord,
    pub(super) logins: LoginRecord,
    pub(super) stale: bool,
    // The controllers.
    pub(super) memories: [CredentialMemory; 2],
    pub(super) leader: usize,
    // What is counted.
    pub(super) next: u64,
    pub(super) minted: usize,
    pub(super) refused_logins: usize,
    pub(super) foreign_lost: usize,
    pub(super) foreign: usize,
    /// Logins that came to Argo CD and failed there since the last one of the same user that didn't.
    pub(super) refused_at: Vec<(String, Seconds)>,
}

#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A controller is up for so many steps.
    Steps(usize, usize),
    /// Its next call goes wrong.
    Fault(usize, Fault),
    Time(Seconds),
    /// It forgets everything, between two steps.
    Kill(usize),
    /// Somebody deletes the state Secret.
    LoseState,
    Empty,
    Rubbish,
    /// Somebody else makes a key of their own and writes it.
    ForeignKey,
    /// Argo CD forgets the key that is held.
    Revoke,
    /// The account's password changes, with the Secret or without.
    Password(bool),
    UpdatePassword,
    /// The Secret gets the password of before.
    OldPassword,
    /// Somebody writes a wrong password.
    WrongPassword(u32),
    /// The settings name another user.
    User(u32),
    Capability(bool),
    Enabled(bool),
    Broken(bool),
    Away(bool),
    Stale(bool),
    /// What was stalled is stored now.
    StalledCreates,
}

fn trouble() -> Transient {
    Transient { kind: "timed_out", text: String::new(), retry_after: None }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: START,
            tokens: vec![Token { id: 900, ours: false, issued: START - 9000 }],
            stalled: Vec::new(),
            password: 1,
            changed: START - 10_000,
            enabled: true,
            capable: true,
            broken: false,
            away: false,
            held: Held::Nothing,
            secret_password: 1,
            user: 0,
            record: CredentialRecord::default(),
            logins: LoginRecord::default(),
            stale: false,
            memories: [CredentialMemory::default(), CredentialMemory::default()],
            leader: 0,
            next: 1,
            minted: 0,
            refused_logins: 0,
            foreign_lost: 0,
            foreign: 1,
            refused_at: Vec::new(),
        }
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether Argo CD takes a key, were its configuration in order.
    pub(super) fn is_good(&self, id: u64, issued: Seconds) -> bool {
        let listed = self.tokens.iter().any(|token| token.id == id);
        listed && self.enabled && self.capable && issued >= self.changed
    }

    pub(super) fn held_works(&self) -> bool {
        matches!(self.held, Held::Key { id, issued, .. } if self.is_good(id, issued) && !self.broken)
    }

    pub(super) fn held_id(&self) -> Option<u64> {
        if let Held::Key { id, .. } = self.held { Some(id) } else { None }
    }

    /// What is tried, in place of its keyed hash.
    pub(super) fn credential(&self) -> String {
        format!("{} {}", self.user, self.secret_password)
    }

    pub(super) fn ours(&self) -> usize {
        self.tokens.iter().filter(|token| token.ours).count()
    }

    fn key(&mut self, who: usize) -> Key {
        let (id, issued) = match self.held {
            Held::Nothing => return Key::Absent(String::new()),
            Held::Rubbish => return Key::WrongKind(String::new()),
            // It is the account's, and the settings name another user.
            Held::Key { .. } if self.user != 0 => return Key::WrongKind(String::new()),
            Held::Key { id, issued, .. } => (id, issued),
        };
        if self.away {
            return Key::Unknown(trouble());
        }
        if self.is_good(id, issued) && !self.broken {
            self.memories[who].refused = None;
            return Key::Works { id: id.to_string(), expires: None };
        }
        let before = self.memories[who].refused.filter(|(known, _)| *known == id);
        let since = before.map_or(self.now, |(_, since)| since);
        self.memories[who].refused = Some((id, since));
        Key::Refused { id: id.to_string(), issued, from: issued, since, said: String::new() }
    }

    pub(super) fn observe(&mut self, who: usize) -> Snapshot {
        let key = self.key(who);
        // Sessions and keys are the account's, whoever it is that the settings name.
        let is_named = self.user == 0;
        let held = self.held_id().filter(|_| is_named);
        if self.memories[who].fresh.as_ref().is_some_and(|(token, _)| Some(token.id) == held) {
            // It was written, though nobody said so.
            self.memories[who].fresh = None;
        }
        let memory = &self.memories[who];
        let session = memory.session.then(|| {
            let health = if self.away {
                SessionHealth::Unknown(ArgoCdError { what: String::new(), cause: Cause::Broken(String::new()) })
            } else if self.broken || !is_named {
                SessionHealth::NotAccepted(String::new())
            } else if !self.enabled {
                SessionHealth::Disabled
            } else if !self.capable {
                SessionHealth::NoApiKeys
            } else {
                SessionHealth::Accepted
            };
            Session { health, made: Some(self.now) }
        });
        let fresh = memory.fresh.as_ref().map(|(token, since)| {
            let check = if self.away {
                Check::Unknown(trouble())
            } else if self.is_good(token.id, token.issued) && !self.broken && is_named {
                Check::Works
            } else {
                Check::NotKnown
            };
            Fresh { id: token.id.to_string(), since: *since, check }
        });
        let reads = !self.away && !self.broken && is_named;
        let can_list = matches!(key, Key::Works { .. }) || session.is_some() && reads;
        let fresh_id = memory.fresh.as_ref().map(|(token, _)| token.id);
        let is_left = |token: &&Token| token.ours && Some(token.id) != held && Some(token.id) != fresh_id;
        let left = |token: &Token| SupersededKey {
            account: "admin".to_owned(),
            id: token.id.to_string(),
            issued: token.issued,
            never_delivered: memory.discarded.contains(&token.id),
        };
        let listed = self.tokens.iter().filter(is_left).filter(|_| can_list).map(left).collect();
        let block = self.logins.blocks(&self.credential(), WAIT, self.now);
        let login = block.map_or(Login::Free, |block| Login::Tried { until: block.until, said: block.said });
        Snapshot {
            mode: Mode::Password,
            key,
            account: Some(if is_named { "admin".to_owned() } else { format!("user-{}", self.user) }),
            left: listed,
            held_is_ours: can_list && self.tokens.iter().any(|token| token.ours && Some(token.id) == held),
            held_vanished: can_list && held.is_some_and(|id| self.tokens.iter().all(|token| token.id != id)),
            unreadable_accounts: Vec::new(),
            login,
            session,
            fresh,
            record: self.record.clone(),
            mirror: Mirror::InOrder,
            requests: std::collections::BTreeSet::new(),
            consumers: if self.stale { Consumers::Stale(1) } else { Consumers::InStep },
            login_due: false,
        }
    }

    /// One look and one action of a controller. Says whether it did something.
    pub(super) fn step(&mut self, who: usize) -> bool {
        if self.leader != who {
            return false;
        }
        let seen = self.observe(who);
        let planned = plan(&seen, TERMS, self.now);
        match planned.next {
            NextStep::Execute(action) => {
                let fault = std::mem::take(&mut self.memories[who].fault);
                self.act(who, &seen, action, fault);
                true
            }
            NextStep::RequeueSoon => {
                self.now += 1;
                true
            }
            NextStep::Backoff | NextStep::WaitUntil(_) => {
                self.memories[who].session = false;
                false
            }
        }
    }

    pub(super) fn advance(&mut self, by: Seconds) {
        self.now += by;
    }

    /// The rules that hold at every moment.
    pub(super) fn check(&self) -> Result<(), TestCaseError> {
        let foreign = self.tokens.iter().filter(|token| !token.ours).count();
        prop_assert_eq!(foreign, self.foreign, "somebody else's key was deleted");
        for (place, (_, at)) in self.refused_at.iter().enumerate() {
            // Of any user: Argo CD counts those of one, and they are no more.
            let within = |(_, then): &&(String, Seconds)| *then < at + 310;
            let tries = self.refused_at.iter().skip(place).filter(within).count();
            prop_assert!(tries <= 3, "{} logins without a success within 310 s: {:?}", tries, self.refused_at);
        }
        Ok(())
    }

    pub(super) fn happen(&mut self, what: &Happening) -> Result<(), TestCaseError> {
        match what {
            Happening::Steps(who, steps) => {
                self.leader = *who;
                for _ in 0..*steps {
                    self.step(*who);
                    self.check()?;
                }
            }
            Happening::Fault(who, fault) => self.memories[*who].fault = *fault,
            Happening::Time(by) => self.advance(*by),
            Happening::Kill(who) => self.memories[*who] = CredentialMemory::default(),
            Happening::LoseState => self.record = CredentialRecord::default(),
            Happening::Empty => self.held = Held::Nothing,
            Happening::Rubbish => self.held = Held::Rubbish,
            Happening::ForeignKey => {
                let id = self.id();
                self.tokens.push(Token { id, ours: false, issued: self.now });
                self.foreign += 1;
                self.held = Held::Key { id, ours: false, issued: self.now };
            }
            Happening::Revoke => {
                if let Held::Key { id, ours, .. } = self.held {
                    let listed = self.tokens.iter().any(|token| token.id == id);
                    self.tokens.retain(|token| token.id != id);
                    self.foreign -= usize::from(!ours && listed);
                }
            }
            Happening::Password(with_secret) => {
                self.password += 1;
                self.changed = self.now;
                // Keys of this very second go as well.
                self.now += 1;
                self.changed += 1;
                if *with_secret {
                    self.secret_password = self.password;
                }
            }
            Happening::UpdatePassword => self.secret_password = self.password,
            Happening::OldPassword => self.secret_password = self.password.saturating_sub(1),
            Happening::WrongPassword(which) => self.secret_password = 1_000_000 + which,
            Happening::User(user) => self.user = *user,
            Happening::Capability(capable) => self.capable = *capable,
            Happening::Enabled(enabled) => self.enabled = *enabled,
            Happening::Broken(broken) => self.broken = *broken,
            Happening::Away(away) => self.away = *away,
            Happening::Stale(stale) => self.stale = *stale,
            Happening::StalledCreates => self.tokens.append(&mut self.stalled),
        }
        Ok(())
    }

    /// Everything around the controllers is in order again, and all the waits are over.
    pub(super) fn mend(&mut self) {
        self.tokens.append(&mut self.stalled);
        (self.enabled, self.capable, self.broken, self.away, self.stale) = (true, true, false, false, false);
        (self.secret_password, self.user) = (self.password, 0);
        self.memories.iter_mut().for_each(|memory| memory.fault = Fault::None);
        self.leader = 0;
        // Longer than any wait, also the one between keys that vanish.
        self.advance(WAIT.max(3600) + 1);
    }

    /// Lets everything come to rest.
    pub(super) fn settle(&mut self) -> Result<(), TestCaseError> {
        let mut steps = 0;
        while self.step(self.leader) {
            steps += 1;
            self.check()?;
            prop_assert!(steps < 80, "steps without an end: {:?}", self);
        }
        prop_assert!(self.held_works(), "it rests without a key: {:?}", self);
        Ok(())
    }
}
