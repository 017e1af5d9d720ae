//! Apply: all recipes, compiled to one script, on the seed; then their checks.

mod log;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use log::{LAST_LINES, Log, subject_of};

use super::launch::Seed;
use super::{Context, PipelineError, deployed, inspect, names};
use crate::cloud::Cloud;
use crate::event::Event;
use crate::id::{InstanceId, RunId};
use crate::node::{Job, Node};
use crate::recipe::{Reader, Script};
use crate::run::Run;

/// How long all recipes together may run.
const LIMIT: Duration = Duration::from_hours(4);

/// Puts the application in place as a deployment would, where Beanstalk deploys nothing.
const DEPLOY: &str = "\
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ -x /opt/goldseed/bridge/deploy ] || exit 0
exec /opt/goldseed/bridge/deploy --in-place
";

/// A step or check of a recipe that failed on a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RecipeFailure {
    /// The machine.
    pub instance: InstanceId,
    /// What failed: recipe and step.
    pub what: String,
    /// Its place in the YAML, `path:line:column`, where it has one.
    pub place: Option<String>,
    /// What it ended with.
    pub code: i32,
    /// The last lines it printed.
    pub lines: Vec<String>,
}

impl fmt::Display for RecipeFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} failed on {} (code {})",
            self.what, self.instance, self.code
        )?;
        if let Some(place) = &self.place {
            write!(formatter, ", at {place}")?;
        }
        for line in &self.lines {
            write!(formatter, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Applies the recipes on the seed, then runs their checks there.
pub(super) async fn recipes(
    run: &mut Run,
    context: &Context<'_>,
    seed: &Seed,
) -> Result<(), PipelineError> {
    let id = run.id().clone();
    let instance = &seed.instance;
    let plan = context.plan;
    run.step(
        "apply/recipes",
        format!("apply {}", plan.recipe_names.join(", ")),
        async || {
            let unit = names::unit(&id, "apply");
            // What the user data holds back at each boot is let go of once more, or no recipe could start it.
            let quiet = async || inspect::must_be_quiet(context, &id, "seed", instance).await;
            let applied = script(context.cloud, instance, &unit, &plan.apply, "apply", quiet);
            applied.await.map(drop)
        },
    )
    .await
    .map_err(PipelineError::from)?;
    run.step("apply/checks", "the checks of every recipe", async || {
        checks(context, &id, "seed", instance).await
    })
    .await
    .map_err(PipelineError::from)
}

/// Puts the application in place on a machine of ours, with nginx's configuration as a deployment of the version that
/// is deployed now would build it, and runs every recipe's checks there.
pub(super) async fn checks(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    instance: &InstanceId,
) -> Result<(), PipelineError> {
    let application = deployed::nginx_commands(context).await;
    let Context { cloud, plan, .. } = *context;
    checks_after(&application, cloud, run, name, instance, &plan.verify).await
}

/// As `checks`, with the commands that come before the application is put in place, and with these checks.
pub(super) async fn checks_after(
    before: &str,
    cloud: &Cloud,
    run: &RunId,
    name: &str,
    instance: &InstanceId,
    verify: &Script,
) -> Result<(), PipelineError> {
    deploy(before, cloud, run, name, instance).await?;
    let unit = names::unit(run, &format!("{name}-checks"));
    let nothing = async || Ok(());
    let checked = script(cloud, instance, &unit, verify, "the checks", nothing).await;
    checked.map(drop)
}

/// Puts the application in place on a goldseed instance, as a deployment does on an instance of the environment.
/// `before` are commands that come first.
pub(super) async fn deploy(
    before: &str,
    cloud: &Cloud,
    run: &RunId,
    name: &str,
    instance: &InstanceId,
) -> Result<(), PipelineError> {
    let mut log = Vec::new();
    let deploy = format!("{before}{DEPLOY}");
    let job = Job {
        unit: names::unit(run, &format!("{name}-deploy")),
        script: &deploy,
        contents: &[],
        limit: Duration::from_mins(30),
    };
    let code = Node::new(cloud, instance)
        .run(&job, |bytes| log.extend_from_slice(bytes))
        .await?;
    let text = String::from_utf8_lossy(&log);
    for line in text.lines() {
        cloud.events().emit(Event::Output {
            line: line.to_owned(),
        });
    }
    if code != 0 {
        let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        return Err(RecipeFailure {
            instance: instance.clone(),
            what: "putting the application in place (/opt/goldseed/bridge/deploy)".into(),
            place: None,
            code,
            lines: lines.into_iter().skip(from).collect(),
        }
        .into());
    }
    Ok(())
}

/// The steps of a script that changed something, as people know them; those that do so every time left out.
pub(super) struct Changed(pub(super) Vec<String>);

/// Runs a compiled script on a machine, tells its steps and output, and turns a failed step into what people need.
/// `prepare` is awaited before what was started already is started anew, after a boot at the latest.
pub(super) async fn script(
    cloud: &Cloud,
    instance: &InstanceId,
    unit: &str,
    script: &Script,
    what: &str,
    prepare: impl AsyncFn() -> Result<(), PipelineError>,
) -> Result<Changed, PipelineError> {
    let events = cloud.events();
    let mut reader = Reader::new(script);
    let mut log = Log {
        script,
        events,
        done: HashSet::new(),
        at_work: None,
        changed: Vec::new(),
        failed: None,
        reboot: None,
        last: VecDeque::new(),
    };
    let job = Job {
        unit: unit.to_owned(),
        script: &script.text,
        contents: &script.contents,
        limit: LIMIT,
    };
    let node = Node::new(cloud, instance);
    let code = loop {
        let take = |bytes: &[u8]| log.take(reader.feed(bytes));
        let code = node.run_prepared(&job, take, &prepare).await?;
        log.take(reader.finish());
        // A step wishes so once: what it does the second time is told by its own code.
        let Some(wish) = log.reboot.take() else {
            break code;
        };
        events.note(format!("{instance} reboots: {}", subject_of(script, &wish)));
        node.reboot(unit).await?;
    };
    if code == 0 {
        return Ok(Changed(
            log.changed.into_iter().map(|(_, name)| name).collect(),
        ));
    }
    // The script itself ends with 1 whatever failed in it; the step's own code says more.
    let (step, code) = match &log.failed {
        Some((id, code)) => (script.step(id), *code),
        None => (None, code),
    };
    let lines = match step {
        Some(step) => reader
            .last_lines(&step.id, LAST_LINES)
            .into_iter()
            .map(Into::into)
            .collect(),
        None => log.last.into(),
    };
    Err(RecipeFailure {
        instance: instance.clone(),
        what: step.map_or_else(|| what.to_owned(), |step| subject_of(script, &step.id)),
        place: step.map(|step| step.place.to_string()),
        code,
        lines,
    }
    .into())
}
