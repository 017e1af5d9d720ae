//! What single values may look like: readers that check the form of names, ids, tags and addresses.
//!
//! Each gives the value, or reports what is wrong with it and gives nothing, as the readers of [`crate::document`] do.

use std::collections::BTreeMap;

use crate::document::{self, Node, Review, Value};
use crate::id::{ImageId, SecurityGroupId, SubnetId};

use super::Source;

/// Beanstalk takes no more own tags than 47 on an environment, EC2 50 on a resource; the tool's own need up to 20.
const MOST_TAGS: usize = 30;

/// Reads text and refuses what `fits` refuses; `expected` completes "expected …".
pub(super) fn fitting(
    node: &Node,
    review: &Review,
    expected: &str,
    fits: impl FnOnce(&str) -> bool,
) -> Option<String> {
    let text = document::text(node, review)?;
    if fits(text) {
        return Some(text.to_owned());
    }
    review.error(
        node.span.clone(),
        format!("expected {expected}, found `{text}`"),
    );
    None
}

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Words of lower-case letters and digits, joined by single hyphens.
fn is_hyphenated(text: &str) -> bool {
    text.split('-')
        .all(|word| !word.is_empty() && word.bytes().all(lower_or_digit))
}

/// An id of EC2: a kind, a hyphen, 8 to 17 hexadecimal digits.
fn is_id(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|digits| {
            (8..=17).contains(&digits.len())
                && digits
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        })
}

/// An account: twelve digits, which YAML would take for a number.
pub(super) fn account(node: &Node, review: &Review) -> Option<String> {
    fitting(
        node,
        review,
        "the twelve digits of an AWS account",
        |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
    )
}

/// A region: `eu-central-1`, `us-gov-west-1`.
pub(super) fn region(node: &Node, review: &Review) -> Option<String> {
    fitting(node, review, "a region such as eu-central-1", |text| {
        is_hyphenated(text)
            && text.split('-').count() >= 3
            && text.ends_with(|last: char| last.is_ascii_digit())
    })
}

/// Tells whether a pipeline may have this name.
pub(crate) fn is_pipeline_name(text: &str) -> bool {
    text.len() <= 32 && is_hyphenated(text)
}

/// An environment's name: Beanstalk's rule is 4 to 40 letters, digits and hyphens.
pub(super) fn environment(node: &Node, review: &Review) -> Option<String> {
    let expected = "an environment's name (4 to 40 letters, digits and hyphens)";
    fitting(node, review, expected, is_environment_name)
}

