//! Recipes with values become one script.

use std::collections::HashMap;

use super::bind::Bound;
use super::content::Content;
use super::epoch::{self, Call, Unit};
use super::interpolate::{self, Scope};
use super::model::{Role, Step};
use super::quote::words;
use super::resources::{self, Site, Work};
use super::script::{self, Purpose, Script, StepInfo};
use super::verify;
use crate::document::{Diagnostics, Node, Review, Value};

mod frame;
mod handlers;
mod label;
mod seed;
mod served;

/// Where recipes tell the bridge what to bring.
const LISTS: [&str; 2] = [
    "/opt/goldseed/bridge/apps.d/",
    "/opt/goldseed/bridge/mounts.d/",
];

/// Compiles recipes, in their order, to one script.
///
/// # Errors
/// Values that make no sense where a recipe puts them; all of them, in the recipes' files.
pub fn compile(recipes: &[Bound], purpose: Purpose) -> Result<Script, Diagnostics> {
    let mut compiler = Compiler {
        purpose,
        ..Compiler::default()
    };
    let prefixes = prefixes(recipes);
    for (bound, prefix) in recipes.iter().zip(&prefixes) {
        for (prefix, bound) in bound.with_included(prefix) {
            compiler.platforms(bound, &prefix);
        }
    }
    if purpose == Purpose::Apply && asks_for_the_seed(recipes) {
        let step = Compiler::own_step(recipes, Role::Seed, "seed", "this machine is the seed");
        compiler.push(
            step,
            Call::Step {
                work: plain("gs_record_seed"),
                notify: Vec::new(),
                seed_only: false,
            },
        );
    }
    for (bound, prefix) in recipes.iter().zip(&prefixes) {
        compiler.recipe(bound, prefix);
    }
    if purpose == Purpose::Apply {
        compiler.boot(recipes, &prefixes);
    }
    let mut body = epoch::write(&compiler.units);
    if purpose == Purpose::Apply {
        let keep = if compiler.secrets { "gs_keep=1\n" } else { "" };
        let lists = epoch::claimed_below(&compiler.units, &LISTS);
        let forget = words(["gs_forget_lists"].into_iter().chain(lists));
        body.insert_str(0, &format!("{keep}{forget}\n"));
    }
    let (text, digest) = script::assemble(&body, compiler.secrets);
    let root = served::root(&compiler.units);
    compiler.found.extend(compiler.made.lost());
    compiler.found.or(Script {
        text,
        digest,
        steps: compiler.steps,
        contents: compiler.contents,
        root,
    })
}

/// The secrets that a `secret-file` names, which its content may mention.
pub(super) fn secrets_of(body: &Node) -> Vec<String> {
    let Some(Node {
        value: Value::List(items),
        ..
    }) = body.get("secrets")
    else {
        return Vec::new();
    };
    let name = |item: &Node| match &item.value {
        Value::Text { text, .. } => Some(text.clone()),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// What the ids of each recipe's steps begin with: its name, numbered from its second use on.
fn prefixes(recipes: &[Bound]) -> Vec<String> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    let prefix = |bound: &'_ Bound, count: usize| match count {
        1 => bound.recipe.name().to_owned(),
        count => format!("{}~{count}", bound.recipe.name()),
    };
    recipes
        .iter()
        .map(|bound| {
            let count = uses.entry(bound.recipe.name()).or_default();
            *count += 1;
            prefix(bound, *count)
        })
        .collect()
}

fn plain(function: &str) -> Work {
    Work {
        words: vec![function.to_owned()],
        ends_epoch: true,
        ..Work::default()
    }
}

/// The platform that a step is for, when it is not for all.
fn platform(step: &Step) -> Option<String> {
    let platform = step.condition.as_ref()?.platform()?;
    Some(platform.to_owned())
}

/// Whether a step asks if the machine is the seed: what is for the seed alone, and what is for all others.
fn asks_for_the_seed(recipes: &[Bound]) -> bool {
    any_step(recipes, |step| {
        step.role == Role::Seed || step.kind.text == "swap"
    })
}

fn has_role(recipes: &[Bound], role: Role) -> bool {
    any_step(recipes, |step| step.role == role && step.included.is_none())
}

fn any_step(recipes: &[Bound], wanted: impl Fn(&Step) -> bool) -> bool {
    let mut all = recipes.iter().flat_map(|bound| bound.with_included(""));
    all.any(|(_, bound)| bound.recipe.0.steps.iter().any(&wanted))
}

struct Compiler {
    purpose: Purpose,
    units: Vec<Unit>,
    steps: Vec<StepInfo>,
    found: Diagnostics,
    made: seed::Made,
    secrets: bool,
    /// What is sent apart from the script.
    contents: Vec<Content>,
    /// Whether the script must hold everything itself, for it is run where nothing else was sent to; and whether that
    /// made it large.
    alone: bool,
    large: bool,
}

impl Default for Compiler {
    fn default() -> Self {
        Self {
            purpose: Purpose::Apply,
            units: Vec::new(),
            steps: Vec::new(),
            found: Diagnostics::default(),
            made: seed::Made::default(),
            secrets: false,
            contents: Vec::new(),
            alone: false,
            large: false,
        }
    }
}

