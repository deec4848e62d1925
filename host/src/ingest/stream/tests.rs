//! The reader over text framings and compressed carriers; JSON, wrappers and Parquet have their tests beside them.

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;

use super::testing::{
    Dribble, Outcome, Synthetic, bzip2, from_bytes, gzip, prepared, read, read_with, routed, xz, zstd,
};
use super::{FrameLimits, Input, SourceOptions};
use crate::ingest::frame::PreparedFraming;

fn lines(bytes: &[u8]) -> Outcome {
    read(bytes, PreparedFraming::Lines)
}

fn sample(lines: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..lines {
        writeln!(text, "line {line} from 192.0.2.{} {}", line % 250, line.wrapping_mul(2_654_435_761))
            .unwrap();
    }
    text
}

#[test]
fn line_ends_and_empty_lines_are_framing() {
    let outcome = lines(b"\xef\xbb\xbfone\r\n\n\r\ntwo\n  \nthree");
    assert_eq!(outcome.texts(), ["one", "two", "  ", "three"]);
    assert_eq!(outcome.frames.iter().map(|frame| frame.offset).collect::<Vec<_>>(), [3, 11, 15, 18]);
    assert_eq!(outcome.ledger.framing, 3 + 2 + 1 + 2 + 1 + 1);
    assert_eq!(outcome.ledger.read, 23);
}

#[test]
fn nothing_is_no_frame_and_no_damage() {
    for framing in [PreparedFraming::Lines, PreparedFraming::WholeObject] {
        let outcome = read(b"", framing);
        assert_eq!((outcome.ledger.frame_count, outcome.ledger.members), (0, 1));
    }
    assert_eq!(lines(&gzip(b"")).ledger.frame_count, 0);
}

#[test]
fn every_codec_is_read_by_its_magic_bytes() {
    let text = sample(20_000);
    let plain = lines(&text);
    assert_eq!(plain.frames.len(), 20_000);
    assert!(plain.batches > 4);
    for packed in
        [gzip(&text), zstd(&text), bzip2(&text), xz(&text), gzip(&zstd(&text)), xz(&gzip(&bzip2(&text)))]
    {
        let outcome = lines(&packed);
        assert_eq!(outcome.frames, plain.frames);
        assert!(outcome.damage.is_empty());
    }
}

#[test]
fn streams_laid_end_to_end_are_one() {
    let (first, second) = (sample(900), sample(1_100));
    let whole = lines(&[first.clone(), second.clone()].concat());
    for pack in [gzip, zstd, bzip2, xz] {
        let mut packed = [pack(&first), pack(&second)].concat();
        assert_eq!(lines(&packed).frames, whole.frames);
        packed.extend([0; 512]);
        let outcome = lines(&packed);
        assert_eq!(outcome.frames, whole.frames);
        assert!(outcome.damage.is_empty(), "zero padding is ignored: {:?}", outcome.damage);
    }
}

#[test]
fn zstd_skippable_frames_are_skipped() {
    let packed = [&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], &zstd(b"one\ntwo\n")].concat();
    assert_eq!(lines(&packed).texts(), ["one", "two"]);
}

#[test]
fn a_stream_cut_short_gives_what_was_readable_and_one_damage() {
    let text = sample(5_000);
    for pack in [gzip, zstd, bzip2, xz] {
        let packed = pack(&text);
        for cut in [2, 5, 11, 19, packed.len() / 3, packed.len() - 9, packed.len() - 1] {
            let outcome = lines(&packed[..cut]);
            if outcome.damage.is_empty() {
                assert!(cut < 12, "too short to be told from text");
                continue;
            }
            assert_eq!(outcome.codes(), ["truncated"], "cut at {cut} of {}", packed.len());
            let expected = lines(&text);
            assert_eq!(outcome.frames[..], expected.frames[..outcome.frames.len()]);
            let last = outcome.frames.last().map_or(0, |frame| frame.offset + u64::from(frame.carrier) + 1);
            assert_eq!(outcome.damage[0].offset, last);
        }
    }
    // Most of a gzip stream is readable up to the cut.
    let packed = gzip(&text);
    assert!(lines(&packed[..packed.len() - 20]).frames.len() > 4_900);
}

