//! Reads an auth block: it has the same fields wherever it stands.

use super::block::{Block, Report};
use super::names;
use crate::core::{
    Auth, ConfigMapKeyRef, DEFAULT_USERNAME, INITIAL_PASSWORD, Mode, PLAIN_PASSWORD, PLAIN_TOKEN, SecretKeyRef,
    Username,
};

/// The key of our own auth block, in our configuration and in the Runtime's values.
pub(super) const AUTH: &str = "auth";

const TYPE: &str = "type";
const TOKEN: &str = "token";
const TOKEN_REF: &str = "tokenSecretKeyRef";
const USERNAME: &str = "username";
const USERNAME_SECRET_REF: &str = "usernameSecretKeyRef";
const USERNAME_CONFIG_MAP_REF: &str = "usernameConfigMapKeyRef";
const PASSWORD: &str = "password";
const PASSWORD_REF: &str = "passwordSecretKeyRef";
pub(super) const FIELDS: [&str; 8] =
    [TYPE, TOKEN, TOKEN_REF, USERNAME, USERNAME_SECRET_REF, USERNAME_CONFIG_MAP_REF, PASSWORD, PASSWORD_REF];

/// An auth block after reading. The plain credential is held only to compare blocks: this type has no
/// `Debug`, and what is kept of it is [`Auth`].
pub(super) struct Read<'v> {
    pub auth: Auth,
    plain: Option<&'v str>,
}

impl Read<'_> {
    /// Whether the block holds the credential itself instead of a reference.
    pub(super) fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// Whether two blocks mean the same credential, plain ones included.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let (a, b) = (&self.auth, &other.auth);
        // In token mode the user name has no effect, so blocks may differ in it.
        let username = a.mode == Mode::Token || a.username == b.username;
        a.mode == b.mode && a.credential == b.credential && username && self.plain == other.plain
    }

    /// Whether it equals the default of the Runtime's charts.
    pub(super) fn is_default(&self) -> bool {
        self.plain.is_none() && self.auth == default()
    }
}

/// The default of the Runtime's charts, which is also what `type: password` alone means.
pub(super) fn default() -> Auth {
    Auth {
        mode: Mode::Password,
        credential: INITIAL_PASSWORD.into(),
        username: Username::Plain(DEFAULT_USERNAME.to_owned()),
        chart_has_username: true,
    }
}

/// Reads a block. `None` if it can't be used; the problems are in the report.
pub(super) fn read<'v>(block: &Block<'v>, report: &mut Report) -> Option<Read<'v>> {
    let before = report.problems.len();
    // In the Runtime's values too: a key that nobody reads was meant to be read.
    block.refuse_others(&FIELDS, report);
    let modes = [("token", Mode::Token), ("password", Mode::Password)];
    let given = block.one_of(TYPE, &modes, report);
    shapes(block, report);
    if report.problems.len() == before && given.is_none() {
        without_type(block, report);
    }
    if report.problems.len() > before {
        return None;
    }
    let mode = given.unwrap_or(Mode::Password);
    // Fields of the other mode are allowed, and what they refer to isn't checked.
    let (plain_key, plain_secret) = match mode {
        Mode::Token => (TOKEN, PLAIN_TOKEN),
        Mode::Password => (PASSWORD, PLAIN_PASSWORD),
    };
    let plain = block.secret(plain_key, report);
    let credential = if report.problems.len() > before {
        None
    } else if plain.is_some() {
        Some(plain_secret.into())
    } else {
        match mode {
            Mode::Token => token_reference(block, report),
            Mode::Password => Some(password_reference(block, report)),
        }
    };
    let username = username(block, mode, report);
    if report.problems.len() > before {
        return None;
    }
    let auth = Auth { mode, credential: credential?, username, chart_has_username: true };
    Some(Read { auth, plain })
}

/// Checks the types of all fields. A wrong type is a problem in either mode, as in our chart's schema.
fn shapes(block: &Block<'_>, report: &mut Report) {
    for key in [TOKEN, PASSWORD] {
        let _ = block.secret(key, report);
    }
    let _ = block.string(USERNAME, report);
    for (key, fields) in [
        (TOKEN_REF, &["name", "key", "optional"][..]),
        (PASSWORD_REF, &["name", "key", "optional"]),
        (USERNAME_SECRET_REF, &["name", "key", "optional"]),
        (USERNAME_CONFIG_MAP_REF, &["name", "key"]),
    ] {
        if let Some(reference) = block.block(key, report) {
            reference.refuse_others(fields, report);
            let _ = (reference.string("name", report), reference.string("key", report));
            let _ = reference.boolean("optional", report);
        }
    }
}

