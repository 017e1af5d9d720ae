//! YAML recipes become one POSIX shell script.
//!
//! The way of a recipe: [`Library::load`] finds, reads and checks it; [`Recipe::bind`] gives it a pipeline's values;
//! [`compile()`] turns all recipes of a pipeline into one [`Script`] of check-then-change steps; [`Reader`] understands
//! what the script says while it runs. Values reach the script as quoted words only, and secrets not at all: the
//! node fetches them.

mod bind;
mod compile;
mod content;
mod epoch;
mod forms;
mod include;
mod interpolate;
mod library;
mod look;
mod model;
mod outcome;
mod parameters;
mod quote;
mod reading;
mod resources;
mod schema;
mod script;
mod secrets;
mod together;
mod trial;
mod verify;

pub use bind::Bound;
pub use compile::compile;
pub use content::{Content, Standing};
pub use library::{Library, LoadError, bridge_files, bridge_parts};
pub use model::{Migrations, Recipe};
pub use outcome::{Line, Reader, StepResult};
pub use parameters::{Argument, Bounds, Kind, Parameter};
pub use schema::schema;
pub use script::{Purpose, Script, StepInfo};
pub use secrets::SecretReference;
pub use verify::{Header, HeaderValue, HttpCheck, SLOWER_THAN, Via, balancer_checks, question};