#[test]
fn a_corrupt_member_costs_no_other() {
    for pack in [gzip, zstd, bzip2, xz] {
        let members: Vec<_> = (0..3).map(|member| pack(&sample(3_000 + member))).collect();
        let mut packed = members.concat();
        let middle = members[0].len() + members[1].len() / 2;
        for byte in &mut packed[middle..middle + 8] {
            *byte ^= 0x5a;
        }
        let outcome = lines(&packed);
        assert_eq!(outcome.codes(), ["corrupt"]);
        let third = sample(3_002);
        let tail: Vec<_> =
            outcome.frames[outcome.frames.len() - 3_002..].iter().map(|frame| &frame.bytes).collect();
        assert_eq!(tail, lines(&third).frames.iter().map(|frame| &frame.bytes).collect::<Vec<_>>());
        assert_eq!(outcome.frames[..3_000], lines(&sample(3_000)).frames[..]);
    }
}

#[test]
fn garbage_behind_a_stream_is_one_damage_with_its_bytes() {
    let outcome = lines(&[gzip(b"one\ntwo\n"), b"<html>not found</html>".to_vec()].concat());
    assert_eq!(outcome.texts(), ["one", "two"]);
    assert_eq!(outcome.codes(), ["trailing-garbage"]);
    assert_eq!(outcome.damage[0].head, b"<html>not found</html>");
    assert!(outcome.damage[0].complete);
    assert_eq!((outcome.damage[0].offset, outcome.damage[0].length), (8, 0));
    let outcome = lines(&[gzip(b"one\n"), b"garbage".to_vec(), gzip(b"two\n")].concat());
    assert_eq!(outcome.texts(), ["one", "two"]);
    assert_eq!(outcome.codes(), ["trailing-garbage"]);
}

#[test]
fn too_many_layers_are_one_damage() {
    let packed = (0..5).fold(b"deep\n".to_vec(), |bytes, _| gzip(&bytes));
    assert_eq!(lines(&packed).codes(), ["too-many-layers"]);
    let packed = (0..4).fold(b"deep\n".to_vec(), |bytes, _| gzip(&bytes));
    assert_eq!(lines(&packed).texts(), ["deep"]);
}

fn zip_options(method: zip::CompressionMethod) -> zip::write::SimpleFileOptions {
    zip::write::SimpleFileOptions::default().compression_method(method)
}

fn zip_archive() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("logs/", zip_options(zip::CompressionMethod::Stored)).unwrap();
    let methods = [
        ("logs/a.log", zip::CompressionMethod::Stored),
        ("logs/b.log", zip::CompressionMethod::Deflated),
        ("logs/c.log", zip::CompressionMethod::Zstd),
        ("logs/d.log", zip::CompressionMethod::Bzip2),
    ];
    for (name, method) in methods {
        writer.start_file(name, zip_options(method)).unwrap();
        writer.write_all(format!("first of {name}\n").as_bytes()).unwrap();
        writer.write_all(&sample(2_000)).unwrap();
    }
    writer.start_file("logs/e.log.gz", zip_options(zip::CompressionMethod::Stored).large_file(true)).unwrap();
    writer.write_all(&gzip(b"first of logs/e.log.gz\n")).unwrap();
    writer.finish().unwrap().into_inner()
}

fn members(outcome: &Outcome) -> Vec<String> {
    let mut members: Vec<_> =
        outcome.frames.iter().map(|frame| frame.stream.member.clone().unwrap()).collect();
    members.dedup();
    members
}

