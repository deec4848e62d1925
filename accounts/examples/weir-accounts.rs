//! The commands of `weir accounts` as a program of their own, without the rest of Weir.

fn main() -> std::process::ExitCode {
    weir_accounts::cli::main()
}
