#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz_oracles::nginx_access(data));