#[test]
fn every_member_of_a_zip_is_read_in_order() {
    let packed = zip_archive();
    let expected = ["logs/a.log", "logs/b.log", "logs/c.log", "logs/d.log", "logs/e.log.gz"];
    let outcome = lines(&packed);
    assert_eq!(members(&outcome), expected);
    assert_eq!(outcome.frames.len(), 4 * 2_001 + 1);
    assert_eq!(outcome.ledger.members, 5);
    assert!(outcome.damage.is_empty());
    // From a file without a temporary copy, and inside gzip through one.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&packed).unwrap();
    let from_file = read_with(
        Input::File(file),
        &routed(PreparedFraming::Lines),
        SourceOptions::default(),
        FrameLimits::default(),
    );
    assert_eq!(from_file.frames, outcome.frames);
    assert_eq!(lines(&gzip(&packed)).frames, outcome.frames);
}

#[test]
fn a_zip_without_its_directory_is_read_by_its_headers() {
    let packed = zip_archive();
    let whole = lines(&packed);
    let directory = memchr::memmem::find(&packed, b"PK\x01\x02").unwrap();
    for cut in [packed.len() - 1, directory + 60, directory] {
        let outcome = lines(&packed[..cut]);
        assert_eq!(outcome.frames, whole.frames, "cut at {cut}");
        assert_eq!(outcome.codes(), ["truncated"]);
    }
    let outcome = lines(&packed[..directory - 30]);
    assert_eq!(outcome.frames[..], whole.frames[..4 * 2_001]);
    assert_eq!(outcome.codes().len(), 1);
}

#[test]
fn a_zip_written_as_a_stream_has_data_descriptors() {
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    for name in ["a.log", "b.log"] {
        writer.start_file(name, zip_options(zip::CompressionMethod::Deflated)).unwrap();
        writer.write_all(&sample(1_000)).unwrap();
    }
    let packed = writer.finish().unwrap().into_inner();
    assert_ne!(packed[6] & 8, 0, "the flag of a data descriptor");
    let outcome = lines(&packed);
    assert_eq!((outcome.frames.len(), outcome.damage.len()), (2_000, 0));
    let directory = memchr::memmem::find(&packed, b"PK\x01\x02").unwrap();
    let outcome = lines(&packed[..directory]);
    assert_eq!(outcome.frames.len(), 2_000);
    assert_eq!(outcome.codes(), ["truncated"]);
}

#[test]
fn members_of_one_name_are_both_read() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["one.log", "two.log"] {
        writer.start_file(name, zip_options(zip::CompressionMethod::Stored)).unwrap();
        writer.write_all(b"the same line\n").unwrap();
    }
    let mut packed = writer.finish().unwrap().into_inner();
    while let Some(place) = memchr::memmem::find(&packed, b"two.log") {
        packed[place..place + 3].copy_from_slice(b"one");
    }
    let outcome = lines(&packed);
    assert_eq!(members(&outcome), ["one.log", "one.log#2"]);
}

#[test]
fn encrypted_and_corrupt_members_are_one_damage_each() {
    let mut packed = zip_archive();
    // The encryption flag of the second file, in its directory entry.
    let entries: Vec<_> = memchr::memmem::find_iter(&packed, b"PK\x01\x02").collect();
    packed[entries[2] + 8] |= 1;
    // A method that nothing here decodes, for the third.
    packed[entries[3] + 10] = 98;
    // A byte of the first, which is stored.
    let first = memchr::memmem::find(&packed, b"first of logs/a.log").unwrap();
    packed[first] = b'F';
    let outcome = lines(&packed);
    assert_eq!(outcome.codes(), ["corrupt", "encrypted", "unsupported-method"]);
    assert_eq!(outcome.damage[1].stream.member.as_deref(), Some("logs/b.log"));
    assert_eq!(members(&outcome), ["logs/a.log", "logs/d.log", "logs/e.log.gz"]);
}

