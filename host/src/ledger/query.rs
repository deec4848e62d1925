//! Looking through the ledger.

use super::store::{BY_DAY, RECORDS, day_number, decode, id_of};
use super::{Ledger, LedgerError, ObjectRecord, Totals};
use jiff::civil::Date;
use redb::{OwnedRange, ReadOnlyTable};

/// Which records are wanted. All conditions must hold; the default wants all.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// One of the object's log types.
    pub log_type: Option<String>,
    pub key_prefix: Option<String>,
    pub from: Option<Date>,
    /// The last day wanted.
    pub to: Option<Date>,
    /// Only records whose counts do not add up.
    pub unbalanced: bool,
}

impl RecordFilter {
    fn wants(&self, record: &ObjectRecord) -> bool {
        self.log_type.as_ref().is_none_or(|wanted| record.log_types.contains(wanted))
            && self.key_prefix.as_ref().is_none_or(|prefix| record.key.starts_with(prefix))
            && self.from.is_none_or(|from| record.day >= from)
            && self.to.is_none_or(|to| record.day <= to)
            && (!self.unbalanced || record.unexplained() != 0)
    }
}

/// Records by day and then by id, one at a time, as they were when asked for.
pub struct Records<'ledger> {
    ledger: &'ledger Ledger,
    days: OwnedRange<(i32, u128), ()>,
    table: ReadOnlyTable<u128, &'static [u8]>,
    filter: RecordFilter,
}

impl Ledger {
    /// The records that `filter` wants.
    pub fn records(&self, filter: RecordFilter) -> Result<Records<'_>, LedgerError> {
        let transaction = self.read()?;
        let days = transaction.open_table(BY_DAY).map_err(|error| self.storage(error))?;
        let first = filter.from.map_or(i32::MIN, day_number);
        let last = filter.to.map_or(i32::MAX, day_number);
        // An empty range for days in the wrong order: redb would panic as BTreeMap does.
        let last = last.max(first);
        let days = days.range_owned((first, 0)..=(last, u128::MAX)).map_err(|error| self.storage(error))?;
        let table = transaction.open_table(RECORDS).map_err(|error| self.storage(error))?;
        Ok(Records { ledger: self, days, table, filter })
    }

    /// The sum over the records that `filter` wants.
    pub fn totals(&self, filter: RecordFilter) -> Result<Totals, LedgerError> {
        let mut totals = Totals::default();
        for record in self.records(filter)? {
            totals.add(&record?);
        }
        Ok(totals)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<ObjectRecord, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (_, key) = match self.days.next()? {
                Ok((key, _)) => key.value(),
                Err(error) => return Some(Err(self.ledger.storage(error))),
            };
            let object = id_of(key);
            let record: ObjectRecord = match self.table.get_owned(key) {
                Ok(Some(value)) => match decode(object, value.value()) {
                    Ok(record) => record,
                    Err(error) => return Some(Err(error)),
                },
                Ok(None) => return Some(Err(LedgerError::NoRecord { object })),
                Err(error) => return Some(Err(self.ledger.storage(error))),
            };
            if self.filter.wants(&record) {
                return Some(Ok(record));
            }
        }
    }
}
