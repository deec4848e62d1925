//! Zip archives: every member, in the directory's order.
//!
//! The directory is read entry by entry and never held, so an archive of millions of members costs no memory; members
//! of one name are all read (a library that keeps entries by name gives the last only). Where the directory is
//! missing or does not hold, as in an archive cut short, members are found by their local headers instead.
//!
//! Source: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16 (its end,
//! and zip64's), 4.4.4 (flags), 4.4.5 (methods), 4.5.3 (zip64 sizes).

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use memchr::memmem;

use super::{Break, Budget, Carrier, Fill, Layer, SharedFile, Source, StoredReader};
use crate::ingest::stream::{Codec, DamageReason, IngestError};

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const DIRECTORY_END: &[u8] = b"PK\x05\x06";
const DIRECTORY_END_64: &[u8] = b"PK\x06\x06";
const DIRECTORY_END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// The fixed parts of the records above.
const LOCAL_HEADER_BYTES: usize = 30;
const DIRECTORY_ENTRY_BYTES: usize = 46;
const DIRECTORY_END_BYTES: usize = 22;
const DIRECTORY_END_64_BYTES: usize = 56;
const LOCATOR_BYTES: usize = 20;
/// The end record and the longest comment behind it.
const TAIL_BYTES: u64 = DIRECTORY_END_BYTES as u64 + u16::MAX as u64;

/// A member of an archive.
pub(crate) struct Member {
    /// Path inside the archive, made unique when several members have it.
    pub(crate) name: String,
    /// Its plain bytes, or why they cannot be read.
    pub(crate) content: Result<Source, DamageReason>,
}

/// An open archive.
pub(crate) struct Archive {
    file: SharedFile,
    listing: Listing,
    /// How often each name was met, by its hash.
    names: HashMap<u64, u32>,
    hasher: RandomState,
    /// The damage to report at the end when members were found without the directory.
    pending: Option<DamageReason>,
}

enum Listing {
    /// Entries of the central directory up to the offset `end`.
    Directory {
        reader: BufReader<SharedFile>,
        position: u64,
        end: u64,
        shift: u64,
    },
    /// Local headers from this offset on.
    Headers {
        position: u64,
    },
    Finished,
}

/// What either kind of header says of a member.
#[derive(Debug, Default)]
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    /// Known unless a data descriptor follows the data.
    checksum: Option<u32>,
    stored: u64,
    length: Option<u64>,
    header: u64,
}

impl Archive {
    /// Opens an archive. `broken` is the break that cut the file short, if it came out of another stream.
    pub(crate) fn open(file: SharedFile, broken: Option<DamageReason>) -> Result<Self, IngestError> {
        let listing = match find_directory(&file) {
            Ok(Some((start, end, shift))) => {
                let mut reader = BufReader::with_capacity(64 << 10, file.range(0, file.length()));
                reader
                    .seek(SeekFrom::Start(start))
                    .map_err(|source| IngestError::Read { offset: start, source })?;
                Listing::Directory { reader, position: start, end, shift }
            }
            Ok(None) => Listing::Headers { position: 0 },
            Err(source) => return Err(IngestError::Read { offset: 0, source }),
        };
        let truncated = matches!(listing, Listing::Headers { .. })
            .then_some(DamageReason::Truncated { codec: Codec::Zip });
        Ok(Self {
            file,
            listing,
            names: HashMap::new(),
            hasher: RandomState::new(),
            pending: broken.or(truncated),
        })
    }

    /// Tells that a member was damaged: the end of an archive cut short is then no damage of its own.
    pub(crate) fn member_was_damaged(&mut self) {
        self.pending = None;
    }

    /// The damage of the archive itself, once, after the last member.
    pub(crate) fn take_damage(&mut self) -> Option<DamageReason> {
        self.pending.take()
    }

