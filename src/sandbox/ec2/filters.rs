//! Filters: `Filter.N.Name` and its values, any of which may match; all filters must.

use std::collections::BTreeMap;

use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::query::Query;

/// The filters of a request.
#[derive(Debug)]
pub(crate) struct Filters {
    filters: Vec<(String, Vec<String>)>,
}

impl Filters {
    /// Reads the filters; a name that is neither in `known` nor about tags is refused.
    pub(crate) fn read(query: &Query, known: &[&str]) -> Result<Self, ApiError> {
        let filters = query
            .structures("Filter")
            .into_iter()
            .map(|filter| {
                let name = filter.required("Name")?.to_owned();
                let about_tags = name == "tag-key" || name.starts_with("tag:");
                if !about_tags && !known.contains(&name.as_str()) {
                    return Err(ApiError::new(
                        "InvalidParameterValue",
                        format!("The filter '{name}' is invalid"),
                    ));
                }
                Ok((name, filter.list("Value")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { filters })
    }

    /// Tells whether a resource with these tags passes; `values` gives what it has under a filter's name.
    pub(crate) fn pass(
        &self,
        tags: &BTreeMap<String, String>,
        values: impl Fn(&str) -> Vec<String>,
    ) -> bool {
        self.filters.iter().all(|(name, wanted)| {
            let present = if let Some(key) = name.strip_prefix("tag:") {
                tags.get(key).cloned().into_iter().collect()
            } else if name == "tag-key" {
                tags.keys().cloned().collect()
            } else {
                values(name)
            };
            present
                .iter()
                .any(|value| wanted.iter().any(|pattern| matches(pattern, value)))
        })
    }
}

/// Matches a filter value: `*` stands for any text, `?` for one character, a backslash takes the next as it is.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern_characters = pattern.chars();
    match pattern_characters.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern_characters.as_str();
            text.char_indices()
                .map(|(start, _)| start)
                .chain([text.len()])
                .any(|start| matches(rest, &text[start..]))
        }
        Some(first) => {
            let escaped = first == '\\';
            let wanted = if escaped {
                pattern_characters.next()
            } else {
                Some(first)
            };
            let mut characters = text.chars();
            match (wanted, characters.next()) {
                (Some('?'), Some(_)) if !escaped => {
                    matches(pattern_characters.as_str(), characters.as_str())
                }
                (Some(wanted), Some(found)) if wanted == found => {
                    matches(pattern_characters.as_str(), characters.as_str())
                }
                _ => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(form: &str, known: &[&str]) -> Result<bool, ApiError> {
        let tags = BTreeMap::from([("goldseed:run".to_owned(), "r1".to_owned())]);
        let filters = Filters::read(&Query::parse(form.as_bytes()), known)?;
        Ok(filters.pass(&tags, |_| vec!["pending".to_owned()]))
    }

    #[test]
    fn all_filters_must_match_with_any_of_their_values() {
        let known = ["state"];
        for (form, wanted) in [
            ("Filter.1.Name=tag:goldseed:run&Filter.1.Value.1=r1", true),
            ("Filter.1.Name=tag:goldseed:run&Filter.1.Value.1=r2", false),
            ("Filter.1.Name=tag-key&Filter.1.Value.1=goldseed:*", true),
            (
                "Filter.1.Name=state&Filter.1.Value.1=available&Filter.1.Value.2=pending",
                true,
            ),
            (
                "Filter.1.Name=state&Filter.1.Value.1=pending&Filter.2.Name=tag:x&Filter.2.Value.1=*",
                false,
            ),
            ("", true),
        ] {
            assert_eq!(pass(form, &known), Ok(wanted), "{form}");
        }
    }

    #[test]
    fn unknown_filters_are_refused() {
        let error = pass("Filter.1.Name=colour&Filter.1.Value.1=red", &["state"]).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValue");
        assert_eq!(error.message, "The filter 'colour' is invalid");
    }

    #[test]
    fn wildcards_match_as_on_ec2() {
        for (pattern, text, wanted) in [
            ("gold*", "goldseed", true),
            ("*seed", "goldseed", true),
            ("g?ld", "gold", true),
            ("g?ld", "gld", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
