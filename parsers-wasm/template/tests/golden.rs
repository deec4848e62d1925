//! The fixtures, natively and split in several ways. `WEIR_BLESS=1 cargo test` writes the expectations.

#[test]
fn fixtures() {
    weir_parser_golden::check::<weir_parser_example::Example>(env!("CARGO_MANIFEST_DIR"));
}
