//! The application version that is deployed to an environment: what it is to the bridge, and what it holds.
//!
//! Beanstalk keeps the bundle on every instance that it deploys to, so a running instance is asked by Run Command; no
//! permission for the bucket is needed. Where no instance answers, nothing is guessed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, PipelineError, observe};
use crate::cloud::{Cloud, Environment, InstanceState};
use crate::id::Digest;
use crate::node::Node;
use crate::recipe;

/// Prints what the bundle holds, a line a fact.
const SCRIPT: &str = include_str!("deployed.sh");
/// Prints the files below `.platform/nginx` of the bundle, packed.
const NGINX: &str = include_str!("application_nginx.sh");
/// How many instances are asked before it is not known.
const MOST_ASKED: usize = 3;
/// What beside `.ebextensions` and `.platform` configures an environment or its instances.
const CONFIGURES: [&str; 4] = ["Procfile", "Buildfile", "cron.yaml", "env.yaml"];
/// The label that an environment without an application version of its own may have.
const SAMPLE: &str = "Sample Application";

/// The application version that is deployed to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Its label; none: Beanstalk's sample application.
    pub label: Option<String>,
    /// What it holds, or why that is not known.
    pub bundle: Result<Bundle, String>,
}

/// What an application version holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The names at its top.
    top: BTreeSet<String>,
    /// The files below `.ebextensions` and `.platform`.
    files: BTreeSet<String>,
    /// Those of them that call the bridge or include what it leaves.
    calls: BTreeSet<String>,
    /// Those below `.ebextensions` that create AWS resources.
    resources: BTreeSet<String>,
    /// The digests of files that are called as the bridge's own.
    digests: BTreeMap<String, String>,
    /// Whether the page at its top is the bridge's placeholder.
    placeholder: bool,
}

/// What an application version is to the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bridge and nothing else.
    Bridge,
    /// The team's own, with the bridge in it.
    Own,
    /// Anything without the bridge.
    Plain,
}

impl Deployed {
    /// What it is to the bridge; none: not known.
    pub fn kind(&self) -> Option<Kind> {
        self.bundle.as_ref().ok().map(Bundle::kind)
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        let Some(label) = &self.label else {
            return "Beanstalk's sample application, without the bridge".to_owned();
        };
        match &self.bundle {
            Ok(bundle) => {
                let old = if bundle.outdated().is_empty() {
                    ""
                } else {
                    ", of another version of goldseed"
                };
                match bundle.kind() {
                    Kind::Bridge => format!("{label}: the bridge{old}"),
                    Kind::Own => format!("{label}: your own, with the bridge in it{old}"),
                    Kind::Plain => format!("{label}: without the bridge"),
                }
            }
            Err(reason) => format!("{label}: what it holds was not read ({reason})"),
        }
    }
}

impl Bundle {
    /// Reads what the script printed; none: the instance keeps no bundle.
    fn read(text: &str) -> Result<Option<Self>, String> {
        let mut bundle = Self::default();
        let (mut ended, mut known) = (false, false);
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.to_owned();
            match word {
                "absent" => return Ok(None),
                "unreadable" => return Err(format!("the bundle cannot be read: {rest}")),
                "bundle" => known = true,
                "top" => drop(bundle.top.insert(rest)),
                "file" => drop(bundle.files.insert(rest)),
                "calls" => drop(bundle.calls.insert(rest)),
                "resources" => drop(bundle.resources.insert(rest)),
                "placeholder" => bundle.placeholder = true,
                "digest" => {
                    if let Some((digest, path)) = rest.split_once(' ') {
                        bundle.digests.insert(path.to_owned(), digest.to_owned());
                    }
                }
                "end" => ended = true,
                _ => {}
            }
        }
        if known && ended {
            Ok(Some(bundle))
        } else {
            Err("the instance's answer is not complete".to_owned())
        }
    }

    /// One of these facts.
    #[cfg(test)]
    pub(super) fn of_lines(lines: &[&str]) -> Self {
        let text = format!("bundle 00\n{}\nend\n", lines.join("\n"));
        Self::read(&text).unwrap().unwrap()
    }

    /// What it is to the bridge.
    pub fn kind(&self) -> Kind {
        if !self.brings_code() {
            return Kind::Plain;
        }
        let page = |name: &String| name == "index.php" && self.placeholder;
        let alone = self
            .top
            .iter()
            .all(|name| name == ".platform" || page(name));
        if alone && self.configuration().is_empty() {
            Kind::Bridge
        } else {
            Kind::Own
        }
    }

    /// Whether a deployment of it brings the image's code into place.
    fn brings_code(&self) -> bool {
        self.calls_below(".platform/hooks/") || self.calls_below(".ebextensions/")
    }

    /// Whether a deployment of other settings does so too.
    pub(super) fn survives_settings(&self) -> bool {
        self.calls_below(".platform/confighooks/")
    }

    /// Whether nginx gets the bridge's rules: what users upload is not run.
    pub(super) fn guards_uploads(&self) -> bool {
        self.calls_below(".platform/nginx/")
    }

    /// Whether it replaces the platform's nginx.conf, which includes the bridge's rules.
    pub(super) fn replaces_nginx(&self) -> bool {
        self.files.contains(".platform/nginx/nginx.conf")
    }

    fn calls_below(&self, folder: &str) -> bool {
        self.calls.iter().any(|path| path.starts_with(folder))
    }

    /// The files of the bridge that this version of goldseed brings and it lacks or has otherwise.
    pub(super) fn outdated(&self) -> Vec<String> {
        if !self.brings_code() {
            return Vec::new();
        }
        let parts = recipe::bridge_parts().into_iter();
        parts
            .filter(|(path, content)| {
                self.digests.get(path).map(String::as_str) != Some(Digest::of(content).as_str())
            })
            .map(|(path, _)| path)
            .collect()
    }

    /// What it holds that configures the environment or its instances, the bridge's own files left out.
    pub fn configuration(&self) -> Vec<String> {
        let ours = |path: &String| self.calls.contains(path) && path.contains("goldseed");
        let files = self.files.iter().filter(|path| !ours(path));
        let top = self.top.iter();
        files
            .chain(top.filter(|name| CONFIGURES.contains(&name.as_str())))
            .cloned()
            .collect()
    }

    /// Those of its files that create AWS resources.
    pub fn resources(&self) -> Vec<String> {
        self.resources.iter().cloned().collect()
    }
}

