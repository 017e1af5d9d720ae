//! The one integration binary: a second one would link the SDK again.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on ends here, with the line"
)]

mod abandon;
mod boot_steps;
mod bridge;
mod command_line;
mod conformance;
mod contents;
mod corpus;
mod demo;
mod diagnosis;
mod display;
mod environments;
mod generalise;
mod given_up;
mod interrupt;
mod layers;
mod library;
mod logs;
mod losers;
mod machines;
mod manual;
mod migrations;
mod nonsense;
mod pipeline;
mod policy;
mod promotion;
mod reachability;
mod reboot;
mod recipe_tests;
mod recipe_verbs;
mod recipes;
mod records;
mod refusals;
mod retries;
mod rollback_cost;
mod runs;
mod safe_calls;
mod sandbox;
mod settings;
mod setup;
mod shop;
mod status;
mod stuck;
mod sweep;
mod takeover;
mod trials;
mod troubles;
mod trust;
mod unsent;
mod verdicts;
mod watching;
mod world;
