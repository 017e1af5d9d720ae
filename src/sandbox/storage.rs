//! A very small S3: objects put and got by path, kept as files. Application bundles need no more.

use std::path::PathBuf;

use hyper::Method;
use sha2::Digest as _;

use super::core::Core;
use super::server::{Answer, Received};
use super::wire::{ApiError, Reply, Service};

/// The objects, in files named after the digests of their names: no name can leave the folder.
#[derive(Debug)]
pub(crate) struct Storage {
    folder: PathBuf,
}

impl Storage {
    /// Objects in this folder.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Tells whether there is such an object.
    pub(crate) fn has(&self, bucket: &str, key: &str) -> bool {
        self.file(bucket, key).is_file()
    }

    fn put(&self, bucket: &str, key: &str, body: &[u8]) -> std::io::Result<()> {
        fs_err::create_dir_all(&self.folder)?;
        fs_err::write(self.file(bucket, key), body)
    }

    fn get(&self, bucket: &str, key: &str) -> std::io::Result<Vec<u8>> {
        fs_err::read(self.file(bucket, key))
    }

    fn file(&self, bucket: &str, key: &str) -> PathBuf {
        let digest = sha2::Sha256::digest(format!("{bucket}/{key}"));
        self.folder.join(format!("{digest:x}"))
    }
}

/// Answers a request for an object.
pub(crate) fn answer(core: &Core, received: &Received) -> Answer {
    let request_id = core.state().new_uuid();
    let path = decode(received.path.trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let reply = match (&received.method, bucket, key) {
        (_, "", _) => Err(no_such_method()),
        (&Method::PUT | &Method::HEAD, _, "") => Ok((Reply::text(200, ""), Vec::new())),
        (&Method::PUT, bucket, key) => put(core, bucket, key, received),
        (&Method::GET | &Method::HEAD, bucket, key) => get(core, bucket, key),
        _ => Err(no_such_method()),
    };
    let (mut reply, mut headers) = reply.unwrap_or_else(|error| {
        let reply = Reply::refused(Service::Storage, "", &request_id, error);
        (reply, Vec::new())
    });
    if received.method == Method::HEAD {
        headers.push(("content-length", reply.body.len().to_string()));
        reply.body.clear();
    }
    headers.push(("x-amz-request-id", request_id));
    Answer::WithHeaders(reply, headers)
}

type Stored = Result<(Reply, Vec<(&'static str, String)>), ApiError>;

fn put(core: &Core, bucket: &str, key: &str, received: &Received) -> Stored {
    let streamed = received
        .header("x-amz-content-sha256")
        .is_some_and(|digest| digest.starts_with("STREAMING-"));
    let body = if streamed {
        unchunk(&received.body).ok_or_else(|| {
            ApiError::new("IncompleteBody", "The chunks of the body cannot be read.")
        })?
    } else {
        received.body.to_vec()
    };
    core.storage()
        .put(bucket, key, &body)
        .map_err(|error| ApiError::with_status(500, "InternalError", error.to_string()))?;
    Ok((Reply::text(200, ""), vec![("etag", tag(&body))]))
}

fn get(core: &Core, bucket: &str, key: &str) -> Stored {
    let body = core.storage().get(bucket, key).map_err(|_| {
        ApiError::with_status(404, "NoSuchKey", "The specified key does not exist.")
    })?;
    let etag = tag(&body);
    let reply = Reply {
        status: 200,
        content_type: "application/octet-stream",
        body,
    };
    Ok((reply, vec![("etag", etag)]))
}

fn tag(body: &[u8]) -> String {
    format!("\"{:.32}\"", format!("{:x}", sha2::Sha256::digest(body)))
}

fn no_such_method() -> ApiError {
    ApiError::with_status(
        405,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
    )
}

/// Takes the chunks of a signed stream apart: `SIZE;chunk-signature=…`, the bytes, and so on to a chunk of none.
fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&body[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        body = &body[end + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(body.get(..size)?);
        body = body.get(size + 2..)?;
    }
}

/// Decodes the percent signs of a path.
fn decode(path: &str) -> String {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let rest: Vec<u8> = bytes.clone().take(2).collect();
        let value = std::str::from_utf8(&rest)
            .ok()
            .filter(|digits| digits.len() == 2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                decoded.push(value);
                bytes.nth(1);
            }
            None => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_broken_ones_stay() {
        assert_eq!(decode("a%20b/c%C3%A4"), "a b/cä");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz"), "%zz");
    }

    #[test]
    fn signed_streams_are_put_together() {
        let body =
            b"3;chunk-signature=x\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        assert_eq!(unchunk(body).as_deref(), Some(&b"abcde"[..]));
        assert_eq!(unchunk(b"9\r\nabc"), None);
    }
}
