//! How small and how large a number may be.

use crate::document::{Fields, Node, Review};

/// Smallest and largest allowed number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    pub(in crate::recipe) min: Option<i64>,
    pub(in crate::recipe) max: Option<i64>,
}

impl Bounds {
    pub(super) fn read(
        fields: &Fields<'_>,
        review: &Review,
        read: impl Fn(&Node, &Review) -> Option<i64>,
    ) -> Self {
        let bounds = Self {
            min: fields.optional("min", &read),
            max: fields.optional("max", &read),
        };
        if let (
            Self {
                min: Some(min),
                max: Some(max),
            },
            Some(node),
        ) = (bounds, fields.get("max"))
            && min > max
        {
            review
                .error(
                    node.span.clone(),
                    "no value can be at least `min` and at most `max`",
                )
                .help("`min` is the smaller of the two");
            return Self::default();
        }
        bounds
    }

    /// What the bounds forbid, as words.
    pub(super) fn against(self, value: i64, written: impl Fn(i64) -> String) -> Result<(), String> {
        match self {
            Self { min: Some(min), .. } if value < min => {
                Err(format!("it is at least {}", written(min)))
            }
            Self { max: Some(max), .. } if value > max => {
                Err(format!("it is at most {}", written(max)))
            }
            _ => Ok(()),
        }
    }
}
