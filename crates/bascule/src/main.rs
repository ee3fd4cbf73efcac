//! The binary `bascule`. It decides nothing: the command line is read in `cli`, the daemon is put together in `run`, and
//! the pretend clouds live in `demo`. Read `cli` next for what a person can ask.

mod cli;
mod demo;
mod files;
mod run;

fn main() -> std::process::ExitCode {
    cli::main()
}
