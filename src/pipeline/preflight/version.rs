//! What speaks against the application version that is deployed: without the bridge in it, machines of a golden image
//! serve that version's own code, or none, and not the image's.

use super::{Facts, Refusal};
use crate::cloud::Environment;
use crate::pipeline::Context;
use crate::pipeline::deployed::{self, Deployed, Kind};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// What cannot work.
    refusals: Vec<Refusal>,
    /// What may not.
    warnings: Vec<String>,
}

/// What cannot work with an image of these recipes; nothing where they need no bridge.
pub(super) async fn for_recipes(context: &Context<'_>, facts: &Facts) -> Vec<Refusal> {
    for_image(context, facts, false).await
}

/// What cannot work with an image. Where it needs no bridge, instances are asked only when nothing else is refused.
pub(super) async fn for_image(
    context: &Context<'_>,
    facts: &Facts,
    nothing_else: bool,
) -> Vec<Refusal> {
    if facts.bridged || nothing_else {
        refusals(context, &facts.environment, facts.bridged).await
    } else {
        Vec::new()
    }
}

/// Reads the deployed version and returns what cannot work with it; what may not is told as a warning. `bridged` says
/// whether the image's application comes by the bridge.
async fn refusals(context: &Context<'_>, environment: &Environment, bridged: bool) -> Vec<Refusal> {
    let deployed = deployed::of(context.cloud, environment).await;
    let found = judge(&deployed, &environment.name, bridged);
    for warning in found.warnings {
        context.cloud.events().warn(warning);
    }
    found.refusals
}

fn judge(deployed: &Deployed, name: &str, bridged: bool) -> Found {
    let mut found = Found::default();
    let label = deployed
        .label
        .as_ref()
        .map_or("the sample application".to_owned(), |label| {
            format!("version {label}")
        });
    let add = "add the bridge to that version's bundle (goldseed bridge --into BUNDLE), deploy it, then promote";
    let bundle = match &deployed.bundle {
        Ok(bundle) => bundle,
        Err(reason) => {
            if bridged {
                found.warnings.push(format!(
                    "whether {label} of {name} holds the bridge is not known ({reason}): without it, new instances do \
                     not serve the image's code"
                ));
            }
            return found;
        }
    };
    let kind = bundle.kind();
    if !bridged {
        if kind == Kind::Bridge {
            found.refusals.push(Refusal::new(
                format!(
                    "{label} of {name} is the bridge, and the image brings no application: new instances would serve nothing"
                ),
                "add `bridge` and your application to the recipes, or deploy your application's own version first",
            ));
        }
        return found;
    }
    if kind == Kind::Plain {
        found.refusals.push(Refusal::new(
            format!(
                "{label} of {name} does not hold the bridge: new instances would serve that version's own code and not \
                 the image's"
            ),
            add,
        ));
        return found;
    }
    if !bundle.guards_uploads() {
        found.refusals.push(Refusal::new(
            format!(
                "{label} of {name} lacks the bridge's rules for nginx: files that users upload could be run as PHP"
            ),
            add,
        ));
    }
    if !bundle.survives_settings() {
        found.warnings.push(format!(
            "{label} of {name} lacks the bridge's hook below .platform/confighooks: the next change of settings would \
             take the image's code away; {add}"
        ));
    }
    if bundle.replaces_nginx() {
        found.warnings.push(format!(
            "{label} of {name} replaces nginx.conf (.platform/nginx/nginx.conf): where that does not include \
             conf.d/elasticbeanstalk/*.conf, files that users upload could be run as PHP"
        ));
    }
    let outdated = bundle.outdated();
    if !outdated.is_empty() && bundle.guards_uploads() && bundle.survives_settings() {
        found.warnings.push(format!(
            "the bridge in {label} of {name} is of another version of goldseed ({}); {add}",
            outdated.join(", ")
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Bundle;

    fn deployed(lines: &[&str]) -> Deployed {
        Deployed {
            label: Some("v7".into()),
            bundle: Ok(Bundle::of_lines(lines)),
        }
    }

    const HOOK: &str = "calls .platform/hooks/predeploy/10-goldseed.sh";
    const AGAIN: &str = "calls .platform/confighooks/predeploy/10-goldseed.sh";
    const RULES: &str = "calls .platform/nginx/conf.d/elasticbeanstalk/00-goldseed.conf";

    #[test]
    fn a_version_without_the_bridge_or_its_rules_is_refused_where_the_image_needs_it() {
        for (lines, reason) in [
            (vec!["top index.php"], "does not hold the bridge"),
            (vec![HOOK, AGAIN], "lacks the bridge's rules for nginx"),
        ] {
            let found = judge(&deployed(&lines), "shop-prod", true);
            assert_eq!(found.refusals.len(), 1, "{found:?}");
            assert!(found.refusals[0].reason.contains(reason), "{found:?}");
        }
        assert_eq!(
            judge(&deployed(&["top index.php"]), "shop-prod", false),
            Found::default()
        );
    }

    #[test]
    fn the_bridge_alone_is_refused_where_the_image_has_no_application() {
        let bridge = deployed(&["top .platform", HOOK, AGAIN, RULES]);
        assert_eq!(judge(&bridge, "shop-prod", false).refusals.len(), 1);
        let own = deployed(&["top .platform", "top index.php", HOOK, AGAIN, RULES]);
        assert_eq!(judge(&own, "shop-prod", false), Found::default());
    }

    #[test]
    fn what_may_not_work_and_what_is_not_known_is_a_warning() {
        let warnings = |deployed: &Deployed| {
            let found = judge(deployed, "shop-prod", true);
            assert_eq!(found.refusals, [], "{found:?}");
            found.warnings.join("\n")
        };
        assert!(warnings(&deployed(&[HOOK, RULES])).contains("confighooks"));
        let nginx = [HOOK, AGAIN, RULES, "file .platform/nginx/nginx.conf"];
        assert!(warnings(&deployed(&nginx)).contains("replaces nginx.conf"));
        assert!(warnings(&deployed(&[HOOK, AGAIN, RULES])).contains("another version of goldseed"));
        let unknown = Deployed {
            label: Some("v7".into()),
            bundle: Err("no instance is running".into()),
        };
        assert!(warnings(&unknown).contains("no instance is running"));
        assert_eq!(judge(&unknown, "shop-prod", false), Found::default());
    }
}
