//! What steps for the seed alone make is taken away before the image is made: nothing that is to stay may lie in it.

use std::ops::Range;

use super::super::model::{Role, Step};
use super::super::resources::Work;
use crate::document::{Diagnostics, Review, Source};

/// What the steps of a script make.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Paths that are taken away again.
    goes: Vec<String>,
    /// Paths that stay, and the steps that make them.
    stays: Vec<(String, Source, Range<usize>)>,
}

impl Made {
    /// Takes down what a step makes.
    pub(super) fn note(&mut self, step: &Step, work: &Work, source: &Source) {
        // Of steps for one platform each nobody knows here which are done on the same machine.
        if work.platform.is_some() {
            return;
        }
        if step.role == Role::Seed {
            if !work.leaves.is_empty() {
                self.goes.extend(work.claims.iter().cloned());
            }
            return;
        }
        let paths = work.claims.iter().filter(|path| path.starts_with('/'));
        let stays = paths.map(|path| (path.clone(), source.clone(), step.kind.span.clone()));
        self.stays.extend(stays);
    }

    /// The steps whose work would be taken away with what is the seed's.
    pub(super) fn lost(&self) -> Diagnostics {
        let mut found = Diagnostics::default();
        for (path, source, span) in &self.stays {
            let within = |folder: &&String| {
                path.strip_prefix(folder.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let Some(folder) = self.goes.iter().find(within) else {
                continue;
            };
            let review = Review::of(source);
            review
                .error(
                    span.clone(),
                    format!("`{path}` would be taken away with `{folder}`, which a step makes on the seed alone"),
                )
                .help("take `on: seed` off the other step, or give it a path of its own");
            found.extend(review.take());
        }
        found
    }
}
