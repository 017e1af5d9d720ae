//! What a script needs beside itself: asked for by digest, and sent where the machine lacks it.

use std::collections::HashMap;
use std::time::Duration;

use super::protocol::{self, Part};
use super::{Node, NodeError};
use crate::event::Event;
use crate::recipe::Content;

/// After how many contents a question is full: the answer must stay below what Run Command keeps of an output.
const MOST: usize = 150;

/// How much is packed for the first part; what that shrinks to says how much the next may hold.
const FIRST: usize = 256 * 1024;

impl Node<'_> {
    /// Sends what the machine lacks of these contents, from the byte on where an earlier process was cut off.
    pub(super) async fn bring(&self, unit: &str, contents: &[&Content]) -> Result<(), NodeError> {
        for some in contents.chunks(MOST) {
            let need = protocol::need(unit, some);
            let answer = self.ask(unit, need, Duration::ZERO).await?;
            let lacking = String::from_utf8(answer.bytes).ok();
            let lacking = lacking.as_deref().and_then(lacking_of);
            let lacking =
                lacking.ok_or_else(|| self.unreadable("it does not say what it lacks"))?;
            for content in some {
                if let Some(has) = lacking.get(content.digest.as_str()) {
                    self.put(unit, content, *has).await?;
                }
            }
        }
        Ok(())
    }

    async fn put(&self, unit: &str, content: &Content, has: usize) -> Result<(), NodeError> {
        let total = content.bytes.len();
        let (mut at, mut guess, mut went_back) = (has, FIRST, false);
        while let Some(rest) = content.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let part = Part::of(rest, guess).map_err(NodeError::Pack)?;
            guess = part.length.saturating_mul(2);
            let put = protocol::put(unit, content, at, &part);
            let answer = self.ask(unit, put, Duration::ZERO).await?;
            let next = usize::try_from(answer.offset).unwrap_or(total);
            let sent = at + part.length;
            // Something took away what came before: that may happen once.
            if next < sent && std::mem::replace(&mut went_back, true) {
                let name = content.name();
                let reason = format!(
                    "{name} did not arrive whole: it has {next} bytes of the {sent} that were sent"
                );
                return Err(self.unreadable(&reason));
            }
            at = next;
            self.cloud.events().emit(Event::Progress {
                subject: format!("{} to {}", content.name(), self.instance),
                state: format!("{} of {} KB", at / 1000, total / 1000),
                done: None,
                waited_seconds: 0,
            });
        }
        Ok(())
    }
}

