//! Parquet through the whole reader, over files that the library writes from hand-made levels.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use crate::ingest::frame::PreparedFraming;
use crate::ingest::stream::testing::{Dribble, Outcome, from_bytes, gzip, prepared, read, read_with, routed};
use crate::ingest::stream::{
    FrameKind, FrameLimits, Input, Item, ObjectReader, RouteDecision, SourceOptions, StreamKey, StreamRouter,
};

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A file of row groups, each written by a call.
fn file(schema: &str, properties: WriterProperties, groups: &[&dyn Fn(&mut Group<'_>)]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for write in groups {
        let mut group = writer.next_row_group().unwrap();
        write(&mut group);
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn plain() -> WriterProperties {
    WriterProperties::builder().build()
}

fn column(group: &mut Group<'_>, write: impl FnOnce(&mut SerializedColumnWriter<'_>)) {
    let mut column = group.next_column().unwrap().unwrap();
    write(&mut column);
    column.close().unwrap();
}

fn integers(group: &mut Group<'_>, values: &[i32], definitions: Option<&[i16]>, repetitions: Option<&[i16]>) {
    column(group, |column| {
        column.typed::<Int32Type>().write_batch(values, definitions, repetitions).unwrap();
    });
}

fn texts(group: &mut Group<'_>, values: &[&str], definitions: Option<&[i16]>, repetitions: Option<&[i16]>) {
    let values: Vec<_> = values.iter().map(|value| ByteArray::from(*value)).collect();
    column(group, |column| {
        column.typed::<ByteArrayType>().write_batch(&values, definitions, repetitions).unwrap();
    });
}

fn rows(bytes: &[u8]) -> Outcome {
    read(bytes, prepared(r#"{"kind": "header", "pattern": "^version"}"#))
}

#[test]
fn rows_are_objects_whose_values_keep_their_digits() {
    let schema = "message flow {
        required binary Name (STRING);
        optional int64 bytes (INTEGER(64, false));
        required int64 start (TIMESTAMP(NANOS, true));
        required int32 day (DATE);
        required int64 price (DECIMAL(18, 2));
        required int96 seen;
        required boolean ok;
        required float share;
        required double ratio;
        required binary raw;
        required fixed_len_byte_array(2) pair;
        required int64 millis (TIMESTAMP_MILLIS);
    }";
    let write = |group: &mut Group<'_>| {
        texts(group, &["a \"b\"", "é"], None, None);
        column(group, |column| {
            column.typed::<Int64Type>().write_batch(&[-1], Some(&[1, 0]), None).unwrap();
        });
        let long = |group: &mut Group<'_>, values: [i64; 2]| {
            column(group, |column| {
                column.typed::<Int64Type>().write_batch(&values, None, None).unwrap();
            });
        };
        long(group, [1_793_527_200_123_456_789, 0]);
        integers(group, &[20_758, 0], None, None);
        long(group, [123_456_789_012_345_678, -5]);
        let mut seen = Int96::new();
        seen.set_data(1, 0, 2_440_588);
        column(group, |column| {
            column.typed::<Int96Type>().write_batch(&[seen, seen], None, None).unwrap();
        });
        column(group, |column| {
            column.typed::<BoolType>().write_batch(&[true, false], None, None).unwrap();
        });
        column(group, |column| {
            column.typed::<FloatType>().write_batch(&[0.1, 16_777_216.0], None, None).unwrap();
        });
        column(group, |column| {
            column.typed::<DoubleType>().write_batch(&[0.1, f64::NAN], None, None).unwrap();
        });
        let raw = [ByteArray::from(vec![0xff, 0x00]), ByteArray::from("text")];
        column(group, |column| {
            column.typed::<ByteArrayType>().write_batch(&raw, None, None).unwrap();
        });
        let pair = FixedLenByteArray::from(vec![b'o', b'k']);
        column(group, |column| {
            column.typed::<FixedLenByteArrayType>().write_batch(&[pair.clone(), pair], None, None).unwrap();
        });
        long(group, [1, -1]);
    };
    let outcome = rows(&file(schema, plain(), &[&write]));
    assert_eq!(
        outcome.texts(),
        [
            r#"{"Name":"a \"b\"","bytes":18446744073709551615,"start":"2026-11-01T10:00:00.123456789Z","day":"2026-11-01","price":1234567890123456.78,"seen":"1970-01-01T00:00:00.000000001Z","ok":true,"share":0.1,"ratio":0.1,"raw":"/wA=","pair":"ok","millis":"1970-01-01T00:00:00.001Z"}"#,
            r#"{"Name":"é","bytes":null,"start":"1970-01-01T00:00:00Z","day":"1970-01-01","price":-0.05,"seen":"1970-01-01T00:00:00.000000001Z","ok":false,"share":16777216.0,"ratio":"NaN","raw":"text","pair":"ok","millis":"1969-12-31T23:59:59.999Z"}"#,
        ]
    );
    assert_eq!(outcome.frames[1].offset, 1);
    assert_eq!((outcome.frames[0].kind, outcome.frames[0].carrier), (FrameKind::ParquetRow, 0));
    assert_eq!((outcome.ledger.rows_expected, outcome.ledger.rows, outcome.ledger.read), (2, 2, 0));
}

#[test]
fn nested_values_are_put_together_again() {
    let schema = "message nested {
        optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
        required group matrix (LIST) { repeated group list {
            required group element (LIST) { repeated group list { required int32 element; } } } }
        optional group who { required int32 id; optional binary name (STRING); }
        required group labels (MAP) { repeated group key_value {
            required binary key (STRING); optional int32 value; } }
        repeated int32 old;
        optional group older (LIST) { repeated int32 array; }
        required group byNumber (MAP) { repeated group key_value { required int32 key; required int32 value; } }
    }";
    let write = |group: &mut Group<'_>| {
        // tags: null; []; ["a", null]
        texts(group, &["a"], Some(&[0, 1, 3, 2]), Some(&[0, 0, 0, 1]));
        // matrix: [[1, 2], []]; []; [[3]]
        integers(group, &[1, 2, 3], Some(&[2, 2, 1, 0, 2]), Some(&[0, 2, 1, 0, 0]));
        // who: null; {1, null}; {2, "b"}
        integers(group, &[1, 2], Some(&[0, 1, 1]), None);
        texts(group, &["b"], Some(&[0, 1, 2]), None);
        // labels: {}; {"x": 1, "y": null}; {"z": 3}
        texts(group, &["x", "y", "z"], Some(&[0, 1, 1, 1]), Some(&[0, 0, 1, 0]));
        integers(group, &[1, 3], Some(&[0, 2, 1, 2]), Some(&[0, 0, 1, 0]));
        // old: [7, 8]; []; [9]
        integers(group, &[7, 8, 9], Some(&[1, 1, 0, 1]), Some(&[0, 1, 0, 0]));
        // older: [4]; null; []
        integers(group, &[4], Some(&[2, 0, 1]), Some(&[0, 0, 0]));
        // byNumber: {1: 2}; {}; {3: 4}
        integers(group, &[1, 3], Some(&[1, 0, 1]), Some(&[0, 0, 0]));
        integers(group, &[2, 4], Some(&[1, 0, 1]), Some(&[0, 0, 0]));
    };
    let outcome = rows(&file(schema, plain(), &[&write]));
    assert_eq!(
        outcome.texts(),
        [
            r#"{"tags":null,"matrix":[[1,2],[]],"who":null,"labels":{},"old":[7,8],"older":[4],"byNumber":{"1":2}}"#,
            r#"{"tags":[],"matrix":[],"who":{"id":1,"name":null},"labels":{"x":1,"y":null},"old":[],"older":null,"byNumber":{}}"#,
            r#"{"tags":["a",null],"matrix":[[3]],"who":{"id":2,"name":"b"},"labels":{"z":3},"old":[9],"older":[],"byNumber":{"3":4}}"#,
        ]
    );
}

