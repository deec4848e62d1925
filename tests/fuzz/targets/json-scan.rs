#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz_oracles::json_scan(data));
