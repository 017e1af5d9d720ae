//! The steps that no recipe says: is this the right platform, and what every new machine does at boot.

use super::super::bind::Bound;
use super::super::content::{Content, Standing};
use super::super::epoch::{self, Call};
use super::super::model::Role;
use super::super::resources::{Large, Work};
use super::super::script::{self, BOOT_UNIT, StepInfo};
use super::{Compiler, has_role, plain};
use crate::document::Place;

impl Compiler {
    /// A step of our own, that stands where the first step of a role does.
    pub(super) fn own_step(recipes: &[Bound], role: Role, id: &str, name: &str) -> StepInfo {
        let mut all = recipes.iter().flat_map(|bound| bound.with_included(""));
        let first = all.find_map(|(_, bound)| {
            let content = &bound.recipe.0;
            let step = content
                .steps
                .iter()
                .find(|step| step.role == role && step.included.is_none())?;
            Some((
                content.name.clone(),
                content.source.place(step.kind.span.start),
            ))
        });
        let (recipe, place) = first.unwrap_or_else(|| {
            (
                String::new(),
                Place {
                    path: "recipes".into(),
                    line: 1,
                    column: 1,
                },
            )
        });
        StepInfo {
            id: format!("goldseed/{id}"),
            recipe,
            name: name.to_owned(),
            kind: id.to_owned(),
            always: false,
            place,
        }
    }

    /// Before anything is changed: is every recipe for this machine?
    pub(super) fn platforms(&mut self, bound: &Bound, prefix: &str) {
        let content = &bound.recipe.0;
        if content.platforms.is_empty() || !self.has_work(bound) {
            return;
        }
        let words = std::iter::once("gs_supports".to_owned())
            .chain(content.platforms.iter().cloned())
            .collect();
        let at = content.source.text().find("platforms:").unwrap_or(0);
        let step = StepInfo {
            id: format!("{prefix}/platform"),
            recipe: content.name.clone(),
            name: "this machine's platform".to_owned(),
            kind: "platform".to_owned(),
            always: false,
            place: content.source.place(at),
        };
        let work = Work {
            words,
            ..Work::default()
        };
        self.push(
            step,
            Call::Step {
                work,
                notify: Vec::new(),
                seed_only: false,
            },
        );
    }

    /// The boot steps were just done on the seed; every machine of its image does them again.
    pub(super) fn boot(&mut self, recipes: &[Bound], prefixes: &[String]) {
        if !has_role(recipes, Role::Boot) {
            let work = plain("gs_remove_boot");
            self.push(
                Self::own_step(recipes, Role::Image, "boot", "no boot steps"),
                Call::Step {
                    work,
                    notify: Vec::new(),
                    seed_only: false,
                },
            );
            return;
        }
        let mut compiler = Self {
            alone: true,
            ..Self::default()
        };
        for (bound, prefix) in recipes.iter().zip(prefixes) {
            compiler.steps_of(bound, prefix, &|role| role == Role::Boot);
        }
        for unit in &mut compiler.units {
            // Nothing is notified: what would have to be reloaded starts only after this script.
            if let Call::Step { notify, .. } = &mut unit.call {
                notify.clear();
            }
        }
        let body = format!(
            "gs_booting=1\n{}gs_boot_done\n",
            epoch::write(&compiler.units)
        );
        let (text, _) = script::assemble(&body, compiler.secrets);
        let words = ["gs_install_boot", BOOT_UNIT, "text", &text];
        let mut work = Work {
            words: words.map(str::to_owned).to_vec(),
            ends_epoch: true,
            ..Work::default()
        };
        if compiler.large {
            let path = "/opt/goldseed/boot/boot.sh".to_owned();
            let content = Content::new(text.into_bytes(), Standing::File { path });
            let words = [
                "gs_install_boot",
                BOOT_UNIT,
                "held",
                content.digest.as_str(),
            ];
            work.large = Some(Large {
                words: words.map(str::to_owned).to_vec(),
                content,
            });
            self.hold_apart(&mut work);
        }
        let step = Self::own_step(
            recipes,
            Role::Boot,
            "boot",
            "boot steps for every new machine",
        );
        self.push(
            step,
            Call::Step {
                work,
                notify: Vec::new(),
                seed_only: false,
            },
        );
    }
}
