//! Text for people: made harmless, measured, cut and wrapped by the width it has on a terminal.

/// Makes one line harmless: no control character is left, so nothing can move the cursor, change a title or clear a
/// screen.
///
/// Escape sequences are removed, tabs become spaces, and of a line that was written over with carriage returns the last
/// state stays, as on a terminal. Characters that change the direction of text are removed as well, for with them a
/// line can be made to read as another one.
pub(crate) fn plain(line: &str) -> String {
    let mut rest = line.trim_end_matches(['\r', '\n']);
    let mut kept = String::with_capacity(rest.len());
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\u{1b}' => rest = after_escape(rest),
            '\u{9b}' => rest = after_control_sequence(rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => rest = after_control_string(rest),
            '\r' => kept.clear(),
            '\t' => kept.extend(std::iter::repeat_n(' ', 8 - width(&kept) % 8)),
            '\n' | '\u{2028}' | '\u{2029}' => kept.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            other if other.is_control() => {}
            other => kept.push(other),
        }
    }
    kept
}

/// An event of Beanstalk's on one line, whole and with its time: it may say the only cause that there is.
pub(crate) fn environment_event(
    recorded: jiff::Timestamp,
    severity: &str,
    message: &str,
) -> String {
    let time = recorded.strftime("%H:%M:%S");
    plain(&format!(
        "Beanstalk {severity}, {time} UTC: {}",
        message.replace('\n', " ")
    ))
}

/// The first line of a reason: those after it, output of a step or a list, stand in the error at the end.
pub(crate) fn first_line(reason: &str) -> &str {
    reason.lines().next().unwrap_or_default()
}

/// Makes every line of a text harmless.
pub(crate) fn plain_lines(text: &str) -> Vec<String> {
    text.lines().map(plain).collect()
}

/// Returns what follows an escape sequence whose escape character was taken already (ECMA-48, section 5).
fn after_escape(rest: &str) -> &str {
    match rest.chars().next() {
        Some('[') => after_control_sequence(&rest[1..]),
        Some(']' | 'P' | 'X' | '^' | '_') => after_control_string(&rest[1..]),
        Some(' '..='~') => rest
            .trim_start_matches(|character| matches!(character, ' '..='/'))
            .strip_prefix(|character| matches!(character, '0'..='~'))
            .unwrap_or(rest),
        _ => rest,
    }
}

/// Returns what follows the parameters and the final byte of a control sequence.
fn after_control_sequence(rest: &str) -> &str {
    let end = rest.trim_start_matches(|character| matches!(character, ' '..='?'));
    end.strip_prefix(|character| matches!(character, '@'..='~'))
        .unwrap_or(end)
}

/// Returns what follows a control string (a window's title, a link). Of one that does not end only its beginning is
/// taken away: a line cannot hide the rest of itself.
fn after_control_string(rest: &str) -> &str {
    ["\u{1b}\\", "\u{7}", "\u{9c}"]
        .iter()
        .filter_map(|end| rest.find(end).map(|at| at + end.len()))
        .min()
        .map_or(rest, |end| &rest[end..])
}

/// Returns how many columns a harmless text takes.
pub(crate) fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Cuts a harmless text to at most `columns`, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    let mut buffer = [0; 4];
    for character in text.chars() {
        used += width(character.encode_utf8(&mut buffer));
        if used >= columns {
            break;
        }
        kept.push(character);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Fills a harmless text up with spaces to `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Breaks a harmless line at spaces into lines of at most `columns`; those after the first begin with `indent` spaces.
///
/// A word that is wider than a line stands on one of its own and is not broken, and what is in backticks is one word:
/// ids and commands are there to be copied.
pub(crate) fn wrap(line: &str, columns: usize, indent: usize) -> Vec<String> {
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let mut lines = Vec::new();
    let mut current: String = line
        .chars()
        .take_while(|character| *character == ' ')
        .collect();
    let mut is_empty = true;
    for word in words(line) {
        if !is_empty && width(&current) + 1 + width(word) > columns {
            lines.push(std::mem::replace(&mut current, " ".repeat(indent)));
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    lines.push(current);
    lines
}

/// Splits at spaces outside of backticks.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let closed = line.matches('`').count().is_multiple_of(2);
    let mut quoted = false;
    line.split(move |character: char| {
        quoted ^= closed && character == '`';
        character == ' ' && !quoted
    })
    .filter(|word| !word.is_empty())
}

/// Writes a duration as people read it: `0.4s`, `58s`, `1m02s`, `2h05m`.
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 if milliseconds > 0 => format!("0.{}s", (milliseconds / 100).max(1)),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Returns the milliseconds from one moment to a later one.
pub(crate) fn milliseconds_between(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_made_harmless() {
        for (written, shown) in [
            ("plain text", "plain text"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;a title\u{7}text", "text"),
            ("\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]0;never ended", "0;never ended"),
            ("\u{1b}(Btext\u{1b}7\u{1b}c", "text"),
            ("\u{9b}2Jgone\u{85}\u{7f}", "gone"),
            ("10 %\r20 %\r100 %", "100 %"),
            ("line\r\n", "line"),
            ("a\tb", "a       b"),
            ("ab\u{8}\u{0}c", "abc"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}é", "é"),
            ("if \u{202e}resu\u{2066}", "if resu"),
        ] {
            assert_eq!(plain(written), shown, "{written:?}");
        }
    }

    #[test]
    fn cutting_goes_by_columns_and_not_by_characters() {
        assert_eq!(cut("12345", 5), "12345");
        assert_eq!(cut("123456", 5), "1234…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語文字", 6), "日本…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn wrapping_breaks_no_word_and_no_command() {
        assert_eq!(
            wrap("continue with `goldseed resume 1` now", 20, 2),
            ["continue with", "  `goldseed resume 1`", "  now"]
        );
        assert_eq!(wrap("one ` two", 5, 0), ["one `", "two"]);
        assert_eq!(wrap("", 20, 2), [""]);
        assert_eq!(wrap("  in  form", 20, 2), ["  in  form"]);
        assert_eq!(wrap("  long  text", 10, 4), ["  long", "    text"]);
    }

    #[test]
    fn durations_are_short() {
        for (milliseconds, text) in [
            (0, "0s"),
            (40, "0.1s"),
            (950, "0.9s"),
            (58_999, "58s"),
            (62_000, "1m02s"),
            (7_500_000, "2h05m"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_control_character_survives(text in "\\PC*|.*|[\\x1b\\[\\]\\\\a-c0-2;\\x00-\\x1f\\u{80}-\\u{9f}]*") {
            proptest::prop_assert!(!plain(&text).chars().any(char::is_control));
        }

        #[test]
        fn nothing_is_wider_than_it_was_cut_to(text in "\\PC*", columns in 0_usize..50) {
            proptest::prop_assert!(width(&cut(&plain(&text), columns)) <= columns);
        }
    }
}
