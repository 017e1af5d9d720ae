//! Recipes in recipes: the values that an `include` step gives, and all recipes that stand in one.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::bind::Bound;
use super::interpolate::{self, Scope};
use super::model::{Recipe, Step};
use super::parameters::Argument;
use crate::document::{Diagnostics, Node, Review, Source, Value};

/// The recipes that a step includes, with their values: one, or one for each item of an `each`.
pub(super) type Included = BTreeMap<usize, Vec<Bound>>;

/// How many steps a recipe may come to. Eight includes in each of twelve recipes would come to billions.
const MOST: usize = 10_000;

/// The steps that a recipe may still come to, with all that it includes and repeats.
#[derive(Debug)]
pub(super) struct Budget(Cell<Option<usize>>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(Some(MOST)))
    }
}

impl Budget {
    /// Takes some steps off it; where they are too many, it is used up for good.
    fn take(&self, steps: usize) -> bool {
        self.0
            .set(self.0.get().and_then(|left| left.checked_sub(steps)));
        !self.is_used_up()
    }

    fn is_used_up(&self) -> bool {
        self.0.get().is_none()
    }
}

/// Binds what a recipe's steps include; a step whose `when` does not hold includes nothing. The step that uses up the
/// budget is reported, and nothing more is bound.
pub(super) fn bind(bound: &Bound, budget: &Budget) -> Result<Included, Diagnostics> {
    let content = &bound.recipe.0;
    let mut found = Diagnostics::default();
    let mut included = Included::new();
    for (index, step) in content.steps.iter().enumerate() {
        if !budget.take(bound.repeats(step)) {
            found.extend(too_many(bound, step));
            break;
        }
        let Some(recipe) = &step.included else {
            continue;
        };
        let argument = |name: &str| bound.arguments.get(name).cloned();
        if step
            .condition
            .as_ref()
            .is_some_and(|when| !when.holds(argument))
        {
            continue;
        }
        let mut all = Vec::new();
        let mut scope = bound.scope();
        for item in bound.items(step) {
            scope.item = item;
            let with = arguments(recipe, step, &scope, &content.source);
            match with.and_then(|arguments| Bound::within(recipe, arguments, budget)) {
                Ok(bound) => all.push(bound),
                Err(mistakes) => found.extend(mistakes),
            }
            if budget.is_used_up() {
                return Err(found);
            }
        }
        included.insert(index, all);
    }
    found.or(included)
}

/// Says that a recipe comes to too many steps, at the step that is one too many.
fn too_many(bound: &Bound, step: &Step) -> Diagnostics {
    let review = Review::of(&bound.recipe.0.source);
    let repeats = bound.repeats(step);
    let message = if repeats > MOST {
        let each = step.each.as_deref().unwrap_or_default();
        format!("`each: {each}` repeats this step {repeats} times; a recipe may have {MOST} steps")
    } else {
        format!("with this step the recipe, and all that it includes, has more than {MOST} steps")
    };
    review
        .error(step.kind.span.clone(), message)
        .help("include less, or a shorter list; many files come with one `archive`, and a `run` step can go over many items");
    review.take()
}

/// The values that a step gives to the recipe that it includes, checked. A secret is handed on as the reference that
/// it is; an optional parameter that is not set is handed on as not set.
pub(super) fn arguments(
    recipe: &Recipe,
    step: &Step,
    scope: &Scope,
    source: &Source,
) -> Result<BTreeMap<String, Argument>, Diagnostics> {
    let review = Review::of(source);
    let with = step.body.get("with").map(|with| Node {
        value: match &with.value {
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), value(node, scope, &review)))
                    .collect(),
            ),
            other => other.clone(),
        },
        span: with.span.clone(),
    });
    review.finish(())?;
    let named = step.body.get("recipe");
    let at = named.map_or_else(|| step.kind.span.clone(), |node| node.span.clone());
    recipe.arguments(source, &at, with.as_ref())
}

fn value(node: &Node, scope: &Scope, review: &Review) -> Node {
    let sole = match &node.value {
        Value::Text { text, .. } => text
            .trim()
            .strip_prefix("${{")
            .and_then(|text| text.strip_suffix("}}"))
            .map(str::trim),
        _ => None,
    };
    let value = match sole.and_then(|name| scope.arguments.get(name)) {
        Some(Argument::Secret(reference)) => Value::Text {
            text: reference.to_string(),
            plain: false,
        },
        None if sole.is_some_and(|name| scope.unset.iter().any(|unset| unset == name)) => {
            Value::Null
        }
        _ => return interpolate::resolve(node, scope, &[], &[], review),
    };
    Node {
        value,
        span: node.span.clone(),
    }
}

impl Bound {
    /// The items that a step is repeated for; one without an item when it is not repeated.
    pub(super) fn items(&self, step: &Step) -> Vec<Option<String>> {
        let Some(name) = &step.each else {
            return vec![None];
        };
        match self.arguments.get(name) {
            Some(Argument::List(items)) => items.iter().cloned().map(Some).collect(),
            _ => Vec::new(),
        }
    }

    /// How often a step is done, asked without its items.
    fn repeats(&self, step: &Step) -> usize {
        let Some(name) = &step.each else { return 1 };
        match self.arguments.get(name) {
            Some(Argument::List(items)) => items.len(),
            _ => 0,
        }
    }

    /// What the ids of a step's included recipes begin with; `prefix` is its own recipe's.
    pub(super) fn inner_prefix(&self, prefix: &str, index: usize, number: usize) -> String {
        let repeated = self
            .recipe
            .0
            .steps
            .get(index)
            .is_some_and(|step| step.each.is_some());
        if repeated {
            format!("{prefix}+{}.{}", index + 1, number + 1)
        } else {
            format!("{prefix}+{}", index + 1)
        }
    }

    /// The recipe and all that it includes, each with what its ids begin with; the innermost first.
    pub(super) fn with_included(&self, prefix: &str) -> Vec<(String, &Self)> {
        let mut all = Vec::new();
        for (index, included) in &self.included {
            for (number, inner) in included.iter().enumerate() {
                all.extend(inner.with_included(&self.inner_prefix(prefix, *index, number)));
            }
        }
        all.push((prefix.to_owned(), self));
        all
    }
}
