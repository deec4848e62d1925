//! The fixtures, natively and split in several ways.

#[test]
fn fixtures() {
    weir_parser_golden::check::<weir_parser_app_json::AppJson>(env!("CARGO_MANIFEST_DIR"));
}
