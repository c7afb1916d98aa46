//! Suggestions for misspelt words.

/// The known word that is at most two slips away, if the word is long enough for that to mean anything.
pub(super) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let (slips, key) = known.iter().map(|key| (slips(word, key), *key)).min()?;
    (slips <= 2 && slips < word.chars().count()).then_some(key)
}

/// Letters to insert, drop or change to get from one word to the other (Levenshtein).
fn slips(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_count_letters() {
        for (from, to, expected) in
            [("", "", 0), ("", "ab", 2), ("idle", "idle", 0), ("idel", "idle", 2), ("hed", "head", 1)]
        {
            assert_eq!(slips(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn only_a_close_word_is_proposed() {
        let known = ["idle", "linger", "half_closed"];
        assert_eq!(closest("half_close", &known), Some("half_closed"));
        assert_eq!(closest("half-closed", &known), Some("half_closed"));
        assert_eq!(closest("keepalive", &known), None);
        assert_eq!(closest("", &known), None);
    }
}
