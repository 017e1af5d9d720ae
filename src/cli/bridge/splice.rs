//! Adding files to a zip archive without touching the entries that are in it.
//!
//! A zip archive is its entries (local header and data each), then the central directory, one record an entry, then an
//! end record that says where the directory begins. To add the entries of a second archive, the entries and records of
//! the first are copied as they are, those of the second are put behind them, and only the offsets in the records and
//! the end record are written again. Names, times, modes, links, extra fields and compressed bytes of the first archive
//! stay as they were, which a library that reads and writes entries does not promise. (APPNOTE.TXT, 4.3.)

/// The signature of the end record, and its length without the comment.
const END: (&[u8], usize) = (b"PK\x05\x06", 22);
/// The signature of a record of the central directory, and its length without name, extra fields and comment.
const RECORD: (&[u8], usize) = (b"PK\x01\x02", 46);

/// Why an archive cannot be added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SpliceError {
    /// It is no archive, or one that is cut off or has bytes before its first entry.
    #[error("it is not a zip archive, or a damaged one")]
    NotAnArchive,
    /// It has the form for more than 4 GB or 65,535 entries.
    #[error("it is a ZIP64 archive, to which goldseed cannot add")]
    Zip64,
}

/// An archive, taken apart.
struct Archive<'a> {
    entries: Vec<Entry<'a>>,
    comment: &'a [u8],
}

struct Entry<'a> {
    /// Its record of the central directory.
    record: &'a [u8],
    /// Its local header and its data, up to the next entry.
    local: &'a [u8],
    /// Where `local` begins.
    offset: usize,
}

impl Entry<'_> {
    fn name(&self) -> &[u8] {
        let length = usize::from(u16_at(self.record, 28).unwrap_or(0));
        &self.record[RECORD.1..RECORD.1 + length]
    }
}

/// Returns `archive` with the entries of `added` behind its own; an entry of `archive` with the name of an added one is
/// left out.
pub(super) fn splice(archive: &[u8], added: &[u8]) -> Result<Vec<u8>, SpliceError> {
    let first = read(archive)?;
    let second = read(added)?;
    let replaced = |entry: &&Entry<'_>| {
        second
            .entries
            .iter()
            .any(|new| plain(new.name()) == plain(entry.name()))
    };
    let kept = first.entries.iter().filter(|entry| !replaced(entry));
    let kept: Vec<&Entry<'_>> = kept.collect();
    let all: Vec<&Entry<'_>> = kept.iter().copied().chain(&second.entries).collect();
    // Entries lie in the order of their offsets, records in the order of the directory; both orders stay.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|index| (*index >= kept.len(), all[*index].offset));
    let mut bytes = Vec::with_capacity(archive.len() + added.len());
    let mut places = vec![0; all.len()];
    for index in order {
        places[index] = bytes.len();
        bytes.extend_from_slice(all[index].local);
    }
    let directory = bytes.len();
    for (entry, place) in all.iter().zip(&places) {
        let offset = u32::try_from(*place).map_err(|_| SpliceError::Zip64)?;
        bytes.extend_from_slice(&entry.record[..42]);
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&entry.record[RECORD.1..]);
    }
    let count = u16::try_from(all.len()).map_err(|_| SpliceError::Zip64)?;
    let size = u32::try_from(bytes.len() - directory).map_err(|_| SpliceError::Zip64)?;
    let directory = u32::try_from(directory).map_err(|_| SpliceError::Zip64)?;
    let comment = u16::try_from(first.comment.len()).map_err(|_| SpliceError::NotAnArchive)?;
    // These values mean in a ZIP64 archive that the true ones stand elsewhere.
    if count == u16::MAX || size == u32::MAX || directory == u32::MAX {
        return Err(SpliceError::Zip64);
    }
    bytes.extend_from_slice(END.0);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&directory.to_le_bytes());
    bytes.extend_from_slice(&comment.to_le_bytes());
    bytes.extend_from_slice(first.comment);
    Ok(bytes)
}

/// A name as Beanstalk unpacks it.
fn plain(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"./").unwrap_or(name)
}

