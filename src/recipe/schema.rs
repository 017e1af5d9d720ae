//! The JSON Schema of recipes, for editors: completion, the manual's words while one types, a mark under what is wrong.
//!
//! Types and keys come from the readers' own tables and descriptions from the manual, so that neither can fall behind.
//! The schema lets pass what only `goldseed check` can judge: references, values, how keys go together.

use serde_json::{Map, Value, json};

use super::parameters;
use super::{resources, verify};

/// What the types of steps and checks are described by.
const MANUAL: &str = include_str!("../../docs/recipes.md");

/// The form of a key's value.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Number,
    Flag,
    /// One text or several.
    Texts,
    /// One text or several, or those of each platform.
    Names,
    /// Texts and numbers by name.
    Settings,
    /// A map of another form.
    Tree,
    Choice(&'static [&'static str]),
}

/// The forms of keys that are not text, by their names; of one type alone where the first part is not empty.
const FORMS: [(&str, &str, Form); 42] = [
    ("archive", "strip", Form::Number),
    ("command", "env", Form::Settings),
    ("cron", "env", Form::Settings),
    ("file", "exists", Form::Flag),
    ("group", "gid", Form::Number),
    ("group", "system", Form::Flag),
    ("http", "follow", Form::Choice(&["anywhere"])),
    ("http", "headers", Form::Settings),
    ("http", "https", Form::Flag),
    ("http", "insecure", Form::Flag),
    ("http", "status", Form::Number),
    (
        "http",
        "via",
        Form::Choice(&["balancer", "dns", "instance"]),
    ),
    ("include", "with", Form::Tree),
    ("ini", "set", Form::Tree),
    ("mount", "options", Form::Texts),
    ("mount", "type", Form::Choice(&["efs", "nfs4", "bind"])),
    ("package", "installed", Form::Flag),
    ("package", "name", Form::Names),
    ("php-ini", "sapi", Form::Texts),
    ("php-ini", "settings", Form::Settings),
    ("port", "tcp", Form::Number),
    ("process", "running", Form::Flag),
    ("reboot", "always", Form::Flag),
    ("repository", "apt", Form::Tree),
    ("repository", "dnf", Form::Tree),
    ("run", "always", Form::Flag),
    ("run", "env", Form::Settings),
    ("run", "secrets", Form::Settings),
    ("secret-file", "secrets", Form::Texts),
    ("service", "enabled", Form::Flag),
    ("service", "name", Form::Names),
    ("service", "state", Form::Choice(&["running", "stopped"])),
    ("timer", "env", Form::Settings),
    ("user", "exists", Form::Flag),
    ("user", "groups", Form::Texts),
    ("user", "system", Form::Flag),
    ("user", "uid", Form::Number),
    ("wait-for", "env", Form::Settings),
    ("wait-for", "port", Form::Number),
    ("file", "contains", Form::Texts),
    ("http", "contains", Form::Texts),
    ("command", "contains", Form::Texts),
];

/// The schema as text, as it is committed beside the manual.
pub fn schema() -> String {
    let mut text = format!("{:#}", document());
    text.push('\n');
    text
}

fn document() -> Value {
    let steps = resources::RESOURCES.iter().map(|one| (one.name, one.keys));
    let checks = verify::CHECKS.iter().map(|one| (one.name, one.keys));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "goldseed recipe",
        "type": "object",
        "required": ["recipe", "name"],
        "additionalProperties": false,
        "properties": {
            "recipe": {"const": 1, "description": "The version of the format."},
            "name": {"type": "string", "description": "As the file is called."},
            "summary": {"type": "string", "description": "One line for people."},
            "platforms": {"type": "array", "items": {"type": "string"}, "description": "al2023, debian, ubuntu, or one release: debian-12."},
            "migrations": {
                "enum": ["compatible", "breaking"],
                "description": "Whether the code of before can live with what the steps `on: migrate` change.",
            },
            "params": {"type": "object", "additionalProperties": parameter()},
            "one-of": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}},
                "description": "Groups of optional parameters; of each exactly one must be given.",
            },
            "steps": {"type": "array", "items": items(steps, "Steps", step_frame(), &[])},
            "handlers": {"type": "object", "additionalProperties": handler()},
            "verify": {"type": "array", "items": items(checks, "Checks", check_frame(), &["within"])},
        },
    })
}