/// Reads what is deployed to a pipeline's environment; changes nothing.
///
/// # Errors
///
/// Where the environment cannot be described. What an instance does not answer is no error, but not known.
pub async fn deployed(context: &Context<'_>) -> Result<Deployed, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    Ok(of(cloud, &environment).await)
}

/// Reads what is deployed to an environment.
pub(super) async fn of(cloud: &Cloud, environment: &Environment) -> Deployed {
    let label = environment.version.clone();
    let label = label.filter(|label| label != SAMPLE);
    let bundle = match &label {
        None => Ok(Bundle::default()),
        Some(_) => ask(cloud, environment).await,
    };
    Deployed { label, bundle }
}

/// Returns the files below `.platform/nginx` of the deployed version, as a gzipped tar archive in base64; none: it has
/// none. The reason where that is not known.
async fn nginx(cloud: &Cloud, environment: &Environment) -> Result<Option<String>, String> {
    if environment
        .version
        .as_deref()
        .is_none_or(|label| label == SAMPLE)
    {
        return Ok(None);
    }
    ask_one(cloud, environment, "goldseed-deployed", NGINX, |text| {
        let mut lines = text.lines();
        let files = lines.next().and_then(|line| line.strip_prefix("packed "));
        let files = files.map(ToOwned::to_owned);
        if lines.next() == Some("end") {
            Ok(Some(files))
        } else {
            Err("the files are too large for an answer, or it is not complete".to_owned())
        }
    })
    .await
}

/// The commands that put the application's own nginx files on a machine, and take away those of an earlier time.
pub(super) async fn nginx_commands(context: &Context<'_>) -> String {
    let Context { cloud, plan, .. } = *context;
    if !plan.is_bridged() {
        return String::new();
    }
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await;
    let packed = match environment {
        Ok(environment) => nginx(cloud, &environment).await,
        Err(error) => Err(error.to_string()),
    };
    let mut commands = "rm -rf /run/goldseed/application\n".to_owned();
    match packed {
        Ok(None) => {}
        Ok(Some(packed)) => commands.extend([
            "mkdir -p /run/goldseed/application\n",
            "base64 -d <<'END_OF_FILES' | tar -xz -C /run/goldseed/application || exit 1\n",
            &packed,
            "\nEND_OF_FILES\n",
        ]),
        Err(reason) => cloud.events().warn(format!(
            "the nginx files of the application version of {} were not read and are not part of the proof: {reason}",
            plan.environment
        )),
    }
    commands
}

async fn ask(cloud: &Cloud, environment: &Environment) -> Result<Bundle, String> {
    ask_one(
        cloud,
        environment,
        "goldseed-deployed",
        SCRIPT,
        Bundle::read,
    )
    .await
}

