//! The words of the credential's state: status, Events and log.

use super::action::CredentialStatus;
use super::snapshot::SupersededKey;
use crate::argocd::ListedToken;
use crate::core::{Auth, Mode, SecretKeyRef};
use crate::time::{Seconds, rfc3339};
use serde_json::{Value, json};

/// Everything in the published status.
pub(super) struct Report<'r> {
    pub auth: &'r Auth,
    /// The Secret and key that hold the key.
    pub place: &'r SecretKeyRef,
    pub account: Option<&'r str>,
    pub state: &'r CredentialStatus,
    pub server: &'r str,
    /// One line on what the settings say and which keys say it.
    pub settings: &'r str,
    pub valid_since: Option<Seconds>,
    pub key_id: Option<&'r str>,
    /// The key in the Secret, if it is listed and ours.
    pub current: Option<&'r ListedToken>,
    pub left: &'r [SupersededKey],
}

impl Report<'_> {
    /// The published status, without the time of the check.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "mode": self.auth.mode.as_str(),
            "secret": self.place.name,
            "key": self.place.key,
            "account": self.account,
            "server": self.server,
            "settings": self.settings,
            "state": self.state.name(),
            "message": message(self.state),
        });
        if let Some(advice) = advice(self.state, self.auth, self.account) {
            status["advice"] = advice.into();
        }
        if let Some(id) = self.key_id {
            status["keyId"] = id.into();
        }
        if self.state.works()
            && let Some(since) = self.valid_since
        {
            status["validSince"] = rfc3339(since).into();
        }
        if let CredentialStatus::Expires(when) = self.state {
            status["expiresAt"] = rfc3339(*when).into();
        }
        let current = self.current.map(|key| (key.id.as_str(), key.issued_at.unwrap_or(0), true));
        let mut keys: Vec<(&str, Seconds, bool)> =
            self.left.iter().map(|left| (left.id.as_str(), left.issued, false)).chain(current).collect();
        keys.sort_by_key(|(_, issued, current)| (!current, std::cmp::Reverse(*issued)));
        let keys = keys
            .iter()
            .map(|(id, issued, current)| json!({ "id": id, "issuedAt": rfc3339(*issued), "current": current }));
        status["keys"] = keys.collect();
        status
    }
}

/// The state as a sentence.
pub(super) fn message(state: &CredentialStatus) -> String {
    match state {
        CredentialStatus::Valid => "the key works and never expires".to_owned(),
        CredentialStatus::Expires(when) => format!("the key works, and expires at {}", rfc3339(*when)),
        CredentialStatus::KeyLost { lost, lived, next } => {
            let next = next.map_or_else(
                || "one works now".to_owned(),
                |next| format!("the next one is made at {}", rfc3339(next)),
            );
            format!(
                "{lost} keys vanished from Argo CD within an hour, the last one after {lived} s; {next}. Nothing here \
                 deletes them: something else writes the Secret argocd-secret and takes them out of it"
            )
        }
        CredentialStatus::Replacing(why) => format!("a key is being made: {why}"),
        CredentialStatus::Missing(what) | CredentialStatus::Odd(what) | CredentialStatus::Hindered(what) => {
            what.clone()
        }
        CredentialStatus::WrongKind(what) => format!("what stands in the Secret is of no use: {what}"),
        CredentialStatus::LoginRefused(until, said) => format!(
            "{said}. A wrong password, or others have locked the account: after five failures Argo CD refuses a \
             correct one too, for five minutes. Not tried again before {}",
            rfc3339(*until)
        ),
        CredentialStatus::LoginUnknown(until) => format!(
            "nobody heard what Argo CD said to a login. Not tried again with this password before {}, so as not to \
             lock the account",
            rfc3339(*until)
        ),
        CredentialStatus::AccountDisabled => "the account is disabled; its keys come back with it".to_owned(),
        CredentialStatus::NoApiKey => {
            "the account lacks the capability apiKey, and its keys come back with that; nothing is made meanwhile"
                .to_owned()
        }
        CredentialStatus::NotYet(from) => format!(
            "the key is valid from {}, and Argo CD's clock is behind that: it comes back by itself, and nothing is made \
             meanwhile",
            rfc3339(*from)
        ),
        CredentialStatus::ServerBroken(how) => format!(
            "Argo CD gives us a session and then doesn't accept it ({how}): its configuration is broken, and good \
             keys are refused as well. Nothing is made meanwhile"
        ),
        CredentialStatus::Refused(said) => said.clone(),
        CredentialStatus::Unavailable(trouble) => trouble.text.clone(),
    }
}

