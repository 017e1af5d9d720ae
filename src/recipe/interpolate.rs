//! `${{ name }}` in a recipe's values becomes what the parameter holds.

use std::collections::BTreeMap;

use super::parameters::Argument;
use super::secrets;
use crate::document::{self, Key, Node, Review, Value};

/// What `${{ … }}` can name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Parameters that are set.
    pub(crate) arguments: BTreeMap<String, Argument>,
    /// Parameters that are optional and not set.
    pub(crate) unset: Vec<String>,
    /// The present item of an `each`.
    pub(crate) item: Option<String>,
    /// Parameters that hold samples, not values: mistakes in texts that mention them are not the recipe's.
    pub(crate) samples: Vec<String>,
}

/// A piece of a text.
enum Piece<'a> {
    Literal(&'a str),
    Reference(&'a str),
}

/// Replaces references in all values of a tree; keys stay. `shell` names entries of the outermost map that are shell
/// commands: a reference there is a mistake, and of their `env` a variable is left out whose whole value is a parameter
/// that is not set. `secrets` names the secrets that may be mentioned.
pub(crate) fn resolve(
    node: &Node,
    scope: &Scope,
    shell: &[&str],
    secrets: &[String],
    review: &Review,
) -> Node {
    let value = match &node.value {
        Value::Text { text, plain } => text_value(node, text, *plain, scope, secrets, review),
        Value::List(items) => Value::List(
            items
                .iter()
                .map(|item| resolve(item, scope, &[], secrets, review))
                .collect(),
        ),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let resolved = if shell.contains(&key.text.as_str()) {
                        shell_value(value, key, scope, review);
                        value.clone()
                    } else if key.text == "env" && !shell.is_empty() {
                        resolve(&without_unset(value, scope), scope, &[], secrets, review)
                    } else {
                        resolve(value, scope, &[], secrets, review)
                    };
                    (key.clone(), resolved)
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node {
        value,
        span: node.span.clone(),
    }
}

/// The entries of a map but those whose whole value is a parameter that is not set.
fn without_unset(node: &Node, scope: &Scope) -> Node {
    let Value::Map(entries) = &node.value else {
        return node.clone();
    };
    let is_set = |value: &Node| {
        match &value.value {
        Value::Text { text, .. } => !pieces(text).is_ok_and(|pieces| {
            matches!(pieces.as_slice(), [Piece::Reference(name)] if scope.unset.iter().any(|unset| unset == name))
        }),
        _ => true,
    }
    };
    let kept = entries.iter().filter(|(_, value)| is_set(value));
    Node {
        value: Value::Map(kept.cloned().collect()),
        span: node.span.clone(),
    }
}

/// A shell command keeps its text: a value pasted into it could be more than a value.
fn shell_value(node: &Node, key: &Key, scope: &Scope, review: &Review) {
    let Value::Text { text, .. } = &node.value else {
        return;
    };
    if text.contains('\0') {
        nul(node, review);
    }
    let written = if text.contains("${{") {
        "${{ … }}".to_owned()
    } else if let Some(name) = in_bare_braces(text, scope) {
        format!("{{{{ {name} }}}}")
    } else {
        return;
    };
    review
        .error(node.span.clone(), format!("`{written}` cannot stand in `{}`", key.text))
        .help("give the value by `env: {NAME: \"${{ parameter }}\"}` and write \"$NAME\" in the command");
}

fn nul(node: &Node, review: &Review) {
    review
        .error(node.span.clone(), "a NUL character cannot be used")
        .help(
            "leave it out; bytes that are no text stand in a file of the recipe, `copy: files/…`",
        );
}

/// Tells whether a text mentions a parameter that only has a sample; such text cannot be judged yet.
pub(crate) fn mentions_sample(text: &str, scope: &Scope) -> bool {
    pieces(text).is_ok_and(|pieces| {
        pieces.iter().any(|piece| match piece {
            Piece::Reference(name) => scope.samples.iter().any(|sample| sample == name),
            Piece::Literal(_) => false,
        })
    })
}

fn text_value(
    node: &Node,
    text: &str,
    plain: bool,
    scope: &Scope,
    secrets: &[String],
    review: &Review,
) -> Value {
    if text.contains('\0') {
        nul(node, review);
        return Value::Null;
    }
    if let Some(name) = in_bare_braces(text, scope) {
        review
            .error(
                node.span.clone(),
                format!("`{{{{ {name} }}}}` without `$` is filled in in templates alone"),
            )
            .help(format!("write `${{{{ {name} }}}}`; a text that is to hold the braces themselves stands in a file, `copy: files/…`"));
        return Value::Null;
    }
    if !text.contains("${{") {
        return node.value.clone();
    }
    let pieces = match pieces(text) {
        Ok(pieces) => pieces,
        Err(why) => {
            review
                .error(node.span.clone(), why)
                .help("a reference is written `${{ parameter }}`");
            return Value::Text {
                text: text.to_owned(),
                plain,
            };
        }
    };
    if let [Piece::Reference(name)] = pieces.as_slice() {
        return match argument(name, node, scope, secrets, review) {
            Some(Argument::Int(number)) => Value::Int(number),
            Some(Argument::Bool(value)) => Value::Bool(value),
            Some(Argument::List(items)) => Value::List(
                items
                    .into_iter()
                    .map(|text| Node {
                        value: Value::Text { text, plain: false },
                        span: node.span.clone(),
                    })
                    .collect(),
            ),
            Some(Argument::Text(text)) => Value::Text { text, plain: false },
            Some(Argument::Secret(_)) | None => Value::Null,
        };
    }
    let mut whole = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => whole.push_str(literal),
            Piece::Reference(name) => match argument(name, node, scope, secrets, review) {
                Some(Argument::Text(text)) => whole.push_str(&text),
                Some(Argument::Int(number)) => whole.push_str(&number.to_string()),
                Some(Argument::Bool(value)) => whole.push_str(if value { "true" } else { "false" }),
                Some(Argument::List(_)) => {
                    review
                        .error(node.span.clone(), format!("`{name}` is a list and cannot stand inside a text"))
                        .help("repeat the step for every item: `each: parameter`, and write `${{ item }}`");
                }
                Some(Argument::Secret(_)) | None => {}
            },
        }
    }
    Value::Text {
        text: whole,
        plain: false,
    }
}

