//! The syntax of names in Kubernetes and Argo CD.
//!
//! No rule allows a `$`, which the kubelet would expand in the value of a variable.

/// What is wrong with a name, as "must …".
type Rule = Result<(), &'static str>;

fn all(text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.len() <= longest && text.chars().all(allowed)
}

fn alphanumeric_ends(text: &str, alphanumeric: impl Fn(char) -> bool) -> bool {
    text.starts_with(&alphanumeric) && text.ends_with(&alphanumeric)
}

const fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// A DNS label (RFC 1123): the name of a namespace, a container or a service entry.
pub(super) fn label(text: &str) -> Rule {
    let valid = all(text, 63, |c| lower_or_digit(c) || c == '-') && alphanumeric_ends(text, lower_or_digit);
    if valid {
        Ok(())
    } else {
        Err("must be lower case letters, digits and '-', at most 63, with a letter or digit at both ends")
    }
}

/// Whether a text is a valid name of a namespace.
#[must_use]
pub fn is_namespace_name(text: &str) -> bool {
    label(text).is_ok()
}

/// Whether a text is a valid name of an object such as a Secret.
#[must_use]
pub fn is_object_name(text: &str) -> bool {
    object(text).is_ok()
}

/// A DNS subdomain (RFC 1123): the name of a Secret or `ConfigMap`.
pub(super) fn object(text: &str) -> Rule {
    let part =
        |part: &str| all(part, 253, |c| lower_or_digit(c) || c == '-') && alphanumeric_ends(part, lower_or_digit);
    if text.len() <= 253 && text.split('.').all(part) {
        Ok(())
    } else {
        Err(
            "must be a Kubernetes name: lower case letters, digits, '-' and '.', at most 253, with a letter or digit at both ends",
        )
    }
}

/// A key of a Secret or `ConfigMap`.
pub(super) fn key(text: &str) -> Rule {
    let valid =
        all(text, 253, |c| c.is_ascii_alphanumeric() || "-._".contains(c)) && text != "." && !text.starts_with("..");
    if valid { Ok(()) } else { Err("must be a key of a Secret: letters, digits, '-', '_' and '.', at most 253") }
}

/// A user name that Argo CD's login accepts, without characters that the kubelet would expand.
pub(super) fn username(text: &str) -> Rule {
    let valid = all(text, 32, |c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if valid { Ok(()) } else { Err("must be a user name: letters, digits, '-', '_' and '.', at most 32") }
}

/// A label's key: an optional DNS prefix and a name.
pub(super) fn label_key(text: &str) -> Rule {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if prefix.is_none_or(|prefix| object(prefix).is_ok()) && !name.is_empty() && label_value(name).is_ok() {
        Ok(())
    } else {
        Err("must be the key of a Kubernetes label")
    }
}

/// A label's value, which may be empty.
pub(super) fn label_value(text: &str) -> Rule {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    let valid = text.is_empty()
        || (all(text, 63, |c| c.is_ascii_alphanumeric() || "-._".contains(c)) && alphanumeric_ends(text, alphanumeric));
    if valid {
        Ok(())
    } else {
        Err("must be the value of a Kubernetes label: letters, digits, '-', '_' and '.', at most 63")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_kubernetes_and_argo_cd_allow() {
        for good in ["a", "my-secret", "a.b-c.d0", "0"] {
            assert_eq!(object(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "a..b", "-a", "a-", "a_b", "a/b", "$(X)", "a b", &"a".repeat(254)] {
            assert!(object(bad).is_err(), "{bad}");
        }
        for good in ["token", "my.key", "A_b-c", ".hidden"] {
            assert_eq!(key(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "..a", "a/b", "a b", "$x"] {
            assert!(key(bad).is_err(), "{bad}");
        }
        assert_eq!(username("some.user_1-x"), Ok(()));
        for bad in ["", "a:b", "$(HOME)", "ü", &"a".repeat(33)] {
            assert!(username(bad).is_err(), "{bad}");
        }
        assert_eq!(label_key("app.kubernetes.io/name"), Ok(()));
        assert!(label_key("/name").is_err() && label_key("a/").is_err() && label_key("").is_err());
        assert!(label_value("").is_ok() && label_value("a b").is_err());
        assert!(label("cap-app-proxy").is_ok() && label("a.b").is_err());
    }
}
