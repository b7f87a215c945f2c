//! The ids of the keys that are made here.

use ring::rand::{SecureRandom, SystemRandom};

/// Length of a UUID in its usual form.
const UUID: usize = 36;

/// What the ids of this namespace's keys begin with: two Runtimes on one Argo CD leave each other's
/// keys alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Of this namespace.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self(format!("argocd-auth-webhook-{namespace}-"))
    }

    /// Whether a key with this id was made here. To the letter: the rest is a UUID, so that the keys
    /// of the namespace `a-b` are not taken for ones of `a`.
    #[must_use]
    pub fn is_ours(&self, id: &str) -> bool {
        id.strip_prefix(&self.0).is_some_and(is_uuid)
    }

    /// An id that nobody has had: only the id of a key is compared, so that one used twice would bring
    /// an old key back to life. Nothing where there is no randomness.
    #[must_use]
    pub fn fresh(&self) -> Option<String> {
        let mut bytes = [0_u8; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        // Version 4, variant 1 (RFC 9562).
        let bits = (u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let text = format!("{bits:032x}");
        let mut id = self.0.clone();
        for (place, digit) in text.chars().enumerate() {
            if matches!(place, 8 | 12 | 16 | 20) {
                id.push('-');
            }
            id.push(digit);
        }
        Some(id)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == UUID
        && text.char_indices().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => c == '-',
            _ => matches!(c, '0'..='9' | 'a'..='f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_is_ours_and_no_other_one_is() {
        let prefix = Prefix::new("codefresh");
        let (one, two) = (prefix.fresh().unwrap(), prefix.fresh().unwrap());
        assert!(prefix.is_ours(&one) && prefix.is_ours(&two));
        assert_ne!(one, two);
        assert_eq!(one.as_bytes()["argocd-auth-webhook-codefresh-".len() + 14], b'4', "{one}");
        let uuid = "0123abcd-0123-4123-8123-0123456789ab";
        assert!(prefix.is_ours(&format!("argocd-auth-webhook-codefresh-{uuid}")));
        for other in [
            String::new(),
            uuid.to_owned(),
            format!("argocd-auth-webhook-{uuid}"),
            format!("argocd-auth-webhook-codefresh-b-{uuid}"),
            format!("argocd-auth-webhook-other-{uuid}"),
            format!("argocd-auth-webhook-codefresh-{uuid}0"),
            format!("argocd-auth-webhook-codefresh-{}", uuid.to_uppercase()),
            format!("argocd-auth-webhook-codefresh-{}", uuid.replace('-', "0")),
            format!("argocd-auth-webhook-codefresh-/{}", &uuid[1..]),
            format!("x-argocd-auth-webhook-codefresh-{uuid}"),
        ] {
            assert!(!prefix.is_ours(&other), "{other}");
        }
    }
}
