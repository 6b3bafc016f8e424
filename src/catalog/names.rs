//! Names of objects: how they print, and which one a misspelt name may have meant.

use super::entry::Entry;

/// Where names without a schema are looked up and made.
pub const DEFAULT_SCHEMA: &str = "public";

/// The name as messages print it: with the schema only when it is not the default one.
pub fn printed(schema: &str, name: &str) -> String {
    match schema {
        DEFAULT_SCHEMA => name.to_string(),
        _ => format!("{schema}.{name}"),
    }
}

/// The name of the entry that is nearest to `name`, when one is near enough to be meant.
pub fn similar<'a>(name: &str, entries: impl Iterator<Item = &'a Entry>) -> Option<String> {
    let wanted = name.to_lowercase();
    let most = (wanted.chars().count() / 3).clamp(1, 3);
    entries
        .map(|entry| (distance(&wanted, &entry.name.to_lowercase()), entry))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, entry)| (*distance, &entry.name))
        .map(|(_, entry)| printed(&entry.schema_name, &entry.name))
}

/// How many characters must be put in, taken out or changed to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("orders", "orders", 0), ("orders", "order", 1), ("oders", "orders", 1), ("", "ab", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }
}
