//! What of a request is not remembered: values that are secrets by their kind.

use serde_json::Value;

/// What stands in the place of a secret.
const MASK: &str = "****";

/// Environment properties, where applications get their passwords from.
const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";

/// Masks the value of a `SecureString`, user data, and the environment properties of an application.
pub(crate) fn mask(parameters: &mut Value) {
    let Value::Object(fields) = parameters else {
        return;
    };
    if fields.get("Type").and_then(Value::as_str) == Some("SecureString")
        && let Some(value) = fields.get_mut("Value")
    {
        *value = MASK.into();
    }
    if let Some(value) = fields.get_mut("UserData") {
        *value = MASK.into();
    }
    let properties: Vec<String> = fields
        .iter()
        .filter(|(_, value)| value.as_str() == Some(PROPERTIES))
        .filter_map(|(name, _)| Some(format!("{}.Value", name.strip_suffix(".Namespace")?)))
        .collect();
    for name in properties {
        if let Some(value) = fields.get_mut(&name) {
            *value = MASK.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn secrets_are_masked_and_nothing_else() {
        for (before, after) in [
            (
                json!({"Name": "/a", "Type": "SecureString", "Value": "hunter2"}),
                json!({"Name": "/a", "Type": "SecureString", "Value": "****"}),
            ),
            (
                json!({"Name": "/a", "Type": "String", "Value": "plain"}),
                json!({"Name": "/a", "Type": "String", "Value": "plain"}),
            ),
            (
                json!({"ImageId": "ami-1", "UserData": "c2VjcmV0"}),
                json!({"ImageId": "ami-1", "UserData": "****"}),
            ),
            (
                json!({
                    "OptionSettings.member.1.Namespace": super::PROPERTIES,
                    "OptionSettings.member.1.OptionName": "DB_PASSWORD",
                    "OptionSettings.member.1.Value": "hunter2",
                    "OptionSettings.member.2.Namespace": "aws:autoscaling:asg",
                    "OptionSettings.member.2.OptionName": "MinSize",
                    "OptionSettings.member.2.Value": "2",
                }),
                json!({
                    "OptionSettings.member.1.Namespace": super::PROPERTIES,
                    "OptionSettings.member.1.OptionName": "DB_PASSWORD",
                    "OptionSettings.member.1.Value": "****",
                    "OptionSettings.member.2.Namespace": "aws:autoscaling:asg",
                    "OptionSettings.member.2.OptionName": "MinSize",
                    "OptionSettings.member.2.Value": "2",
                }),
            ),
            (json!([1, 2]), json!([1, 2])),
        ] {
            let mut masked = before.clone();
            super::mask(&mut masked);
            assert_eq!(masked, after, "{before}");
        }
    }
}
