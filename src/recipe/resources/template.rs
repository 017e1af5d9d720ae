//! Templates of files: Jinja, with a recipe's parameters by their names.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, UndefinedBehavior, Value};

use super::Site;
use crate::document::{Review, Source};
use crate::recipe::parameters::Argument;
use crate::recipe::secrets;

/// Renders a template; its mistakes are reported in the template's own file.
pub(super) fn render(source: &Source, secrets: &[String], site: &Site<'_>) -> Option<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A line that holds a block alone leaves no empty line behind; the text's own end stays.
    let syntax = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(|out, state, value| {
        match value.kind() {
            // It would write the word `none`.
            ValueKind::None => Err(refused(UNSET)),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => Err(refused(
                "a list cannot be written as it is: `{{ list | join(\" \") }}`, or `{% for item in list %}`",
            )),
            // It would write Python's `True`; everywhere else in a recipe the word is `true`.
            ValueKind::Bool => Ok(out.write_str(truth(value))?),
            _ => minijinja::escape_formatter(out, state, value),
        }
    });
    environment.add_filter("php", |value: &Value| literal(value, "php"));
    environment.add_filter("sh", |value: &Value| literal(value, "sh"));
    let mut values: std::collections::BTreeMap<&str, Value> = std::collections::BTreeMap::new();
    for (name, argument) in &site.scope.arguments {
        let value = match argument {
            Argument::Text(text) => Value::from(text.as_str()),
            Argument::Int(number) => Value::from(*number),
            Argument::Bool(truth) => Value::from(*truth),
            Argument::List(items) => items.iter().map(String::as_str).collect(),
            Argument::Secret(_) if secrets.contains(name) => {
                Value::from(secrets::token(name, "raw"))
            }
            Argument::Secret(_) => continue,
        };
        values.insert(name, value);
    }
    for name in &site.scope.unset {
        values.insert(name, Value::from(()));
    }
    if let Some(item) = &site.scope.item {
        values.insert("item", Value::from(item.as_str()));
    }
    match environment.render_str(source.text(), &values) {
        Ok(text) => Some(text),
        Err(error) => {
            let review = Review::of(source);
            let span = error.range().unwrap_or(0..0);
            let what = error
                .detail()
                .map_or_else(|| error.kind().to_string(), str::to_owned);
            let mut arguments = site.scope.arguments.iter();
            let secret = arguments.find(|(name, argument)| {
                matches!(argument, Argument::Secret(_)) && what == format!("`{name}` is undefined")
            });
            if let Some((name, _)) = secret {
                review
                    .error(span, format!("the secret `{name}` cannot stand in this template, not even in a question"))
                    .help("only a `secret-file` that names the secret under `secrets` may hold it");
                site.review.absorb(review.take());
                return None;
            }
            let finding = review.error(
                span.clone(),
                format!("this template cannot be filled in: {what}"),
            );
            if matches!(error.kind(), minijinja::ErrorKind::UndefinedError) {
                finding.help("a template knows the recipe's parameters by their names");
            } else {
                finding.help("templates are Jinja: {{ name }}, {% if name %} … {% endif %}, {% for item in list %} … {% endfor %}");
            }
            site.review.absorb(review.take());
            None
        }
    }
}

/// What is said where a parameter that is not set would be written.
const UNSET: &str = "a parameter that is not set cannot be written: ask `{% if … %}` around it";

fn refused(why: &'static str) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why)
}

fn truth(value: &Value) -> &'static str {
    if value.is_true() { "true" } else { "false" }
}

/// A value as a literal of a language. For a secret's token the node does the same to the value.
fn literal(value: &Value, language: &str) -> Result<String, minijinja::Error> {
    let text = match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default(),
        ValueKind::Bool => return Ok(truth(value).to_owned()),
        ValueKind::Number => return Ok(value.to_string()),
        ValueKind::None => return Err(refused(UNSET)),
        _ => {
            return Err(refused(
                "`php` and `sh` write one value: for a list `{% for item in list %}`",
            ));
        }
    };
    if let Some(parameter) = text
        .strip_prefix("@@goldseed-secret:raw:")
        .and_then(|rest| rest.strip_suffix("@@"))
    {
        return Ok(secrets::token(parameter, language));
    }
    if language == "php" {
        return Ok(format!(
            "'{}'",
            text.replace('\\', r"\\").replace('\'', r"\'")
        ));
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::recipe::interpolate::Scope;
    use crate::recipe::library::Files;
    use crate::recipe::model::Role;

    fn rendered(text: &str) -> String {
        let source = Source::new(Path::new("files/a"), text.to_owned());
        let review = Review::of(&source);
        let list = ["gd", "intl"].map(str::to_owned).to_vec();
        let scope = Scope {
            arguments: [
                ("tls".to_owned(), Argument::Bool(true)),
                ("debug".to_owned(), Argument::Bool(false)),
                ("workers".to_owned(), Argument::Int(8)),
                ("title".to_owned(), Argument::Text("Ada's".to_owned())),
                ("modules".to_owned(), Argument::List(list)),
            ]
            .into(),
            ..Scope::default()
        };
        let site = Site {
            role: Role::Image,
            scope: &scope,
            files: &Files::Folder(PathBuf::new()),
            review: &review,
        };
        let text = render(&source, &[], &site);
        text.unwrap_or_else(|| panic!("{}", review.take()))
    }

    #[test]
    fn values_are_the_same_words_as_elsewhere_in_a_recipe() {
        for (template, text) in [
            ("{{ tls }} {{ debug }} {{ workers }}", "true false 8"),
            ("{{ modules | join(' ') }}", "gd intl"),
            (
                "{{ tls | php }} {{ workers | php }} {{ title | php }}",
                r"true 8 'Ada\'s'",
            ),
            (
                "{{ debug | sh }} {{ workers | sh }} {{ title | sh }}",
                r"false 8 'Ada'\''s'",
            ),
        ] {
            assert_eq!(rendered(template), text, "{template}");
        }
    }
}