fn parameter() -> Value {
    json!({
        "type": "object",
        "required": ["type"],
        "additionalProperties": false,
        "properties": {
            "type": {"enum": parameters::TYPES},
            "default": {},
            "optional": {"type": "boolean"},
            "min": {"type": ["string", "integer"]},
            "max": {"type": ["string", "integer"]},
            "help": {"type": "string"},
            "pattern": {"type": "string"},
            "values": {"type": "array"},
            "requires": {"type": "array", "items": {"type": "string"}, "description": "Parameters that must be set when this one is."},
        },
    })
}

fn handler() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "service": form(Form::Names),
            "action": {"enum": ["reload", "restart"]},
            "run": {"type": "string"},
        },
    })
}

fn step_frame() -> Map<String, Value> {
    frame(json!({
        "name": {"type": "string"},
        "when": {"type": "string", "description": "`parameter`, `not parameter`, `parameter == value` or `platform == al2023`."},
        "each": {"type": "string", "description": "A list parameter; its items are `${{ item }}`."},
        "on": {"enum": ["image", "seed", "boot", "migrate"]},
        "notify": form(Form::Texts),
    }))
}

fn check_frame() -> Map<String, Value> {
    frame(json!({
        "name": {"type": "string"},
        "when": {"type": "string"},
        "at": {"enum": ["node", "balancer"]},
    }))
}

fn frame(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// One step or check: exactly one type, beside what all of them may have. `more` are keys of every type's map.
fn items(
    types: impl Iterator<Item = (&'static str, &'static [&'static str])>,
    heading: &str,
    mut properties: Map<String, Value>,
    more: &[&str],
) -> Value {
    let mut exactly_one = Vec::new();
    for (name, keys) in types {
        let mut described = frame(body(name, keys, more));
        if let Some(row) = row(heading, name) {
            described.insert("description".to_owned(), json!(row));
        }
        properties.insert(name.to_owned(), Value::Object(described));
        exactly_one.push(json!({"required": [name]}));
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "oneOf": exactly_one,
    })
}

/// The map of a type; anything where it has no keys of its own (a name, a list, settings).
fn body(name: &str, keys: &[&str], more: &[&str]) -> Value {
    if keys.is_empty() {
        return json!({});
    }
    // A check that can also be made through the balancer has further keys there.
    let there: &[&str] = if name == "http" {
        &verify::AT_BALANCER
    } else {
        &[]
    };
    let properties: Map<String, Value> = keys
        .iter()
        .chain(there)
        .chain(more)
        .map(|key| ((*key).to_owned(), form(form_of(name, key))))
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn form_of(name: &str, key: &str) -> Form {
    FORMS
        .iter()
        .find(|(of, known, _)| *of == name && *known == key)
        .map_or(Form::Text, |(_, _, form)| *form)
}

fn form(form: Form) -> Value {
    // A reference to a parameter is text whatever the value is.
    match form {
        Form::Text => json!({"type": ["string", "number"]}),
        Form::Number => json!({"type": ["integer", "string"]}),
        Form::Flag => json!({"type": ["boolean", "string"]}),
        Form::Texts => {
            json!({"type": ["string", "array"], "items": {"type": ["string", "number"]}})
        }
        Form::Names => {
            let texts = self::form(Form::Texts);
            json!({"anyOf": [texts, {"type": "object", "additionalProperties": texts}]})
        }
        Form::Settings => {
            json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})
        }
        Form::Tree => json!({"type": "object"}),
        Form::Choice(words) => {
            json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": "\\$\\{\\{"}]})
        }
    }
}

/// What the manual's table below a heading says of a type.
fn row(heading: &str, name: &str) -> Option<&'static str> {
    let (_, below) = MANUAL.split_once(&format!("\n## {heading}\n"))?;
    let begin = format!("| `{name}` |");
    let line = below.lines().find(|line| line.starts_with(&begin))?;
    Some(line[begin.len()..].trim().trim_end_matches('|').trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_of_a_key_that_there_is() {
        let known = |name: &str, key: &str| {
            let steps = resources::RESOURCES
                .iter()
                .any(|one| one.name == name && one.keys.contains(&key));
            let checks = verify::CHECKS
                .iter()
                .any(|one| one.name == name && one.keys.contains(&key));
            let there = name == "http" && verify::AT_BALANCER.contains(&key);
            steps || checks || there
        };
        for (name, key, _) in FORMS {
            assert!(known(name, key), "{name} has no key {key}");
        }
    }

    #[test]
    fn every_type_is_described_by_the_manual() {
        for resource in &resources::RESOURCES {
            assert!(row("Steps", resource.name).is_some(), "{}", resource.name);
        }
        for check in &verify::CHECKS {
            assert!(row("Checks", check.name).is_some(), "{}", check.name);
        }
    }
}