impl Compiler {
    fn push(&mut self, step: StepInfo, call: Call) {
        self.units.push(Unit {
            id: step.id.clone(),
            call,
        });
        self.steps.push(step);
    }

    /// What is too large for the script leaves it.
    fn hold_apart(&mut self, work: &mut Work) {
        let Some(large) = work.large.take() else {
            return;
        };
        self.large = true;
        if self.alone {
            return;
        }
        work.words = large.words;
        work.in_batch = false;
        if !self.contents.contains(&large.content) {
            self.contents.push(large.content);
        }
    }

    fn has_work(&self, bound: &Bound) -> bool {
        let content = &bound.recipe.0;
        match self.purpose {
            Purpose::Apply => content.steps.iter().any(|step| step.role != Role::Migrate),
            Purpose::Migrate => content.steps.iter().any(|step| step.role == Role::Migrate),
            Purpose::Alone => !content.steps.is_empty(),
            Purpose::Verify => content.checks.iter().any(|check| !check.at_balancer),
        }
    }

    fn recipe(&mut self, bound: &Bound, prefix: &str) {
        match self.purpose {
            Purpose::Verify => {
                for (prefix, bound) in bound.with_included(prefix) {
                    let checks = bound.recipe.0.checks.iter().enumerate();
                    for (index, check) in checks.filter(|(_, check)| !check.at_balancer) {
                        self.check(bound, &format!("{prefix}/check-{}", index + 1), check);
                    }
                }
                return;
            }
            Purpose::Apply => self.steps_of(bound, prefix, &|role| role != Role::Migrate),
            Purpose::Migrate => self.steps_of(bound, prefix, &|role| role == Role::Migrate),
            Purpose::Alone => self.steps_of(bound, prefix, &|_| true),
        }
        for (prefix, bound) in bound.with_included(prefix) {
            self.handlers(bound, &prefix);
        }
    }

    fn steps_of(&mut self, bound: &Bound, prefix: &str, wanted: &dyn Fn(Role) -> bool) {
        for (index, step) in bound.recipe.0.steps.iter().enumerate() {
            let id = format!("{prefix}/{}", index + 1);
            if let Some(included) = bound.included.get(&index) {
                for (number, inner) in included.iter().enumerate() {
                    self.steps_of(inner, &bound.inner_prefix(prefix, index, number), wanted);
                }
            } else if step.included.is_some() {
                // Its `when` does not hold; what would stand here need not be told step by step.
                if wanted(Role::Image) {
                    self.push(label::info(bound, &id, step, &bound.scope()), Call::Skip);
                }
            } else if wanted(step.role) {
                // Made once: a list of thousands of items is part of it.
                let mut scope = bound.scope();
                for (number, item) in bound.items(step).into_iter().enumerate() {
                    let id = match item {
                        Some(_) => format!("{id}.{}", number + 1),
                        None => id.clone(),
                    };
                    scope.item = item;
                    self.step(bound, prefix, &id, step, &scope);
                }
            }
        }
    }

    fn step(&mut self, bound: &Bound, prefix: &str, id: &str, step: &Step, scope: &Scope) {
        let content = &bound.recipe.0;
        let info = label::info(bound, id, step, scope);
        if step
            .condition
            .as_ref()
            .is_some_and(|when| !when.holds(|name| bound.arguments.get(name).cloned()))
        {
            return self.push(info, Call::Skip);
        }
        let review = Review::of(&content.source);
        let kind = step.kind.text.as_str();
        let body = interpolate::resolve(
            &step.body,
            scope,
            resources::shell_keys(kind),
            &secrets_of(&step.body),
            &review,
        );
        // What a reference left unresolved was reported; reading on would report it twice.
        let work = if review.count() == 0 {
            resources::read(
                &step.kind,
                &body,
                &Site {
                    role: step.role,
                    scope,
                    files: &content.files,
                    review: &review,
                },
            )
        } else {
            None
        };
        self.found.extend(review.take());
        let Some(mut work) = work else { return };
        work.platform = platform(step);
        self.made.note(step, &work, &content.source);
        self.hold_apart(&mut work);
        self.secrets |= !work.secrets.is_empty();
        let notify = step
            .notify
            .iter()
            .map(|handler| format!("{prefix}.{handler}"))
            .collect();
        self.push(
            info,
            Call::Step {
                work,
                notify,
                seed_only: step.role == Role::Seed,
            },
        );
    }

    fn check(&mut self, bound: &Bound, id: &str, check: &Step) {
        let scope = bound.scope();
        let info = label::info(bound, id, check, &scope);
        if check
            .condition
            .as_ref()
            .is_some_and(|when| !when.holds(|name| scope.arguments.get(name).cloned()))
        {
            return self.push(info, Call::Skip);
        }
        let review = Review::of(&bound.recipe.0.source);
        let body = verify::resolved(&check.body, &scope, &review);
        let work = if review.count() == 0 {
            verify::read(check, &body, &review)
        } else {
            None
        };
        self.found.extend(review.take());
        if let Some(mut work) = work {
            work.platform = platform(check);
            self.secrets |= !work.secrets.is_empty();
            self.push(
                info,
                Call::Step {
                    work,
                    notify: Vec::new(),
                    seed_only: false,
                },
            );
        }
    }
}
