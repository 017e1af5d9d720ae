//! The cookies of one probe (RFC 6265): they live for seconds, so of an expiry only "delete it" counts.

use url::Url;

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    /// The host, and whether its subdomains get it as well.
    domain: (String, bool),
    path: String,
    secure: bool,
}

/// The cookies that answers have set so far.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<Cookie>);

impl Cookies {
    /// Takes a `Set-Cookie` of an answer from this address; one that the address may not set is dropped, as browsers
    /// do.
    pub(super) fn set(&mut self, from: &Url, line: &str) {
        let host = from.host_str().unwrap_or_default();
        let mut parts = line.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: (host.to_owned(), false),
            path: folder(from.path()).to_owned(),
            secure: false,
        };
        let (mut seconds, mut date) = (None, None);
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.secure = true,
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "max-age" => seconds = value.parse::<i64>().ok(),
                "expires" => date = Some(is_past(value)),
                "domain" if !value.is_empty() => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    cookie.domain = (domain, true);
                }
                _ => {}
            }
        }
        let (domain, wide) = &cookie.domain;
        let foreign = *wide && !is_within(host, domain);
        if cookie.name.is_empty() || foreign || (cookie.secure && from.scheme() != "https") {
            return;
        }
        let ended = seconds.map(|seconds| seconds <= 0).or(date);
        self.0.retain(|other| {
            (&other.name, &other.domain.0, &other.path)
                != (&cookie.name, &cookie.domain.0, &cookie.path)
        });
        if ended != Some(true) {
            self.0.push(cookie);
        }
    }

    /// The value of the header `Cookie` of a request to this address.
    pub(super) fn of(&self, to: &Url) -> Option<String> {
        let host = to.host_str().unwrap_or_default();
        let sent = self.0.iter().filter(|cookie| {
            let (domain, wide) = &cookie.domain;
            (host == domain || (*wide && is_within(host, domain)))
                && is_below(to.path(), &cookie.path)
                && (!cookie.secure || to.scheme() == "https")
        });
        let pairs: Vec<String> = sent
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// The folder of a path: where a cookie holds that names no path (RFC 6265, 5.1.4).
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || folder.ends_with('/') || rest.starts_with('/'))
}

fn is_within(host: &str, domain: &str) -> bool {
    host == domain
        || (domain.contains('.')
            && host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.')))
}

/// Whether a date is over. Applications delete a cookie by a date long ago, and nothing else ends within a check.
fn is_past(date: &str) -> bool {
    let year = date
        .split(|one: char| !one.is_ascii_digit())
        .filter_map(|word| word.parse::<i16>().ok())
        .find(|number| *number > 31);
    let now = crate::pace::now().to_zoned(jiff::tz::TimeZone::UTC).year();
    year.is_some_and(|year| match year {
        32..70 => 2000 + year < now,
        70..100 => true,
        year => year < now,
    })
}

#[cfg(test)]
mod tests {
    use super::Cookies;
    use url::Url;

    fn sent(from: &str, lines: &[&str], to: &str) -> Option<String> {
        let mut cookies = Cookies::default();
        for line in lines {
            cookies.set(&Url::parse(from).unwrap(), line);
        }
        cookies.of(&Url::parse(to).unwrap())
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let there = |line, to| sent("http://www.shop.example/a/b", &[line], to).is_some();
        assert!(there("s=1", "http://www.shop.example/a/c"));
        assert!(!there("s=1", "http://www.shop.example/"));
        assert!(!there("s=1", "http://www.shop.example/ab"));
        assert!(there("s=1; Path=/", "http://www.shop.example:81/"));
        assert!(!there("s=1; Path=/", "http://img.shop.example/"));
        assert!(there(
            "s=1; path=/; domain=.shop.example",
            "http://img.shop.example/"
        ));
        assert!(!there(
            "s=1; path=/; domain=example",
            "http://img.shop.example/"
        ));
        assert!(!there(
            "s=1; path=/; domain=other.example",
            "http://www.shop.example/"
        ));
        assert!(!there("s=1; path=/; secure", "https://www.shop.example/"));
        assert!(!there("s=1; path=/; max-age=0", "http://www.shop.example/"));
        let secure = sent("https://x.example/", &["s=1; Secure"], "http://x.example/");
        assert_eq!(secure, None);
    }

    #[test]
    fn a_cookie_replaces_and_deletes_one_of_its_name() {
        let at = "http://shop.example/";
        let both = sent(at, &["a=1", "b=2", "a=3"], at);
        assert_eq!(both.as_deref(), Some("b=2; a=3"));
        for over in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 01-Jan-70 00:00:01 GMT",
        ] {
            assert_eq!(sent(at, &["a=1", &format!("a=; expires={over}")], at), None);
        }
        let kept = sent(at, &["a=1; expires=Fri, 31 Dec 2094 23:59:59 GMT"], at);
        assert_eq!(kept.as_deref(), Some("a=1"));
    }
}
