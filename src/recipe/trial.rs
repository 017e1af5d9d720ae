//! A recipe tried with samples in place of values, so that its own mistakes are found without any pipeline.

use super::compile::secrets_of;
use super::include;
use super::interpolate::{self, Scope};
use super::model::{Recipe, Step};
use super::parameters::{Argument, Kind};
use super::resources::{self, Site};
use super::secrets::SecretReference;
use super::verify;
use crate::document::{Diagnostics, Node, Review};

/// Reads all steps, handlers and checks. A parameter without a default gets a sample of its type; what is found in a
/// text that mentions one is no mistake yet.
pub(crate) fn with_samples(recipe: &Recipe, review: &Review) {
    let content = &recipe.0;
    let files = &content.files;
    let mut scope = Scope::default();
    for parameter in &content.parameters {
        let argument = parameter.default.clone().unwrap_or_else(|| {
            scope.samples.push(parameter.name.clone());
            sample(&parameter.kind)
        });
        scope.arguments.insert(parameter.name.clone(), argument);
    }
    for step in &content.steps {
        let mut scope = scope.clone();
        if step.each.is_some() {
            scope.item = Some("sample".to_owned());
            scope.samples.push("item".to_owned());
        }
        name(step, &scope, review);
        if let Some(other) = &step.included {
            let found = Review::of(review.source());
            if let Err(mistakes) = include::arguments(other, step, &scope, &content.source) {
                found.absorb(mistakes);
            }
            keep_certain(found.take(), &scope, review);
            continue;
        }
        attempt(
            &step.body,
            &scope,
            resources::shell_keys(&step.kind.text),
            review,
            |node, review| {
                let site = Site {
                    role: step.role,
                    scope: &scope,
                    files,
                    review,
                };
                drop(resources::read(&step.kind, node, &site));
            },
        );
    }
    for check in &content.checks {
        name(check, &scope, review);
        let before = review.count();
        let resolved = verify::resolved(&check.body, &scope, review);
        judge(&resolved, before, &scope, review, |node, review| {
            if check.at_balancer {
                drop(verify::balancer(node, review));
            } else {
                drop(verify::read(check, node, review));
            }
        });
    }
    for handler in &content.handlers {
        attempt(
            &handler.body,
            &scope,
            &resources::HANDLER_SHELL,
            review,
            |node, review| {
                drop(resources::handler(node, review));
            },
        );
    }
}

/// The references in a name.
fn name(step: &Step, scope: &Scope, review: &Review) {
    if let Some(name) = &step.name {
        drop(interpolate::resolve(name, scope, &[], &[], review));
    }
}

fn attempt(
    body: &Node,
    scope: &Scope,
    shell: &[&str],
    review: &Review,
    read: impl FnOnce(&Node, &Review),
) {
    let before = review.count();
    let resolved = interpolate::resolve(body, scope, shell, &secrets_of(body), review);
    judge(&resolved, before, scope, review, read);
}

/// Reads what was resolved, unless more mistakes were found in it than there were before.
fn judge(
    resolved: &Node,
    before: usize,
    scope: &Scope,
    review: &Review,
    read: impl FnOnce(&Node, &Review),
) {
    // What a reference left unresolved was reported; reading on would report it twice.
    if review.count() > before {
        return;
    }
    let found = Review::of(review.source());
    read(resolved, &found);
    keep_certain(found.take(), scope, review);
}

/// Reports mistakes, but none in a text that mentions a sample: that may be none with a value.
fn keep_certain(mut found: Diagnostics, scope: &Scope, review: &Review) {
    let source = review.source();
    found.0.retain(|mistake| {
        mistake.source != *source
            || !interpolate::mentions_sample(source.slice(&mistake.span), scope)
    });
    review.absorb(found);
}

/// A value to try a recipe's steps with before real values are known.
fn sample(kind: &Kind) -> Argument {
    let text = |text: &str| Argument::Text(text.to_owned());
    match kind {
        Kind::Text(_) => text("sample"),
        Kind::Int(bounds) => Argument::Int(bounds.min.or(bounds.max).unwrap_or(1)),
        Kind::Size(_) => text("64M"),
        Kind::Duration(_) => text("30s"),
        Kind::Bool => Argument::Bool(true),
        Kind::Enum(values) => text(values.first().map_or("", String::as_str)),
        Kind::Path => text("/sample"),
        Kind::Hostname => text("sample.example"),
        Kind::Cidr => text("10.0.0.0/16"),
        Kind::Port => Argument::Int(80),
        Kind::Mode => text("0644"),
        Kind::List => Argument::List(vec!["sample".to_owned()]),
        Kind::Secret => {
            Argument::Secret(SecretReference::parse("ssm:/sample").expect("a good reference"))
        }
    }
}
