//! The program as its users run it: commands, exit codes, files written, a service that is stopped and killed.
//!
//! Each test has a folder of its own with a weir.toml and logs that it writes itself. WEIR_BIN names another program.

mod commands;
mod damage;
mod equations;
mod ingest;
mod kill;
mod logs;
mod place;
mod routing;
mod rules;
mod service;
mod space;
mod upkeep;
