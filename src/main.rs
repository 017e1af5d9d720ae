//! Parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use goldseed::cli::{self, Arguments};
use goldseed::display;

fn main() -> ExitCode {
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
