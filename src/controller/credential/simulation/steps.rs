//! What the controllers of the simulation do.

use super::super::action::Action;
use super::super::logins::LoginEnd;
use super::super::snapshot::{Key, Snapshot};
use super::model::{DONE, FORGOTTEN, Held, KILLED, LATER, LOST, LocalState, REWRITTEN, Token, WAIT, World};

impl World {
    pub(super) fn act(&mut self, who: usize, seen: &Snapshot, action: Action, fault: u8) {
        match action {
            Action::Login => self.log_in(who, fault),
            Action::Mint(_) => self.mint(who, seen, fault),
            Action::Store(_) => {
                if fault != LOST
                    && let Some((token, _)) = &self.memories[who].fresh
                {
                    assert!(self.is_good(token.id, token.issued), "a key that doesn't work goes nowhere");
                    self.held = Held::Key { id: token.id, ours: true, issued: token.issued };
                }
                if fault != LOST && fault != DONE {
                    self.memories[who].fresh = None;
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
                if fault != LOST {
                    self.tokens.retain(|token| token.id != id);
                }
            }
            Action::Remember(marks) => {
                if fault != LOST {
                    self.marks = marks;
                }
            }
        }
    }

    fn log_in(&mut self, who: usize, fault: u8) {
        let before = self.logins.clone();
        let record = before.begin(self.user.to_string(), self.credential(), self.now, WAIT);
        self.logins = record.clone();
        if fault == KILLED {
            // Killed right after.
            self.memories[who] = LocalState::default();
            return;
        }
        if self.away || fault == LOST {
            // No connection: nothing was tried.
            self.logins = before;
            return;
        }
        let right = self.user == 0 && self.secret_password == self.password;
        let good = right && self.enabled && (!self.broken || fault == 6);
        if good {
            // Argo CD counts the failures of this user from the start again.
            let user = self.user.to_string();
            self.refused_at.retain(|(of, _)| *of != user);
        } else {
            self.refused_logins += 1;
            self.refused_at.push((self.user.to_string(), self.now));
        }
        if fault == DONE || fault == REWRITTEN {
            // The answer came too late, or wasn't Argo CD's.
            self.logins = record.ended(LoginEnd::Unheard);
        } else if fault == LATER {
            // Killed before the answer.
            self.memories[who] = LocalState::default();
        } else if good {
            self.logins = record.succeeded(&self.user.to_string());
            self.memories[who].session = true;
        } else {
            self.logins = record.ended(LoginEnd::Refused("no".to_owned()));
        }
    }

    fn mint(&mut self, who: usize, seen: &Snapshot, fault: u8) {
        assert!(!self.held_works(), "a key that works is left alone");
        assert!(!self.broken, "a server that refuses good keys makes nobody mint");
        assert!(self.ours() <= 2, "with this one there are at most three");
        if let Key::Refused { id, .. } = &seen.key {
            assert_eq!(Some(id.clone()), self.held_id().map(|id| id.to_string()));
        }
        self.minted += 1;
        let token = Token { id: self.id(), ours: true, issued: self.now };
        match fault {
            LOST => self.memories[who].discarded.push(token.id),
            DONE => {
                self.memories[who].discarded.push(token.id);
                self.tokens.push(token);
            }
            LATER => {
                self.memories[who].discarded.push(token.id);
                self.stalled.push(token);
            }
            FORGOTTEN => self.memories[who].fresh = Some((token, self.now)),
            KILLED => {
                self.tokens.push(token);
                self.memories[who] = LocalState::default();
            }
            _ => {
                self.tokens.push(token.clone());
                self.memories[who].fresh = Some((token, self.now));
            }
        }
    }
}
