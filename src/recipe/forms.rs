//! The forms of special texts: modes, paths, host names, address ranges, sizes.

/// Octal digits of a file mode: three or four.
pub(crate) fn parse_mode(text: &str) -> Option<u32> {
    let octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    octal.then(|| u32::from_str_radix(text, 8).ok()).flatten()
}

/// Whether a text can be a path in a script: absolute, without `..`, without what stat and sha256sum print escaped.
pub(crate) fn is_path(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err("a path begins with `/`".to_owned());
    }
    if text.contains('\\') || text.chars().any(char::is_control) {
        return Err("a path holds no backslash and no control character".to_owned());
    }
    if text.split('/').any(|part| part == ".." || part == ".") || text.contains("//") {
        return Err("a path holds no `.`, `..` or `//`".to_owned());
    }
    if text.len() > 1 && text.ends_with('/') {
        return Err("a path does not end with `/`".to_owned());
    }
    Ok(())
}

pub(super) fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

pub(super) fn is_cidr(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, bits)| {
        let bits = bits.parse::<u8>().unwrap_or(u8::MAX);
        match address.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(_)) => bits <= 32,
            Ok(std::net::IpAddr::V6(_)) => bits <= 128,
            Err(_) => false,
        }
    })
}

/// Bytes of `512`, `64K`, `256M`, `1G`.
pub(super) fn parse_size(text: &str) -> Option<i64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'K' => (text.get(..text.len() - 1)?, 1 << 10),
        b'M' => (text.get(..text.len() - 1)?, 1 << 20),
        b'G' => (text.get(..text.len() - 1)?, 1 << 30),
        _ => (text, 1),
    };
    let well_formed = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse::<i64>()
        .ok()
        .filter(|_| well_formed)?
        .checked_mul(factor)
}

pub(super) fn written_size(bytes: i64) -> String {
    match bytes {
        bytes if bytes % (1 << 30) == 0 => format!("{}G", bytes >> 30),
        bytes if bytes % (1 << 20) == 0 => format!("{}M", bytes >> 20),
        bytes if bytes % (1 << 10) == 0 => format!("{}K", bytes >> 10),
        bytes => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_hosts_ranges_modes_and_paths() {
        assert_eq!(parse_size("256M"), Some(268_435_456));
        assert_eq!(
            (parse_size("M"), parse_size("1T"), parse_size("-1")),
            (None, None, None)
        );
        assert!(is_hostname("shop.example.com") && !is_hostname("shop_1") && !is_hostname("a..b"));
        assert!(is_cidr("10.0.0.0/16") && !is_cidr("10.0.0.0/33") && !is_cidr("10.0.0.0"));
        assert_eq!(parse_mode("0644"), Some(0o644));
        assert_eq!(
            (parse_mode("0888"), parse_mode("64"), parse_mode("")),
            (None, None, None)
        );
        assert!(is_path("/srv/a b").is_ok());
        for wrong in ["srv", "/a/../b", "/a/", "/a//b", "/a\nb"] {
            assert!(is_path(wrong).is_err(), "{wrong}");
        }
    }
}