    /// The next member that is a file, or `None` after the last.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, IngestError> {
        loop {
            let entry = match self.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(None),
                Err(source) if is_damage(&source) => {
                    self.listing = Listing::Finished;
                    self.pending.get_or_insert_with(|| corrupt("the directory cannot be read"));
                    return Ok(None);
                }
                Err(source) => return Err(IngestError::Read { offset: self.file.length(), source }),
            };
            if entry.name.ends_with(b"/") && entry.stored == 0 {
                continue;
            }
            let name = self.unique_name(&entry.name);
            let content = match self.content(&entry) {
                Ok(content) => content,
                Err(source) if is_damage(&source) => Err(corrupt("the member lies outside the archive")),
                Err(source) => return Err(IngestError::Read { offset: entry.header, source }),
            };
            return Ok(Some(Member { name, content }));
        }
    }

    fn unique_name(&mut self, name: &[u8]) -> String {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        let times = self.names.entry(hasher.finish()).or_insert(0);
        *times += 1;
        let name = String::from_utf8_lossy(name);
        if *times == 1 { name.into_owned() } else { format!("{name}#{times}") }
    }

    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        match &mut self.listing {
            Listing::Directory { reader, position, end, shift } => {
                if *position >= *end {
                    self.listing = Listing::Finished;
                    return Ok(None);
                }
                let (entry, length) = read_directory_entry(reader, *shift)?;
                *position += length;
                Ok(Some(entry))
            }
            Listing::Headers { position } => {
                let Some((entry, next)) = read_local_header(&self.file, *position)? else {
                    self.listing = Listing::Finished;
                    return Ok(None);
                };
                *position = next;
                Ok(Some(entry))
            }
            Listing::Finished => Ok(None),
        }
    }

    /// The plain bytes of a member.
    fn content(&self, entry: &Entry) -> io::Result<Result<Source, DamageReason>> {
        if entry.flags & 1 != 0 {
            return Ok(Err(DamageReason::Encrypted));
        }
        let mut header = [0; LOCAL_HEADER_BYTES];
        read_exactly_at(&self.file, entry.header, &mut header)?;
        if !header.starts_with(LOCAL_HEADER) {
            return Ok(Err(corrupt("the member has no header")));
        }
        let start = entry.header
            + LOCAL_HEADER_BYTES as u64
            + u64::from(u16_at(&header, 26))
            + u64::from(u16_at(&header, 28));
        let raw = self.file.range(start, entry.stored);
        let cut_short = raw.length() < entry.stored;
        let raw = Source::new(Box::new(StoredReader::new(Box::new(raw), false)));
        let codec = match entry.method {
            0 => None,
            8 => Some(Codec::Deflate),
            12 => Some(Codec::Bzip2),
            20 | 93 => Some(Codec::Zstd),
            95 => Some(Codec::Xz),
            other => {
                return Ok(Err(DamageReason::UnsupportedMethod { method: other.to_string() }));
            }
        };
        let carrier: Box<dyn Carrier> = match codec {
            None => Box::new(raw),
            Some(codec) => {
                let layer =
                    if codec == Codec::Deflate { Layer::single(codec, raw) } else { Layer::new(codec, raw) };
                match layer {
                    Ok(layer) => Box::new(layer),
                    Err(detail) => return Ok(Err(DamageReason::Corrupt { codec, detail })),
                }
            }
        };
        Ok(Ok(Source::new(Box::new(Checked {
            carrier,
            counted: codec.is_some(),
            cut_short: cut_short && codec.is_none(),
            checksum: entry.checksum,
            length: entry.length,
            seen: Crc::new(),
            seen_length: 0,
            finished: false,
        }))))
    }
}

/// Whether an error says that the archive is bad, not that it cannot be read.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

fn corrupt(detail: &str) -> DamageReason {
    DamageReason::Corrupt { codec: Codec::Zip, detail: detail.to_owned() }
}

fn invalid(detail: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}

