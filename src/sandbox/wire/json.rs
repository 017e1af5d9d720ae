//! The body of a JSON 1.1 request, read member by member.

use serde_json::Value;

use super::ApiError;

/// The body of a request, or a structure in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    value: &'a Value,
}

impl<'a> Json<'a> {
    /// Wraps an object; anything else is refused as the service refuses what it cannot read.
    pub(crate) fn new(value: &'a Value) -> Result<Self, ApiError> {
        if value.is_object() {
            Ok(Self { value })
        } else {
            Err(ApiError::new(
                "SerializationException",
                "the body is not a JSON object",
            ))
        }
    }

    /// A member that is text.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, ApiError> {
        match self.value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    /// A member that is text and must be there.
    pub(crate) fn required(self, name: &str) -> Result<&'a str, ApiError> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(missing(name)),
        }
    }

    /// A member that says yes or no; absent means no.
    pub(crate) fn flag(self, name: &str) -> Result<bool, ApiError> {
        match self.value.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong_type(name, "a boolean")),
        }
    }

    /// A whole number between two bounds.
    pub(crate) fn number(self, name: &str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
        match self.value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value
                    .as_u64()
                    .ok_or_else(|| wrong_type(name, "an integer"))?;
                if (least..=most).contains(&number) {
                    Ok(Some(number))
                } else {
                    Err(ApiError::new(
                        "ValidationException",
                        format!(
                            "1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: Member must have value between {least} and {most}"
                        ),
                    ))
                }
            }
        }
    }

    /// A page size: a number from 1 to `most`.
    pub(crate) fn page_size(self, most: u64) -> Result<Option<usize>, ApiError> {
        Ok(self
            .number("MaxResults", 1, most)?
            .and_then(|size| usize::try_from(size).ok()))
    }

    /// A list of texts; absent means empty.
    pub(crate) fn texts(self, name: &str) -> Result<Vec<String>, ApiError> {
        self.list(name)?
            .iter()
            .map(|entry| {
                entry
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| wrong_type(name, "a list of strings"))
            })
            .collect()
    }

    /// A list of structures; absent means empty.
    pub(crate) fn structures(self, name: &str) -> Result<Vec<Json<'a>>, ApiError> {
        self.list(name)?
            .iter()
            .map(|value| Json::new(value).map_err(|_| wrong_type(name, "a list of structures")))
            .collect()
    }

    /// The member as it came.
    pub(crate) fn raw(self, name: &str) -> Option<&'a Value> {
        self.value.get(name)
    }

    /// Key and value of the entries of `Tags`.
    pub(crate) fn tags(self) -> Result<Vec<(String, String)>, ApiError> {
        self.structures("Tags")?
            .into_iter()
            .map(|tag| {
                let value = tag.text("Value")?.ok_or_else(|| missing("Value"))?;
                Ok((tag.required("Key")?.to_owned(), value.to_owned()))
            })
            .collect()
    }

    fn list(self, name: &str) -> Result<&'a [Value], ApiError> {
        match self.value.get(name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(entries)) => Ok(entries),
            Some(_) => Err(wrong_type(name, "a list")),
        }
    }
}

/// Writes a moment as JSON 1.1 does: seconds since 1970 with milliseconds.
pub(crate) fn seconds(timestamp: jiff::Timestamp) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit a double for the next 285,000 years"
    )]
    let seconds = timestamp.as_millisecond() as f64 / 1000.0;
    Value::from(seconds)
}

fn missing(name: &str) -> ApiError {
    ApiError::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ),
    )
}

fn wrong_type(name: &str, wanted: &str) -> ApiError {
    ApiError::new(
        "SerializationException",
        format!("{name} cannot be read as {wanted}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_types_are_refused_and_absent_members_are_not() {
        let body = json!({ "Name": 5, "Names": ["a", 1], "Max": 11 });
        let body = Json::new(&body).unwrap();
        assert_eq!(
            body.text("Name").unwrap_err().code,
            "SerializationException"
        );
        assert_eq!(
            body.texts("Names").unwrap_err().code,
            "SerializationException"
        );
        assert_eq!(
            body.number("Max", 1, 10).unwrap_err().code,
            "ValidationException"
        );
        assert_eq!(
            body.required("Path").unwrap_err().code,
            "ValidationException"
        );
        assert!(body.texts("Absent").unwrap().is_empty());
        assert!(Json::new(&json!([])).is_err());
    }
}
