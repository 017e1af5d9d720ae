//! Parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use goldseed::cli::{self, Arguments};
use goldseed::display;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_fault));
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            display::tell(&display::error_text(
                "the runtime could not be started",
                &[error.to_string()],
                &[],
            ));
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(cli::run(arguments)) {
        Ok(code) => code,
        Err(failure) => {
            display::tell(&display::excerpts_text(&failure.excerpts));
            display::tell(&display::error_text(
                &failure.message,
                &failure.causes,
                &failure.hints,
            ));
            failure.code
        }
    };
    ExitCode::from(code as u8)
}

/// Ends the program at a panic, on whatever thread it happens, with one error for people. AWS holds what a run has done.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "after a fault of its own nothing here can be relied on"
)]
fn report_fault(fault: &std::panic::PanicHookInfo<'_>) {
    let payload = fault.payload_as_str().unwrap_or("a panic without a text");
    let place = fault
        .location()
        .map_or_else(String::new, |at| format!(" at {at}"));
    display::tell(&display::error_text(
        "goldseed stopped at a fault of its own",
        &[format!("{payload}{place}")],
        &[
            "please report it with this text".to_owned(),
            "`goldseed runs` lists the run that it was at, if there was one; `goldseed resume` continues it".to_owned(),
        ],
    ));
    std::process::exit(i32::from(goldseed::failure::ExitCode::Unexpected as u8));
}
