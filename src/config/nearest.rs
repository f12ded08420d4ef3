//! The nearest valid name to a misspelled one.

/// How alike two names must be (0 to 1) before one is offered for the other.
const ALIKE: f64 = 0.6;

/// The candidate that is most like `wrong`, if any is alike at all.
pub(super) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&wrong, &name.to_lowercase()), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_its_name_and_nonsense_finds_none() {
        let names = ["theme", "time_zone", "read_only"];
        assert_eq!(nearest("teme", names), Some("theme"));
        assert_eq!(nearest("readonly", names), Some("read_only"));
        assert_eq!(nearest("Theme", names), Some("theme"));
        assert_eq!(nearest("workspaces", names), None);
    }
}