/// A parameter that stands in `{{ … }}`, as in Ansible. Other words in such braces are somebody else's.
fn in_bare_braces<'a>(text: &'a str, scope: &Scope) -> Option<&'a str> {
    let known = |name: &str| {
        scope.arguments.contains_key(name)
            || scope.unset.iter().any(|unset| unset == name)
            || (scope.item.is_some() && name == "item")
    };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        rest = after;
        let (inner, _) = after.split_once("}}")?;
        let name = inner.split('|').next().unwrap_or_default().trim();
        if !before.ends_with('$') && known(name) {
            return Some(name);
        }
    }
    None
}

/// What a name stands for; a mistake is reported and gives `None`.
fn argument(
    name: &str,
    node: &Node,
    scope: &Scope,
    secrets: &[String],
    review: &Review,
) -> Option<Argument> {
    if name == "item"
        && let Some(item) = &scope.item
    {
        return Some(Argument::Text(item.clone()));
    }
    let span = node.span.clone();
    match scope.arguments.get(name) {
        Some(Argument::Secret(_)) if secrets.iter().any(|secret| secret == name) => {
            Some(Argument::Text(secrets::token(name, "raw")))
        }
        Some(Argument::Secret(_)) => {
            review
                .error(span, format!("the secret `{name}` cannot stand here"))
                .help(format!("a secret's value goes into a `secret-file` that names it, `secrets: [{name}]`, or into `secrets:` of a `run` step, on: boot or seed"));
            None
        }
        Some(argument) => Some(argument.clone()),
        None if scope.unset.iter().any(|unset| unset == name) => {
            review
                .error(span, format!("`{name}` is optional and not set"))
                .help(format!(
                    "give the step `when: {name}`, or the parameter a default"
                ));
            None
        }
        None => {
            let finding = review.error(span, format!("there is no parameter `{name}`"));
            let known = scope
                .arguments
                .keys()
                .chain(&scope.unset)
                .map(String::as_str);
            match document::suggestion(name, known) {
                Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                None if name == "item" => finding.help("`item` exists in steps with `each:`"),
                None => finding.help("declare it under `params`"),
            };
            None
        }
    }
}

/// Splits a text at its references.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        let Some((name, after)) = after.split_once("}}") else {
            return Err("`${{` is never closed".to_owned());
        };
        let name = name.trim();
        if !is_name(name) {
            return Err(format!("`{name}` is no parameter's name"));
        }
        pieces.push(Piece::Reference(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// Names of parameters: a letter, then letters, digits and underscores.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
