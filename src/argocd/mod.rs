//! Argo CD's REST API: logins, accounts, API keys. Knows no Kubernetes.
//!
//! HTTP/1.1 over a connection of its own. Redirects aren't followed; every call has a time limit and every
//! answer a size limit. Errors carry Argo CD's messages and nothing that could be a credential. Tokens and
//! passwords are `SecretString`s, in and out.

mod base;
mod connect;
mod error;
mod foreign;
mod http;
mod id;
mod lenient;
mod message;
#[cfg(test)]
pub(crate) mod scripted;
mod server;
mod tls;
pub mod verify;

pub use base::{BadAddress, Base, is_inside};
pub use connect::Proxies;
pub use error::{ArgoCdError, Cause, RedirectKind, TlsFailure};
pub use foreign::Foreign;
pub use id::fresh_uuid;
pub use message::Message;
pub use server::{Account, Limits, ListedToken, Server, Target, UserInfo};
pub use tls::TlsTrust;
pub use verify::login_advice;