#[test]
fn zips_in_zips_are_opened_up_to_the_bounds() {
    let mut packed = zip_archive();
    for depth in 0..3 {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(format!("{depth}.zip"), zip_options(zip::CompressionMethod::Stored)).unwrap();
        writer.write_all(&packed).unwrap();
        packed = writer.finish().unwrap().into_inner();
        let outcome = lines(&packed);
        if depth == 0 {
            assert_eq!(members(&outcome)[0], "0.zip/logs/a.log");
        }
        // The gzip member lies one layer deeper than its neighbours.
        assert_eq!(outcome.frames.len(), 4 * 2_001 + usize::from(depth < 2), "{:?}", outcome.damage);
    }
    let limits = FrameLimits { members: 3, ..FrameLimits::default() };
    let outcome = read_with(
        from_bytes(&zip_archive()),
        &routed(PreparedFraming::Lines),
        SourceOptions::default(),
        limits,
    );
    assert_eq!(members(&outcome).len(), 3);
    assert_eq!(outcome.codes(), ["too-many-members"]);
    let all = FrameLimits { members: 5, ..limits };
    let router = routed(PreparedFraming::Lines);
    assert!(read_with(from_bytes(&zip_archive()), &router, SourceOptions::default(), all).damage.is_empty());
    // What may be decompressed ends in the third member: the rest of the archive is named.
    let short = FrameLimits { object_bytes: 200_000, ..FrameLimits::default() };
    let outcome = read_with(from_bytes(&zip_archive()), &router, SourceOptions::default(), short);
    assert_eq!(members(&outcome), ["logs/a.log", "logs/b.log", "logs/c.log"]);
    assert_eq!(outcome.codes(), ["decompression-limit"; 2]);
}

#[test]
fn a_bomb_ends_at_the_bound_with_one_damage() {
    let zeros = vec![b'0'; 1 << 20];
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    for _ in 0..200 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let limits = FrameLimits { ratio: 100, ..FrameLimits::default() };
    for packed in [bomb.clone(), gzip(&bomb)] {
        let outcome =
            read_with(from_bytes(&packed), &routed(PreparedFraming::Lines), SourceOptions::default(), limits);
        assert_eq!(outcome.codes(), ["decompression-limit"]);
        assert_eq!(outcome.frames.len(), 0);
        assert!(outcome.ledger.read <= 64 << 20);
        assert!(outcome.most_buffered < 32 << 20);
    }
    let outcome = lines(&bomb);
    assert_eq!(outcome.codes(), ["frame-too-long"], "within the default bounds it is one long line");
    assert_eq!(outcome.damage[0].length, 200 << 20);
}

#[test]
fn a_line_without_end_costs_no_memory() {
    let made = Synthetic { left: 200 << 20, make: |out: &mut [u8]| out.fill(b'x') };
    let input = Input::Reader { reader: Box::new(made), length: None };
    let outcome =
        read_with(input, &routed(PreparedFraming::Lines), SourceOptions::default(), FrameLimits::default());
    assert_eq!(outcome.codes(), ["frame-too-long"]);
    assert_eq!((outcome.damage[0].length, outcome.damage[0].head.len()), (200 << 20, 1 << 20));
    assert!(outcome.most_buffered < 16 << 20, "{}", outcome.most_buffered);
}

#[test]
fn a_line_too_long_costs_no_other() {
    let limits = FrameLimits { frame_bytes: 100, damage_head: 20, ..FrameLimits::default() };
    for (length, long) in [(99, false), (100, false), (101, true), (102, true), (700_000, true)] {
        let text = [b"before\n".to_vec(), vec![b'x'; length], b"\r\nbehind\n".to_vec()].concat();
        let outcome =
            read_with(from_bytes(&text), &routed(PreparedFraming::Lines), SourceOptions::default(), limits);
        assert_eq!(outcome.frames.len(), if long { 2 } else { 3 });
        assert_eq!(outcome.texts().last().unwrap(), "behind");
        if long {
            let damage = &outcome.damage[0];
            assert_eq!((damage.offset, damage.length, damage.head.len()), (7, length as u64 + 1, 20));
        }
    }
}

