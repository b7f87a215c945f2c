//! What the controllers of the simulation do.

use super::super::action::Action;
use super::super::logins::LoginEnd;
use super::super::snapshot::{Key, Snapshot};
use super::model::{CredentialMemory, Held, Token, WAIT, World};

/// What goes wrong with the call of an action. `proven.rs` has the same go wrong at the executor's peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// It gives no answer and does nothing.
    Lost,
    /// It gives no answer and is done all the same.
    Done,
    /// It gives no answer and is done later: a key may be made whenever Argo CD gets to it, anything else
    /// is done by the next look. Of a login: the process is killed before the answer.
    Later,
    /// Argo CD answers 200 and does nothing.
    Forgotten,
    /// It is done, and the process is killed before the answer. Of a login: when it was written down and
    /// not yet sent.
    Killed,
    /// It reaches a replica of Argo CD that isn't broken.
    Whole,
    /// It is done, and somebody on the way answers something else: a page, a 5xx, a redirect.
    Rewritten,
}

impl Fault {
    pub(super) const ALL: [Self; 8] =
        [Self::None, Self::Lost, Self::Done, Self::Later, Self::Forgotten, Self::Killed, Self::Whole, Self::Rewritten];
}

impl World {
    pub(super) fn act(&mut self, who: usize, seen: &Snapshot, action: Action, fault: Fault) {
        match action {
            Action::Login => self.log_in(who, fault),
            Action::Mint(_) => self.mint(who, seen, fault),
            Action::Store(_) => {
                if fault != Fault::Lost
                    && let Some((token, _)) = &self.memories[who].fresh
                {
                    assert!(self.is_good(token.id, token.issued), "a key that doesn't work goes nowhere");
                    self.held = Held::Key { id: token.id, ours: true, issued: token.issued };
                }
                match fault {
                    // Whether it was written the next look tells.
                    Fault::Lost | Fault::Done | Fault::Later | Fault::Rewritten => {}
                    Fault::Killed => self.memories[who] = CredentialMemory::default(),
                    Fault::None | Fault::Forgotten | Fault::Whole => self.memories[who].fresh = None,
                }
            }
            Action::Discard => {
                let fresh = self.memories[who].fresh.take().expect("there is one");
                self.memories[who].discarded.push(fresh.0.id);
            }
            Action::Copy | Action::Clear => unreachable!("only in token mode"),
            Action::Retire(account, id, _) => {
                assert_eq!(account, "admin");
                let id: u64 = id.parse().unwrap();
                assert_ne!(Some(id), self.held_id(), "the key that is held is never deleted");
                let token = self.tokens.iter().find(|token| token.id == id).expect("it is listed");
                assert!(token.ours, "only keys of ours are deleted");
                if !matches!(fault, Fault::Lost | Fault::Forgotten) {
                    self.tokens.retain(|token| token.id != id);
                }
                if fault == Fault::Killed {
                    self.memories[who] = CredentialMemory::default();
                }
            }
            Action::Remember(record) => {
                if fault != Fault::Lost {
                    self.record = record;
                }
                if fault == Fault::Killed {
                    self.memories[who] = CredentialMemory::default();
                }
            }
        }
    }

    fn log_in(&mut self, who: usize, fault: Fault) {
        let before = self.logins.clone();
        let record = before.begin(self.user.to_string(), self.credential(), self.now, WAIT);
        self.logins = record.clone();
        if fault == Fault::Killed {
            // Killed right after.
            self.memories[who] = CredentialMemory::default();
            return;
        }
        if self.away || fault == Fault::Lost {
            // No connection: nothing was tried.
            self.logins = before;
            return;
        }
        let right = self.user == 0 && self.secret_password == self.password;
        let good = right && self.enabled && (!self.broken || fault == Fault::Whole);
        if good {
            // Argo CD counts the failures of this user from the start again.
            let user = self.user.to_string();
            self.refused_at.retain(|(of, _)| *of != user);
        } else {
            self.refused_logins += 1;
            self.refused_at.push((self.user.to_string(), self.now));
        }
        if matches!(fault, Fault::Done | Fault::Rewritten) {
            // The answer came too late, or wasn't Argo CD's.
            self.logins = record.ended(LoginEnd::Unheard);
        } else if fault == Fault::Later {
            // Killed before the answer.
            self.memories[who] = CredentialMemory::default();
        } else if good {
            self.logins = record.succeeded(&self.user.to_string());
            self.memories[who].session = true;
        } else {
            self.logins = record.ended(LoginEnd::Refused("no".to_owned()));
        }
    }

    fn mint(&mut self, who: usize, seen: &Snapshot, fault: Fault) {
        assert!(!self.held_works(), "a key that works is left alone");
        assert!(!self.broken, "a server that refuses good keys makes nobody mint");
        assert!(self.ours() <= 2, "with this one there are at most three");
        if let Key::Refused { id, .. } = &seen.key {
            assert_eq!(Some(id.clone()), self.held_id().map(|id| id.to_string()));
        }
        self.minted += 1;
        let token = Token { id: self.id(), ours: true, issued: self.now };
        match fault {
            Fault::Lost => self.memories[who].discarded.push(token.id),
            Fault::Done | Fault::Rewritten => {
                self.memories[who].discarded.push(token.id);
                self.tokens.push(token);
            }
            Fault::Later => {
                self.memories[who].discarded.push(token.id);
                self.stalled.push(token);
            }
            Fault::Forgotten => self.memories[who].fresh = Some((token, self.now)),
            Fault::Killed => {
                self.tokens.push(token);
                self.memories[who] = CredentialMemory::default();
            }
            Fault::None | Fault::Whole => {
                self.tokens.push(token.clone());
                self.memories[who].fresh = Some((token, self.now));
            }
        }
    }
}