/// A little-endian number in a record; 0 beyond its end.
fn number_at(record: &[u8], offset: usize, width: usize) -> u64 {
    let bytes = record.get(offset..offset + width).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn u16_at(record: &[u8], offset: usize) -> u16 {
    number_at(record, offset, 2) as u16
}

fn u32_at(record: &[u8], offset: usize) -> u32 {
    number_at(record, offset, 4) as u32
}

fn read_exactly_at(file: &SharedFile, offset: u64, out: &mut [u8]) -> io::Result<()> {
    file.range(offset, out.len() as u64).read_exact(out)
}

/// Start and end of the central directory, and by how much offsets in it are to be shifted (archives with something
/// before them); `None` when there is no directory.
fn find_directory(file: &SharedFile) -> io::Result<Option<(u64, u64, u64)>> {
    let tail_start = file.length().saturating_sub(TAIL_BYTES);
    let mut tail = Vec::new();
    file.range(tail_start, TAIL_BYTES).read_to_end(&mut tail)?;
    for found in memmem::rfind_iter(&tail, DIRECTORY_END) {
        let record = &tail[found..];
        if record.len() < DIRECTORY_END_BYTES
            || record.len() < DIRECTORY_END_BYTES + usize::from(u16_at(record, 20))
        {
            continue;
        }
        let record_at = tail_start + found as u64;
        let mut end = record_at;
        let mut size = u64::from(u32_at(record, 12));
        let mut start = u64::from(u32_at(record, 16));
        if let Some(locator_at) = record_at.checked_sub(LOCATOR_BYTES as u64) {
            let mut locator = [0; LOCATOR_BYTES];
            read_exactly_at(file, locator_at, &mut locator)?;
            if locator.starts_with(DIRECTORY_END_64_LOCATOR) {
                let mut record = [0; DIRECTORY_END_64_BYTES];
                let at = number_at(&locator, 8, 8);
                if at.saturating_add(record.len() as u64) > file.length() {
                    continue;
                }
                read_exactly_at(file, at, &mut record)?;
                if !record.starts_with(DIRECTORY_END_64) {
                    continue;
                }
                end = at;
                size = number_at(&record, 40, 8);
                start = number_at(&record, 48, 8);
            }
        }
        let Some(actual_start) = end.checked_sub(size) else { continue };
        let Some(shift) = actual_start.checked_sub(start) else { continue };
        return Ok(Some((actual_start, end, shift)));
    }
    Ok(None)
}

/// One entry of the central directory and its length there.
fn read_directory_entry(reader: &mut impl Read, shift: u64) -> io::Result<(Entry, u64)> {
    let mut record = [0; DIRECTORY_ENTRY_BYTES];
    reader.read_exact(&mut record)?;
    if !record.starts_with(DIRECTORY_ENTRY) {
        return Err(invalid("not a directory entry"));
    }
    let name_length = usize::from(u16_at(&record, 28));
    let extra_length = usize::from(u16_at(&record, 30));
    let comment_length = usize::from(u16_at(&record, 32));
    let mut rest = vec![0; name_length + extra_length + comment_length];
    reader.read_exact(&mut rest)?;
    let (name, extra) = rest.split_at(name_length);
    let mut entry = Entry {
        name: name.to_vec(),
        flags: u16_at(&record, 8),
        method: u16_at(&record, 10),
        checksum: Some(u32_at(&record, 16)),
        stored: u64::from(u32_at(&record, 20)),
        length: Some(u64::from(u32_at(&record, 24))),
        header: u64::from(u32_at(&record, 42)),
    };
    let mut wide = wide_numbers(&extra[..extra_length]);
    if entry.length == Some(u64::from(u32::MAX)) {
        entry.length = wide.next().or(entry.length);
    }
    if entry.stored == u64::from(u32::MAX) {
        entry.stored = wide.next().unwrap_or(entry.stored);
    }
    if entry.header == u64::from(u32::MAX) {
        entry.header = wide.next().unwrap_or(entry.header);
    }
    entry.header = entry.header.saturating_add(shift).min(i64::MAX as u64);
    Ok((entry, (DIRECTORY_ENTRY_BYTES + rest.len()) as u64))
}

/// The numbers of the zip64 extra field, in their order.
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut numbers: &[u8] = &[];
    while extra.len() >= 4 {
        let length = usize::from(u16_at(extra, 2)).min(extra.len() - 4);
        if u16_at(extra, 0) == 1 {
            numbers = &extra[4..4 + length];
            break;
        }
        extra = &extra[4 + length..];
    }
    numbers.chunks_exact(8).map(|number| number_at(number, 0, 8))
}

