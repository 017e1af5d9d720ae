//! What a step or check is called in the output.

use super::super::bind::Bound;
use super::super::interpolate::{self, Scope};
use super::super::model::Step;
use super::super::script::StepInfo;
use crate::document::{Node, Review, Value};

/// The entries that tell people most about a resource or check, the first that is there.
const TELLING: [&str; 6] = ["url", "path", "tcp", "name", "run", "recipe"];

/// What is told of a step. References in its name are filled in; a secret's value is nowhere here, and not even its
/// reference is shown.
pub(super) fn info(bound: &Bound, id: &str, step: &Step, scope: &Scope) -> StepInfo {
    let content = &bound.recipe.0;
    let shown = |node: &Node| shown(node, scope, &Review::of(&content.source));
    let kind = &step.kind.text;
    let own = step.name.as_ref().and_then(shown);
    let inner = || {
        step.body
            .get("name")
            .filter(|_| kind == "run")
            .and_then(shown)
    };
    let name = own.or_else(inner).unwrap_or_else(|| {
        let detail = TELLING.iter().find_map(|key| step.body.get(key));
        let detail = detail.and_then(shown);
        detail.map_or_else(|| kind.clone(), |detail| format!("{kind} {detail}"))
    });
    StepInfo {
        id: id.to_owned(),
        recipe: content.name.clone(),
        name,
        kind: kind.clone(),
        always: kind == "run" && step.body.get("always").is_some(),
        place: content.source.place(step.kind.span.start),
    }
}

/// The first line of a value; nothing when it is no single value, or mentions what has none or must not be shown.
fn shown(node: &Node, scope: &Scope, review: &Review) -> Option<String> {
    let node = interpolate::resolve(node, scope, &[], &[], review);
    if review.count() > 0 {
        return None;
    }
    match node.value {
        Value::Text { text, .. } => Some(text.lines().next().unwrap_or_default().to_owned()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}