/// A block without `type` must name its password: nothing else is inferred from leaving it out.
fn without_type(block: &Block<'_>, report: &mut Report) {
    let given = |key: &str| block.get(key).is_some();
    if let Some(token) = [TOKEN, TOKEN_REF].into_iter().find(|key| given(key)) {
        let text = format!("must be given beside {token}; write `type: token`");
        report.problem::<()>(&block.path_of(TYPE), text);
    } else if ![PASSWORD, PASSWORD_REF].into_iter().any(given) {
        let text = "must be given; write `type: token`, or `type: password` for the admin's initial password in Secret argocd-initial-admin-secret";
        report.problem::<()>(&block.path_of(TYPE), text);
    }
}

fn token_reference(block: &Block<'_>, report: &mut Report) -> Option<SecretKeyRef> {
    let Some(reference) = block.block(TOKEN_REF, report) else {
        let path = &block.path;
        return report.problem(
            path,
            format!(
                "type is token, but no token is given; set {path}.token, or {path}.tokenSecretKeyRef with name and key"
            ),
        );
    };
    let name = required(&reference, "name", names::object, report);
    let key = required(&reference, "key", names::key, report);
    let optional = optional(&reference, report);
    Some(SecretKeyRef { name: name?, key: key?, optional })
}

/// Reads `optional`; an explicit false is the same as leaving it out, as in Kubernetes.
fn optional(reference: &Block<'_>, report: &mut Report) -> Option<bool> {
    reference.boolean("optional", report).filter(|optional| *optional)
}

/// Reads `passwordSecretKeyRef`. Parts left out come from the chart's default, over which Helm merges it.
fn password_reference(block: &Block<'_>, report: &mut Report) -> SecretKeyRef {
    let Some(reference) = block.block(PASSWORD_REF, report) else { return INITIAL_PASSWORD.into() };
    let name = checked(&reference, "name", names::object, report);
    let key = checked(&reference, "key", names::key, report);
    let optional = optional(&reference, report);
    SecretKeyRef {
        name: name.unwrap_or_else(|| INITIAL_PASSWORD.name.to_owned()),
        key: key.unwrap_or_else(|| INITIAL_PASSWORD.key.to_owned()),
        optional,
    }
}

/// Reads the user name. In token mode only the legacy app-proxy uses it, so there a bad one is no problem and
/// falls back to the default.
fn username(block: &Block<'_>, mode: Mode, report: &mut Report) -> Username {
    let mut ignored = Report::new(false);
    let report = if mode == Mode::Password { report } else { &mut ignored };
    let secret = block.block(USERNAME_SECRET_REF, report);
    let config_map = block.block(USERNAME_CONFIG_MAP_REF, report);
    if let (Some(_), Some(other)) = (&secret, &config_map) {
        report.problem::<()>(
            &other.path,
            format!("stands beside {}; keep one of them", block.path_of(USERNAME_SECRET_REF)),
        );
    }
    if let Some(reference) = secret {
        let name = required(&reference, "name", names::object, report);
        let key = required(&reference, "key", names::key, report);
        let optional = optional(&reference, report);
        if let (Some(name), Some(key)) = (name, key) {
            return Username::SecretKey(SecretKeyRef { name, key, optional });
        }
    } else if let Some(reference) = config_map {
        let name = required(&reference, "name", names::object, report);
        let key = required(&reference, "key", names::key, report);
        if let (Some(name), Some(key)) = (name, key) {
            return Username::ConfigMapKey(ConfigMapKeyRef { name, key });
        }
    }
    let plain = checked(block, USERNAME, names::username, report);
    Username::Plain(plain.unwrap_or_else(|| DEFAULT_USERNAME.to_owned()))
}

type Rule = fn(&str) -> Result<(), &'static str>;

/// A string that follows `rule`; `None` if it isn't given or breaks the rule, which is a problem.
pub(super) fn checked(block: &Block<'_>, key: &str, rule: Rule, report: &mut Report) -> Option<String> {
    let text = block.string(key, report)?;
    match rule(text) {
        Ok(()) => Some(text.to_owned()),
        Err(must) => report.problem(&block.path_of(key), format!("is not allowed: it {must}")),
    }
}

/// Like [`checked`], but a missing string is a problem too.
pub(super) fn required(block: &Block<'_>, key: &str, rule: Rule, report: &mut Report) -> Option<String> {
    if block.get(key).is_none() {
        return report.problem(&block.path_of(key), "must be given, and not be empty");
    }
    checked(block, key, rule, report)
}
