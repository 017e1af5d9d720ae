//! `repository: {name, apt: {…}, dnf: {…}}`: a repository of packages, with the key that signs it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Look, REGULAR_FILE, Resource, Site, Work, archive, system_file};
use crate::document::{self, Fields, Node, Review, Value};
use crate::id::Digest;

pub(super) const RESOURCE: Resource = Resource {
    name: "repository",
    keys: &["name", "apt", "dnf"],
    shell: &[],
    read,
};

/// Key path, key digest, key source, the list; and the list's path.
struct Family {
    words: [String; 4],
    list: String,
}

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let name = fields.required("name", system_file::name)?;
    if fields.get("apt").is_none() && fields.get("dnf").is_none() {
        review
            .error(fields.head(), "the step `repository` says neither `apt` nor `dnf`")
            .help("`apt: {…}` is for Debian and Ubuntu, `dnf: {…}` for Amazon Linux; give one or both");
        return None;
    }
    let apt = match fields.get("apt") {
        Some(node) => Some(apt(&name, node, site)?),
        None => None,
    };
    let dnf = match fields.get("dnf") {
        Some(node) => Some(dnf(&name, node, site)?),
        None => None,
    };
    let families = [apt, dnf];
    let claims: Vec<String> = families
        .iter()
        .flatten()
        .flat_map(|family| [family.words[0].clone(), family.list.clone()])
        .collect();
    let looks = families
        .iter()
        .flatten()
        .flat_map(|family| {
            let [path, digest, _, list] = &family.words;
            let key = Look::System {
                path: path.clone(),
                bits: REGULAR_FILE | 0o644,
                digest: digest.clone(),
            };
            [key, system_file::look(&family.list, 0o644, list)]
        })
        .collect();
    let words = families
        .into_iter()
        .flat_map(|family| family.map_or_else(Default::default, |family| family.words));
    Some(Work {
        looks,
        claims,
        ..Work::call("gs_repository", std::iter::once(name).chain(words))
    })
}

/// A source in the form deb822 of sources.list(5), signed by this key and no other.
fn apt(name: &str, node: &Node, site: &Site<'_>) -> Option<Family> {
    const KEYS: [&str; 5] = ["url", "suites", "components", "key", "sha256"];
    let review = site.review;
    let fields = Fields::of(node, "`apt` of the step `repository`", &KEYS, review)?;
    let url = fields.required("url", address);
    let suites = fields.required("suites", words);
    let components = fields.optional("components", words);
    let key = key(&fields, site);
    let (url, suites, key) = (url?, suites?, key?);
    let flat = suites.iter().all(|suite| suite.ends_with('/'));
    if flat != components.is_none() {
        let message = if flat {
            "a suite that ends with `/` is a folder and has no components"
        } else {
            "the suites need `components`"
        };
        review.error(fields.head(), message).help(
            "a line `deb URL SUITE COMPONENT …` has them in this order: `components: [main]`",
        );
        return None;
    }
    let extension = if key.is_text { "asc" } else { "gpg" };
    let path = format!("/etc/apt/keyrings/{name}.{extension}");
    let components = components
        .map(|components| format!("Components: {}\n", components.join(" ")))
        .unwrap_or_default();
    let list = format!(
        "# Written by goldseed.\nTypes: deb\nURIs: {url}\nSuites: {}\n{components}Signed-By: {path}\n",
        suites.join(" ")
    );
    Some(family(
        path,
        key,
        list,
        format!("/etc/apt/sources.list.d/{name}.sources"),
    ))
}

/// A repository of dnf.conf(5) whose packages must be signed.
fn dnf(name: &str, node: &Node, site: &Site<'_>) -> Option<Family> {
    const KEYS: [&str; 3] = ["url", "key", "sha256"];
    let fields = Fields::of(node, "`dnf` of the step `repository`", &KEYS, site.review)?;
    let url = fields.required("url", address);
    let key = key(&fields, site);
    let (url, key) = (url?, key?);
    let path = format!("/etc/pki/rpm-gpg/RPM-GPG-KEY-goldseed-{name}");
    let list = format!(
        "# Written by goldseed.\n[{name}]\nname={name}\nbaseurl={url}\nenabled=1\ngpgcheck=1\ngpgkey=file://{path}\n"
    );
    Some(family(
        path,
        key,
        list,
        format!("/etc/yum.repos.d/{name}.repo"),
    ))
}

fn family(path: String, key: SigningKey, content: String, list: String) -> Family {
    Family {
        words: [path, key.digest, key.source, content],
        list,
    }
}

struct SigningKey {
    digest: String,
    /// An address, or the key in base64.
    source: String,
    /// Whether it is armoured; of an address only its end tells.
    is_text: bool,
}

/// What an armoured key begins with.
const ARMOUR: &[u8] = b"-----BEGIN PGP";

/// `key:` is a file beside the recipe, or an address with the digest of what is there.
fn key(fields: &Fields<'_>, site: &Site<'_>) -> Option<SigningKey> {
    let review = site.review;
    let node = fields.get("key");
    let name = fields.required("key", document::text)?;
    let span = node.map_or(0..0, |node| node.span.clone());
    let digest = match fields.get("sha256") {
        Some(node) => Some(archive::digest(node, review)?),
        None => None,
    };
    if name.starts_with("https://") || name.starts_with("http://") {
        let Some(digest) = digest else {
            review
                .error(span, "a key from an address needs its `sha256`")
                .help("whoever changes the key changes every package: `curl -fsSL URL | sha256sum` prints the digest");
            return None;
        };
        let source = address(node?, review)?;
        let is_text = source.strip_suffix(".gpg").is_none();
        return Some(SigningKey {
            digest,
            source,
            is_text,
        });
    }
    let bytes = match site.files.read(name) {
        Ok(bytes) => bytes,
        Err(why) => {
            review
                .error(span, format!("cannot take `{name}`: {why}"))
                .help("a key is a file below `files/` or an https:// address");
            return None;
        }
    };
    let found = Digest::of(&bytes).to_string();
    if digest.is_some_and(|digest| digest != found) {
        review.error(span, format!("`{name}` has the digest {found}"));
        return None;
    }
    Some(SigningKey {
        digest: found,
        is_text: bytes.windows(ARMOUR.len()).any(|part| part == ARMOUR),
        source: STANDARD.encode(bytes),
    })
}

fn address(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain
        || !["https://", "http://", "file:///"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is no address of a repository"),
            )
            .help("an address begins with https://, http:// or file:///");
        return None;
    }
    Some(text.to_owned())
}

/// One word or a list of words of a source.
fn words(node: &Node, review: &Review) -> Option<Vec<String>> {
    let word = |node: &Node| {
        let text = document::scalar(node, review)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/+~-".contains(&byte);
        if text.is_empty() || !text.bytes().all(allowed) {
            review
                .error(
                    node.span.clone(),
                    format!("`{text}` is no suite and no component"),
                )
                .help("several of them are a list: [main, contrib]");
            return None;
        }
        Some(text)
    };
    match &node.value {
        Value::List(items) => items.iter().map(word).collect(),
        _ => Some(vec![word(node)?]),
    }
}
