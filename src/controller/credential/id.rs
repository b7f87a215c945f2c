//! The ids of the keys that are made here.

use crate::argocd::fresh_uuid;

/// Length of a UUID in its usual form.
const UUID: usize = 36;
/// So much of the namespace's uid tells clusters apart that have a namespace of one name.
const CLUSTER: usize = 8;

/// What the ids of this namespace's keys begin with: two Runtimes on one Argo CD leave each other's
/// keys alone, also where their namespaces have one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// With the namespace's name, and its dash.
    namespace: String,
    /// With the beginning of its uid besides, and its dash.
    cluster: String,
}

impl Prefix {
    /// Of this namespace with this uid; nothing where that is no uid.
    #[must_use]
    pub fn new(namespace: &str, uid: &str) -> Option<Self> {
        let begin = uid.get(..CLUSTER).filter(|begin| begin.chars().all(is_hex))?;
        let namespace = format!("argocd-auth-webhook-{namespace}-");
        Some(Self { cluster: format!("{namespace}{begin}-"), namespace })
    }

    /// Whether a key with this id was made here. To the letter: the rest is a UUID, so that the keys
    /// of the namespace `a-b` are not taken for ones of `a`.
    #[must_use]
    pub fn is_ours(&self, id: &str) -> bool {
        id.strip_prefix(&self.cluster).is_some_and(is_uuid)
    }

    /// Whether it is ours, or of the form that named no cluster and `is_named` in this one: another
    /// cluster may have a namespace of that name.
    pub fn owns(&self, id: &str, is_named: impl FnOnce(&str) -> bool) -> bool {
        self.is_ours(id) || id.strip_prefix(&self.namespace).is_some_and(is_uuid) && is_named(id)
    }

    /// An id that nobody has had; nothing where there is no randomness.
    #[must_use]
    pub fn fresh(&self) -> Option<String> {
        Some(self.cluster.clone() + &fresh_uuid()?)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == UUID
        && text.char_indices().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => c == '-',
            _ => is_hex(c),
        })
}

const fn is_hex(c: char) -> bool {
    matches!(c, '0'..='9' | 'a'..='f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "89abcdef-0123-4123-8123-0123456789ab";
    const UUID: &str = "0123abcd-0123-4123-8123-0123456789ab";

    #[test]
    fn a_fresh_id_is_ours_and_no_other_one_is() {
        let prefix = Prefix::new("codefresh", UID).unwrap();
        let (one, two) = (prefix.fresh().unwrap(), prefix.fresh().unwrap());
        assert!(prefix.is_ours(&one) && prefix.is_ours(&two));
        assert_ne!(one, two);
        assert_eq!(one.as_bytes()["argocd-auth-webhook-codefresh-89abcdef-".len() + 14], b'4', "{one}");
        assert!(prefix.is_ours(&format!("argocd-auth-webhook-codefresh-89abcdef-{UUID}")));
        for other in [
            String::new(),
            UUID.to_owned(),
            format!("argocd-auth-webhook-codefresh-{UUID}"),
            format!("argocd-auth-webhook-{UUID}"),
            format!("argocd-auth-webhook-codefresh-b-89abcdef-{UUID}"),
            format!("argocd-auth-webhook-other-89abcdef-{UUID}"),
            format!("argocd-auth-webhook-codefresh-89abcdee-{UUID}"),
            format!("argocd-auth-webhook-codefresh-89abcdef-{UUID}0"),
            format!("argocd-auth-webhook-codefresh-89abcdef-{}", UUID.to_uppercase()),
            format!("argocd-auth-webhook-codefresh-89abcdef-{}", UUID.replace('-', "0")),
            format!("argocd-auth-webhook-codefresh-89abcdef-/{}", &UUID[1..]),
            format!("x-argocd-auth-webhook-codefresh-89abcdef-{UUID}"),
        ] {
            assert!(!prefix.is_ours(&other), "{other}");
        }
    }

    #[test]
    fn one_that_names_no_cluster_is_owned_only_where_this_one_names_it() {
        let prefix = Prefix::new("codefresh", UID).unwrap();
        let former = format!("argocd-auth-webhook-codefresh-{UUID}");
        assert!(prefix.owns(&former, |_| true) && !prefix.owns(&former, |_| false));
        assert!(prefix.owns(&prefix.fresh().unwrap(), |_| false));
        let elsewhere = Prefix::new("codefresh", "fedcba98-0123-4123-8123-0123456789ab").unwrap();
        for other in [elsewhere.fresh().unwrap(), "somebody's".to_owned(), format!("argocd-auth-webhook-other-{UUID}")]
        {
            assert!(!prefix.owns(&other, |_| true), "{other}");
        }
    }

    #[test]
    fn what_is_no_uid_tells_no_clusters_apart() {
        for uid in ["", "89abcde", "89ABCDEF-0123", "ünïcödé-", "g9abcdef"] {
            assert_eq!(Prefix::new("codefresh", uid), None, "{uid}");
        }
    }
}
