//! The account in Argo CD, as an administrator sees it.

use super::server::{ArgoCd, secret_value};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A key as Argo CD lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub expires: bool,
}

impl ArgoCd {
    /// The keys of `admin`.
    pub fn keys(&self, session: &str) -> Vec<Listed> {
        self.keys_of(session, "admin")
    }

    /// The keys of an account.
    pub fn keys_of(&self, session: &str, account: &str) -> Vec<Listed> {
        let answer = self.call("GET", &format!("/api/v1/account/{account}"), Some(session), None);
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = answer.body["tokens"].as_array().cloned().unwrap_or_default();
        let listed = |token: &Value| Listed {
            id: token["id"].as_str().unwrap().to_owned(),
            expires: !token["expiresAt"].is_null(),
        };
        tokens.iter().map(listed).collect()
    }

    /// The keys of `admin` that are of this namespace's controller.
    pub fn ours(&self, session: &str) -> Vec<String> {
        let prefix = format!("argocd-auth-webhook-{}-", self.namespace);
        self.keys(session).into_iter().map(|key| key.id).filter(|id| id.starts_with(&prefix)).collect()
    }

    /// Makes a key of `admin`.
    pub fn make(&self, session: &str, id: &str, lasts: u64) -> String {
        self.make_of(session, "admin", id, lasts)
    }

    /// Makes a key of an account.
    pub fn make_of(&self, session: &str, account: &str, id: &str, lasts: u64) -> String {
        let body = json!({ "id": id, "expiresIn": lasts });
        let answer = self.call("POST", &format!("/api/v1/account/{account}/token"), Some(session), Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
        secret_value(answer.body["token"].as_str().unwrap().to_owned())
    }

    /// Revokes a key of `admin`.
    pub fn revoke(&self, session: &str, id: &str) {
        let answer = self.call("DELETE", &format!("/api/v1/account/admin/token/{id}"), Some(session), None);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Whether a key is accepted where it matters.
    pub fn accepts(&self, key: &str) -> bool {
        self.call("GET", "/api/v1/applications", Some(key), None).status == 200
    }

    /// Changes the administrator's password as a person does, through the API. That ends what was made in an
    /// earlier second (Argo CD's times are whole ones), so it waits for the next.
    pub fn change_password(&self, session: &str, before: &str, after: &str) {
        let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let made = second();
        while second() == made {
            std::thread::sleep(Duration::from_millis(10));
        }
        let body = json!({ "name": "admin", "currentPassword": before, "newPassword": after });
        let answer = self.call("PUT", "/api/v1/account/password", Some(session), Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// The id of a key.
pub fn id_of(key: &str) -> String {
    claims(key)["jti"].as_str().unwrap().to_owned()
}

/// What a token says of itself.
pub fn claims(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