#[test]
fn many_small_frames_do_not_queue_up() {
    let made = Synthetic {
        left: 64 << 20,
        make: |out: &mut [u8]| {
            for pair in out.chunks_mut(2) {
                pair.copy_from_slice(&b"x\n"[..pair.len()]);
            }
        },
    };
    let input = Input::Reader { reader: Box::new(made), length: None };
    let router = routed(PreparedFraming::Lines);
    let mut reader =
        super::ObjectReader::open(input, &router, SourceOptions::default(), FrameLimits::default()).unwrap();
    let mut frames = 0;
    while let Some(item) = reader.next_item().unwrap() {
        let super::Item::Batch(batch) = item else { panic!("{item:?}") };
        frames += batch.len();
        assert!(reader.buffered_bytes() < 16 << 20);
        reader.reuse(batch);
    }
    assert_eq!(frames, 32 << 20);
}

const VPC: &str = r#"{"kind": "header", "pattern": "^[a-z][a-z-]*( [a-z][a-z-]*)+$"}"#;

#[test]
fn a_header_goes_with_its_frames() {
    let text = b"version srcaddr action\r\n2 192.0.2.1 ACCEPT\nversion action srcaddr\n2 REJECT 192.0.2.2\nversion action srcaddr\n2 REJECT 192.0.2.3\n";
    let outcome = read(text, prepared(VPC));
    let headers: Vec<_> = outcome.frames.iter().map(|frame| frame.header.as_deref().unwrap()).collect();
    assert_eq!(headers, ["version srcaddr action", "version action srcaddr", "version action srcaddr"]);
    assert_eq!(outcome.batches, 2);
    assert_eq!(outcome.texts()[0], "2 192.0.2.1 ACCEPT");
    let only_first = read(text, prepared(r#"{"kind": "header", "pattern": "^[a-z]", "each": false}"#));
    assert_eq!(only_first.frames.len(), 5);
}

#[test]
fn without_a_header_the_configured_one_is_in_force() {
    let text = b"2 192.0.2.1 ACCEPT\n2 192.0.2.2 ACCEPT\n";
    assert_eq!(read(text, prepared(VPC)).frames[0].header, None);
    let options = SourceOptions { header: Some("version srcaddr action".into()), ..SourceOptions::default() };
    let outcome = read_with(from_bytes(text), &routed(prepared(VPC)), options, FrameLimits::default());
    assert_eq!(outcome.frames.len(), 2);
    assert_eq!(outcome.frames[1].header.as_deref(), Some("version srcaddr action"));
}

#[test]
fn the_latest_directive_is_in_force() {
    let text = b"#Version: 1.0\n#Fields: date time\n2026-11-01 10:00\n#Fields: time date\n10:01 2026-11-01\n#Remark: x\n10:02 2026-11-01";
    let outcome = read(text, prepared(r#"{"kind": "directives"}"#));
    let headers: Vec<_> = outcome.frames.iter().map(|frame| frame.header.as_deref().unwrap()).collect();
    assert_eq!(headers, ["#Fields: date time", "#Fields: time date", "#Fields: time date"]);
}

#[test]
fn framings_of_other_versions_are_refused_by_name() {
    for framing in
        [r#"{"kind": "group-by-key", "pattern": "x"}"#, r#"{"kind": "xml-element", "element": "Event"}"#]
    {
        let framing: crate::ingest::frame::Framing = serde_json::from_str(framing).unwrap();
        let refused = framing.prepare().unwrap_err().to_string();
        assert!(refused.contains("group-by-key") || refused.contains("xml-element"), "{refused}");
    }
    let unknown =
        serde_json::from_str::<crate::ingest::frame::Framing>(r#"{"kind": "lines", "patern": "x"}"#);
    assert!(unknown.unwrap_err().to_string().contains("patern"));
}

#[test]
fn other_character_sets_become_utf_8() {
    let options = SourceOptions { charset: Some(encoding_rs::WINDOWS_1252), ..SourceOptions::default() };
    let outcome = read_with(
        from_bytes(b"caf\xe9\nna\xefve\n"),
        &routed(PreparedFraming::Lines),
        options,
        FrameLimits::default(),
    );
    assert_eq!(outcome.texts(), ["café", "naïve"]);
    assert_eq!(outcome.frames[1].offset, 6, "offsets are those of the UTF-8 text");
    let utf16: Vec<u8> = "\u{feff}käse\r\nbröt\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(lines(&utf16).texts(), ["käse", "bröt"]);
    let utf16: Vec<u8> = "\u{feff}käse\r\nbröt\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(lines(&gzip(&utf16)).texts(), ["käse", "bröt"]);
}

#[test]
fn a_member_that_no_parser_wants_is_one_unrouted_frame() {
    let outcome = read_with(
        from_bytes(&gzip(b"one\ntwo\n")),
        &super::testing::OneRoute(super::RouteDecision::unrouted()),
        SourceOptions::default(),
        FrameLimits::default(),
    );
    assert_eq!((outcome.frames.len(), outcome.unparsed.len()), (0, 1));
    assert_eq!(outcome.unparsed[0].carrier, 8);
}

#[test]
fn an_error_of_the_source_is_an_error() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _out: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }
    }
    let reader = Box::new(Cursor::new(gzip(&sample(10))[..40].to_vec()).chain(Failing));
    let router = routed(PreparedFraming::Lines);
    let mut reader = super::ObjectReader::open(
        Input::Reader { reader, length: None },
        &router,
        SourceOptions::default(),
        FrameLimits::default(),
    )
    .unwrap();
    let error = loop {
        match reader.next_item() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the error was lost"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("stored byte 40"), "{error}");
}

fn multi_line(text: &[u8], limits: FrameLimits) -> Outcome {
    let framing = prepared(r#"{"kind": "multi-line", "start": "^\\d{4}-", "max-lines": 6}"#);
    read_with(from_bytes(text), &routed(framing), SourceOptions::default(), limits)
}

fn multi_line_frames(input: Input, framing: &PreparedFraming, limits: FrameLimits) -> Outcome {
    read_with(input, &routed(framing.clone()), SourceOptions::default(), limits)
}

#[test]
fn lines_join_the_start_before_them() {
    let text = b"\nleft over\n2026-11-01 first\r\n  at a\r\n\r\n  at b\r\n2026-11-01 second\n\n2026-11-01 third\n\tx";
    let outcome = multi_line(text, FrameLimits::default());
    assert_eq!(
        outcome.texts(),
        [
            "left over",
            "2026-11-01 first\r\n  at a\r\n\r\n  at b",
            "2026-11-01 second",
            "2026-11-01 third\n\tx"
        ]
    );
    assert_eq!(outcome.frames[0].offset, 1);
    let many = multi_line(b"2026-1\n2\n3\n4\n5\n6\n7\n8\n2026-9", FrameLimits::default());
    assert_eq!(many.texts(), ["2026-1\n2\n3\n4\n5\n6", "7\n8", "2026-9"]);
}

#[test]
fn a_multi_line_frame_too_long_costs_no_other() {
    let limits = FrameLimits { frame_bytes: 1_000, ..FrameLimits::default() };
    for long in [vec![b'x'; 500_000], [vec![b'x'; 100], b"\n".to_vec()].concat().repeat(5)] {
        let mut text = b"2026-1\n2026-2".to_vec();
        text.extend(b" y".repeat(500));
        text.extend(&long);
        text.extend(b"\n2026-3\n");
        let outcome = multi_line(&text, limits);
        assert_eq!(outcome.texts(), ["2026-1", "2026-3"]);
        assert_eq!(outcome.codes(), ["frame-too-long"]);
        assert_eq!((outcome.damage[0].offset, outcome.damage[0].length), (7, 1_007 + long.len() as u64));
    }
}

/// The lines of a text, slowly.
fn reference_lines(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut offset = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        if !bare.is_empty() {
            lines.push((offset, bare.to_vec()));
        }
        offset += line.len() as u64;
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lines_are_those_of_a_simple_splitter(
        text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
        sizes in proptest::collection::vec(1usize..40, 1..8),
        batch_bytes in 1usize..60,
    ) {
        prop_assume!(!text.starts_with(b"\xef\xbb\xbf") && !text.starts_with(b"\xff\xfe") && !text.starts_with(b"\xfe\xff"));
        prop_assume!(crate::ingest::decompress::detect(&text) == crate::ingest::decompress::Detected::Plain);
        let limits = FrameLimits { batch_bytes, ..FrameLimits::default() };
        let outcome = read_with(Dribble::input(&text, &sizes), &routed(PreparedFraming::Lines), SourceOptions::default(), limits);
        let found: Vec<_> = outcome.frames.iter().map(|frame| (frame.offset, frame.bytes.clone())).collect();
        prop_assert_eq!(found, reference_lines(&text));
    }

    #[test]
    fn multi_line_frames_do_not_depend_on_read_sizes(
        lines in proptest::collection::vec((any::<bool>(), 0usize..60, prop_oneof![Just("\n"), Just("\r\n")]), 0..40),
        frame_bytes in prop_oneof![16usize..120, Just(8 << 20)],
        batch_bytes in 1usize..200,
        sizes in proptest::collection::vec(1usize..60, 1..5),
    ) {
        let text: String = lines
            .iter()
            .flat_map(|(begins, length, end)| [if *begins { "2026-" } else { "" }.to_owned(), "x".repeat(*length), (*end).to_owned()])
            .collect();
        let limits = FrameLimits { frame_bytes, batch_bytes, ..FrameLimits::default() };
        let framing = prepared(r#"{"kind": "multi-line", "start": "^\\d{4}-"}"#);
        let whole = multi_line_frames(from_bytes(text.as_bytes()), &framing, limits);
        let dribbled = multi_line_frames(Dribble::input(text.as_bytes(), &sizes), &framing, limits);
        prop_assert_eq!(&whole.frames, &dribbled.frames);
        prop_assert_eq!(whole.ledger, dribbled.ledger);
        if frame_bytes > 1 << 20 {
            let starts = whole.frames.iter().filter(|frame| frame.bytes.starts_with(b"2026-")).count();
            prop_assert_eq!(starts, lines.iter().filter(|line| line.0).count());
            prop_assert!(whole.frames.len() <= starts + 1);
        }
    }

    #[test]
    fn read_sizes_change_nothing(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        sizes in proptest::collection::vec(1usize..5_000, 1..8),
        pack in 0usize..7,
    ) {
        let text = sample(300);
        let mut packed = match pack {
            0 => gzip(&text),
            1 => [gzip(&text), gzip(&sample(10)), gzip(&text)].concat(),
            2 => zstd(&text),
            3 => [bzip2(&text), bzip2(&text)].concat(),
            4 => [xz(&text), xz(&text)].concat(),
            5 => gzip(&[gzip(&text), gzip(&text)].concat()),
            _ => zip_archive(),
        };
        for (place, value) in &flips {
            let place = place.index(packed.len());
            packed[place] ^= value;
        }
        if flips.len() % 2 == 1 {
            packed.truncate(cut.index(packed.len()));
        }
        let router = routed(PreparedFraming::Lines);
        let limits = FrameLimits { frame_bytes: 4_000, ..FrameLimits::default() };
        let whole = read_with(from_bytes(&packed), &router, SourceOptions::default(), limits);
        let dribbled = read_with(Dribble::input(&packed, &sizes), &router, SourceOptions::default(), limits);
        prop_assert_eq!(&whole.frames, &dribbled.frames);
        prop_assert_eq!(whole.codes(), dribbled.codes());
        prop_assert_eq!(whole.ledger, dribbled.ledger);
    }
}