/// Takes an archive apart.
fn read(bytes: &[u8]) -> Result<Archive<'_>, SpliceError> {
    const DAMAGED: SpliceError = SpliceError::NotAnArchive;
    // The end record is the last one that its own comment fills the rest of the file behind.
    let last = bytes.len().checked_sub(END.1).ok_or(DAMAGED)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last)
        .rev()
        .find(|at| {
            bytes[*at..].starts_with(END.0)
                && u16_at(bytes, at + 20).map(usize::from) == Some(bytes.len() - at - END.1)
        })
        .ok_or(DAMAGED)?;
    let count = u16_at(bytes, end + 10).ok_or(DAMAGED)?;
    let size = u32_at(bytes, end + 12).ok_or(DAMAGED)?;
    let start = u32_at(bytes, end + 16).ok_or(DAMAGED)?;
    if count == u16::MAX || size == u32::MAX || start == u32::MAX {
        return Err(SpliceError::Zip64);
    }
    let (size, start) = (to_usize(size)?, to_usize(start)?);
    if start.checked_add(size) != Some(end) {
        return Err(DAMAGED);
    }
    let mut records = Vec::new();
    let mut at = start;
    while at < end {
        let record = bytes.get(at..end).ok_or(DAMAGED)?;
        if !record.starts_with(RECORD.0) || record.len() < RECORD.1 {
            return Err(DAMAGED);
        }
        let lengths = [28, 30, 32].map(|field| u16_at(record, field).map_or(0, usize::from));
        let record = record
            .get(..RECORD.1 + lengths.iter().sum::<usize>())
            .ok_or(DAMAGED)?;
        let offset = u32_at(record, 42).ok_or(DAMAGED)?;
        if offset == u32::MAX {
            return Err(SpliceError::Zip64);
        }
        records.push((record, to_usize(offset)?));
        at += record.len();
    }
    let mut offsets: Vec<usize> = records.iter().map(|(_, offset)| *offset).collect();
    offsets.sort_unstable();
    offsets.dedup();
    if records.len() != usize::from(count)
        || offsets.len() != records.len()
        || offsets.first().is_some_and(|offset| *offset != 0)
    {
        return Err(DAMAGED);
    }
    let entries = records.into_iter().map(|(record, offset)| {
        let next = offsets.get(offsets.partition_point(|next| *next <= offset));
        let local = bytes.get(offset..next.copied().unwrap_or(start));
        let local = local.filter(|local| local.starts_with(b"PK\x03\x04"));
        Ok(Entry {
            record,
            local: local.ok_or(DAMAGED)?,
            offset,
        })
    });
    Ok(Archive {
        entries: entries.collect::<Result<_, _>>()?,
        comment: &bytes[end + END.1..],
    })
}

fn to_usize(number: u32) -> Result<usize, SpliceError> {
    usize::try_from(number).map_err(|_| SpliceError::NotAnArchive)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes(two.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn archive(files: &[(&str, &str)], comment: &str) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            let options = zip::write::SimpleFileOptions::default().unix_permissions(0o640);
            zip.start_file(*name, options).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.set_comment(comment);
        zip.finish().unwrap().into_inner()
    }

    fn texts(bytes: &[u8]) -> Vec<(String, String)> {
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        (0..zip.len())
            .map(|index| {
                let mut file = zip.by_index(index).unwrap();
                let text = std::io::read_to_string(&mut file).unwrap();
                (file.name().to_owned(), text)
            })
            .collect()
    }

    #[test]
    fn what_is_in_an_archive_stays_byte_for_byte_and_the_added_comes_behind() {
        let own = archive(&[("index.php", "own"), ("b/c.txt", "more")], "ours");
        let spliced = splice(&own, &archive(&[(".platform/a", "bridge")], "")).unwrap();
        let directory = read(&own)
            .unwrap()
            .entries
            .iter()
            .map(|one| one.local.len())
            .sum::<usize>();
        assert_eq!(spliced[..directory], own[..directory]);
        assert!(spliced.ends_with(b"ours"));
        let expected = [
            ("index.php", "own"),
            ("b/c.txt", "more"),
            (".platform/a", "bridge"),
        ];
        assert_eq!(
            texts(&spliced),
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn an_entry_of_the_same_name_is_replaced_and_adding_twice_is_adding_once() {
        let added = archive(&[("a", "new"), ("z", "last")], "");
        let own = archive(&[("./a", "old"), ("m", "middle")], "");
        let once = splice(&own, &added).unwrap();
        let expected = [("m", "middle"), ("a", "new"), ("z", "last")];
        assert_eq!(
            texts(&once),
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
        assert_eq!(splice(&once, &added).unwrap(), once);
    }

    #[test]
    fn an_empty_archive_can_be_added_to() {
        let added = archive(&[("a", "new")], "");
        assert_eq!(splice(&archive(&[], ""), &added).unwrap(), added);
    }

    #[test]
    fn what_is_no_whole_archive_is_refused() {
        let whole = archive(&[("a", "text")], "comment");
        for cut in 0..whole.len() {
            assert!(splice(&whole[..cut], &whole).is_err(), "{cut}");
            assert!(splice(&whole[cut + 1..], &whole).is_err(), "{cut}");
        }
        let mut many = whole;
        let end = many.len() - END.1 - "comment".len();
        many[end + 10..end + 12].fill(0xff);
        assert_eq!(splice(&many, &many), Err(SpliceError::Zip64));
    }
}
