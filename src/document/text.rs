//! The bytes of a file become text, or one mistake that says how to save it.

use std::path::Path;

use super::{Diagnostics, Review, Source};

/// Returns the text of a file; `path` is its name in messages. A mark of UTF-8 at its beginning is left out.
///
/// # Errors
/// Text that is not UTF-8: UTF-16 as editors of Windows save it, Latin-1.
pub fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String, Diagnostics> {
    if let Some(text) = utf16(&bytes) {
        let review = Review::of(&Source::new(path, text));
        review
            .error(0..0, "this is UTF-16 text, and not UTF-8")
            .help("save the file as UTF-8: `iconv -f utf-16 -t utf-8 OLD >NEW` turns it into that");
        return Err(review.take());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let shown = String::from_utf8_lossy(error.as_bytes());
        let review = Review::of(&Source::new(path, shown));
        review.error(at..at + 1, "this is no UTF-8 text").help(
            "save the file as UTF-8: `iconv -f latin1 -t utf-8 OLD >NEW` turns older text into it",
        );
        review.take()
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The text of UTF-16, told by its mark or, without one, by its zeros: YAML begins with a letter or a sign of ASCII.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (little, rest) = match bytes {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        [1..=0x7f, 0, ..] => (true, bytes),
        [0, 1..=0x7f, ..] => (false, bytes),
        _ => return None,
    };
    let units: Vec<u16> = rest
        .chunks_exact(2)
        .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
        .map(if little {
            u16::from_le_bytes
        } else {
            u16::from_be_bytes
        })
        .collect();
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: Vec<u8>) -> String {
        text_of(Path::new("goldseed.yaml"), bytes)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn text_of_windows_says_how_to_save_it() {
        let text = "goldseed: 1\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            [&[0xff, 0xfe], little.as_slice()].concat(),
            [&[0xfe, 0xff], big.as_slice()].concat(),
            little,
            big,
        ] {
            let said = said(bytes);
            assert!(
                said.contains("UTF-16") && said.contains("1 | goldseed: 1"),
                "{said}"
            );
        }
        let said = said(b"goldseed: 1\n# f\xfcr\n".to_vec());
        assert!(
            said.contains("goldseed.yaml:2:4") && said.contains("latin1"),
            "{said}"
        );
    }

    #[test]
    fn a_mark_of_utf_8_is_no_part_of_the_text() {
        let read = text_of(Path::new("a"), "\u{feff}goldseed: 1".into()).unwrap();
        assert_eq!(read, "goldseed: 1");
        assert_eq!(text_of(Path::new("a"), Vec::new()).unwrap(), "");
    }
}
