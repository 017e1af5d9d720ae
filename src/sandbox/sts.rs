//! STS: who is calling.

use super::server::Origin;
use super::state::State;
use super::wire::xml::Xml;
use super::wire::{ApiError, Call};

/// Answers a call.
pub(crate) fn serve(state: &State, origin: &Origin, call: &Call) -> Result<Xml, ApiError> {
    if call.operation != "GetCallerIdentity" {
        return Err(ApiError::invalid_action(&call.operation));
    }
    let account = &state.account;
    let (arn, user_id) = match origin {
        Origin::Client => (
            format!("arn:aws:iam::{account}:user/sandbox"),
            "AIDASANDBOXSANDBOXSA".to_owned(),
        ),
        Origin::Node(instance_id) => {
            let role = state
                .instances
                .get(instance_id)
                .and_then(|instance| instance.role().map(str::to_owned))
                .unwrap_or_else(|| "none".to_owned());
            (
                format!("arn:aws:sts::{account}:assumed-role/{role}/{instance_id}"),
                format!("AROASANDBOXSANDBOXSA:{instance_id}"),
            )
        }
    };
    let mut xml = Xml::new();
    xml.text("UserId", user_id)
        .text("Account", account)
        .text("Arn", arn);
    Ok(xml)
}