/// Two columns over two row groups, the second of a list.
fn sample(properties: WriterProperties) -> Vec<u8> {
    let schema = "message sample {
        optional binary text (STRING);
        required group list (LIST) { repeated group list { required int32 element; } }
    }";
    let write = |group: &mut Group<'_>| {
        let values: Vec<_> = (0..3_000).map(|row| format!("row {row}")).collect();
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        let definitions: Vec<_> = (0..4_000).map(|row| i16::from(row % 4 != 0)).collect();
        texts(group, &values, Some(&definitions), None);
        let repetitions: Vec<_> = (0..8_000).map(|level| level % 2).collect();
        integers(group, &vec![5; 8_000], Some(&vec![1; 8_000]), Some(&repetitions));
    };
    file(schema, properties, &[&write, &write])
}

#[test]
fn every_codec_and_page_version_gives_the_same_rows() {
    let expected = rows(&sample(plain()));
    assert_eq!(expected.frames.len(), 8_000);
    assert_eq!(expected.texts()[5], r#"{"text":"row 3","list":[5,5]}"#);
    assert_eq!(expected.frames[7_999].offset, 7_999);
    for compression in [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = WriterProperties::builder()
                .set_compression(compression)
                .set_writer_version(version)
                .set_data_page_row_count_limit(700)
                .set_write_batch_size(100)
                .build();
            let outcome = rows(&sample(properties));
            assert_eq!(outcome.frames, expected.frames);
            assert_eq!(outcome.ledger.unexplained(), 0);
        }
    }
}

