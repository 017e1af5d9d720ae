//! What is wrong in a file, shown so that it can be mended: place, excerpt with a caret, what to do.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Place, Source};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, without a full stop: "unknown key `pakage`".
    pub message: String,
    /// The file that it is in.
    pub source: Source,
    /// Bytes of that file, on one line; empty for a mistake of the whole file.
    pub span: Range<usize>,
    /// Stands beside the caret; may be empty.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

/// How often the same mistake is shown with its place.
const MOST_ALIKE: usize = 10;

/// All mistakes that were found; as an error it prints all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

/// Collects the mistakes of one file while it is read.
#[derive(Debug)]
pub struct Review {
    source: Source,
    found: RefCell<Vec<Diagnostic>>,
}

/// A mistake that was just reported, to which a label and a help may be added.
#[derive(Debug)]
pub struct Finding<'a> {
    review: &'a Review,
    index: usize,
}

impl Diagnostic {
    /// Where it is.
    pub fn place(&self) -> Place {
        self.source.place(self.span.start)
    }

    /// The message, `path:line:column`, the line with a caret, and the help.
    pub fn render(&self) -> String {
        let path = self.source.path().display().to_string();
        let span = one_line(self.source.text(), &self.span);
        let mut group = Level::ERROR.primary_title(self.message.as_str()).element(
            Snippet::source(self.source.text()).path(path).annotation(
                AnnotationKind::Primary
                    .span(span)
                    .label(self.label.as_str()),
            ),
        );
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let rendered = Renderer::plain().render(&[group]);
        rendered
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Cuts a span to the line that it begins on and to whole characters.
fn one_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = text.get(start..).unwrap_or_default();
    let line = rest
        .find('\n')
        .map_or(text.len(), |newline| start + newline);
    let mut end = span.end.clamp(start, line);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    start..end
}

impl Diagnostics {
    /// Adds what another file's review found.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Tells whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the value back if nothing was found.
    ///
    /// # Errors
    /// What was found.
    pub fn or<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut seen: Vec<(&Diagnostic, usize)> = Vec::new();
        for diagnostic in &self.0 {
            let alike = seen.iter_mut().find(|(first, _)| {
                first.message == diagnostic.message && first.help == diagnostic.help
            });
            let count = if let Some((_, count)) = alike {
                *count += 1;
                *count
            } else {
                seen.push((diagnostic, 1));
                1
            };
            if count > MOST_ALIKE {
                continue;
            }
            formatter.write_str(separator)?;
            formatter.write_str(&diagnostic.render())?;
            separator = "\n\n";
        }
        for (first, count) in seen.iter().filter(|(_, count)| *count > MOST_ALIKE) {
            let more = count - MOST_ALIKE;
            write!(formatter, "\n\nerror: {more} more: {}", first.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl Review {
    /// Begins to review a file.
    pub fn of(source: &Source) -> Self {
        Self {
            source: source.clone(),
            found: RefCell::default(),
        }
    }

    /// The file under review.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Reports a mistake; the handle takes a label and a help.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> Finding<'_> {
        let mut found = self.found.borrow_mut();
        found.push(Diagnostic {
            message: message.into(),
            source: self.source.clone(),
            span,
            label: String::new(),
            help: None,
        });
        Finding {
            review: self,
            index: found.len() - 1,
        }
    }

    /// Adds mistakes that were found elsewhere, in another file perhaps.
    pub fn absorb(&self, diagnostics: Diagnostics) {
        self.found.borrow_mut().extend(diagnostics.0);
    }

    /// How many mistakes were found so far.
    pub fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// Whether a mistake was found at just this place.
    pub fn has_error_at(&self, span: &Range<usize>) -> bool {
        self.found.borrow().iter().any(|found| found.span == *span)
    }

    /// Takes what was found so far.
    pub fn take(&self) -> Diagnostics {
        Diagnostics(self.found.take())
    }

    /// Ends the review: the value, if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was found.
    pub fn finish<T>(self, value: T) -> Result<T, Diagnostics> {
        Diagnostics(self.found.into_inner()).or(value)
    }
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "the mistake is reported already"
)]
impl Finding<'_> {
    /// Says beside the caret what is there.
    pub fn label(self, label: impl Into<String>) -> Self {
        if let Some(diagnostic) = self.review.found.borrow_mut().get_mut(self.index) {
            diagnostic.label = label.into();
        }
        self
    }

    /// Says what to do.
    pub fn help(self, help: impl Into<String>) -> Self {
        if let Some(diagnostic) = self.review.found.borrow_mut().get_mut(self.index) {
            diagnostic.help = Some(help.into());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_same_mistake_again_and_again_is_shown_ten_times() {
        let review = Review::of(&Source::new(Path::new("a.yaml"), "fil: x\n".to_owned()));
        for _ in 0..60 {
            review
                .error(0..3, "unknown key `fil`")
                .help("did you mean `file`?");
        }
        review.error(5..6, "another");
        let shown = review.take().to_string();
        assert_eq!(shown.matches("did you mean").count(), 10);
        assert!(shown.contains("error: another\n"), "{shown}");
        assert!(
            shown.ends_with("error: 50 more: unknown key `fil`"),
            "{shown}"
        );
    }
}
