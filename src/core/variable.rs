//! The environment variables that are ours to govern.

use super::Reads;

/// One of the variables through which the Runtime's services learn their Argo CD credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// The token itself.
    Token,
    /// The account's name.
    Username,
    /// The password itself.
    Password,
    /// Name of the Secret with the token, for services that read it themselves.
    SecretName,
    /// Key in that Secret.
    SecretKey,
    /// Path of a file with the token (volume delivery).
    TokenFile,
    /// Path of a file with the password (volume delivery).
    PasswordFile,
}

impl Variable {
    /// Every variable that is governed.
    pub const ALL: [Self; 7] = [
        Self::Token,
        Self::Username,
        Self::Password,
        Self::SecretName,
        Self::SecretKey,
        Self::TokenFile,
        Self::PasswordFile,
    ];

    /// The name in the container's environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "ARGO_CD_TOKEN",
            Self::Username => "ARGO_CD_USERNAME",
            Self::Password => "ARGO_CD_PASSWORD",
            Self::SecretName => "ARGO_CD_TOKEN_SECRET_NAME",
            Self::SecretKey => "ARGO_CD_TOKEN_SECRET_KEY",
            Self::TokenFile => "ARGO_CD_TOKEN_FILE",
            Self::PasswordFile => "ARGO_CD_PASSWORD_FILE",
        }
    }

    /// The variable that carries the same credential by the other delivery.
    pub(crate) const fn delivered_otherwise(self) -> Option<Self> {
        match self {
            Self::Token => Some(Self::TokenFile),
            Self::TokenFile => Some(Self::Token),
            Self::Password => Some(Self::PasswordFile),
            Self::PasswordFile => Some(Self::Password),
            _ => None,
        }
    }

    /// Whether its value is the path of a file with a credential.
    pub(crate) const fn is_file(self) -> bool {
        matches!(self, Self::TokenFile | Self::PasswordFile)
    }

    /// The variable of that name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        // Most variables of a pod are told apart by the prefix alone.
        if !name.starts_with("ARGO_CD_") {
            return None;
        }
        Self::ALL.into_iter().find(|variable| variable.name() == name)
    }

    /// How a service takes its credential when it reads this variable. A service's other variables
    /// are its own, whatever they are called.
    pub(crate) const fn read_as(self) -> Reads {
        match self {
            Self::SecretName | Self::SecretKey => Reads::Reference,
            _ => Reads::Credential,
        }
    }
}
