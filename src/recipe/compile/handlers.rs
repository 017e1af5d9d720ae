//! Handlers: what the steps of a recipe may have notified.

use super::super::bind::Bound;
use super::super::epoch::Call;
use super::super::interpolate;
use super::super::resources;
use super::super::script::StepInfo;
use super::Compiler;
use crate::document::Review;

impl Compiler {
    /// The handlers that the recipe's steps of this script may have notified, once, after its last step.
    pub(super) fn handlers(&mut self, bound: &Bound, prefix: &str) {
        if !self.has_work(bound) {
            return;
        }
        let content = &bound.recipe.0;
        for handler in &content.handlers {
            let review = Review::of(&content.source);
            let shell = &resources::HANDLER_SHELL;
            let body = interpolate::resolve(&handler.body, &bound.scope(), shell, &[], &review);
            let work = if review.count() == 0 {
                resources::handler(&body, &review)
            } else {
                None
            };
            self.found.extend(review.take());
            let Some(work) = work else { continue };
            let step = StepInfo {
                id: format!("{prefix}/{}", handler.name.text),
                recipe: content.name.clone(),
                name: handler.name.text.clone(),
                kind: "handler".to_owned(),
                always: false,
                place: content.source.place(handler.name.span.start),
            };
            self.push(
                step,
                Call::Handler {
                    pending: format!("{prefix}.{}", handler.name.text),
                    work,
                },
            );
        }
    }
}
