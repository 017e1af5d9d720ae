//! Systems Manager: managed nodes and Run Command.

pub(crate) mod calls;
pub(crate) mod commands;
pub(crate) mod invocations;
pub(crate) mod nodes;
pub(crate) mod runs;

use serde_json::Value;

use super::state::State;
use super::wire::ApiError;
use super::wire::json::Json;
use super::wire::page;

/// Answers an operation; `None` if it is none of these.
pub(crate) fn serve(
    state: &mut State,
    operation: &str,
    body: Json<'_>,
) -> Option<Result<Value, ApiError>> {
    Some(match operation {
        "DescribeInstanceInformation" => nodes::describe(state, body),
        "SendCommand" => calls::send(state, body),
        "CancelCommand" => calls::cancel(state, body),
        "GetCommandInvocation" => invocations::get(state, body),
        "ListCommands" => invocations::list_commands(state, body),
        "ListCommandInvocations" => invocations::list(state, body),
        _ => return None,
    })
}

/// Cuts a page as Systems Manager does.
pub(crate) fn paged<T>(
    body: Json<'_>,
    operation: &str,
    most: u64,
    entries: Vec<T>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let fallback = usize::try_from(most).ok();
    let size = body.page_size(most)?.or(fallback);
    page::cut(entries, operation, size, body.text("NextToken")?).map_err(|page::BadToken| {
        ApiError::new("InvalidNextToken", "The specified token is not valid.")
    })
}
