//! The `weir` binary. Everything is in the library; see `cli`.

fn main() -> std::process::ExitCode {
    weir::cli::run()
}
