//! Panics of the Parquet library are caught where it is called, and libFuzzer's own hook would end the process before.
//! What is not caught still ends it, when it reaches libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| {
        // Kept quiet: one input in three makes the library panic.
        let _ = panic;
    })),
    |data: &[u8]| weir_fuzz_oracles::parquet_rows(data)
);
