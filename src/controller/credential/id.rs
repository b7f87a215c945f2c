//! The ids of the API keys that this program mints.

use crate::argocd::fresh_uuid;

/// The length of a UUID in text form.
const UUID: usize = 36;
/// How many digits of the namespace's uid are part of an id: they tell clusters apart whose namespaces share
/// a name.
const CLUSTER: usize = 8;

/// The prefix of all key ids of one namespace. Runtimes that share an Argo CD leave each other's keys alone
/// by it, even if their namespaces have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix of the older form, which has only the namespace's name.
    namespace: String,
    /// The prefix of the current form, which also has the beginning of the namespace's uid.
    cluster: String,
}

impl Prefix {
    /// The prefix of the namespace with this name and uid; `None` if `uid` isn't one.
    #[must_use]
    pub fn new(namespace: &str, uid: &str) -> Option<Self> {
        let begin = uid.get(..CLUSTER).filter(|begin| begin.chars().all(is_hex))?;
        let namespace = format!("argocd-auth-webhook-{namespace}-");
        Some(Self { cluster: format!("{namespace}{begin}-"), namespace })
    }

    /// Whether this cluster's program minted the key with this id. The rest must be a UUID, so that keys of
    /// namespace `a-b` aren't taken for keys of `a`.
    #[must_use]
    pub fn is_ours(&self, id: &str) -> bool {
        id.strip_prefix(&self.cluster).is_some_and(is_uuid)
    }

    /// Whether the key is ours: by [`Prefix::is_ours`], or by the older form if this cluster also names the
    /// id somewhere (`is_named`), since other clusters may have a namespace of that name.
    pub fn owns(&self, id: &str, is_named: impl FnOnce(&str) -> bool) -> bool {
        self.is_ours(id) || id.strip_prefix(&self.namespace).is_some_and(is_uuid) && is_named(id)
    }

    /// A new id; `None` if there are no random numbers.
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
