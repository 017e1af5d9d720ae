//! Text as one word of a shell command: the only way that a value gets into a script.

/// Quotes a text so that every POSIX shell takes it as exactly that one word. NUL cannot be written; the readers
/// refuse it before.
pub(crate) fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-,:+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Quotes words and joins them with blanks.
pub(crate) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_gives_back_every_text(text in "[^\u{0}]{0,40}") {
            let script = format!("printf %s {}", quote(&text));
            let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
            proptest::prop_assert_eq!(output.stdout, text.as_bytes());
        }
    }

    #[test]
    fn empty_text_is_still_a_word() {
        assert_eq!(words(["a", "", "b c"]), "a '' 'b c'");
    }
}
