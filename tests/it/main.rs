//! The one integration binary: a second one would link the SDK again.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on ends here, with the line"
)]

mod abandon;
mod command_line;
mod conformance;
mod demo;
mod display;
mod generalise;
mod interrupt;
mod layers;
mod library;
mod manual;
mod migrations;
mod pipeline;
mod promotion;
mod recipe_tests;
mod recipe_verbs;
mod recipes;
mod refusals;
mod runs;
mod sandbox;
mod settings;
mod shop;
mod sweep;
mod world;
