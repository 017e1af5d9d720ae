//! A recipe as it is written: header, parameters, steps, handlers, checks.
//!
//! What a step's resource says stays a tree here. It is read when values are known: once with samples, so that a
//! recipe's own mistakes show without any pipeline, and again when a script is compiled.

use std::sync::Arc;

use super::library::Files;
use super::parameters::{Argument, Parameter};
use super::together::Together;
use crate::document::{Key, Node, Source};

/// A recipe that was read; cheap to clone.
#[derive(Clone, Debug)]
pub struct Recipe(pub(crate) Arc<Content>);

#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) platforms: Vec<String>,
    /// What its migrate steps mean for the code that ran before.
    pub(crate) migrations: Option<Migrations>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) together: Together,
    pub(crate) steps: Vec<Step>,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) checks: Vec<Step>,
    pub(crate) source: Source,
    pub(crate) files: Files,
}

/// When a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Stays in the image.
    Image,
    /// Done on the seed alone.
    Seed,
    /// Done on every new machine, before Beanstalk deploys.
    Boot,
    /// Done by a promotion, right before the swap.
    Migrate,
}

/// What migrate steps mean for the code that ran before: `migrations:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Migrations {
    /// It can live with what they change: while instances are replaced, and after a rollback.
    Compatible,
    /// It cannot.
    Breaking,
}

/// One step or check.
#[derive(Debug)]
pub(crate) struct Step {
    /// The key that says what it is: `file`, `http`.
    pub(crate) kind: Key,
    pub(crate) body: Node,
    /// For people; references in it are filled in.
    pub(crate) name: Option<Node>,
    pub(crate) role: Role,
    pub(crate) condition: Option<Condition>,
    pub(crate) notify: Vec<String>,
    /// The list parameter whose items it is repeated for.
    pub(crate) each: Option<String>,
    /// Steps of the type `include` only: the recipe whose steps stand here.
    pub(crate) included: Option<Recipe>,
    /// Checks only: through the load balancer.
    pub(crate) at_balancer: bool,
}

/// `when:`.
#[derive(Debug)]
pub(crate) enum Condition {
    Holds(String),
    HoldsNot(String),
    Equals(String, String),
    /// `platform == al2023`: asked on the machine.
    Platform(String),
}

#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) name: Key,
    pub(crate) body: Node,
}

impl Recipe {
    /// The name that settings call it by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// One line for people.
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// What it asks for.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// The platforms it is for; empty when it is for all.
    pub fn platforms(&self) -> &[String] {
        &self.0.platforms
    }

    /// Its file.
    pub fn source(&self) -> &Source {
        &self.0.source
    }
}

impl Condition {
    /// Decides, now that parameters have values; what is not set does not hold and equals nothing.
    pub(crate) fn holds(&self, argument: impl Fn(&str) -> Option<Argument>) -> bool {
        let holds = |name: &str| !matches!(argument(name), None | Some(Argument::Bool(false)));
        match self {
            Self::Holds(name) => holds(name),
            Self::HoldsNot(name) => !holds(name),
            Self::Equals(name, value) => match argument(name) {
                Some(Argument::Text(text)) => text == *value,
                Some(Argument::Int(number)) => number.to_string() == *value,
                Some(Argument::Bool(truth)) => truth.to_string() == *value,
                _ => false,
            },
            Self::Platform(_) => true,
        }
    }

    /// The platform that the machine must be.
    pub(crate) fn platform(&self) -> Option<&str> {
        match self {
            Self::Platform(platform) => Some(platform),
            _ => None,
        }
    }
}
