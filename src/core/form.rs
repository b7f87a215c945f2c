//! What a variable in a pod says, and who put it there.

use super::auth::{
    Auth, CHART_CONFIG_MAP, CHART_SECRETS, CHART_USERNAME_KEY, DEFAULT_USERNAME, SecretKeyRef, Username,
};
use super::injection::Source;
use super::lenient::{Bool, Obj, Shape, Str};
use super::pod::EnvVar;
use super::{Mode, Variable};
use serde::Deserialize;

/// Where an `EnvVar` takes its value from.
#[derive(Debug, PartialEq)]
pub(crate) enum Form<'a> {
    Value(&'a str),
    SecretKey(KeyRef<'a>),
    ConfigMapKey(KeyRef<'a>),
    Other,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct KeyRef<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow)]
    key: Str<'a>,
    optional: Bool,
}

impl KeyRef<'_> {
    fn names(&self, name: &str, key: &str) -> bool {
        self.name.is(name) && self.key.is(key)
    }

    /// Whether it refers to what `wanted` does. An `optional` that the settings leave open isn't compared.
    fn means(&self, wanted: &SecretKeyRef) -> bool {
        self.names(&wanted.name, &wanted.key) && optional_agrees(self.optional, wanted.optional)
    }
}

/// Whether a pod's `optional` is what the settings ask for. Absent means false, as in Kubernetes; settings
/// without it accept either.
pub(crate) fn optional_agrees(found: Bool, wanted: Option<bool>) -> bool {
    wanted.is_none_or(|wanted| found.0.unwrap_or(false) == wanted)
}

/// Who put a variable there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It says what ours would say, so it stays.
    Right,
    /// The chart rendered it, or we did under other settings: it is replaced or removed.
    Chart,
    /// Anything else: a user's own, subject to `onConflict`.
    User,
}

impl<'a> Form<'a> {
    pub(crate) fn of(variable: &'a EnvVar<'_>) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct ValueFrom<'a> {
            #[serde(borrow)]
            secret_key_ref: Obj<KeyRef<'a>>,
            #[serde(borrow)]
            config_map_key_ref: Obj<KeyRef<'a>>,
        }
        let Some(raw) = variable.value_from else {
            return Self::Value(variable.value.get().unwrap_or_default());
        };
        let from = serde_json::from_str::<Obj<ValueFrom<'a>>>(raw.get()).unwrap_or_default().value;
        match (from.secret_key_ref.shape, from.config_map_key_ref.shape) {
            (Shape::Expected, Shape::Missing) => Self::SecretKey(from.secret_key_ref.value),
            (Shape::Missing, Shape::Expected) => Self::ConfigMapKey(from.config_map_key_ref.value),
            _ => Self::Other,
        }
    }

    pub(crate) fn is_value(&self, text: &str) -> bool {
        matches!(self, Self::Value(value) if *value == text)
    }

    fn says(&self, source: &Source) -> bool {
        match (self, source) {
            (Self::Value(value), Source::Value(wanted)) => value == wanted,
            (Self::SecretKey(found), Source::SecretKey(wanted)) => found.means(wanted),
            (Self::ConfigMapKey(found), Source::ConfigMapKey(wanted)) => found.names(&wanted.name, &wanted.key),
            _ => false,
        }
    }

    /// Who put this value of `variable` there; `wanted` is what we would write, `None` if nothing.
    pub(crate) fn origin(&self, variable: Variable, wanted: Option<&Source>, auth: &Auth) -> Origin {
        if let Some(source) = wanted {
            let chart_username = variable == Variable::Username
                && auth.mode == Mode::Password
                && auth.chart_has_username
                && self.is_chart_username();
            if self.says(source) || chart_username {
                return Origin::Right;
            }
        }
        let gives_way = match variable {
            Variable::Token | Variable::Password => match self {
                Self::SecretKey(found) => is_chart_secret(found.name.get(), found.key.get(), auth),
                _ => false,
            },
            Variable::Username => {
                self.is_chart_username() || self.is_value(DEFAULT_USERNAME) || self.is_username_of(&auth.username)
            }
            Variable::TokenFile | Variable::PasswordFile => {
                matches!(self, Self::Value(value) if super::injection::is_our_file(value))
            }
            // Judged as a pair: see `pair_origin` in `container.rs`.
            Variable::SecretName | Variable::SecretKey => false,
        };
        if gives_way { Origin::Chart } else { Origin::User }
    }

    fn is_chart_username(&self) -> bool {
        matches!(self, Self::ConfigMapKey(found) if found.names(CHART_CONFIG_MAP, CHART_USERNAME_KEY))
    }

    fn is_username_of(&self, username: &Username) -> bool {
        match username {
            Username::Plain(name) => self.is_value(name),
            Username::ConfigMapKey(wanted) => {
                matches!(self, Self::ConfigMapKey(found) if found.names(&wanted.name, &wanted.key))
            }
            Username::SecretKey(wanted) => {
                matches!(self, Self::SecretKey(found) if found.names(&wanted.name, &wanted.key))
            }
        }
    }
}

/// Whether the chart renders references to this Secret and key: the four in [`CHART_SECRETS`], or the one
/// that the settings name (the chart reads two of the three spellings of the settings).
pub(crate) fn is_chart_secret(name: Option<&str>, key: Option<&str>, auth: &Auth) -> bool {
    let (Some(name), Some(key)) = (name, key) else { return false };
    CHART_SECRETS.iter().any(|known| known.name == name && known.key == key)
        || (auth.credential.name == name && auth.credential.key == key)
}

/// Whether a Secret's name alone is that of one in [`is_chart_secret`].
pub(crate) fn is_chart_secret_name(name: &str, auth: &Auth) -> bool {
    CHART_SECRETS.iter().any(|known| known.name == name) || auth.credential.name == name
}

/// Whether a key alone is that of one in [`is_chart_secret`].
pub(crate) fn is_chart_secret_key(key: &str, auth: &Auth) -> bool {
    CHART_SECRETS.iter().any(|known| known.key == key) || auth.credential.key == key
}
