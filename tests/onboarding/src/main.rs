//! `weir accounts`, without the rest of Weir.

fn main() -> std::process::ExitCode {
    weir_accounts::cli::main()
}
