//! Which credential: the mode, the Secret that holds it, and the user's name.

/// The two ways in which a Runtime authenticates to Argo CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A non-expiring API key that a person made.
    Token,
    /// A user name and password; the API key made from them is kept in [`GENERATED_TOKEN`].
    Password,
}

impl Mode {
    /// The name in the values (`auth.type`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
        }
    }
}

/// A Secret and key that the Runtime's own chart names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WellKnown {
    /// Name of the Secret.
    pub name: &'static str,
    /// Key in it.
    pub key: &'static str,
}

/// What Argo CD makes at its first start; the Runtime's default password.
pub const INITIAL_PASSWORD: WellKnown = WellKnown { name: "argocd-initial-admin-secret", key: "password" };
/// What a chart makes from a plain `token`.
pub const PLAIN_TOKEN: WellKnown = WellKnown { name: "gitops-runtime-argo-cd-token", key: "token" };
/// What a chart makes from a plain `password`. The key is really called `token`.
pub const PLAIN_PASSWORD: WellKnown = WellKnown { name: "gitops-runtime-argo-cd-password", key: "token" };
/// Where the API key made from a password is kept.
pub const GENERATED_TOKEN: WellKnown = WellKnown { name: "argocd-token", key: "token" };

/// The forms that the Runtime's chart renders by itself.
pub(crate) const CHART_SECRETS: [WellKnown; 4] = [INITIAL_PASSWORD, PLAIN_TOKEN, PLAIN_PASSWORD, GENERATED_TOKEN];

/// The `ConfigMap` from which the chart's own app-proxy takes its user name.
pub const CHART_CONFIG_MAP: &str = "cap-app-proxy-cm";
/// The key of the user name in [`CHART_CONFIG_MAP`].
pub const CHART_USERNAME_KEY: &str = "argoCdUsername";
/// The user name where none is given.
pub const DEFAULT_USERNAME: &str = "admin";

/// A reference to a key of a Secret, as in a pod's `secretKeyRef`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKeyRef {
    /// Name of the Secret, in the pod's namespace.
    pub name: String,
    /// Key in the Secret.
    pub key: String,
    /// Passed on into the pod where the settings give it.
    pub optional: Option<bool>,
}

impl From<WellKnown> for SecretKeyRef {
    fn from(known: WellKnown) -> Self {
        Self { name: known.name.to_owned(), key: known.key.to_owned(), optional: None }
    }
}

/// A reference to a key of a `ConfigMap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapKeyRef {
    /// Name of the `ConfigMap`, in the pod's namespace.
    pub name: String,
    /// Key in it.
    pub key: String,
}

/// Where the user name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Username {
    /// Written into the pod: the form that always works.
    Plain(String),
    /// Taken by the kubelet from a `ConfigMap`.
    ConfigMapKey(ConfigMapKeyRef),
    /// Taken by the kubelet from a Secret.
    SecretKey(SecretKeyRef),
}

/// The credential that the settings describe. It names Secrets and never holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Token or password.
    pub mode: Mode,
    /// The token (mode [`Mode::Token`]) or the password (mode [`Mode::Password`]).
    pub credential: SecretKeyRef,
    /// The account's name.
    pub username: Username,
    /// Whether the chart's own `ConfigMap` ([`CHART_CONFIG_MAP`]) holds the same user name. It does
    /// where the chart renders it from the same values; it does not know the spelling
    /// `external-arg-cd`.
    pub chart_has_username: bool,
}
