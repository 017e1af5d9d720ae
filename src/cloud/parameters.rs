//! Parameter Store as the keeper of runs, leases and the ledger.
//!
//! It has no compare-and-set: the only atomic call is a `PutParameter` without Overwrite, so what must be won by one
//! is created once, under a numbered name. Tags go only with a creation.

use aws_sdk_ssm::types as sdk;

use super::{Cloud, CloudError, ErrorKind, Tags, present};

/// A parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: a path.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its version, from 1.
    pub version: i64,
    /// When it was written last, where Parameter Store says.
    pub modified: Option<jiff::Timestamp>,
}

/// One version in a parameter's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The version, from 1.
    pub version: i64,
    /// The value.
    pub value: String,
    /// The description.
    pub description: String,
    /// The principal that wrote it.
    pub who: String,
    /// When.
    pub when: jiff::Timestamp,
}

/// What came of a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was created.
    Created,
    /// Somebody had created it before; or we had, and the answer was lost: read it to know.
    Exists,
}

impl Cloud {
    /// Returns a parameter, or none. Only for our own plain parameters: nothing is decrypted here.
    pub async fn parameter(&self, name: &str) -> Result<Option<Parameter>, CloudError> {
        const OPERATION: &str = "GetParameter";
        let answer = self.ssm.get_parameter().name(name).send().await;
        match answer.map_err(|error| CloudError::of(OPERATION, name, &error)) {
            Ok(answer) => {
                let parameter = present(answer.parameter, OPERATION, name, "Parameter")?;
                read_parameter(&parameter, OPERATION).map(Some)
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the value of a secret that a probe sends. No other secret comes to this computer.
    pub async fn secret(&self, name: &str) -> Result<String, CloudError> {
        const OPERATION: &str = "GetParameter";
        let call = self.ssm.get_parameter().name(name).with_decryption(true);
        let answer = call.send().await;
        let answer = answer.map_err(|error| CloudError::of(OPERATION, name, &error))?;
        let parameter = present(answer.parameter, OPERATION, name, "Parameter")?;
        present(parameter.value, OPERATION, name, "Value")
    }

    /// Returns all parameters below a path, in no order.
    pub async fn parameters_below(&self, path: &str) -> Result<Vec<Parameter>, CloudError> {
        const OPERATION: &str = "GetParametersByPath";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ssm
                .get_parameters_by_path()
                .path(path)
                .recursive(true)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, path, &error))?;
            for parameter in answer.parameters() {
                found.push(read_parameter(parameter, OPERATION)?);
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Creates a parameter; the one call of Parameter Store that only one caller can win.
    pub async fn create_parameter(
        &self,
        name: &str,
        value: &str,
        description: &str,
        tags: &Tags,
    ) -> Result<Put, CloudError> {
        const OPERATION: &str = "PutParameter";
        let mut list = Vec::new();
        for (key, value) in tags {
            let tag = sdk::Tag::builder().key(key).value(value).build();
            list.push(tag.map_err(|_| CloudError::absent(OPERATION, name, "tag"))?);
        }
        let answer = self
            .ssm
            .put_parameter()
            .name(name)
            .value(value)
            .description(description)
            .r#type(sdk::ParameterType::String)
            .overwrite(false)
            .set_tags((!list.is_empty()).then_some(list))
            .send()
            .await;
        match answer.map_err(|error| CloudError::of(OPERATION, name, &error)) {
            Ok(_) => Ok(Put::Created),
            Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(Put::Exists),
            Err(error) => Err(error),
        }
    }

    /// Overwrites a parameter and returns its new version.
    pub async fn overwrite_parameter(
        &self,
        name: &str,
        value: &str,
        description: &str,
    ) -> Result<i64, CloudError> {
        let answer = self
            .ssm
            .put_parameter()
            .name(name)
            .value(value)
            .description(description)
            .r#type(sdk::ParameterType::String)
            .overwrite(true)
            .send()
            .await
            .map_err(|error| CloudError::of("PutParameter", name, &error))?;
        Ok(answer.version)
    }

    /// Deletes a parameter; one that is gone already is fine.
    pub async fn ensure_parameter_deleted(&self, name: &str) -> Result<(), CloudError> {
        let answer = self.ssm.delete_parameter().name(name).send().await;
        match answer.map_err(|error| CloudError::of("DeleteParameter", name, &error)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    /// Returns a parameter's history, oldest first; none of a parameter that does not exist.
    pub async fn parameter_history(&self, name: &str) -> Result<Vec<Version>, CloudError> {
        const OPERATION: &str = "GetParameterHistory";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call = self
                .ssm
                .get_parameter_history()
                .name(name)
                .set_next_token(token);
            let answer = match call
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, name, &error))
            {
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(found),
                other => other?,
            };
            for version in answer.parameters() {
                let when = present(
                    version.last_modified_date(),
                    OPERATION,
                    name,
                    "LastModifiedDate",
                )?;
                found.push(Version {
                    version: version.version(),
                    value: present(version.value(), OPERATION, name, "Value")?.to_owned(),
                    description: version.description().unwrap_or_default().to_owned(),
                    who: version.last_modified_user().unwrap_or("unknown").to_owned(),
                    when: jiff::Timestamp::from_second(when.secs())
                        .map_err(|_| CloudError::absent(OPERATION, name, "a readable date"))?,
                });
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                found.sort_by_key(|version: &Version| version.version);
                return Ok(found);
            }
        }
    }
}

fn read_parameter(
    parameter: &sdk::Parameter,
    operation: &'static str,
) -> Result<Parameter, CloudError> {
    let name = present(parameter.name(), operation, "a parameter", "Name")?;
    Ok(Parameter {
        name: name.to_owned(),
        value: present(parameter.value(), operation, name, "Value")?.to_owned(),
        version: parameter.version(),
        modified: parameter
            .last_modified_date()
            .and_then(|when| jiff::Timestamp::from_second(when.secs()).ok()),
    })
}
