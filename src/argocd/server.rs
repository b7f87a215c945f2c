//! Argo CD's calls, as far as they are needed.

use super::base::Base;
use super::connect::{Connector, Proxies};
use super::error::{ArgoCdError, Cause};
use super::foreign::Foreign;
use super::http::{Call, Http};
use super::lenient::time;
use super::message::Known;
use super::tls::TlsTrust;
use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// What account names and token ids may hold beside letters and digits, and a path may too.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// A name is cut here: Kubernetes has none that is longer.
const MAX_NAME: usize = 253;

/// What an account may be able to do.
const CAPABILITIES: [&str; 2] = ["login", "apiKey"];

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A connection, TLS and proxy included.
    pub connect: Duration,
    /// A call that reads.
    pub read: Duration,
    /// A call that writes: it waits for the API server behind Argo CD.
    pub write: Duration,
    /// A login: a second of work by design, and newer servers let those of one user wait in line.
    pub login: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            write: Duration::from_secs(30),
            login: Duration::from_mins(1),
        }
    }
}

/// Which server, and how it is reached.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its address.
    pub base: Base,
    /// Whose certificate is believed.
    pub tls: TlsTrust,
    /// Where to connect to in place of the address; its name still stands for TLS and `Host`.
    pub resolve: Option<SocketAddr>,
    /// Which proxy stands on the way.
    pub proxies: Proxies,
    /// How long things may take.
    pub limits: Limits,
}

impl Target {
    /// This address, with the system's roots, the environment's proxies and the usual limits.
    #[must_use]
    pub fn new(base: Base) -> Self {
        Self {
            base,
            tls: TlsTrust::SystemRoots,
            resolve: None,
            proxies: Proxies::from_env(),
            limits: Limits::default(),
        }
    }
}

/// An Argo CD server. Calls one after the other go over one connection while it lasts, so that they
/// meet the same replica.
#[derive(Debug)]
pub struct Server {
    http: Http,
    base: Base,
    limits: Limits,
}

/// What Argo CD says of whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Whether the token was taken. Without any login it is false, and the call succeeds all the same.
    pub logged_in: bool,
    /// The account.
    pub username: Foreign,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireUserInfo {
    logged_in: bool,
    username: String,
}

/// A local account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// `login`, `apiKey`.
    #[serde(deserialize_with = "nullable")]
    pub capabilities: BTreeSet<String>,
    /// Its API keys that Argo CD knows. Being listed doesn't make a key valid.
    #[serde(deserialize_with = "nullable")]
    pub tokens: Vec<ListedToken>,
}

impl Account {
    /// Whether it may have API keys.
    #[must_use]
    pub fn may_have_api_keys(&self) -> bool {
        self.capabilities.contains("apiKey")
    }

    /// Whether it may log in with a password.
    #[must_use]
    pub fn may_log_in(&self) -> bool {
        self.capabilities.contains("login")
    }

    /// The key with this id.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<&ListedToken> {
        self.tokens.iter().find(|token| token.id == id)
    }
}

/// An API key as an account lists it. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListedToken {
    /// Its id.
    pub id: String,
    /// When it was made.
    #[serde(deserialize_with = "time")]
    pub issued_at: Option<i64>,
    /// When it ends; `None` where it never does.
    #[serde(deserialize_with = "time")]
    pub expires_at: Option<i64>,
}

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "Version", default)]
    version: String,
}

#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    token: SecretText,
}

/// Zeroed when it goes.
#[derive(Default)]
struct SecretText(Option<SecretString>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(from).map(|text| Self(text.map(SecretString::from)))
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    value: String,
}

/// An answer of which nothing is asked but that it came.
#[derive(Deserialize)]
struct Done {}

impl Server {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The trust can't be set up.
    pub fn new(target: Target) -> Result<Self, ArgoCdError> {
        let Target { base, tls, resolve, proxies, limits } = target;
        let connector = Connector::new(&base, &tls, resolve, proxies, limits.connect)
            .map_err(|cause| ArgoCdError { what: format!("getting ready for Argo CD at {base}"), cause })?;
        Ok(Self { http: Http::new(base.clone(), connector), base, limits })
    }

    /// Its address.
    #[must_use]
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Its version. Needs no login.
    ///
    /// # Errors
    /// As any call.
    pub async fn version(&self) -> Result<String, ArgoCdError> {
        let what = "asking Argo CD for its version";
        let Version { version } = self.read(what, "/api/version", None).await?;
        if version.is_empty() { Err(self.unreadable(what, "a field is missing")) } else { Ok(self.name(&version)) }
    }

    /// Logs in; gives a session. After some refusals a correct password is refused too, for minutes:
    /// never to be tried again at once.
    ///
    /// # Errors
    /// As any call; [`Cause::Unauthorized`] for whatever is wrong with the credential or the account.
    pub async fn login(&self, username: &str, password: &SecretString) -> Result<SecretString, ArgoCdError> {
        let what = format!("logging in to Argo CD as {username}");
        let body = json!({ "username": username, "password": password.expose_secret() });
        let call = Call {
            what: &what,
            method: Method::POST,
            path: "/api/v1/session",
            body: Some(body),
            token: None,
            secret: Some(password),
            limit: self.limits.login,
        };
        self.token(&what, self.http.call(&call).await?)
    }

