//! The calls of Argo CD's API that this program makes.

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

/// The characters besides letters and digits that account names and token ids may have and a path takes
/// unescaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// How many characters of a name are shown: the longest object name of Kubernetes.
const MAX_NAME: usize = 253;

/// The capabilities of an account that matter here.
const CAPABILITIES: [&str; 2] = ["login", "apiKey"];

/// Time limits of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For opening a connection, proxy and TLS included.
    pub connect: Duration,
    /// For a call that reads.
    pub read: Duration,
    /// For a call that writes: Argo CD waits for the API server in turn.
    pub write: Duration,
    /// For a login: hashing takes a second by design, and newer servers queue the logins of one user.
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

/// The server that is called, and how it is reached.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server's base URL.
    pub base: Base,
    /// How its certificate is verified, with https.
    pub tls: TlsTrust,
    /// Connect to this address instead of the base URL's host and port; TLS and `Host` still use its name.
    pub resolve: Option<SocketAddr>,
    /// The proxies that may be used.
    pub proxies: Proxies,
    /// Time limits of the calls.
    pub limits: Limits,
}

impl Target {
    /// This server, with the system's roots, the environment's proxies and the default limits.
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

/// A client of one Argo CD server. Calls share one connection while it lasts, so that they reach the same
/// replica.
#[derive(Debug)]
pub struct Server {
    http: Http,
    base: Base,
    limits: Limits,
}

/// What Argo CD says about the user behind a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Whether the token was accepted. Without a login Argo CD answers false, with status 200.
    pub logged_in: bool,
    /// The account's name.
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
    /// The account's name.
    pub name: String,
    /// Whether the account is enabled.
    pub enabled: bool,
    /// Those of `login` and `apiKey` that the account has.
    #[serde(deserialize_with = "nullable")]
    pub capabilities: BTreeSet<String>,
    /// The API keys that the account lists. Being listed doesn't make a key valid.
    #[serde(deserialize_with = "nullable")]
    pub tokens: Vec<ListedToken>,
}

impl Account {
    /// Whether the account has the capability `apiKey`.
    #[must_use]
    pub fn may_have_api_keys(&self) -> bool {
        self.capabilities.contains("apiKey")
    }

    /// Whether the account has the capability `login`.
    #[must_use]
    pub fn may_log_in(&self) -> bool {
        self.capabilities.contains("login")
    }

    /// The listed key with this id.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<&ListedToken> {
        self.tokens.iter().find(|token| token.id == id)
    }
}

/// An API key as the account lists it. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListedToken {
    /// The key's id, the `jti` of its token.
    pub id: String,
    /// When it was issued.
    #[serde(deserialize_with = "time")]
    pub issued_at: Option<i64>,
    /// When it expires; `None` if it never does.
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

/// A token in an answer; its memory is zeroed when dropped.
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

/// An answer of which no field is needed.
#[derive(Deserialize)]
struct Done {}

impl Server {
    /// A client. It connects at the first call.
    ///
    /// # Errors
    /// With https, the CA's certificate can't be read, or the system has no roots.
    pub fn new(target: Target) -> Result<Self, ArgoCdError> {
        let Target { base, tls, resolve, proxies, limits } = target;
        let connector = Connector::new(&base, &tls, resolve, proxies, limits.connect)
            .map_err(|cause| ArgoCdError { what: format!("getting ready for Argo CD at {base}"), cause })?;
        Ok(Self { http: Http::new(base.clone(), connector), base, limits })
    }

    /// The server's base URL.
    #[must_use]
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Argo CD's version. Needs no login.
    ///
    /// # Errors
    /// [`ArgoCdError`], as from any call.
    pub async fn version(&self) -> Result<String, ArgoCdError> {
        let what = "asking Argo CD for its version";
        let Version { version } = self.read(what, "/api/version", None).await?;
        if version.is_empty() { Err(self.unreadable(what, "a field is missing")) } else { Ok(self.name(&version)) }
    }

    /// Asks who answers there, without a redirect, before a password is sent: only a few failed logins are
    /// allowed, so none is spent on another server.
    ///
    /// # Errors
    /// As from any call, if the answer isn't Argo CD's. Its own refusal to say the version is none.
    pub async fn identify(&self) -> Result<(), ArgoCdError> {
        match self.version().await {
            Err(error) if !error.cause.is_argocds_word() => Err(error),
            _ => Ok(()),
        }
    }

    /// Logs in and returns a session's token. After some failures Argo CD refuses even the correct password
    /// for minutes, so a failed login must not be repeated at once.
    ///
    /// # Errors
    /// As from any call. [`Cause::Unauthorized`] for anything wrong with user name, password or account.
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

    /// The user that Argo CD takes this token for.
    ///
    /// # Errors
    /// As from any call. A refused token normally isn't an error: see [`UserInfo::logged_in`].
    pub async fn userinfo(&self, token: &SecretString) -> Result<UserInfo, ArgoCdError> {
        let what = "asking Argo CD who a token belongs to";
        let WireUserInfo { logged_in, username } = self.read(what, "/api/v1/session/userinfo", Some(token)).await?;
        let shown = self.name(&username);
        Ok(UserInfo { logged_in, username: Foreign::new(username, shown) })
    }

    /// Reads an account. Capabilities and token ids of unknown form are left out.
    ///
    /// # Errors
    /// As from any call; [`Cause::Unreadable`] if the answer is about another account.
    pub async fn account(&self, token: &SecretString, name: &str) -> Result<Account, ArgoCdError> {
        let what = format!("reading Argo CD's account {name}");
        let mut account: Account = self.read(&what, &format!("/api/v1/account/{}", segment(name)), Some(token)).await?;
        if account.name != name {
            return Err(self.unreadable(&what, "it is about another account"));
        }
        // Other capabilities mean nothing here, and a key whose id has another form isn't ours.
        account.capabilities.retain(|name| CAPABILITIES.contains(&name.as_str()));
        account.tokens.retain(|token| is_id(&token.id));
        Ok(account)
    }

    /// Creates an API key. Its id must never have been used: reusing one makes former keys with it valid
    /// again. `expires_in` is rounded down to seconds; `None` means never.
    ///
    /// # Errors
    /// As from any call. After some errors the key may exist: see [`Cause::may_have_been_done`].
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
            // Argo CD answers both with 500 and code 2.
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

    /// Revokes an API key. False if Argo CD says that the account has none with this id.
    ///
    /// # Errors
    /// As from any call. After some errors the key may be gone: see [`Cause::may_have_been_done`].
    pub async fn delete_token(&self, token: &SecretString, account: &str, id: &str) -> Result<bool, ArgoCdError> {
        let what = format!("revoking API key {id} of Argo CD's account {account}");
        let path = format!("/api/v1/account/{}/token/{}", segment(account), segment(id));
        match self.write(&what, Method::DELETE, &path, None, token).await {
            Ok(Done {}) => Ok(true),
            Err(ArgoCdError { cause: Cause::NotFound(_), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether RBAC allows this to the token's account. False also for what every account may do to itself.
    ///
    /// # Errors
    /// As from any call; [`Cause::Invalid`] for an unknown resource.
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

    /// A name sent by the server, cleaned so that it can be shown.
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

/// Whether a text is a possible id of the keys looked at here: letters, digits and a few signs. Argo CD
/// itself accepts any text.
fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:@/".contains(c);
    !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(allowed)
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}