/// Lines of a digest and the bytes that are there of it.
fn lacking_of(text: &str) -> Option<HashMap<&str, usize>> {
    let entry = |line: &'_ str| -> Option<(usize, usize)> {
        let at = line.find(' ')?;
        Some((at, line.get(at + 1..)?.parse().ok()?))
    };
    text.lines()
        .map(|line| entry(line).map(|(at, has)| (&line[..at], has)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::recipe::Standing;

    /// The machine's part, in a folder in place of the machine's root.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn run(&self, command: &str) -> Result<protocol::Answer, String> {
            let root = self.0.path().to_str().unwrap();
            let text = ["/var/lib/goldseed", "/run/goldseed"]
                .iter()
                .fold(command.to_owned(), |text, path| {
                    text.replace(path, &format!("{root}{path}"))
                });
            let output = Command::new("/bin/sh")
                .args(["-c", &text])
                .output()
                .unwrap();
            if output.status.success() {
                protocol::read(&String::from_utf8(output.stdout).unwrap())
            } else {
                Err(String::from_utf8(output.stderr).unwrap())
            }
        }

        fn lacks(&self, content: &Content) -> Option<usize> {
            let answer = self.run(&protocol::need("unit", &[content])).unwrap();
            let text = String::from_utf8(answer.bytes).unwrap();
            let digest = content.digest.as_str();
            lacking_of(&text).unwrap().get(digest).copied()
        }

        fn put(&self, content: &Content, at: usize, part: &Part) -> Result<usize, String> {
            let answer = self.run(&protocol::put("unit", content, at, part))?;
            Ok(usize::try_from(answer.offset).unwrap())
        }

        fn held(&self, content: &Content) -> Vec<u8> {
            let folder = self.0.path().join("var/lib/goldseed/content");
            fs_err::read(folder.join(content.digest.as_str())).unwrap()
        }
    }

    fn noise(place: Standing) -> Content {
        Content::new((0..70_000).map(|_| fastrand::u8(..)).collect(), place)
    }

    #[test]
    fn bytes_arrive_in_parts_and_a_part_that_comes_twice_is_taken_once() {
        let machine = Machine::new();
        let content = noise(Standing::Nowhere);
        assert_eq!(machine.lacks(&content), Some(0));
        let first = Part::of(&content.bytes, FIRST).unwrap();
        assert_eq!(machine.put(&content, 0, &first), Ok(first.length));
        assert_eq!(machine.put(&content, 0, &first), Ok(first.length));
        let mut at = machine.lacks(&content).unwrap();
        assert_eq!(
            at, first.length,
            "a process that comes later goes on from there"
        );
        while at < content.bytes.len() {
            let part = Part::of(&content.bytes[at..], FIRST).unwrap();
            at = machine.put(&content, at, &part).unwrap();
        }
        assert_eq!(machine.lacks(&content), None);
        assert_eq!(machine.held(&content), content.bytes);
    }

    #[test]
    fn a_damaged_part_is_noticed_and_what_came_before_stays() {
        let machine = Machine::new();
        let content = noise(Standing::Nowhere);
        let first = Part::of(&content.bytes, FIRST).unwrap();
        let at = machine.put(&content, 0, &first).unwrap();
        let next = Part::of(&content.bytes[at..], FIRST).unwrap();
        let other = Part::of(&content.bytes[at + 1..], FIRST).unwrap();
        let digest = |part: &Part| crate::id::Digest::of(&content.bytes[at..][..part.length]);
        let command = protocol::put("unit", &content, at, &next);
        let wrong = crate::id::Digest::of("wrong").to_string();
        let said = format!("digest={}", digest(&next));
        assert!(command.contains(&said));
        for damaged in [
            command.replace(&said, &format!("digest={wrong}")),
            protocol::put("unit", &content, at, &other).replace("\nPART\n", "\n!\nPART\n"),
        ] {
            let told = machine.run(&damaged).unwrap_err();
            assert!(told.contains("was damaged on its way"), "{told}");
            assert_eq!(machine.lacks(&content), Some(at));
        }
        // Parts that are right in themselves and not those of the whole.
        machine.put(&content, at, &other).unwrap();
        let at = machine.lacks(&content).unwrap();
        let last = Part::of(&content.bytes[at..], FIRST).unwrap();
        let told = machine.put(&content, at, &last).unwrap_err();
        assert!(told.contains("did not arrive whole"), "{told}");
        assert_eq!(machine.lacks(&content), Some(0), "it is sent anew");
    }

    #[test]
    fn what_stands_in_its_place_need_not_be_sent() {
        let machine = Machine::new();
        let place = machine.0.path().join("a place");
        let path = place.to_str().unwrap().to_owned();
        let file = noise(Standing::File { path: path.clone() });
        assert_eq!(machine.lacks(&file), Some(0));
        fs_err::write(&place, &file.bytes).unwrap();
        assert_eq!(machine.lacks(&file), None);
        assert_eq!(
            machine.held(&file),
            file.bytes,
            "the step may take it from here"
        );

        let folder = machine.0.path().join("folder");
        let archive = noise(Standing::Archive {
            path: folder.to_str().unwrap().to_owned(),
            stamp: "0123".to_owned(),
            state: "abcd".to_owned(),
        });
        let stamps = machine.0.path().join("var/lib/goldseed/archives");
        fs_err::create_dir_all(&stamps).unwrap();
        fs_err::write(stamps.join("0123"), "abcd\n").unwrap();
        assert_eq!(machine.lacks(&archive), Some(0), "its folder is gone");
        fs_err::create_dir(&folder).unwrap();
        assert_eq!(machine.lacks(&archive), None);
        fs_err::write(stamps.join("0123"), "of another archive\n").unwrap();
        assert_eq!(machine.lacks(&archive), Some(0));
    }
}
