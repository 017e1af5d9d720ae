//! The parameters of a query request: flat names such as `Filter.1.Value.2`, read as lists and structures.

use std::collections::{BTreeMap, BTreeSet};

use super::ApiError;

/// The parameters of a request or of one structure in it. Empty ones are left out: AWS reads them as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    parameters: BTreeMap<String, String>,
}

impl Query {
    /// Reads a form body; later parameters of the same name win.
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self {
            parameters: form_urlencoded::parse(body)
                .into_owned()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        }
    }

    /// All parameters, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.parameters.iter()
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The value of a parameter as text of its own.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.parameters.get(name).cloned()
    }

    /// The value of a parameter that the operation cannot do without.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                format!("The request must contain the parameter {name}"),
            )
        })
    }

    /// A parameter that says yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid value '{other}' for {name}. Must be true or false."),
            )),
        }
    }

    /// A parameter that is a whole number from 0.
    pub(crate) fn number(&self, name: &str) -> Result<Option<usize>, ApiError> {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    ApiError::new(
                        "InvalidParameterValue",
                        format!("Invalid value '{value}' for {name}. Must be an integer."),
                    )
                })
            })
            .transpose()
    }

    /// The plain values of a list: `name.1`, `name.2` and so on, in the order of their numbers.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.numbers(name)
            .into_iter()
            .filter_map(|number| self.owned(&format!("{name}.{number}")))
            .collect()
    }

    /// The structures of a list: what stands below `name.1.`, `name.2.` and so on.
    pub(crate) fn structures(&self, name: &str) -> Vec<Self> {
        self.numbers(name)
            .into_iter()
            .map(|number| self.below(&format!("{name}.{number}")))
            .collect()
    }

    /// What stands below `name.`.
    pub(crate) fn below(&self, name: &str) -> Self {
        let prefix = format!("{name}.");
        Self {
            parameters: self
                .parameters
                .iter()
                .filter_map(|(key, value)| {
                    Some((key.strip_prefix(&prefix)?.to_owned(), value.clone()))
                })
                .collect(),
        }
    }

    fn numbers(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{name}.");
        self.parameters
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('.').next()?.parse().ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_the_order_of_their_numbers() {
        let query = Query::parse(b"Id.10=c&Id.2=b&Id.1=a&Id.x=no&Id=no");
        assert_eq!(query.list("Id"), ["a", "b", "c"]);
    }

    #[test]
    fn empty_parameters_are_absent() {
        let query = Query::parse(b"SubnetId=&ImageId=ami-1");
        assert_eq!(query.get("SubnetId"), None);
        assert_eq!(
            query.required("SubnetId").unwrap_err().code,
            "MissingParameter"
        );
        assert_eq!(query.required("ImageId").unwrap(), "ami-1");
    }

    #[test]
    fn structures_hold_their_own_lists() {
        let query = Query::parse(b"Filter.1.Name=tag%3Aa&Filter.1.Value.1=x&Filter.1.Value.2=y");
        let filters = query.structures("Filter");
        assert_eq!(filters.len(), 1);
        assert_eq!(filters[0].get("Name"), Some("tag:a"));
        assert_eq!(filters[0].list("Value"), ["x", "y"]);
    }

    #[test]
    fn what_is_not_a_number_or_a_flag_is_refused() {
        let query = Query::parse(b"MaxResults=many&DryRun=perhaps");
        assert_eq!(
            query.number("MaxResults").unwrap_err().code,
            "InvalidParameterValue"
        );
        assert_eq!(
            query.flag("DryRun").unwrap_err().code,
            "InvalidParameterValue"
        );
        assert!(!query.flag("Other").unwrap());
    }
}
