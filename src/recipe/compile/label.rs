//! What a step or check is called in the output.

use super::super::bind::Bound;
use super::super::interpolate::{self, Scope};
use super::super::model::Step;
use super::super::script::StepInfo;
use crate::document::{Node, Review, Value};

/// The entries that tell people most about a resource or check, the first that is there.
const TELLING: [&str; 9] = [
    "url", "path", "tcp", "name", "run", "recipe", "port", "host", "command",
];

/// How long a list of names may be in a name.
const LONGEST: usize = 60;

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
        let (key, detail) = match &step.body.value {
            Value::Map(_) => TELLING
                .iter()
                .find_map(|key| Some((*key, step.body.get(key)?)))
                .unzip(),
            _ => (None, Some(&step.body)),
        };
        let detail = detail.and_then(shown).map(|detail| match key {
            Some(key @ "port") if kind != key => format!("{key} {detail}"),
            _ => detail,
        });
        detail.map_or_else(|| kind.clone(), |detail| format!("{kind} {detail}"))
    });
    StepInfo {
        id: id.to_owned(),
        recipe: content.name.clone(),
        name,
        kind: kind.clone(),
        always: matches!(kind.as_str(), "run" | "reboot") && step.body.get("always").is_some(),
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
        Value::List(items) => names(&items),
        _ => None,
    }
}

/// The names of a list, as many as there is room for.
fn names(items: &[Node]) -> Option<String> {
    let mut line = String::new();
    for item in items {
        let Value::Text { text, .. } = &item.value else {
            return None;
        };
        if !line.is_empty() && line.chars().count() + text.chars().count() > LONGEST {
            line.push_str(", …");
            break;
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(text.lines().next().unwrap_or_default());
    }
    (!line.is_empty()).then_some(line)
}
