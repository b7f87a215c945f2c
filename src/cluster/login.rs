//! Messages about failed logins of a kubeconfig.

use crate::core::text::words;
use kube::client::AuthError;

/// Says why a login failed. Leaves out the plugin's standard output, which holds the token, and its
/// arguments, which can hold credentials.
pub(super) fn login_words(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = words(&String::from_utf8_lossy(&out.stderr), 500, &[]);
            if said.is_empty() { out.status.to_string() } else { format!("{}: {said}", out.status) }
        }
        AuthError::AuthExecStart(error) => format!("it can't be started: {error}"),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed | AuthError::MalformedTokenExpirationDate(_) => {
            "what it printed is no ExecCredential with a token or a certificate".to_owned()
        }
        AuthError::MissingCommand => "no command is named".to_owned(),
        AuthError::ReadTokenFile(error, path) => format!("reading the token file {}: {error}", path.display()),
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "its token or password has characters that no header can have".to_owned()
        }
        _ => "it can't be used".to_owned(),
    }
}
