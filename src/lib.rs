//! goldseed grows golden images for Elastic Beanstalk environments on a seed server, proves them, makes them an
//! environment's base image, watches the result and goes back when it is not well.
//!
//! # The layers
//!
//! A module may name those above it in this list and no others; `tests/it/layers.rs` reads the code and holds it to
//! that. `docs/architecture.md` tells the whole story.
//!
//! * [`id`], [`pace`], [`document`]: names, waiting, YAML with places. They know nothing of ours.
//! * [`record`], [`event`]: plain data that is kept or shown.
//! * [`settings`]: `goldseed.yaml`, flags and the environment, become one typed value.
//! * [`recipe`]: YAML recipes become one POSIX shell script.
//! * [`cloud`]: AWS in the words of this project; the only module that knows the SDK.
//! * [`node`]: a script on a machine: sent, started, followed, stopped.
//! * [`run`]: a run's record, lease and ledger in Parameter Store.
//! * [`pipeline`]: build, promote, rebuild, rollback, from top to bottom.
//! * [`display`]: events become bars, lines or JSON.
//! * [`sandbox`]: a local AWS with real machines; it speaks HTTP and shares no code with the others.
//! * [`failure`]: every error becomes a message, hints and an exit code.
//! * [`cli`]: one file a verb.

pub mod cli;
pub mod cloud;
pub mod display;
pub mod document;
pub mod event;
pub mod failure;
pub mod id;
pub mod node;
pub mod pace;
pub mod pipeline;
pub mod recipe;
pub mod record;
pub mod run;
pub mod sandbox;
pub mod settings;
