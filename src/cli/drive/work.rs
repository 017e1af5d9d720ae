//! What a run is to do, as it was asked for on the command line and as the record keeps it.

use std::collections::BTreeMap;

use crate::cli::{ExitCode, Failure};
use crate::pipeline::{self, Accepted, Consent};
use crate::record::Verb;

/// What a run is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Work {
    Build,
    Promote {
        image: Option<String>,
        accept: Consent,
        from_environment: Option<String>,
    },
    Rebuild {
        accept: Consent,
    },
    Rollback {
        reason: String,
        accepted: Accepted,
    },
}

impl Work {
    pub(super) fn verb(&self) -> Verb {
        match self {
            Self::Build => Verb::Build,
            Self::Promote { .. } => Verb::Promote,
            Self::Rebuild { .. } => Verb::Rebuild,
            Self::Rollback { .. } => Verb::Rollback,
        }
    }

    /// Refuses what cannot be the id of an image before anything is asked for or recorded.
    pub(super) fn must_name_an_image(&self) -> Result<(), Failure> {
        let Self::Promote {
            image: Some(text), ..
        } = self
        else {
            return Ok(());
        };
        let number = text.strip_prefix("ami-").unwrap_or_default();
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(());
        }
        let message = format!("`{text}` is not the id of an image");
        Err(Failure::new(ExitCode::Usage, message).hint(
            "one looks like ami-0123456789abcdef0; `goldseed status` lists those of a pipeline",
        ))
    }

    /// The stages that it goes through; that of migrations only where a plan has any.
    pub(super) fn stages(&self, migrates: bool) -> Vec<String> {
        let list: &[&str] = match self {
            Self::Build => &pipeline::BUILD_STAGES,
            Self::Promote { .. } | Self::Rollback { .. } => &pipeline::PROMOTE_STAGES,
            Self::Rebuild { .. } => &pipeline::REBUILD_STAGES,
        };
        let migrates = migrates && !matches!(self, Self::Rollback { .. });
        list.iter()
            .filter(|stage| migrates || **stage != pipeline::MIGRATE_STAGE)
            .map(ToString::to_string)
            .collect()
    }

    /// What the record keeps, so that another machine can go on.
    pub(super) fn asked(&self) -> BTreeMap<String, String> {
        let (mut image, mut reason, mut from) = (None, None, None);
        let (mut accept, mut restored) = (Consent::default(), false);
        match self {
            Self::Build => {}
            Self::Promote {
                image: wanted,
                accept: accepted,
                from_environment,
            } => {
                image.clone_from(wanted);
                accept = *accepted;
                from.clone_from(from_environment);
            }
            Self::Rebuild { accept: accepted } => accept = *accepted,
            Self::Rollback {
                reason: why,
                accepted,
            } => {
                reason = Some(why.clone());
                accept.downtime = accepted.downtime;
                restored = accepted.database_restored;
                from.clone_from(&accepted.from_environment);
            }
        }
        let yes = |said: bool| said.then(|| "yes".to_owned());
        [
            ("image", image),
            ("reason", reason),
            ("accept-downtime", yes(accept.downtime)),
            ("accept-unreachable", yes(accept.unreachable)),
            ("accept-unhealthy", yes(accept.unhealthy)),
            ("database-restored", yes(restored)),
            ("from-environment", from),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
    }

    /// The reverse of [`asked`](Self::asked).
    pub(super) fn recorded(verb: Verb, asked: &BTreeMap<String, String>) -> Self {
        let accept = Consent {
            downtime: asked.contains_key("accept-downtime"),
            unreachable: asked.contains_key("accept-unreachable"),
            unhealthy: asked.contains_key("accept-unhealthy"),
        };
        match verb {
            Verb::Build => Self::Build,
            Verb::Promote => Self::Promote {
                image: asked.get("image").cloned(),
                accept,
                from_environment: asked.get("from-environment").cloned(),
            },
            Verb::Rebuild => Self::Rebuild { accept },
            Verb::Rollback => Self::Rollback {
                reason: asked.get("reason").cloned().unwrap_or_default(),
                accepted: Accepted {
                    downtime: accept.downtime,
                    database_restored: asked.contains_key("database-restored"),
                    from_environment: asked.get("from-environment").cloned(),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Consent = Consent {
        downtime: true,
        unreachable: true,
        unhealthy: true,
    };

    #[test]
    fn what_was_asked_for_comes_back_from_the_record() {
        for work in [
            Work::Build,
            Work::Promote {
                image: Some("ami-1".into()),
                accept: ALL,
                from_environment: Some("shop-staging".into()),
            },
            Work::Promote {
                image: None,
                accept: Consent::default(),
                from_environment: None,
            },
            Work::Rebuild {
                accept: Consent {
                    unhealthy: true,
                    ..Consent::default()
                },
            },
            Work::Rollback {
                reason: "slow".into(),
                accepted: Accepted {
                    downtime: false,
                    database_restored: true,
                    from_environment: Some("shop-staging".into()),
                },
            },
        ] {
            assert_eq!(Work::recorded(work.verb(), &work.asked()), work);
        }
    }
}