/// Tells whether an environment may have this name.
pub(crate) fn is_environment_name(text: &str) -> bool {
    (4..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// An application's name: Beanstalk's rule is up to 100 characters without a slash.
pub(super) fn application(node: &Node, review: &Review) -> Option<String> {
    let expected = "an application's name (up to 100 characters, no slash)";
    fitting(node, review, expected, |text| {
        (1..=100).contains(&text.chars().count()) && !text.contains(['/', '<', '>'])
    })
}

/// What a build starts from.
pub(super) fn source(node: &Node, review: &Review) -> Option<Source> {
    let text = document::text(node, review)?;
    match text {
        "instance" => Some(Source::Instance),
        "platform" => Some(Source::Platform),
        "current" => Some(Source::Current),
        image if is_id(image, "ami") => Some(Source::Image(ImageId::new(image))),
        other => {
            let finding = review.error(
                node.span.clone(),
                format!("expected a source, found `{other}`"),
            );
            match document::suggestion(other, ["instance", "platform", "current"]) {
                Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                None => {
                    finding.help("one of: instance, platform, current, the id of an image (ami-…)")
                }
            };
            None
        }
    }
}

/// An instance type: `t3.small`.
pub(super) fn instance_type(node: &Node, review: &Review) -> Option<String> {
    fitting(node, review, "an instance type such as t3.small", |text| {
        text.split_once('.').is_some_and(|(family, size)| {
            !family.is_empty() && is_hyphenated(family) && !size.is_empty() && is_hyphenated(size)
        })
    })
}

/// A subnet's id.
pub(super) fn subnet(node: &Node, review: &Review) -> Option<SubnetId> {
    fitting(node, review, "the id of a subnet (subnet-…)", |text| {
        is_id(text, "subnet")
    })
    .map(SubnetId::new)
}

/// A list of security groups' ids.
pub(super) fn security_groups(node: &Node, review: &Review) -> Option<Vec<SecurityGroupId>> {
    let groups = document::items(node, review)?;
    if groups.is_empty() || groups.len() > 5 {
        review
            .error(
                node.span.clone(),
                format!(
                    "expected one to five security groups, found {}",
                    groups.len()
                ),
            )
            .help("leave the key out to take those of the source instance");
        return None;
    }
    let read: Vec<Option<SecurityGroupId>> = groups
        .iter()
        .map(|group| {
            fitting(
                group,
                review,
                "the id of a security group (sg-…)",
                |text| is_id(text, "sg"),
            )
            .map(SecurityGroupId::new)
        })
        .collect();
    read.into_iter().collect()
}

/// An instance profile's name: IAM's rule is up to 128 letters, digits and `+=,.@_-`.
pub(super) fn instance_profile(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    if let Some(name) = text
        .starts_with("arn:")
        .then(|| text.rsplit('/').next().unwrap_or_default())
    {
        review
            .error(
                node.span.clone(),
                "expected the name of an instance profile, found an ARN",
            )
            .help(format!("write only the name: {name}"));
        return None;
    }
    fitting(node, review, "the name of an instance profile", |text| {
        (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
    })
}

/// A whole number between two bounds.
pub(super) fn number<N: TryFrom<i64>>(
    node: &Node,
    review: &Review,
    expected: &str,
    bounds: std::ops::RangeInclusive<i64>,
) -> Option<N> {
    let value = document::integer(node, review)?;
    let number = bounds
        .contains(&value)
        .then(|| N::try_from(value).ok())
        .flatten();
    if number.is_none() {
        review.error(
            node.span.clone(),
            format!(
                "expected {expected} between {} and {}, found {value}",
                bounds.start(),
                bounds.end()
            ),
        );
    }
    number
}

/// An address that a probe asks.
pub(super) fn url(node: &Node, review: &Review) -> Option<String> {
    let expected = "an address that begins with http:// or https://";
    fitting(node, review, expected, |text| {
        text.strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .is_some_and(|rest| {
                rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
            })
            && text.chars().all(|character| {
                !character.is_whitespace() && !character.is_control() && !"<>".contains(character)
            })
    })
}

/// The tags of one's own. The limits are EC2's; the characters those that all services take, Parameter Store too.
pub(super) fn tags(node: &Node, review: &Review) -> Option<BTreeMap<String, String>> {
    let entries = document::entries(node, review)?;
    if entries.len() > MOST_TAGS {
        review
            .error(
                node.span.clone(),
                format!("{} tags are too many", entries.len()),
            )
            .help(format!(
                "{MOST_TAGS} at most: AWS takes 50 on a resource, and the tool has its own"
            ));
    }
    let mut tags = BTreeMap::new();
    for (key, value) in entries {
        let wrong = tag_key_fault(&key.text);
        if let Some(wrong) = wrong {
            review.error(key.span.clone(), format!("the tag `{}` {wrong}", key.text));
        }
        let value = match &value.value {
            Value::Null => {
                review
                    .error(
                        key.span.clone(),
                        format!("the tag `{}` has no value", key.text),
                    )
                    .help("an empty one is written as \"\"");
                continue;
            }
            _ => document::scalar(value, review).map(|text| (text, value)),
        };
        let Some((text, node)) = value else { continue };
        if text.chars().count() > 256 {
            review.error(
                node.span.clone(),
                "a tag's value has 256 characters at most",
            );
        } else if let Some(character) = unfit(&text) {
            review
                .error(
                    node.span.clone(),
                    format!("a tag cannot hold `{character}`"),
                )
                .help(ALLOWED);
        }
        tags.insert(key.text.clone(), text);
    }
    Some(tags)
}

const ALLOWED: &str = "letters, digits, spaces and _ . : / = + - @ are taken by all services";

fn tag_key_fault(key: &str) -> Option<String> {
    let lower = key.to_lowercase();
    if let Some(prefix) = ["aws:", "elasticbeanstalk:", "goldseed:"]
        .into_iter()
        .find(|prefix| lower.starts_with(prefix))
    {
        return Some(format!("begins with `{prefix}`, which is not yours to set"));
    }
    match key.chars().count() {
        0 => return Some("has no name".to_owned()),
        129.. => return Some("is longer than 128 characters".to_owned()),
        _ => {}
    }
    if lower == "name" {
        return Some("is set by the tool itself".to_owned());
    }
    unfit(key).map(|character| format!("holds `{character}`: {ALLOWED}"))
}

fn unfit(text: &str) -> Option<char> {
    text.chars()
        .find(|character| !character.is_alphanumeric() && !" _.:/=+-@".contains(*character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_paths_and_image_names() {
        for right in ["shop", "shop-2", "a", "0"] {
            assert!(is_pipeline_name(right), "{right}");
        }
        for wrong in [
            "", "Shop", "shop_2", "-shop", "shop-", "a--b", "a/b", "../a", "a b",
        ] {
            assert!(!is_pipeline_name(wrong), "{wrong}");
        }
        assert!(!is_pipeline_name(&"a".repeat(33)));
    }

    #[test]
    fn ids_have_their_kind_and_hexadecimal_digits() {
        assert!(is_id("subnet-0a1b2c3d4e5f60718", "subnet"));
        assert!(is_id("sg-12345678", "sg"));
        for wrong in [
            "sg-",
            "sg-123",
            "sg-0a1b2c3g",
            "subnet-12345678",
            "sg12345678",
        ] {
            assert!(!is_id(wrong, "sg"), "{wrong}");
        }
    }
}
