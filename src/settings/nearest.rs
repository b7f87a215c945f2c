//! Finds the known name that a misspelt one was meant for.

/// The known name nearest to `word`; `None` if none is near enough to be meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|name| (distance(word, name), *name));
    near.min_by_key(|(steps, _)| *steps).filter(|(steps, name)| *steps <= slack(name)).map(|(_, name)| name)
}

/// Whether `word` is `name` misspelt: in another case, with other hyphens, or with a letter or two wrong. The
/// chart has the same rule (`argocd-auth-webhook.misspelt`).
pub(super) fn is_misspelt(word: &str, name: &str) -> bool {
    word != name && distance(word, name) <= 1
}

/// Removes what people vary in names: case, hyphens and underscores.
pub(super) fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

fn distance(word: &str, name: &str) -> usize {
    strsim::damerau_levenshtein(&fold(word), &fold(name))
}

/// How many letters may differ: a quarter of the name, at most two. `tolerations` is four letters from
/// `integrations`, and no misspelling of it.
fn slack(name: &str) -> usize {
    (fold(name).chars().count() / 4).min(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_proposed() {
        let known = ["token", "password", "tokenSecretKeyRef"];
        assert_eq!(nearest("toke", &known), Some("token"));
        assert_eq!(nearest("tokenSecretkeyRef", &known), Some("tokenSecretKeyRef"));
        assert_eq!(nearest("token_secret_key_ref", &known), Some("tokenSecretKeyRef"));
        assert_eq!(nearest("PASSWORD", &known), Some("password"));
        assert_eq!(nearest("something", &known), None);
        assert_eq!(nearest("tolerations", &["integrations"]), None);
        assert_eq!(nearest("", &known), None);
    }

    #[test]
    fn a_name_is_no_misspelling_of_itself() {
        assert!(!is_misspelt("auth", "auth"));
        for word in ["Auth", "AUTH", "auths", "au-th"] {
            assert!(is_misspelt(word, "auth"), "{word}");
        }
        assert!(!is_misspelt("external-argo-rollouts", "external-argo-cd"));
    }
}
