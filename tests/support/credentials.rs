//! The credentials in the tests' settings, which must stand in Secrets and in no log.

/// A plain token, a plain password, and another one.
pub const SECRET_VALUES: &str = include_str!("../cluster/secret-values");
/// A credential that a user wrote into a pod. It is in the pod, so the API server logs it; our processes
/// must not.
pub const USERS_OWN_VALUE: &str = "Jt5mUsersOwnTokenThatMustNotBeLogged";

pub fn plain_token() -> &'static str {
    SECRET_VALUES.lines().next().unwrap()
}

pub fn plain_password() -> &'static str {
    SECRET_VALUES.lines().nth(1).unwrap()
}

/// One that Argo CD takes as an account's: of 8 to 32 characters.
pub fn another_password() -> &'static str {
    SECRET_VALUES.lines().nth(2).unwrap()
}
