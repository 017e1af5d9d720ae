//! Pages of a long answer, and the tokens that lead from one to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The token is none of ours, or was given out by another operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadToken;

/// Cuts one page of at most `size` entries out of `entries` and says how to ask for the next.
///
/// The token names the operation and the place where the next page begins, so a token of one operation is refused
/// by another.
pub(crate) fn cut<T>(
    mut entries: Vec<T>,
    operation: &str,
    size: Option<usize>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), BadToken> {
    let start = token.map_or(Ok(0), |token| place(operation, token))?;
    if start > entries.len() {
        return Err(BadToken);
    }
    let mut page = entries.split_off(start);
    let size = size.unwrap_or(usize::MAX).max(1);
    let more = page.len() > size;
    page.truncate(size);
    Ok((
        page,
        more.then(|| URL_SAFE_NO_PAD.encode(format!("{operation}/{}", start + size))),
    ))
}

fn place(operation: &str, token: &str) -> Result<usize, BadToken> {
    let decoded = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let text = String::from_utf8(decoded).map_err(|_| BadToken)?;
    let (made_by, place) = text.split_once('/').ok_or(BadToken)?;
    if made_by != operation {
        return Err(BadToken);
    }
    place.parse().map_err(|_| BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<u32> = (0..5).collect();
        let (first, token) = cut(all.clone(), "ListX", Some(2), None).unwrap();
        let (second, next) = cut(all.clone(), "ListX", Some(2), token.as_deref()).unwrap();
        let (third, end) = cut(all, "ListX", Some(2), next.as_deref()).unwrap();
        assert_eq!([first, second, third].concat(), [0, 1, 2, 3, 4]);
        assert_eq!(end, None);
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let (_, token) = cut(vec![1, 2], "ListX", Some(1), None).unwrap();
        assert_eq!(
            cut(vec![1, 2], "ListY", Some(1), token.as_deref()),
            Err(BadToken)
        );
        assert_eq!(
            cut(vec![1, 2], "ListX", Some(1), Some("nonsense")),
            Err(BadToken)
        );
    }
}
