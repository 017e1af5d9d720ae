//! The plan's digests by section: a record keeps them, and whoever resumes a run compares them.
//!
//! A digest is of serialised values, and of those alone that differ from what a settings file without them means. So a
//! version of goldseed that knows a new key gives the same digests for settings that do not use it, and resumes the runs
//! of the version before. A field without a default in [`Seed`] or [`Watch`] needs `skip_serializing_if` for the same end.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Plan;
use crate::id::Digest;
use crate::recipe::HttpCheck;
use crate::settings::{Seed, Watch};

impl Plan {
    /// The digests by section, shortened: what a resumed run compares.
    pub fn sections(&self) -> BTreeMap<String, String> {
        let image = [self.generalise.digest.as_str(), &text(&self.tags)];
        let promotion = [
            self.environment.as_str(),
            self.application.as_deref().unwrap_or_default(),
            &difference(&self.watch, &Watch::default()),
            &text(&self.recipe_probes),
            &text(&self.own_probes),
            &text(&self.site),
        ];
        shortened([
            ("source", Digest::of(text(&self.source))),
            ("seed", Digest::of(difference(&self.seed, &Seed::default()))),
            ("recipes", self.recipes_digest()),
            ("image", Digest::of_parts(image)),
            ("promotion", Digest::of_parts(promotion)),
        ])
    }

    /// The same digests as the first versions made them, of Rust's debug texts; frozen, to resume the runs of those.
    pub fn earlier_sections(&self) -> BTreeMap<String, String> {
        let image = [self.generalise.digest.as_str(), &format!("{:?}", self.tags)];
        let probes = format!("{} {}", debug(&self.recipe_probes), debug(&self.own_probes));
        let Watch {
            soak,
            good,
            of,
            deadline,
            ..
        } = self.watch;
        let watch =
            format!("Watch {{ soak: {soak:?}, good: {good}, of: {of}, deadline: {deadline:?} }}");
        let promotion = [
            self.environment.as_str(),
            self.application.as_deref().unwrap_or_default(),
            &watch,
            &probes,
        ];
        let seed = format!(
            "Seed {{ instance_type: {:?}, subnet: {:?}, security_groups: {:?}, instance_profile: {:?}, volume_size: {:?} }}",
            self.seed.instance_type,
            self.seed.subnet,
            self.seed.security_groups,
            self.seed.instance_profile,
            self.seed.volume_size
        );
        shortened([
            ("source", Digest::of(format!("{:?}", self.source))),
            ("seed", Digest::of(seed)),
            ("recipes", self.recipes_digest()),
            ("image", Digest::of_parts(image)),
            ("promotion", Digest::of_parts(promotion)),
        ])
    }
}

fn shortened<const N: usize>(sections: [(&str, Digest); N]) -> BTreeMap<String, String> {
    sections
        .into_iter()
        .map(|(name, digest)| (name.to_owned(), digest.short().to_owned()))
        .collect()
}

/// The debug text of checks as it was in the first versions.
fn debug(checks: &[HttpCheck]) -> String {
    let checks: Vec<String> = checks
        .iter()
        .map(|check| {
            format!(
                "HttpCheck {{ path: {:?}, host: {:?}, status: {}, contains: {:?}, anywhere: {}, within: {:?} }}",
                check.path, check.host, check.status, check.contains, check.anywhere, check.within
            )
        })
        .collect();
    format!("[{}]", checks.join(", "))
}

/// A value as text, without what says nothing.
fn text(value: &impl Serialize) -> String {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    strip(&mut value);
    value.to_string()
}

/// What a value says that its default does not, as text.
fn difference(value: &impl Serialize, default: &impl Serialize) -> String {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    let default = serde_json::to_value(default).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, field| default.get(name) != Some(field));
    }
    strip(&mut value);
    value.to_string()
}

/// Takes away fields that are null, false or empty, and puts the others in order: neither a new field nor its place
/// changes the text.
fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(fields) => {
            fields.values_mut().for_each(strip);
            fields.retain(|_, field| match field {
                Value::Null | Value::Bool(false) => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(inner) => !inner.is_empty(),
                Value::Bool(true) | Value::Number(_) => true,
            });
            fields.sort_keys();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_field_that_is_not_used_changes_nothing() {
        let before = json!({"volume_size": 20, "instance_type": null});
        let after = json!({
            "public_address": null, "encrypted": false, "hosts": [], "headers": {}, "label": "",
            "instance_type": null, "volume_size": 20,
        });
        assert_eq!(text(&before), text(&after));
        assert_ne!(
            text(&before),
            text(&json!({"volume_size": 20, "encrypted": true}))
        );
        let usual = json!({"soak": 300, "patience": 5});
        let said = difference(&json!({"soak": 60, "patience": 5}), &usual);
        assert_eq!(
            said,
            difference(&json!({"soak": 60}), &json!({"soak": 300}))
        );
    }
}
