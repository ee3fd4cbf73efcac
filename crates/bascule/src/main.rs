//! The binary `bascule`. It decides nothing: the command line is read in `cli`, the daemon is put together in `run`, and
//! the pretend clouds live in `demo`; `check` looks whether everything is fit, and `dump` packs what a bug report needs.
//! Read `cli` next for what a person can ask.

mod check;
mod cli;
mod clouds;
mod demo;
mod dump;
mod files;
mod names;
mod run;
mod supposed;

fn main() -> std::process::ExitCode {
    cli::main()
}
