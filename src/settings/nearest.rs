//! The known name that a person may have meant.

/// The known name that is nearest to `word`, if any is near: at most a third of its letters differ,
/// and case doesn't count.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase();
    let near = known.iter().map(|name| (distance(&word, &name.to_lowercase()), *name));
    near.min_by_key(|(steps, _)| *steps)
        .filter(|(steps, name)| steps * 3 <= name.chars().count().max(3))
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or exchanged (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&b) {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = *cell;
            left = exchanged.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        for (a, b, steps) in
            [("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("token", "token", 0)]
        {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_proposed() {
        let known = ["token", "password", "tokenSecretKeyRef"];
        assert_eq!(nearest("toke", &known), Some("token"));
        assert_eq!(nearest("tokenSecretkeyRef", &known), Some("tokenSecretKeyRef"));
        assert_eq!(nearest("PASSWORD", &known), Some("password"));
        assert_eq!(nearest("something", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
