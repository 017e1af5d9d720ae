//! The text of a page: decoded as browsers decode it, and searched while it arrives.

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use hyper::header::HeaderValue;

/// How many bytes of a page may come before its `<meta charset>` (WHATWG HTML, "prescan a byte stream").
const PRESCAN: usize = 1024;

/// A page that arrives in pieces, and the texts that are searched in it.
pub(super) struct Page<'a> {
    wanted: Vec<&'a str>,
    header: Option<&'static Encoding>,
    decoder: Option<Decoder>,
    /// The first bytes, until the encoding is known.
    head: Vec<u8>,
    /// The end of what was searched: a text may begin there.
    tail: String,
    /// The length of the longest text.
    longest: usize,
    size: u64,
}

impl<'a> Page<'a> {
    /// Begins a page with this `Content-Type`.
    pub(super) fn new(wanted: &'a [String], content_type: Option<&HeaderValue>) -> Self {
        Self {
            wanted: wanted.iter().map(String::as_str).collect(),
            header: content_type
                .and_then(|value| value.to_str().ok())
                .and_then(|value| charset(&value.to_ascii_lowercase())),
            decoder: None,
            head: Vec::new(),
            tail: String::new(),
            longest: wanted.iter().map(String::len).max().unwrap_or_default(),
            size: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if self.decoder.is_some() {
            self.search(bytes, false);
            return;
        }
        self.head.extend_from_slice(bytes);
        if self.head.len() >= PRESCAN {
            self.begin();
        }
    }

    /// The bytes that came.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Ends the page and returns the first text that it does not contain.
    pub(super) fn missing(mut self) -> Option<&'a str> {
        if self.decoder.is_none() {
            self.begin();
        }
        self.search(&[], true);
        self.wanted.first().copied()
    }

    fn begin(&mut self) {
        let head = std::mem::take(&mut self.head);
        let encoding = self.header.or_else(|| in_meta(&head)).unwrap_or(UTF_8);
        // A byte order mark wins over both.
        self.decoder = Some(encoding.new_decoder());
        self.search(&head, false);
    }

    fn search(&mut self, mut bytes: &[u8], last: bool) {
        let Some(decoder) = &mut self.decoder else {
            return;
        };
        let room = decoder.max_utf8_buffer_length(bytes.len());
        let mut text = std::mem::take(&mut self.tail);
        text.reserve(room.unwrap_or(bytes.len() * 3));
        loop {
            let (result, read, _) = decoder.decode_to_string(bytes, &mut text, last);
            bytes = &bytes[read..];
            match result {
                encoding_rs::CoderResult::InputEmpty => break,
                encoding_rs::CoderResult::OutputFull => text.reserve(bytes.len() + 64),
            }
        }
        if last {
            self.decoder = None;
        }
        self.wanted.retain(|wanted| !text.contains(wanted));
        let mut from = text.len().saturating_sub(self.longest);
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        self.tail = text.split_off(from);
    }
}

/// The encoding that a `charset=` in lower-case text names.
fn charset(text: &str) -> Option<&'static Encoding> {
    let (_, rest) = text.split_once("charset")?;
    let rest = rest.trim_start().strip_prefix('=')?;
    let rest = rest.trim_start_matches(['"', '\'', ' ']);
    let end = rest.find(|one: char| !one.is_ascii_alphanumeric() && !"-_.:".contains(one));
    Encoding::for_label(&rest.as_bytes()[..end.unwrap_or(rest.len())])
}

/// The encoding that a page's first `<meta>` names. One that reads as ASCII is not UTF-16, whatever it says.
fn in_meta(head: &[u8]) -> Option<&'static Encoding> {
    let head = &head[..head.len().min(PRESCAN)];
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut tags = text.split("<meta").skip(1);
    let encoding = tags.find_map(|tag| charset(tag.split('>').next()?))?;
    let wide = encoding == UTF_16LE || encoding == UTF_16BE;
    Some(if wide { UTF_8 } else { encoding })
}