/// What a person can do about the state; `None` if nothing.
pub(super) fn advice(state: &CredentialStatus, auth: &Auth, account: Option<&str>) -> Option<String> {
    let account = account.unwrap_or("<account>");
    let SecretKeyRef { name, key, .. } = &auth.credential;
    let text = match (state, auth.mode) {
        (
            CredentialStatus::Valid
            | CredentialStatus::Replacing(_)
            | CredentialStatus::Odd(_)
            | CredentialStatus::Unavailable(_)
            | CredentialStatus::Hindered(_),
            _,
        ) => {
            return None;
        }
        (CredentialStatus::Expires(_), _) => {
            format!("make an API key without an end and put it into {key} of Secret {name}")
        }
        (CredentialStatus::Missing(_), Mode::Password) => {
            format!("put the account's password into {key} of Secret {name}")
        }
        (CredentialStatus::Missing(_) | CredentialStatus::WrongKind(_), _) => {
            format!("make an API key (argocd account generate-token) and put it into {key} of Secret {name}")
        }
        (CredentialStatus::LoginRefused(..), _) => format!(
            "compare {key} of Secret {name} with the account's password, and see that the account is enabled and has \
             the capability login"
        ),
        (CredentialStatus::KeyLost { .. }, _) => {
            "see who writes argocd-secret (kubectl get secret argocd-secret -o yaml --show-managed-fields): Git, External \
             Secrets, Sealed Secrets, an operator or Terraform. Set it to leave the keys accounts.<account>.tokens alone"
                .to_owned()
        }
        (CredentialStatus::LoginUnknown(_), _) => "nothing: it is tried again by itself".to_owned(),
        (CredentialStatus::AccountDisabled, _) => format!(
            "run argocd-auth-webhook account enable: it enables {account} in argocd-cm. Where an operator writes \
             argocd-cm, set it in its object: spec.extraConfig of ArgoCD, spec.disableAdmin for admin"
        ),
        (CredentialStatus::NoApiKey, _) => format!(
            "run argocd-auth-webhook account enable: it sets accounts.{account} in argocd-cm to `apiKey, login`. Where \
             an operator writes argocd-cm, set it in its object: spec.extraConfig of ArgoCD"
        ),
        (CredentialStatus::NotYet(_), _) => "look at the clocks of Argo CD's nodes".to_owned(),
        (CredentialStatus::ServerBroken(_), _) => {
            "look at the log of Argo CD's server, at argocd-cm (its label app.kubernetes.io/part-of: argocd, and that \
             each accounts.<name>.enabled is true or false) and at argocd-secret (server.secretkey, a passwordMtime \
             that isn't in the future)"
                .to_owned()
        }
        (CredentialStatus::Refused(_), _) => format!(
            "if other keys are accepted, this one was revoked or its account's password has changed: make a new one \
             and put it into {key} of Secret {name}; if none is, look at the log of Argo CD's server"
        ),
    };
    Some(text)
}

/// What distinguishes states of the same name: a change of either leads to a new Event.
pub(super) fn kind(state: &CredentialStatus) -> (&'static str, &str) {
    let detail = match state {
        CredentialStatus::Unavailable(trouble) => trouble.kind,
        CredentialStatus::Missing(text) | CredentialStatus::WrongKind(text) | CredentialStatus::Hindered(text) => text,
        _ => "",
    };
    (state.name(), detail)
}

