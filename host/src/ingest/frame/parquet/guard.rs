//! What a Parquet file may ask of memory, looked at before the library reads it.
//!
//! The library trusts sizes in the file: it allocates as many children as a schema element says, descends as deep as
//! the schema goes, makes room for a page as large as its header says, and skips a list of booleans as often as its
//! length says, in no bytes. A few bytes could end the process or keep it busy for hours. So the footer is walked first,
//! and so are the headers of all pages of a row group.
//!
//! Source: parquet.thrift of the Parquet format 2.11 (`FileMetaData`, `SchemaElement`, `PageHeader`).

use std::io::{self, Read};

use super::thrift::{Field, Kind, Reader};
use crate::ingest::decompress::{SharedFile, inflated_length};

/// Most bytes of the footer, as the library needs many times as much for it.
const FOOTER_BYTES: u64 = 16 << 20;
/// Deepest nesting of the schema.
const SCHEMA_DEPTH: usize = 48;
/// Most elements of the schema.
const SCHEMA_ELEMENTS: usize = 20_000;
/// Largest page when decompressed.
const PAGE_BYTES: i64 = 128 << 20;
/// Most bytes that the largest pages of all columns may have together: one of each is held at a time.
const PAGES_BYTES: i64 = 320 << 20;
/// Bytes in which a page's header is looked for; statistics can make it long.
const HEADER_BYTES: [u64; 2] = [4 << 10, 1 << 20];
/// Deflate makes no more of a byte than this, so that a small page cannot become a large one.
const DEFLATE_RATIO: i64 = 1032;