/// The member whose local header stands at `offset` or is the next behind it, and where to look for the one after;
/// `None` when no header follows.
fn read_local_header(file: &SharedFile, offset: u64) -> io::Result<Option<(Entry, u64)>> {
    let Some((header, _)) = find_record(file, offset, &[LOCAL_HEADER])? else { return Ok(None) };
    let mut record = [0; LOCAL_HEADER_BYTES];
    if read_exactly_at(file, header, &mut record).is_err() {
        return Ok(None);
    }
    let name_length = usize::from(u16_at(&record, 26));
    let extra_length = usize::from(u16_at(&record, 28));
    let mut rest = vec![0; name_length + extra_length];
    if read_exactly_at(file, header + LOCAL_HEADER_BYTES as u64, &mut rest).is_err() {
        return Ok(None);
    }
    let data = header + (LOCAL_HEADER_BYTES + rest.len()) as u64;
    let (name, extra) = rest.split_at(name_length);
    let flags = u16_at(&record, 6);
    let mut length = u64::from(u32_at(&record, 22));
    let mut stored = u64::from(u32_at(&record, 18));
    let mut wide = wide_numbers(extra);
    if length == u64::from(u32::MAX) {
        length = wide.next().unwrap_or(length);
    }
    if stored == u64::from(u32::MAX) {
        stored = wide.next().unwrap_or(stored);
    }
    // Flag 3: checksum and lengths follow the data, where the next record begins.
    let described = flags & 8 != 0;
    let mut next = data.saturating_add(stored);
    if described {
        let marks = [DESCRIPTOR, LOCAL_HEADER, DIRECTORY_ENTRY];
        next = find_record(file, data, &marks)?.map_or(file.length(), |(found, _)| found);
        stored = next.saturating_sub(data);
    }
    let entry = Entry {
        name: name.to_vec(),
        flags,
        method: u16_at(&record, 8),
        checksum: (!described).then(|| u32_at(&record, 14)),
        stored,
        length: (!described).then_some(length),
        header,
    };
    Ok(Some((entry, next)))
}

/// The first place from `offset` on where one of the marks stands, and which.
fn find_record(file: &SharedFile, offset: u64, marks: &[&[u8]]) -> io::Result<Option<(u64, usize)>> {
    const CHUNK: usize = 64 << 10;
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut at = offset;
    loop {
        chunk.clear();
        file.range(at, CHUNK as u64).read_to_end(&mut chunk)?;
        let found = memchr::memchr_iter(b'P', &chunk)
            .find_map(|place| Some((place, marks.iter().position(|mark| chunk[place..].starts_with(mark))?)));
        if let Some((place, mark)) = found {
            return Ok(Some((at + place as u64, mark)));
        }
        if chunk.len() < CHUNK {
            return Ok(None);
        }
        // A mark may lie across the border of two chunks.
        at += (CHUNK - 3) as u64;
    }
}

/// A member's plain bytes, held against the length and checksum that the archive states.
struct Checked {
    carrier: Box<dyn Carrier>,
    /// Whether the layer below counts what is produced; a stored member is counted here, since a small archive can
    /// name the same bytes many times.
    counted: bool,
    cut_short: bool,
    checksum: Option<u32>,
    length: Option<u64>,
    seen: Crc,
    seen_length: u64,
    finished: bool,
}

impl Checked {
    fn stop(&mut self, reason: DamageReason) -> Fill {
        self.finished = true;
        Fill::Break(Break { reason, stored: Vec::new(), stored_complete: false })
    }
}

impl Carrier for Checked {
    fn fill(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Fill, IngestError> {
        if self.finished {
            return Ok(Fill::End);
        }
        let room = if self.counted {
            out.len()
        } else {
            out.len().min(usize::try_from(budget.allowance()).unwrap_or(usize::MAX))
        };
        if room == 0 {
            return Ok(self.stop(budget.reason()));
        }
        match self.carrier.fill(&mut out[..room], budget)? {
            Fill::Bytes(count) => {
                self.seen.update(&out[..count]);
                self.seen_length += count as u64;
                if !self.counted {
                    budget.produced(count);
                }
                Ok(Fill::Bytes(count))
            }
            Fill::Break(broken) => {
                // A checksum over less than everything says nothing more.
                self.checksum = None;
                self.length = None;
                Ok(Fill::Break(broken))
            }
            Fill::End => {
                self.finished = true;
                if self.cut_short {
                    return Ok(self.stop(DamageReason::Truncated { codec: Codec::Zip }));
                }
                if self.length.is_some_and(|length| length != self.seen_length)
                    || self.checksum.is_some_and(|checksum| checksum != self.seen.sum())
                {
                    return Ok(self.stop(corrupt("the member's checksum does not hold")));
                }
                Ok(Fill::End)
            }
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.carrier.buffered_bytes()
    }
}
