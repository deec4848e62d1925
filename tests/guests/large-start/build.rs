//! Tells the linker how large the memory begins.

fn main() {
    println!("cargo::rustc-link-arg=--initial-memory={}", 48 << 20);
    println!("cargo::rerun-if-changed=build.rs");
}
