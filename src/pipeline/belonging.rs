//! Which environment an image was built for. goldseed promotes it there, and elsewhere only where a person names that
//! environment.
//!
//! The id decides, because another environment may have the same name later. Images of earlier versions carry only the
//! name; for them the name decides. An image that carries neither belongs to no environment that goldseed could name.

use std::collections::BTreeSet;

use super::preflight::Refusal;
use crate::cloud::{Environment, Image, Tags, tags};
use crate::id::ImageId;

/// The environment that an image was built for, as its tags name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    name: Option<String>,
    id: Option<String>,
}

impl Home {
    /// Reads the tags of an image.
    pub(super) fn of(image: &Tags) -> Self {
        let tag = |key| image.get(key).filter(|text| !text.is_empty()).cloned();
        Self {
            name: tag(tags::ENVIRONMENT),
            id: tag(tags::ENVIRONMENT_ID),
        }
    }

    /// Whether the tags name an environment at all.
    pub(super) fn is_known(&self) -> bool {
        self.name.is_some() || self.id.is_some()
    }

    /// Whether the image was built for this environment.
    pub(super) fn is(&self, environment: &Environment) -> bool {
        match (&self.id, &self.name) {
            (Some(id), _) => id == environment.id.as_str(),
            (None, Some(name)) => *name == environment.name,
            (None, None) => false,
        }
    }

    /// Whether a person who names this environment means the one that the image was built for.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// For people: the name, with the id where only that tells two environments apart.
    pub(super) fn describe(&self, beside: &Environment) -> String {
        match (&self.name, &self.id) {
            (Some(name), Some(id)) if *name == beside.name => format!("{name} ({id})"),
            (Some(name), _) => name.clone(),
            (None, Some(id)) => id.clone(),
            (None, None) => "an environment that its tags do not name".to_owned(),
        }
    }
}

/// Whether an image belongs into a list of the images that were built for this environment. Where a person consents to
/// the images of another environment, the list is that environment's.
pub(super) fn is_listed(image: &Tags, environment: &Environment, consent: Option<&str>) -> bool {
    let home = Home::of(image);
    match consent {
        Some(name) => home.is_named(name),
        None => home.is(environment),
    }
}

/// The environments that these images were built for, each once, for people.
pub(super) fn names(images: &[Image], beside: &Environment) -> Vec<String> {
    let named = images.iter().map(|image| Home::of(&image.tags));
    let named = named.map(|home| home.describe(beside));
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The name of the other environment that an image was built for, where a person consented to it.
pub(super) fn consented(
    image: &Tags,
    environment: &Environment,
    consent: Option<&str>,
) -> Option<String> {
    let home = Home::of(image);
    let consent = consent.filter(|name| home.is_named(name) && !home.is(environment));
    consent.map(ToOwned::to_owned)
}

/// Refuses to bring an image into an environment that it was not built for, unless `consent` names the environment that
/// it was built for. `verb` is the command that takes the consent. An environment that a run creates for itself gets the
/// image of that run and is not asked about here.
pub(super) fn refusal(
    (id, image): (&ImageId, &Tags),
    environment: &Environment,
    consent: Option<&str>,
    verb: &str,
) -> Option<Refusal> {
    let home = Home::of(image);
    let here = match &home.name {
        Some(name) if *name == environment.name => environment.id.to_string(),
        _ => environment.name.clone(),
    };
    let built_for = home.describe(environment);
    match consent {
        Some(name) if !home.is_named(name) => Some(Refusal::new(
            format!("{id} was built for {built_for}, and --from-environment names {name}"),
            match &home.name {
                Some(name) => format!("if {id} is meant: {verb} --from-environment {name}"),
                None => "build an image for this environment".to_owned(),
            },
        )),
        Some(_) => None,
        None if home.is(environment) => None,
        None => Some(Refusal::new(
            format!("{id} was built for {built_for}, and not for {here}"),
            match &home.name {
                Some(name) => format!(
                    "build an image for this environment; or, if the settings and data of {built_for} in it do no \
                     harm here: {verb} --from-environment {name}"
                ),
                None => "build an image for this environment".to_owned(),
            },
        )),
    }
}

/// Refuses to go back to an image that was built for another environment, unless `consent` names that environment. An
/// image without these tags is none that goldseed built: the environment ran it because a person set it.
pub(super) fn going_back(
    image: (&ImageId, &Tags),
    environment: &Environment,
    consent: Option<&str>,
    verb: &str,
) -> Option<Refusal> {
    let home = Home::of(image.1);
    if home.is(environment) || !home.is_known() {
        return None;
    }
    refusal(image, environment, consent, verb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EnvironmentId;

    fn environment(name: &str, id: &str) -> Environment {
        Environment {
            id: EnvironmentId::new(id),
            name: name.into(),
            application: "shop".into(),
            status: "Ready".into(),
            health: "Green".into(),
            health_status: None,
            version: None,
            platform: String::new(),
            endpoint: None,
            tier: "WebServer".into(),
            abortable: false,
        }
    }

    fn image(name: &str, id: &str) -> Tags {
        let all = [(tags::ENVIRONMENT, name), (tags::ENVIRONMENT_ID, id)];
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn reason(image: &Tags, consent: Option<&str>) -> Option<String> {
        let here = environment("shop-prod", "e-prod");
        let id = ImageId::new("ami-1");
        let refusal = refusal((&id, image), &here, consent, "goldseed promote shop");
        refusal.map(|refusal| format!("{}; {}", refusal.reason, refusal.way_out))
    }

    #[test]
    fn the_id_decides_and_the_name_where_there_is_no_id() {
        let here = environment("shop-prod", "e-prod");
        for (tags, expected) in [
            (image("shop-prod", "e-prod"), true),
            (image("renamed", "e-prod"), true),
            (image("shop-prod", ""), true),
            (image("", "e-prod"), true),
            (image("shop-prod", "e-before"), false),
            (image("shop-staging", ""), false),
            (image("shop-staging", "e-staging"), false),
            (image("", ""), false),
        ] {
            assert_eq!(Home::of(&tags).is(&here), expected, "{tags:?}");
            assert_eq!(is_listed(&tags, &here, None), expected, "{tags:?}");
            assert_eq!(reason(&tags, None).is_none(), expected, "{tags:?}");
        }
    }

    #[test]
    fn consent_must_name_the_environment_of_the_image() {
        let staging = image("shop-staging", "e-staging");
        assert_eq!(reason(&staging, Some("shop-staging")), None);
        let wrong = reason(&staging, Some("shop-test")).unwrap();
        assert!(wrong.starts_with(
            "ami-1 was built for shop-staging, and --from-environment names shop-test"
        ));
        let own = image("shop-prod", "e-prod");
        assert_eq!(reason(&own, Some("shop-prod")), None);
        assert!(reason(&own, Some("shop-staging")).is_some());
        assert!(reason(&image("", ""), Some("shop-prod")).is_some());
    }

    #[test]
    fn an_environment_of_the_same_name_is_told_apart_by_its_id() {
        let before = reason(&image("shop-prod", "e-before"), None).unwrap();
        assert!(
            before.starts_with("ami-1 was built for shop-prod (e-before), and not for e-prod;"),
            "{before}"
        );
        assert!(before.ends_with("goldseed promote shop --from-environment shop-prod"));
    }
}