    /// Who Argo CD takes this token for.
    ///
    /// # Errors
    /// As any call. A token that isn't taken is normally none: see [`UserInfo::logged_in`].
    pub async fn userinfo(&self, token: &SecretString) -> Result<UserInfo, ArgoCdError> {
        let what = "asking Argo CD who a token belongs to";
        let WireUserInfo { logged_in, username } = self.read(what, "/api/v1/session/userinfo", Some(token)).await?;
        let shown = self.name(&username);
        Ok(UserInfo { logged_in, username: Foreign::new(username, shown) })
    }

    /// An account.
    ///
    /// # Errors
    /// As any call.
    pub async fn account(&self, token: &SecretString, name: &str) -> Result<Account, ArgoCdError> {
        let what = format!("reading Argo CD's account {name}");
        let mut account: Account = self.read(&what, &format!("/api/v1/account/{}", segment(name)), Some(token)).await?;
        if account.name != name {
            return Err(self.unreadable(&what, "it is about another account"));
        }
        // Others mean nothing here, and an id of no such shape is none of ours.
        account.capabilities.retain(|name| CAPABILITIES.contains(&name.as_str()));
        account.tokens.retain(|token| is_id(&token.id));
        Ok(account)
    }

    /// Makes an API key with this id, which must be new: a used one brings old keys back to life.
    /// `expires_in` is rounded down to seconds; `None` for never.
    ///
    /// # Errors
    /// As any call; see [`Cause::may_have_been_done`].
    pub async fn create_token(
        &self,
        token: &SecretString,
        account: &str,
        id: &str,
        expires_in: Option<Duration>,
    ) -> Result<SecretString, ArgoCdError> {
        let what = format!("making API key {id} of Argo CD's account {account}");
        let path = format!("/api/v1/account/{}/token", segment(account));
        let body = json!({ "id": id, "expiresIn": expires_in.map_or(0, |time| time.as_secs()) });
        let made = self.write(&what, Method::POST, &path, Some(body), token).await.map_err(|error| {
            // Both come as 500, code 2.
            let cause = match error.cause {
                Cause::Server { status: 500, message } => match message.known() {
                    Some(Known::NoApiKeys) => Cause::NoApiKeys(message),
                    Some(Known::IdTaken) => Cause::IdTaken(message),
                    None => Cause::Server { status: 500, message },
                },
                other => other,
            };
            ArgoCdError { cause, ..error }
        })?;
        self.token(&what, made)
    }

    /// Revokes an API key. False if Argo CD says that there is none with this id.
    ///
    /// # Errors
    /// As any call; see [`Cause::may_have_been_done`].
    pub async fn delete_token(&self, token: &SecretString, account: &str, id: &str) -> Result<bool, ArgoCdError> {
        let what = format!("revoking API key {id} of Argo CD's account {account}");
        let path = format!("/api/v1/account/{}/token/{}", segment(account), segment(id));
        match self.write(&what, Method::DELETE, &path, None, token).await {
            Ok(Done {}) => Ok(true),
            Err(ArgoCdError { cause: Cause::NotFound(_), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether RBAC lets the token's account do this. Says no to what an account may do to itself.
    ///
    /// # Errors
    /// As any call; [`Cause::Invalid`] for a resource that there is none of.
    pub async fn can_i(
        &self,
        token: &SecretString,
        resource: &str,
        action: &str,
        subresource: &str,
    ) -> Result<bool, ArgoCdError> {
        let what = format!("asking Argo CD whether {resource}, {action}, {subresource} is allowed");
        let subresource: Vec<String> = subresource.split('/').map(segment).collect();
        let path = format!("/api/v1/account/can-i/{}/{}/{}", segment(resource), segment(action), subresource.join("/"));
        let Answer { value } = self.read(&what, &path, Some(token)).await?;
        if value.is_empty() { Err(self.unreadable(&what, "a field is missing")) } else { Ok(value == "yes") }
    }

    /// A name of the server's, as it may be shown.
    fn name(&self, text: &str) -> String {
        self.http.line(text, MAX_NAME)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        token: Option<&SecretString>,
    ) -> Result<T, ArgoCdError> {
        let limit = self.limits.read;
        self.http.call(&Call { what, method: Method::GET, path, body: None, token, secret: None, limit }).await
    }

    async fn write<T: DeserializeOwned>(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
        token: &SecretString,
    ) -> Result<T, ArgoCdError> {
        let limit = self.limits.write;
        self.http.call(&Call { what, method, path, body, token: Some(token), secret: None, limit }).await
    }

    fn token(&self, what: &str, made: Made) -> Result<SecretString, ArgoCdError> {
        let token = made.token.0.filter(|token| !token.expose_secret().is_empty());
        token.ok_or_else(|| self.unreadable(what, "it has no token"))
    }

    fn unreadable(&self, what: &str, why: &'static str) -> ArgoCdError {
        ArgoCdError { what: format!("{what} ({})", self.base), cause: Cause::Unreadable(why) }
    }
}

/// Whether it can be the id of a key that is looked at: letters, digits and a few signs. Argo CD takes any
/// text for one.
fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:@/".contains(c);
    !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(allowed)
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}