/// The reason of an Event about the state.
pub(super) const fn reason(state: &CredentialStatus) -> &'static str {
    match state {
        CredentialStatus::Valid => "CredentialValid",
        CredentialStatus::Expires(_) => "CredentialExpires",
        CredentialStatus::Replacing(_) => "CredentialReplaced",
        CredentialStatus::Missing(_) => "CredentialMissing",
        CredentialStatus::WrongKind(_) => "CredentialWrongKind",
        CredentialStatus::LoginRefused(..) => "LoginRefused",
        CredentialStatus::LoginUnknown(_) => "LoginUnknown",
        CredentialStatus::AccountDisabled => "AccountDisabled",
        CredentialStatus::NoApiKey => "AccountWithoutApiKey",
        CredentialStatus::NotYet(_) => "CredentialNotYetValid",
        CredentialStatus::ServerBroken(_) => "ArgoCdBroken",
        CredentialStatus::Refused(_) => "CredentialRefused",
        CredentialStatus::KeyLost { .. } => "KeysVanish",
        CredentialStatus::Odd(_) => "CredentialOdd",
        CredentialStatus::Unavailable(_) => "ArgoCdUnavailable",
        CredentialStatus::Hindered(_) => "CredentialHindered",
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::MintReason;
    use super::super::snapshot::Transient;
    use super::*;
    use crate::core::{INITIAL_PASSWORD, PLAIN_TOKEN, Username};
    use std::fmt::Write;

    fn auth(mode: Mode) -> Auth {
        let credential = if mode == Mode::Password { INITIAL_PASSWORD } else { PLAIN_TOKEN }.into();
        Auth { mode, credential, username: Username::Plain("admin".to_owned()), chart_has_username: true }
    }

    #[test]
    fn every_state_says_what_is_the_case_and_what_to_do() {
        let at = 1_800_000_000;
        let some = |text: &str| text.to_owned();
        let trouble =
            Transient { kind: "timed_out", text: some("logging in: no answer within 60s"), retry_after: None };
        let states = [
            (Mode::Password, CredentialStatus::Valid),
            (Mode::Token, CredentialStatus::Expires(at)),
            (Mode::Password, CredentialStatus::Replacing(MintReason::Refused)),
            (
                Mode::Password,
                CredentialStatus::Missing(some("there is no Secret codefresh/argocd-initial-admin-secret")),
            ),
            (
                Mode::Token,
                CredentialStatus::Missing(some("token in Secret codefresh/gitops-runtime-argo-cd-token is empty")),
            ),
            (Mode::Token, CredentialStatus::WrongKind(some("it is a session of the account \"admin\", no API key"))),
            (
                Mode::Password,
                CredentialStatus::LoginRefused(at, some("Argo CD says no (401): Invalid username or password")),
            ),
            (Mode::Password, CredentialStatus::LoginUnknown(at)),
            (Mode::Password, CredentialStatus::AccountDisabled),
            (Mode::Password, CredentialStatus::NoApiKey),
            (Mode::Password, CredentialStatus::NotYet(at)),
            (Mode::Password, CredentialStatus::ServerBroken(some("it counts as no login"))),
            (Mode::Token, CredentialStatus::Refused(some("it is refused, or the server is broken"))),
            (Mode::Password, CredentialStatus::KeyLost { lost: 3, lived: 12, next: Some(at) }),
            (Mode::Password, CredentialStatus::KeyLost { lost: 2, lived: 12, next: None }),
            (Mode::Password, CredentialStatus::Odd(some("its account doesn't list it"))),
            (Mode::Password, CredentialStatus::Unavailable(trouble)),
            (Mode::Password, CredentialStatus::Hindered(some("reading Secret codefresh/argocd-token: not allowed"))),
        ];
        let named: Vec<&str> = states.iter().map(|(_, state)| state.name()).collect();
        for name in CredentialStatus::NAMES.into_iter().filter(|name| *name != CredentialStatus::UNVERIFIED) {
            assert!(named.contains(&name), "{name}");
        }
        let mut text = String::new();
        for (mode, state) in states {
            let _ = writeln!(text, "{} ({}): {}", state.name(), reason(&state), message(&state));
            if let Some(advice) = advice(&state, &auth(mode), Some("robot")) {
                let _ = writeln!(text, "    to do: {advice}");
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_the_matter_tells_two_states_of_one_name_apart_and_not_the_words_around_it() {
        let unavailable = |kind, text: &str| {
            CredentialStatus::Unavailable(Transient { kind, text: text.to_owned(), retry_after: None })
        };
        let timed_out = unavailable("timed_out", "no answer within 60s");
        assert_eq!(kind(&timed_out), kind(&unavailable("timed_out", "no answer within 61s")));
        assert_ne!(kind(&timed_out), kind(&unavailable("tls", "no answer within 60s")));
        for of in [CredentialStatus::Missing, CredentialStatus::WrongKind, CredentialStatus::Hindered] {
            assert_eq!(kind(&of("a".to_owned())), kind(&of("a".to_owned())));
            assert_ne!(kind(&of("a".to_owned())), kind(&of("b".to_owned())));
        }
        assert_ne!(
            kind(&CredentialStatus::Missing("a".to_owned())),
            kind(&CredentialStatus::WrongKind("a".to_owned()))
        );
        assert_eq!(kind(&CredentialStatus::Odd("a".to_owned())), kind(&CredentialStatus::Odd("b".to_owned())));
        assert_ne!(kind(&CredentialStatus::Valid), kind(&CredentialStatus::NoApiKey));
    }

    #[test]
    fn the_status_names_keys_and_holds_none() {
        let auth = auth(Mode::Password);
        let place = crate::core::GENERATED_TOKEN.into();
        let current = ListedToken { id: "b".to_owned(), issued_at: Some(1_800_000_000), expires_at: None };
        let left = SupersededKey {
            account: "admin".to_owned(),
            id: "a".to_owned(),
            issued: 1_799_999_000,
            never_delivered: false,
        };
        let report = Report {
            auth: &auth,
            place: &place,
            account: Some("admin"),
            state: &CredentialStatus::Valid,
            server: "http://argocd-server.codefresh.svc",
            settings: "auth: password mode, user admin, Secret argocd-initial-admin-secret, key password",
            valid_since: Some(1_800_000_001),
            key_id: Some("b"),
            current: Some(&current),
            left: &[left],
        };
        insta::assert_snapshot!(format!("{:#}", report.status()));
    }
}