/// Has one running instance of an environment print something, the oldest that answers, and reads that; `name` is the
/// command's comment. `read` returns nothing of an instance that has nothing to say.
///
/// # Errors
///
/// Why no instance answered.
pub(super) async fn ask_one<T>(
    cloud: &Cloud,
    environment: &Environment,
    name: &str,
    script: &str,
    read: impl Fn(&str) -> Result<Option<T>, String>,
) -> Result<T, String> {
    let instances = observe::instances(cloud, environment).await;
    let mut instances = instances.map_err(|error| error.to_string())?;
    instances.retain(|one| one.state == InstanceState::Running);
    instances.sort_by_key(|one| one.launched);
    let mut reasons = Vec::new();
    for instance in instances.iter().take(MOST_ASKED) {
        let id = &instance.id;
        match cloud.agent_status(id).await {
            Ok(Some(status)) if status == "Online" => {}
            Ok(_) => {
                reasons.push(format!("the Systems Manager agent of {id} is not online"));
                continue;
            }
            Err(error) => {
                reasons.push(error.to_string());
                continue;
            }
        }
        let answer = Node::new(cloud, id).read(name, script).await;
        match answer
            .map_err(|error| error.to_string())
            .and_then(|text| read(&text))
        {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => reasons.push(format!("{id} keeps no bundle")),
            Err(reason) => reasons.push(format!("{id}: {reason}")),
        }
    }
    Err(if reasons.is_empty() {
        "no instance is running".to_owned()
    } else {
        reasons.join("; ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: [&str; 8] = [
        "top .platform",
        "file .platform/hooks/predeploy/10-goldseed.sh",
        "file .platform/confighooks/predeploy/10-goldseed.sh",
        "file .platform/nginx/conf.d/elasticbeanstalk/00-goldseed.conf",
        "calls .platform/hooks/predeploy/10-goldseed.sh",
        "calls .platform/confighooks/predeploy/10-goldseed.sh",
        "calls .platform/nginx/conf.d/elasticbeanstalk/00-goldseed.conf",
        "placeholder",
    ];

    fn with(lines: &[&str]) -> Bundle {
        Bundle::of_lines(&[&BRIDGE[..], lines].concat())
    }

    #[test]
    fn the_bridge_your_own_with_it_and_anything_else_are_told_apart() {
        assert_eq!(with(&["top index.php"]).kind(), Kind::Bridge);
        assert_eq!(with(&[]).kind(), Kind::Bridge);
        for own in [
            "top wp-config.php",
            "top Procfile",
            "file .ebextensions/efs.config",
            "file .platform/hooks/postdeploy/20-cache.sh",
        ] {
            assert_eq!(with(&[own]).kind(), Kind::Own, "{own}");
        }
        let page_of_their_own = BRIDGE.iter().filter(|line| **line != "placeholder");
        let mut lines: Vec<&str> = page_of_their_own.copied().collect();
        lines.push("top index.php");
        assert_eq!(Bundle::of_lines(&lines).kind(), Kind::Own);
        assert_eq!(
            Bundle::of_lines(&["top index.php", "top .ebextensions"]).kind(),
            Kind::Plain
        );
        assert_eq!(Bundle::of_lines(&[]).kind(), Kind::Plain);
        // A hook of another name, and a command of a configuration file, bring the code as well.
        let renamed = ["top a", "calls .platform/hooks/predeploy/90-code.sh"];
        assert_eq!(Bundle::of_lines(&renamed).kind(), Kind::Own);
        let command = ["top a", "calls .ebextensions/code.config"];
        assert_eq!(Bundle::of_lines(&command).kind(), Kind::Own);
    }

    #[test]
    fn what_would_go_is_named_without_the_bridges_own() {
        let own = with(&[
            "file .ebextensions/efs.config",
            "resources .ebextensions/efs.config",
            "file .platform/nginx/conf.d/own.conf",
            "top Procfile",
            "top src",
        ]);
        assert_eq!(
            own.configuration(),
            [
                ".ebextensions/efs.config",
                ".platform/nginx/conf.d/own.conf",
                "Procfile"
            ]
        );
        assert_eq!(own.resources(), [".ebextensions/efs.config"]);
        assert!(with(&["top index.php"]).configuration().is_empty());
    }

    #[test]
    fn an_answer_that_is_cut_off_is_not_read_as_a_bundle() {
        assert_eq!(Bundle::read("absent\nend\n"), Ok(None));
        for text in ["", "bundle 00\ntop a\n", "top a\nend\n"] {
            assert!(Bundle::read(text).is_err(), "{text}");
        }
        let unreadable = Bundle::read("unreadable cannot find the directory\nend\n");
        assert!(
            unreadable
                .unwrap_err()
                .ends_with("cannot find the directory")
        );
    }

    #[test]
    fn files_that_are_not_this_versions_are_outdated() {
        let digests = recipe::bridge_parts().into_iter();
        let digests: Vec<String> = digests
            .map(|(path, content)| format!("digest {} {path}", Digest::of(content)))
            .collect();
        let mut lines: Vec<&str> = digests.iter().map(String::as_str).collect();
        assert_eq!(with(&lines).outdated(), Vec::<String>::new());
        let left_out = lines.pop().unwrap();
        assert!(left_out.ends_with(&with(&lines).outdated()[0]));
    }
}
