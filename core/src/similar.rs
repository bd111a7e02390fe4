//! Finds the names that a mistyped name may mean.

/// Returns the names most similar to `wanted`, the most similar first, and at most three.
///
/// ```
/// use kinesis_event_logger_core::similar::similar;
///
/// assert_eq!(similar("partitonKey", ["partitionKey", "arrival"]), ["partitionKey"]);
/// assert!(similar("colour", ["partitionKey", "arrival"]).is_empty());
/// ```
pub fn similar<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let distances = names.into_iter().map(|name| (edit_distance(&wanted, &name.to_lowercase()), name));
    let mut similar: Vec<_> = distances.filter(|(distance, _)| distance * 3 <= wanted.chars().count().max(3)).collect();
    similar.sort_unstable();
    // A name that differs only in case is the one that was meant.
    let nearest = similar.first().map_or(0, |(distance, _)| *distance);
    similar.retain(|(distance, _)| *distance <= 2 * nearest);
    similar.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Returns the number of characters that are inserted, removed or replaced between two texts.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_characters() {
        for (a, b, distance) in [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("größe", "grosse", 3)] {
            assert_eq!((edit_distance(a, b), edit_distance(b, a)), (distance, distance), "{a} {b}");
        }
    }

    #[test]
    fn at_most_three_names_are_similar_the_most_similar_first() {
        assert_eq!(similar("LAGMS", ["lagMx", "lagMs", "laxMx", "xagMx"]), ["lagMs"]);
        assert_eq!(similar("lagMz", ["lagMx", "lagms", "laxMx", "xagMx"]), ["lagMx", "lagms"]);
        assert_eq!(similar("abcdef", ["abcdeX", "abcdXX", "abXXXX"]), ["abcdeX", "abcdXX"]);
        assert_eq!(similar("abcd", ["abcw", "abcx", "abcy", "abcz"]), ["abcw", "abcx", "abcy"]);
    }
}