/// Why a file or a row group is not read.
#[derive(Debug)]
pub(super) enum Refusal {
    Read(io::Error),
    Bad(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<&str> for Refusal {
    fn from(detail: &str) -> Self {
        Self::Bad(detail.to_owned())
    }
}

fn read_at(file: &SharedFile, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.range(offset, length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses a file whose footer is missing, too large, or nested too deep.
pub(super) fn check_footer(file: &SharedFile) -> Result<(), Refusal> {
    let Some(body_end) = file.length().checked_sub(8) else { return Err("the file is too short".into()) };
    let tail = read_at(file, body_end, 8)?;
    match &tail[..] {
        [.., b'P', b'A', b'R', b'1'] => {}
        [.., b'P', b'A', b'R', b'E'] => return Err("the footer is encrypted".into()),
        _ => return Err("the footer is missing; the file may be cut short".into()),
    }
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if length > FOOTER_BYTES {
        return Err("the footer is too large".into());
    }
    let Some(start) = body_end.checked_sub(length) else {
        return Err("the footer is longer than the file".into());
    };
    let footer = read_at(file, start, length)?;
    check_metadata(&mut Reader::new(&footer))
        .ok_or("the footer or its schema does not hold or is nested too deep")?;
    Ok(())
}

/// Walks the footer to its end.
fn check_metadata(reader: &mut Reader<'_>) -> Option<()> {
    let (mut last, mut schemas) = (0, 0);
    while let Field::Of(id, kind) = reader.field(last)? {
        last = id;
        if (id, kind) == (2, Kind::List) {
            check_schema(reader)?;
            schemas += 1;
        } else {
            reader.skip(kind)?;
        }
    }
    (schemas == 1).then_some(())
}

/// Walks the schema, a tree whose nodes stand one behind the other with their number of children.
fn check_schema(reader: &mut Reader<'_>) -> Option<()> {
    let (elements, Kind::Struct) = reader.list()? else { return None };
    let elements =
        usize::try_from(elements).ok().filter(|elements| (1..=SCHEMA_ELEMENTS).contains(elements))?;
    let mut open: Vec<usize> = Vec::new();
    for index in 0..elements {
        let mut children = 0;
        let mut last = 0;
        while let Field::Of(id, kind) = reader.field(last)? {
            last = id;
            if (id, kind) == (5, Kind::Integer) {
                children = usize::try_from(reader.integer()?).ok().filter(|children| *children < elements)?;
            } else {
                reader.skip(kind)?;
            }
        }
        // A node whose children were all met is left once the last of them is complete.
        while open.last() == Some(&0) {
            open.pop();
        }
        if index > 0 {
            *open.last_mut()? -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        if open.len() > SCHEMA_DEPTH {
            return None;
        }
    }
    open.iter().all(|children| *children == 0).then_some(())
}

/// A column chunk, as the footer states it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Whether pages are gzip, of which the library decompresses all there is.
    pub(super) gzip: bool,
}

/// Refuses a row group whose pages are larger than what may be held.
pub(super) fn check_pages(file: &SharedFile, chunks: &[Chunk]) -> Result<(), Refusal> {
    let mut together = 0;
    for chunk in chunks {
        together += largest_page(file, *chunk)?;
        if together > PAGES_BYTES {
            return Err("the pages are too large".into());
        }
    }
    Ok(())
}

/// The size of the chunk's largest page when decompressed.
fn largest_page(file: &SharedFile, chunk: Chunk) -> Result<i64, Refusal> {
    let end = chunk.offset.saturating_add(chunk.length);
    if end > file.length() {
        return Err("a column lies outside the file".into());
    }
    let mut largest = 0;
    let mut at = chunk.offset;
    while at < end {
        let mut found = None;
        for length in HEADER_BYTES {
            let bytes = read_at(file, at, length)?;
            found = page_header(&bytes);
            if found.is_some() {
                break;
            }
        }
        let Some((header, decompressed, stored)) = found else { return Err("a page has no header".into()) };
        let data = at + header as u64;
        let Ok(stored_length) = u64::try_from(stored) else { return Err("a page's size is negative".into()) };
        if !(0..=PAGE_BYTES).contains(&decompressed) || stored_length > file.length().saturating_sub(data) {
            return Err("a page is too large".into());
        }
        if chunk.gzip && stored.saturating_mul(DEFLATE_RATIO) > PAGE_BYTES {
            let bytes = read_at(file, data, stored_length)?;
            if inflated_length(&bytes, PAGE_BYTES as u64).is_none() {
                return Err("a page is too large".into());
            }
        }
        largest = largest.max(decompressed);
        at = data + stored_length;
    }
    Ok(largest)
}

/// Of a page's header its length, and the page's size decompressed and stored.
fn page_header(bytes: &[u8]) -> Option<(usize, i64, i64)> {
    let mut reader = Reader::new(bytes);
    let (mut decompressed, mut stored, mut last) = (None, None, 0);
    while let Field::Of(id, kind) = reader.field(last)? {
        last = id;
        match (id, kind) {
            (2, Kind::Integer) => decompressed = Some(reader.integer()?),
            (3, Kind::Integer) => stored = Some(reader.integer()?),
            _ => reader.skip(kind)?,
        }
    }
    Some((reader.at(), decompressed?, stored?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema of elements with so many children each: field 2, a list of structs with field 5 alone.
    fn schema(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x02, 0x19, 0xfc, children.len() as u8];
        for children in children {
            bytes.extend([0x55, children * 2, 0]);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn schemas_are_walked() {
        let holds = |children: &[u8]| check_metadata(&mut Reader::new(&schema(children))).is_some();
        assert!(holds(&[2, 0, 0]) && holds(&[2, 1, 0, 0]) && holds(&[0]));
        assert!(!holds(&[1]) && !holds(&[1, 0, 0]) && !holds(&[2, 0]) && !holds(&[60, 0]));
        let deep = |depth: usize| [vec![1; depth], vec![0]].concat();
        assert!(holds(&deep(48)) && !holds(&deep(49)));
        let good = schema(&[2, 1, 0, 0]);
        for cut in 0..good.len() {
            assert!(check_metadata(&mut Reader::new(&good[..cut])).is_none(), "{cut}");
        }
        let twice = [&good[..good.len() - 1], &[0x09, 0x04], &good[3..]].concat();
        assert!(check_metadata(&mut Reader::new(&twice)).is_none(), "another schema behind the first");
    }

    #[test]
    fn lists_that_take_no_bytes_are_refused() {
        let good = schema(&[0]);
        // Field 9, which no version has: a list of 268 million booleans.
        let list = [&good[..good.len() - 1], &[0x79, 0xf1, 0xff, 0xff, 0xff, 0x7f, 0]].concat();
        assert!(check_metadata(&mut Reader::new(&list)).is_none());
        let field = [&good[..good.len() - 1], &[0x71, 0]].concat();
        assert!(check_metadata(&mut Reader::new(&field)).is_some(), "a boolean field");
        // A page header: its type, its sizes, and such a list.
        assert!(page_header(&[0x15, 0, 0x15, 8, 0x15, 8, 0x29, 0xf1, 0xff, 0xff, 0xff, 0x7f, 0]).is_none());
    }
}
