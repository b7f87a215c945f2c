//! The environment variables that the webhook governs.

use super::Reads;

/// A variable from which the Runtime's services take their Argo CD credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `ARGO_CD_TOKEN`: the token itself.
    Token,
    /// `ARGO_CD_USERNAME`: the account's name.
    Username,
    /// `ARGO_CD_PASSWORD`: the password itself.
    Password,
    /// `ARGO_CD_TOKEN_SECRET_NAME`: the Secret with the token, for services that read it from the API server.
    SecretName,
    /// `ARGO_CD_TOKEN_SECRET_KEY`: the key in that Secret.
    SecretKey,
    /// The path of a file with the token (volume delivery).
    TokenFile,
    /// The path of a file with the password (volume delivery).
    PasswordFile,
}

impl Variable {
    /// Every governed variable.
    pub const ALL: [Self; 7] = [
        Self::Token,
        Self::Username,
        Self::Password,
        Self::SecretName,
        Self::SecretKey,
        Self::TokenFile,
        Self::PasswordFile,
    ];

    /// The name that the container's process sees.
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

    /// The variable that holds the same credential under the other [`Delivery`](super::Delivery); `None` if
    /// there is none.
    pub(crate) const fn delivered_otherwise(self) -> Option<Self> {
        match self {
            Self::Token => Some(Self::TokenFile),
            Self::TokenFile => Some(Self::Token),
            Self::Password => Some(Self::PasswordFile),
            Self::PasswordFile => Some(Self::Password),
            _ => None,
        }
    }

    /// Whether its value is the path of a file.
    pub(crate) const fn is_file(self) -> bool {
        matches!(self, Self::TokenFile | Self::PasswordFile)
    }

    /// The governed variable with this name, if it is one.
    pub(crate) fn of(name: &str) -> Option<Self> {
        // The prefix tells most variables of a pod apart without a search.
        if !name.starts_with("ARGO_CD_") {
            return None;
        }
        Self::ALL.into_iter().find(|variable| variable.name() == name)
    }

    /// In which form a service takes its credential when it reads this variable. Variables of the other form
    /// are the service's own, whatever they are called.
    pub(crate) const fn read_as(self) -> Reads {
        match self {
            Self::SecretName | Self::SecretKey => Reads::Reference,
            _ => Reads::Credential,
        }
    }
}
