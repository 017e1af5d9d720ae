//! A recipe with the values that a pipeline gives it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::include::{self, Budget, Included};
use super::interpolate::Scope;
use super::model::{Migrations, Recipe, Role};
use super::parameters::{Argument, Kind, Parameter};
use super::secrets::SecretReference;
use crate::document::{self, Diagnostics, Node, Review, Source, Value};

/// A recipe whose parameters all have what they need.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(crate) recipe: Recipe,
    pub(crate) arguments: BTreeMap<String, Argument>,
    /// The recipes that its steps include, by the step's index.
    pub(super) included: Included,
}

impl Recipe {
    /// Gives the parameters their values. `values` is the map in the settings file `source`, if one was written; `at`
    /// is where that file names the recipe, for what is missing.
    ///
    /// # Errors
    /// Unknown parameters, wrong types, missing values, values out of bounds; all of them, in the settings file.
    pub fn bind(
        &self,
        source: &Source,
        at: Range<usize>,
        values: Option<&Node>,
    ) -> Result<Bound, Diagnostics> {
        let arguments = self.arguments(source, &at, values)?;
        Bound::within(self, arguments, &Budget::default())
    }

    /// The values of the parameters, defaults included.
    pub(super) fn arguments(
        &self,
        source: &Source,
        at: &Range<usize>,
        values: Option<&Node>,
    ) -> Result<BTreeMap<String, Argument>, Diagnostics> {
        let source = &self.without_values(source, values);
        let review = Review::of(source);
        let given = match values.map(|node| (&node.value, node)) {
            None | Some((Value::Null, _)) => &[][..],
            Some((Value::Map(entries), _)) => entries,
            Some((_, node)) => {
                let message = format!(
                    "the values of `{}` are a map, not {}",
                    self.name(),
                    node.kind()
                );
                review
                    .error(node.span.clone(), message)
                    .help("write `parameter: value` below the recipe's name");
                return Err(review.take());
            }
        };
        let mut arguments = BTreeMap::new();
        for (key, node) in given {
            let Some(parameter) = self
                .parameters()
                .iter()
                .find(|known| known.name == key.text)
            else {
                self.unknown(&key.text, &key.span, &review);
                continue;
            };
            if node.value == Value::Null {
                continue;
            }
            if let Some(argument) =
                parameter
                    .kind
                    .check(&key.text, parameter.help.as_deref(), node, &review)
            {
                arguments.insert(key.text.clone(), argument);
            }
        }
        for parameter in self.parameters() {
            let written = given
                .iter()
                .any(|(key, node)| key.text == parameter.name && node.value != Value::Null);
            if written {
                continue;
            }
            match &parameter.default {
                Some(default) => {
                    arguments.insert(parameter.name.clone(), default.clone());
                }
                None if parameter.optional => {}
                None => self.missing(parameter, at, &review),
            }
        }
        let together = &self.0.together;
        together.check(&arguments, given, at, &review);
        review.finish(arguments)
    }

    /// The settings file with stars for what may be a secret's value put there by mistake: whatever is wrong on its
    /// line, the excerpt would show it. A misspelt parameter may be a secret too.
    fn without_values(&self, source: &Source, values: Option<&Node>) -> Source {
        let Some(Node {
            value: Value::Map(entries),
            ..
        }) = values
        else {
            return source.clone();
        };
        let is_secret = |parameter: &Parameter| matches!(parameter.kind, Kind::Secret);
        if !self.parameters().iter().any(is_secret) {
            return source.clone();
        }
        let mut text = source.text().to_owned();
        for (key, node) in entries {
            let known = self.parameters().iter().find(|one| one.name == key.text);
            let harmless = match &node.value {
                Value::Null => true,
                Value::Text { text, .. } => SecretReference::parse(text).is_ok(),
                _ => false,
            };
            let Some(written) = text.get(node.span.clone()) else {
                continue;
            };
            if harmless || known.is_some_and(|parameter| !is_secret(parameter)) {
                continue;
            }
            // As many bytes and lines as before, so that all places stay right.
            let stars: String = written
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { '*' })
                .collect();
            text.replace_range(node.span.clone(), &stars);
        }
        Source::new(source.path(), text)
    }

    fn unknown(&self, name: &str, span: &Range<usize>, review: &Review) {
        let message = format!("the recipe `{}` has no parameter `{name}`", self.name());
        let finding = review.error(span.clone(), message);
        let known: Vec<&str> = self
            .parameters()
            .iter()
            .map(|known| known.name.as_str())
            .collect();
        match document::suggestion(name, known.iter().copied()) {
            Some(similar) => finding.help(format!("did you mean `{similar}`?")),
            None if known.is_empty() => finding.help("it takes no parameters"),
            None => finding.help(format!("its parameters are: {}", known.join(", "))),
        };
    }

    fn missing(&self, parameter: &Parameter, at: &Range<usize>, review: &Review) {
        let message = format!("the recipe `{}` needs `{}`", self.name(), parameter.name);
        let finding = review.error(at.clone(), message);
        if let Some(help) = &parameter.help {
            finding.help(format!("`{}`: {help}", parameter.name));
        }
    }
}

impl Bound {
    /// A recipe whose values were checked; binds what it includes, as long as the budget of steps lasts.
    pub(super) fn within(
        recipe: &Recipe,
        arguments: BTreeMap<String, Argument>,
        budget: &Budget,
    ) -> Result<Self, Diagnostics> {
        let mut bound = Self {
            recipe: recipe.clone(),
            arguments,
            included: Included::new(),
        };
        bound.included = include::bind(&bound, budget)?;
        Ok(bound)
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The secrets that the node will fetch, so that its role can be checked.
    pub fn secrets(&self) -> Vec<&SecretReference> {
        let all = self.with_included("").into_iter();
        all.flat_map(|(_, bound)| bound.arguments.values())
            .filter_map(|argument| match argument {
                Argument::Secret(reference) => Some(reference),
                _ => None,
            })
            .collect()
    }

    /// What its migrate steps, and those of recipes that it includes, mean for the code that ran before; none where it
    /// has no such steps.
    pub fn migrations(&self) -> Option<Migrations> {
        let all = self.with_included("").into_iter();
        let said = all
            .map(|(_, bound)| &bound.recipe.0)
            .filter(|content| content.steps.iter().any(|step| step.role == Role::Migrate))
            // Without the word for it nobody knows.
            .map(|content| content.migrations.unwrap_or(Migrations::Breaking));
        said.max()
    }

    pub(crate) fn scope(&self) -> Scope {
        let unset = self
            .recipe
            .parameters()
            .iter()
            .map(|parameter| parameter.name.clone())
            .filter(|name| !self.arguments.contains_key(name))
            .collect();
        Scope {
            arguments: self.arguments.clone(),
            unset,
            ..Scope::default()
        }
    }
}
