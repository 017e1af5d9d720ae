//! Errors for people, in one shape everywhere: what failed, what caused it, what to do.

use super::text::{plain_lines, width, wrap};

/// The width that errors are wrapped to: they are read in terminals and in logs of CI alike.
const COLUMNS: usize = 100;

/// Writes an error as people see it, ending with a line feed:
///
/// ```text
/// error: cannot create image `shop-golden-1`
///   caused by: CreateImage was refused: UnauthorizedOperation (request 1c2d)
/// hint: the role needs `ec2:CreateImage`
/// ```
///
/// A text of one line is wrapped; one of several lines, such as an excerpt of a file with a caret under it, is kept as
/// it is. Control characters are made harmless.
pub fn error_text(message: &str, causes: &[String], hints: &[String]) -> String {
    let mut text = String::new();
    let mut previous = message;
    add(&mut text, "error: ", message);
    for cause in causes {
        // A cause that only says the same again is no news.
        if cause != previous {
            add(&mut text, "  caused by: ", cause);
        }
        previous = cause;
    }
    for hint in hints {
        add(&mut text, "hint: ", hint);
    }
    text
}

/// Writes excerpts of files as they stand above an error, with an empty line below; nothing where there is none.
/// Control characters are made harmless.
pub fn excerpts_text(excerpts: &str) -> String {
    if excerpts.is_empty() {
        return String::new();
    }
    format!("{}\n\n", plain_lines(excerpts.trim_end()).join("\n"))
}

fn add(text: &mut String, label: &str, content: &str) {
    let lines = plain_lines(content.trim_end());
    let lines = match lines.as_slice() {
        [] => vec![label.trim_end().to_owned()],
        [only] => labelled(label, only),
        [first, others @ ..] => std::iter::once(format!("{label}{first}"))
            .chain(others.iter().cloned())
            .collect(),
    };
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Wraps a line behind its label; what goes on stands under the text and not under the label.
fn labelled(label: &str, line: &str) -> Vec<String> {
    let indent = width(label);
    wrap(line, COLUMNS - indent, 0)
        .into_iter()
        .enumerate()
        .map(|(at, part)| match at {
            0 => format!("{label}{part}"),
            _ => format!("{}{part}", " ".repeat(indent)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_failed_why_and_what_to_do() {
        let text = error_text(
            "cannot create image `shop-golden-20261123-7f3a`",
            &[
                "CreateImage was refused: UnauthorizedOperation: you are not authorized to perform this operation on the instance (request 1c2d)".to_owned(),
                "\u{1b}[31mforbidden".to_owned(),
            ],
            &["continue with `goldseed resume 20261123-034512-7f3a`".to_owned()],
        );
        insta::assert_snapshot!(text, @"
        error: cannot create image `shop-golden-20261123-7f3a`
          caused by: CreateImage was refused: UnauthorizedOperation: you are not authorized to perform this
                     operation on the instance (request 1c2d)
          caused by: forbidden
        hint: continue with `goldseed resume 20261123-034512-7f3a`
        ");
    }

    #[test]
    fn an_excerpt_keeps_its_form() {
        let excerpt = "unknown key `pakage`\n --> recipes/shop.yaml:3:5\n  |\n3 |   - pakage: nginx\n  |     ^^^^^^";
        let text = error_text(excerpt, &[], &["did you mean `package`?".to_owned()]);
        insta::assert_snapshot!(text, @"
        error: unknown key `pakage`
         --> recipes/shop.yaml:3:5
          |
        3 |   - pakage: nginx
          |     ^^^^^^
        hint: did you mean `package`?
        ");
    }

    #[test]
    fn excerpts_stand_alone_and_are_made_harmless() {
        assert_eq!(excerpts_text(""), "");
        assert_eq!(
            excerpts_text("error: no\n  |\n1 | \u{1b}[31ma\n"),
            "error: no\n  |\n1 | a\n\n"
        );
    }

    #[test]
    fn a_cause_that_repeats_is_told_once() {
        let same = "connection refused".to_owned();
        let text = error_text("cannot ask AWS", &[same.clone(), same], &[]);
        assert_eq!(
            text,
            "error: cannot ask AWS\n  caused by: connection refused\n"
        );
    }
}
