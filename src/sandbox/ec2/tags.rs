//! Tags on images, snapshots, instances and volumes.

use std::collections::BTreeMap;

use super::dry_run;
use super::filters::Filters;
use crate::sandbox::state::State;
use crate::sandbox::wire::query::Query;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// Tags of a resource.
pub(crate) type Tags = BTreeMap<String, String>;

/// The most tags that a resource may have.
const MOST: usize = 50;

/// Reads `TagSpecification.N`; only resources of the types `allowed` may be tagged.
pub(crate) fn specified(
    query: &Query,
    operation: &str,
    allowed: &[&str],
) -> Result<BTreeMap<String, Tags>, ApiError> {
    let mut all = BTreeMap::new();
    for specification in query.structures("TagSpecification") {
        let kind = specification.required("ResourceType")?;
        if !allowed.contains(&kind) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!(
                    "'{kind}' is not a valid taggable resource type for this operation ({operation})."
                ),
            ));
        }
        let tags = read(&specification)?;
        check_count(&tags)?;
        all.insert(kind.to_owned(), tags);
    }
    Ok(all)
}

/// Writes the list of tags that most resources have.
pub(crate) fn write(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", "item", tags, |xml, (key, value)| {
        xml.text("key", key).text("value", value);
    });
}

/// `CreateTags`.
pub(super) fn create(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let new = read(&call.query)?;
    let resources = call.query.list("ResourceId");
    if resources.is_empty() {
        call.query.required("ResourceId.1")?;
    }
    for id in &resources {
        let mut together = tags_of(state, id)?.clone();
        together.extend(new.clone());
        check_count(&together)?;
    }
    dry_run(call)?;
    for id in &resources {
        tags_of(state, id)?.extend(new.clone());
    }
    Ok(done())
}

/// `DeleteTags`.
pub(super) fn delete(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let unwanted = call.query.structures("Tag");
    let resources = call.query.list("ResourceId");
    for id in &resources {
        tags_of(state, id)?;
    }
    dry_run(call)?;
    for id in &resources {
        let tags = tags_of(state, id)?;
        for tag in &unwanted {
            let key = tag.required("Key")?;
            let same = tag
                .get("Value")
                .is_none_or(|value| tags.get(key).is_some_and(|v| v == value));
            if same {
                tags.remove(key);
            }
        }
        if unwanted.is_empty() {
            tags.retain(|key, _| key.starts_with("aws:"));
        }
    }
    Ok(done())
}

/// `DescribeTags`.
pub(super) fn describe(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let filters = Filters::read(
        &call.query,
        &["resource-id", "resource-type", "key", "value"],
    )?;
    let images = state
        .images
        .values()
        .map(|image| (&image.id, "image", &image.tags));
    let snapshots = state
        .snapshots
        .values()
        .map(|one| (&one.id, "snapshot", &one.tags));
    let instances = state
        .instances
        .values()
        .map(|one| (&one.id, "instance", &one.tags));
    let volumes = state
        .volumes
        .values()
        .map(|one| (&one.id, "volume", &one.tags));
    let found = images
        .chain(snapshots)
        .chain(instances)
        .chain(volumes)
        .flat_map(|(id, kind, tags)| tags.iter().map(move |(key, value)| (id, kind, key, value)))
        .filter(|(id, kind, key, value)| {
            let own = BTreeMap::from([((*key).clone(), (*value).clone())]);
            filters.pass(&own, |name| {
                vec![match name {
                    "resource-id" => (*id).clone(),
                    "resource-type" => (*kind).to_owned(),
                    "key" => (*key).clone(),
                    _ => (*value).clone(),
                }]
            })
        })
        .collect();
    let (page, token) = super::paged(call, &[], found)?;
    let mut xml = Xml::new();
    xml.list("tagSet", "item", page, |xml, (id, kind, key, value)| {
        xml.text("resourceId", id)
            .text("resourceType", kind)
            .text("key", key)
            .text("value", value);
    })
    .optional("nextToken", token);
    Ok(xml)
}

/// The answer of operations that only say that they did it.
pub(super) fn done() -> Xml {
    let mut xml = Xml::new();
    xml.text("return", true);
    xml
}

fn read(query: &Query) -> Result<Tags, ApiError> {
    query
        .structures("Tag")
        .into_iter()
        .map(|tag| {
            let key = tag.required("Key")?.to_owned();
            let value = tag.owned("Value").unwrap_or_default();
            check(&key, &value)?;
            Ok((key, value))
        })
        .collect()
}

fn check(key: &str, value: &str) -> Result<(), ApiError> {
    let wrong = if key.to_ascii_lowercase().starts_with("aws:") {
        "Tag keys starting with 'aws:' are reserved for internal use"
    } else if key.chars().count() > 127 {
        "Tag key exceeds the maximum length of 127 characters"
    } else if value.chars().count() > 256 {
        "Tag value exceeds the maximum length of 256 characters"
    } else {
        return Ok(());
    };
    Err(ApiError::new("InvalidParameterValue", wrong))
}

fn check_count(tags: &Tags) -> Result<(), ApiError> {
    // What AWS itself put there does not count.
    let own = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    if own > MOST {
        return Err(ApiError::new(
            "TagLimitExceeded",
            format!("The maximum number of Tags for a resource has been reached. Limit: {MOST}"),
        ));
    }
    Ok(())
}

fn tags_of<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Tags, ApiError> {
    let (kind, found) = match id.split_once('-').map_or(id, |(prefix, _)| prefix) {
        "ami" => ("AMIID", state.images.get_mut(id).map(|one| &mut one.tags)),
        "snap" => (
            "Snapshot",
            state.snapshots.get_mut(id).map(|one| &mut one.tags),
        ),
        "i" => (
            "InstanceID",
            state.instances.get_mut(id).map(|one| &mut one.tags),
        ),
        "vol" => ("Volume", state.volumes.get_mut(id).map(|one| &mut one.tags)),
        _ => {
            return Err(ApiError::new(
                "InvalidID",
                format!("The ID '{id}' is not valid"),
            ));
        }
    };
    found.ok_or_else(|| {
        ApiError::new(
            &format!("Invalid{kind}.NotFound"),
            format!("The ID '{id}' does not exist"),
        )
    })
}
