//! Secrets are references; their values exist on the node alone.

use std::fmt;

use serde::Serialize;

/// Where a secret's value is kept. The node fetches it with its own role; no other machine learns it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecretReference {
    store: Store,
    name: String,
    key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Store {
    Parameter,
    SecretsManager,
}

impl SecretReference {
    /// Reads `ssm:/path` or `secretsmanager:arn:…`, each with an optional `#key` that picks one text out of a value
    /// that is a JSON object.
    ///
    /// # Errors
    /// What is wrong, for a diagnostic; it does not repeat the text, which may be a value put there by mistake.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, key) = match text.split_once('#') {
            Some((address, key)) => (address, Some(key.to_owned())),
            None => (text, None),
        };
        if key
            .as_ref()
            .is_some_and(|key| key.is_empty() || !key.bytes().all(allowed))
        {
            return Err("after `#` stands the name of one key of a JSON secret");
        }
        let (store, name) = match address.split_once(':') {
            Some(("ssm", name)) => (Store::Parameter, name),
            Some(("secretsmanager", name)) => (Store::SecretsManager, name),
            _ => return Err("a secret is a reference, never a value"),
        };
        let well_formed = match store {
            Store::Parameter => name.starts_with('/') && name.len() > 1,
            Store::SecretsManager => name.starts_with("arn:") && name.contains(":secretsmanager:"),
        };
        if !well_formed || !name.bytes().all(allowed) {
            return Err(match store {
                Store::Parameter => {
                    "after `ssm:` stands the path of a parameter, beginning with `/`"
                }
                Store::SecretsManager => "after `secretsmanager:` stands the ARN of a secret",
            });
        }
        Ok(Self {
            store,
            name: name.to_owned(),
            key,
        })
    }
}

impl SecretReference {
    /// The name by which Parameter Store gives out the value; it has names for the secrets of Secrets Manager, too.
    pub fn parameter(&self) -> String {
        match self.store {
            Store::Parameter => self.name.clone(),
            Store::SecretsManager => {
                let id = self.name.rsplit(":secret:").next().unwrap_or(&self.name);
                // Six random characters end an ARN, and are no part of the name.
                let name = match id.rsplit_once('-') {
                    Some((name, random)) if random.len() == 6 => name,
                    _ => id,
                };
                format!("/aws/reference/secretsmanager/{name}")
            }
        }
    }

    /// Picks the secret's text out of the value that is stored; none where it is not in it.
    pub fn pick(&self, stored: &str) -> Option<String> {
        let Some(key) = &self.key else {
            return Some(stored.to_owned());
        };
        let object = serde_json::from_str::<serde_json::Value>(stored).ok()?;
        Some(object.get(key)?.as_str()?.to_owned())
    }
}

/// What names of parameters and secrets may hold; nothing of it needs quoting in JSON.
fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/_.-:+=@!".contains(&byte)
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match self.store {
            Store::Parameter => "ssm",
            Store::SecretsManager => "secretsmanager",
        };
        write!(formatter, "{store}:{}", self.name)?;
        self.key
            .as_ref()
            .map_or(Ok(()), |key| write!(formatter, "#{key}"))
    }
}

/// Stands in a template's text for a secret's value until the node puts it in. `encoding` is `raw` or the language
/// whose literal it becomes: `php`, `sh`.
pub(crate) fn token(parameter: &str, encoding: &str) -> String {
    format!("@@goldseed-secret:{encoding}:{parameter}@@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_and_values_are_not() {
        let arn = "secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf#password";
        for good in ["ssm:/shop/prod/db-password", arn] {
            assert_eq!(SecretReference::parse(good).unwrap().to_string(), good);
        }
        for wrong in [
            "hunter2",
            "ssm:",
            "ssm:name",
            "secretsmanager:db",
            "ssm:/a b",
            "ssm:/a#",
            "ssm:/\"x",
        ] {
            assert!(SecretReference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
