//! As much of the Thrift compact protocol as it takes to look at Parquet's records before a library does.
//!
//! Source: Apache Thrift, doc/specs/thrift-compact-protocol.md.

/// Deepest nesting skipped.
const MAX_DEPTH: u32 = 32;

/// The type of a field or an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Byte,
    /// 16, 32 or 64 bits.
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return None,
        })
    }
}

/// What stands where a struct's next field may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Of(i64, Kind),
    End,
}

/// Reads records from bytes; every answer is `None` where the bytes end or are no record.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn advance(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next field of a struct: its id and type. `last` is the id before.
    pub(super) fn field(&mut self, last: i64) -> Option<Field> {
        let header = self.byte()?;
        if header == 0 {
            return Some(Field::End);
        }
        let kind = Kind::of(header & 0x0f)?;
        let id = match header >> 4 {
            0 => self.integer()?,
            delta => last.checked_add(i64::from(delta))?,
        };
        Some(Field::Of(id, kind))
    }

    /// The length and element type of a list.
    pub(super) fn list(&mut self) -> Option<(u64, Kind)> {
        let header = self.byte()?;
        let length = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        let kind = match header & 0x0f {
            // Some writers give an empty list no type.
            0 if length == 0 => Kind::Byte,
            code => Kind::of(code)?,
        };
        Some((length, kind))
    }

    /// Passes over a field's value.
    pub(super) fn skip(&mut self, kind: Kind) -> Option<()> {
        // A field's type holds its truth.
        if kind == Kind::Bool { Some(()) } else { self.skip_element(kind, 0) }
    }

    /// Every element takes bytes, so that a length alone cannot keep a reader busy. Lists of booleans are refused: no
    /// footer or page header has any, and the library skips them as if they took none.
    fn skip_element(&mut self, kind: Kind, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            Kind::Bool => None,
            Kind::Byte => self.advance(1),
            Kind::Integer => self.varint().map(drop),
            Kind::Double => self.advance(8),
            Kind::Uuid => self.advance(16),
            Kind::Binary => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.advance(length)
            }
            Kind::List => {
                let (length, kind) = self.list()?;
                for _ in 0..length {
                    self.skip_element(kind, depth + 1)?;
                }
                Some(())
            }
            Kind::Map => {
                let length = self.varint()?;
                if length > 0 {
                    let kinds = self.byte()?;
                    let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?);
                    for _ in 0..length {
                        self.skip_element(key, depth + 1)?;
                        self.skip_element(value, depth + 1)?;
                    }
                }
                Some(())
            }
            Kind::Struct => {
                let mut last = 0;
                while let Field::Of(id, kind) = self.field(last)? {
                    last = id;
                    if kind != Kind::Bool {
                        self.skip_element(kind, depth + 1)?;
                    }
                }
                Some(())
            }
        }
    }
}