#[test]
fn a_file_in_a_stream_is_read_through_a_temporary_one() {
    let bytes = sample(plain());
    let expected = rows(&bytes);
    assert_eq!(rows(&gzip(&bytes)).frames, expected.frames);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let lines = routed(PreparedFraming::Lines);
    let outcome = read_with(Input::File(file), &lines, SourceOptions::default(), FrameLimits::default());
    assert_eq!(outcome.frames, expected.frames);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("flow.parquet", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&bytes).unwrap();
    archive.start_file("flow.log", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(b"a line\n").unwrap();
    let outcome = rows(&archive.finish().unwrap().into_inner());
    assert_eq!(outcome.frames.len(), 8_001);
    assert_eq!(outcome.frames[8_000].kind, FrameKind::Text);
}

#[test]
fn a_file_cut_short_or_not_parquet_is_one_damage() {
    let bytes = sample(plain());
    for cut in [4, 11, 200, bytes.len() - 1] {
        assert_eq!(rows(&bytes[..cut]).codes(), ["bad-parquet"]);
    }
    let packed = gzip(&bytes);
    assert_eq!(rows(&packed[..packed.len() / 2]).codes(), ["truncated"]);
    let asked = read(b"no rows here\n", prepared(r#"{"kind": "parquet-rows"}"#));
    assert_eq!(asked.codes(), ["bad-parquet"]);
    assert_eq!(read(b"", prepared(r#"{"kind": "parquet-rows"}"#)).ledger.frame_count, 0);
}

#[test]
fn a_damaged_row_group_costs_no_other() {
    let bytes = sample(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut broken = bytes.clone();
    broken[4..40].fill(0xff);
    let outcome = rows(&broken);
    assert_eq!(outcome.codes(), ["bad-parquet"]);
    assert_eq!((outcome.ledger.rows, outcome.ledger.rows_damaged), (4_000, 4_000));
    assert_eq!(outcome.frames[0].offset, 4_000);
}

#[test]
fn rows_are_bounded_in_number_and_length() {
    let limits = FrameLimits { frame_bytes: 30, ..FrameLimits::default() };
    let bytes = sample(plain());
    let lines = routed(PreparedFraming::Lines);
    let outcome = read_with(from_bytes(&bytes), &lines, SourceOptions::default(), limits);
    assert!(outcome.codes().iter().all(|code| *code == "frame-too-long"));
    assert!(outcome.ledger.rows > 0 && outcome.ledger.rows_damaged > 0);
    // Millions of rows of nothing take no room in a file.
    let schema = "message nothing { optional int32 a; }";
    let rows = 30_000_000;
    let write = |group: &mut Group<'_>| integers(group, &[], Some(&vec![0; rows]), None);
    let bytes = file(schema, plain(), &[&write]);
    assert!(bytes.len() < 100_000);
    let limits = FrameLimits { ratio: 100, ratio_after: 1 << 20, ..FrameLimits::default() };
    let outcome = read_with(from_bytes(&bytes), &lines, SourceOptions::default(), limits);
    assert_eq!(outcome.codes(), ["decompression-limit"]);
    assert!(outcome.frames.len() < 2_000_000);
    assert_eq!(outcome.ledger.rows_expected, rows as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damage_is_counted_wherever_it_is(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        in_footer in any::<bool>(),
        codec in 0usize..4,
        sizes in proptest::collection::vec(1usize..5_000, 1..4),
    ) {
        let compression = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(GzipLevel::default()), Compression::LZ4_RAW][codec];
        let mut bytes = sample(WriterProperties::builder().set_compression(compression).build());
        let footer = bytes.len() - 1_200.min(bytes.len());
        for (place, value) in flips {
            let place = if in_footer { footer + place.index(bytes.len() - footer) } else { place.index(bytes.len()) };
            bytes[place] ^= value;
        }
        let whole = rows(&bytes);
        let dribbled = read_with(Dribble::input(&bytes, &sizes), &routed(PreparedFraming::Lines), SourceOptions::default(), FrameLimits::default());
        prop_assert_eq!(whole.ledger, dribbled.ledger);
    }
}

/// Says what the router was told of each member's beginning.
#[derive(Default)]
struct Told(std::sync::Mutex<Vec<Option<String>>>);

impl StreamRouter for Told {
    fn route(&self, stream: &StreamKey, header: Option<&str>) -> RouteDecision {
        self.0.lock().unwrap().push(header.map(str::to_owned));
        let decision = routed(PreparedFraming::Lines).route(stream, header);
        RouteDecision {
            route: Some(usize::from(header.is_some_and(|header| header.contains("tgw_id")))),
            ..decision
        }
    }
}

#[test]
fn the_router_is_told_the_columns() {
    let schema = "message flow { required int32 version; required int32 tgw_id; }";
    let write = |group: &mut Group<'_>| {
        integers(group, &[6], None, None);
        integers(group, &[1], None, None);
    };
    let bytes = file(schema, plain(), &[&write]);
    let router = Told::default();
    let mut reader =
        ObjectReader::open(from_bytes(&bytes), &router, SourceOptions::default(), FrameLimits::default())
            .unwrap();
    let Some(Item::Batch(batch)) = reader.next_item().unwrap() else { panic!("no rows") };
    assert_eq!((batch.route, batch.kind, batch.len()), (Some(1), FrameKind::ParquetRow, 1));
    assert_eq!(*router.0.lock().unwrap(), [None, Some("version tgw_id".to_owned())]);
}
