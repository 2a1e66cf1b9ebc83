//! Suggests what a mistyped name may mean, in the words of every `help:` about names.

/// Returns the known name that is most similar to a mistyped one, if at most a third of its
/// characters have to be changed.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let (distance, best) = known
        .into_iter()
        .map(|near| (strsim::osa_distance(name, near), near))
        .min()?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(best)
}

/// Returns a question such as "did you mean `name`?" if a known name is similar.
pub(crate) fn did_you_mean<'n>(
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// Returns the question of [`did_you_mean`], or all known names: "expected one of a, b".
pub(crate) fn did_you_mean_one_of(name: &str, known: &[&str]) -> String {
    did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match known {
        [only] => format!("expected {only}"),
        _ => format!("expected one of {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested_and_others_listed() {
        let known = ["name", "owner", "regions"];
        let check = |name: &str, expect: &str| {
            assert_eq!(did_you_mean_one_of(name, &known), expect, "{name}");
        };
        check("nmae", "did you mean `name`?");
        check("regoins", "did you mean `regions`?");
        check("x", "expected one of name, owner, regions");
        check("", "expected one of name, owner, regions");
        assert_eq!(did_you_mean_one_of("x", &["name"]), "expected name");
        assert_eq!(nearest("name", []), None);
    }
}
