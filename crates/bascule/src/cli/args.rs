//! The command line as types. It says what can be written, not what is done; parsing of single values is in `values`.
//! Texts here are the help, the man pages and `docs/reference/cli.md`: write them for operators. Longer than
//! usual: it is a table of everything that can be written.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::values::{self, DurationArg, ShareArg, TargetArg};

mod config;
mod prices;
mod provider;

pub(crate) use config::{CheckArgs, ConfigCommand, DiffArgs, DumpArgs, ValidateArgs};
pub(crate) use prices::{PricesArgs, PricesCommand};
pub(crate) use provider::{AddArgs, AddressesArg, AuthArg, CloudArg, ProviderCommand, SchemeArg};

const AFTER_HELP: &str = "Exit codes: 0 ok · 1 failed · 2 usage · 3 configuration invalid · \
    4 unreachable · 5 conflict: the state moved · 6 refused by a safety rule · 7 a check found a problem · \
    8 a guardrail turned it back · 9 not permitted · 10 changes present · 130 interrupted (a shift goes on)";

/// Splits traffic over clouds by exact weights, and shifts the split live.
#[derive(Debug, Parser)]
#[command(
    name = "bascule",
    version,
    disable_help_subcommand = true,
    propagate_version = false,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How to print: a table, a wide table, one JSON document, or JSON lines; for `config validate` also SARIF, or
    /// workflow commands of GitHub Actions.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Where the admin API is: `unix:/path` or `http://host:port`. Default: the first that exists of `$BASCULE_SOCKET`,
    /// `/run/bascule/admin.sock` and `$XDG_RUNTIME_DIR/bascule/admin.sock`.
    #[arg(
        long,
        global = true,
        env = "BASCULE_CONTEXT",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    pub(crate) context: Option<String>,
    /// A file with the token for an admin API over TCP.
    #[arg(long, global = true, env = "BASCULE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How long to wait for one answer of the admin API.
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s")]
    pub(crate) timeout: DurationArg,
    /// Print no remarks, only what was asked for and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say on standard error what is asked of the admin API.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// No colour. Also off when `NO_COLOR` is set or the output is not a terminal.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Do not ask: yes.
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Why; kept in history and audit.
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Check and say what would change; change nothing.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// A table with more columns.
    Wide,
    /// One JSON document: `{ "api": "v1", "kind": …, "data": … }`.
    Json,
    /// One such JSON document a line.
    Jsonl,
    /// SARIF 2.1.0, of `config validate` alone.
    Sarif,
    /// Workflow commands of GitHub Actions, of `config validate` alone.
    Github,
}

impl Format {
    /// Whether it is read by programs.
    pub(crate) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }

    /// Whether only `config validate` prints it.
    pub(crate) const fn is_for_diagnostics(self) -> bool {
        matches!(self, Self::Sarif | Self::Github)
    }
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fake clouds, traffic and a failure, on this machine.
    Demo(DemoArgs),
    /// Start edge and controller in one process.
    Run(RunArgs),
    /// Check, format, compare and show configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Is this machine, this configuration and this process fit? Groups, hints, exit 7 when not.
    ///
    /// Looks at the machine (descriptors, ports, clock), the configuration and the files it names, every endpoint from
    /// here, and the running process. Nothing is changed.
    Check(CheckArgs),
    /// Write a redacted archive for a bug report.
    ///
    /// Versions, configuration, state, history, events, metrics and facts of the machine. No keys, no tokens, no header
    /// values, nothing from the environment. Read it before you send it; MANIFEST.txt inside says what each file is for.
    SupportDump(DumpArgs),
    /// Shares, health, running shift and last changes, on one screen.
    Status(StatusArgs),
    /// Move a service's shares, in watched steps.
    ///
    /// Shares are percent. Backends that are not named keep their proportion among each other; a share of 0 is off:
    /// the backend gets nothing, whatever else fails. The change is an override: it ends, and survives a reload.
    Shift(ShiftArgs),
    /// Take in providers.
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Hold a running shift where it stands.
    Pause(RunningArgs),
    /// Let a paused shift go on.
    Resume(RunningArgs),
    /// End a running shift: ramp back to where it came from.
    Abort(RunningArgs),
    /// Go back to the overrides and admin states before the last change, or of a revision.
    Undo(UndoArgs),
    /// What changed, who changed it, and why.
    History(HistoryArgs),
    /// Take a provider out of every service: shift to off, drain, prove.
    Evacuate(EvacuateArgs),
    /// Bring an evacuated provider back, slowly, as its health allows.
    Restore(RestoreArgs),
    /// Give a target nothing new; what runs may end.
    Drain(AdminArgs),
    /// Let a target take its part again.
    Ready(AdminArgs),
    /// As drain, and without checks: it is being worked on.
    Maint(AdminArgs),
    /// Give a target nothing, check nothing, close its idle connections.
    Offline(AdminArgs),
    /// Why a backend has the share it has, factor by factor; or what would become of a request.
    Explain(ExplainArgs),
    /// What sending costs, by the configuration.
    #[command(subcommand)]
    Prices(PricesCommand),
    /// Everything that changed, with who and why, as it happens.
    Events(EventsArgs),
    /// Print a completion script for a shell.
    Completion {
        /// Which shell.
        shell: Shell,
    },
    /// Write the man pages.
    Man {
        /// Where to.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Help for a command, or the page of an error code (`E0104`).
    Help {
        /// A command, or an error code.
        topic: Vec<String>,
    },
    /// The version of this binary.
    Version,
    /// Print a generated reference page.
    #[command(hide = true)]
    InternalDocs {
        /// Which page.
        page: DocsPage,
    },
}

impl Command {
    /// Whether it can print diagnostics in their own formats.
    pub(crate) const fn prints_diagnostics(&self) -> bool {
        matches!(self, Self::Config(ConfigCommand::Validate(_)))
    }
}

/// A generated reference page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocsPage {
    /// `docs/reference/cli.md`.
    Cli,
    /// `docs/reference/config.md`.
    Config,
    /// `docs/reference/errors.md`.
    Errors,
    /// `docs/reference/metrics.md`.
    Metrics,
    /// `docs/reference/openapi.json`.
    Openapi,
}

/// Arguments of `run`.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "bascule run [OPTIONS] --config <FILE>\n       bascule run [OPTIONS] --listen <ADDRESS> <NAME=WEIGHT@URL>..."
)]
#[command(group = ArgGroup::new("source").required(true).args(["config", "listen"]))]
pub(crate) struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// No file: listen here (`:8080`, `127.0.0.1:8080`), and split over the backends given.
    #[arg(long, value_name = "ADDRESS", requires = "backends")]
    pub(crate) listen: Option<String>,
    /// Backends with weight and URL, such as `aws=70@http://10.0.1.10:8080`; with `--listen`.
    #[arg(value_name = "NAME=WEIGHT@URL", conflicts_with = "config")]
    pub(crate) backends: Vec<String>,
    /// If the file is invalid, start with the last good configuration kept in the state directory.
    #[arg(long, requires = "config")]
    pub(crate) last_good: bool,
    /// Where overrides, admin states, history and the last good configuration are kept; before `state_dir` of the file.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The admin socket; before `admin.socket` of the file.
    #[arg(long, value_name = "PATH")]
    pub(crate) admin_socket: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// No keys and no screen control: print lines and end after the story. Always takes free ports.
    #[arg(long)]
    pub(crate) headless: bool,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
    /// Fail (exit 7) when something that must hold does not.
    #[arg(long)]
    pub(crate) assert: bool,
    /// What latencies, sizes and arrivals are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How the first provider fails.
    #[arg(long, value_enum, default_value_t = Fault::Refused)]
    pub(crate) fault: Fault,
    /// How many pretend clouds.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=6))]
    pub(crate) providers: u8,
}

/// How a pretend cloud fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Connections are refused.
    Refused,
    /// Every answer is 503.
    #[value(name = "503")]
    Unavailable,
    /// Connections are reset in the middle.
    Reset,
    /// Connections are accepted, and nothing is answered.
    Blackhole,
    /// Answers take seconds.
    Slow,
    /// Works and fails in turns.
    Flap,
    /// Every second answer is 503.
    Half,
}

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// Only this service.
    pub(crate) service: Option<String>,
}

/// Arguments of `shift`.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "bascule shift [OPTIONS] <SERVICE> <BACKEND=PERCENT>...\n       bascule shift [OPTIONS] <SERVICE> --declared"
)]
#[command(group = ArgGroup::new("goal").required(true).multiple(false).args(["shares", "declared"]))]
pub(crate) struct ShiftArgs {
    /// The service.
    pub(crate) service: String,
    /// The shares in percent, such as `aws=50 oci=50`.
    #[arg(value_name = "BACKEND=PERCENT", value_parser = values::share)]
    pub(crate) shares: Vec<ShareArg>,
    /// End the override: ramp back to what the file declares.
    #[arg(long)]
    pub(crate) declared: bool,
    /// In one step.
    #[arg(long, conflicts_with_all = ["step", "bake"])]
    pub(crate) now: bool,
    /// The largest change of a share in one step, in percent; default: the service's.
    #[arg(long, value_name = "PERCENT", value_parser = values::step, requires = "bake")]
    pub(crate) step: Option<bascule_model::BasisPoints>,
    /// How long each step is watched; default: the service's.
    #[arg(long, value_name = "DURATION", requires = "step")]
    pub(crate) bake: Option<DurationArg>,
    /// When the override ends; default: the service's, 24h.
    #[arg(long, value_name = "DURATION", conflicts_with = "declared")]
    pub(crate) expires: Option<DurationArg>,
    /// Start the shift and do not follow it.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// Arguments of `pause`, `resume` and `abort`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunningArgs {
    /// The shift, such as `s-0192`; may be left out when exactly one runs.
    pub(crate) shift: Option<String>,
}

/// Arguments of `undo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UndoArgs {
    /// The revision to go back to; without it, the one before the last change.
    pub(crate) revision: Option<u64>,
    /// Start the way back and do not follow it.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct HistoryArgs {
    /// How far back.
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub(crate) since: DurationArg,
    /// At most this many lines.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    #[command(subcommand)]
    pub(crate) command: Option<HistoryCommand>,
}

/// What `history` does besides listing.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum HistoryCommand {
    /// One revision in full.
    Show {
        /// The revision.
        revision: u64,
    },
}

/// Arguments of `evacuate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EvacuateArgs {
    /// The provider.
    pub(crate) provider: String,
    /// In one step instead of three.
    #[arg(long)]
    pub(crate) fast: bool,
    /// When it ends in a gated restore; default: the service's, 24h.
    #[arg(long, value_name = "DURATION")]
    pub(crate) expires: Option<DurationArg>,
    /// Start it and do not follow it.
    #[arg(long)]
    pub(crate) detach: bool,
    /// Write the proof document here, once there is one.
    #[arg(long, value_name = "FILE", conflicts_with = "detach")]
    pub(crate) evidence: Option<PathBuf>,
}

/// Arguments of `restore`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// The provider.
    pub(crate) provider: String,
    /// Start it and do not follow it.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// Arguments of `drain`, `ready`, `maint` and `offline`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdminArgs {
    /// `endpoint/[SERVICE/]BACKEND/ADDRESS`, `backend/[SERVICE/]BACKEND`, `provider/PROVIDER` or `edge/self` (`drain` and
    /// `ready` only). The service may be left out when only one has the backend.
    #[arg(value_parser = values::target)]
    pub(crate) target: TargetArg,
    /// Wait until nothing runs there any more, saying how much does and how long it will take; exit 1 at the deadline.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30m",
        requires = "wait"
    )]
    pub(crate) deadline: DurationArg,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "bascule explain [OPTIONS] <SERVICE> <BACKEND>\n       bascule explain [OPTIONS] request <METHOD> <URL>"
)]
pub(crate) struct ExplainArgs {
    /// The service.
    #[arg(required = true)]
    pub(crate) service: Option<String>,
    /// The backend.
    #[arg(required = true)]
    pub(crate) backend: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<ExplainCommand>,
}

/// What `explain` does besides shares.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ExplainCommand {
    /// What would become of a request that came now: route, candidates, where it would go, and where after that.
    Request(ExplainRequestArgs),
}

/// Arguments of `explain request`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainRequestArgs {
    /// The method, such as `GET`.
    pub(crate) method: String,
    /// The absolute URL that the client asks for.
    pub(crate) url: String,
    /// A header of the request, `NAME: VALUE`; `Host` goes before the URL's. Keys and cookies are found in them.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// The listener it comes through; default: the one that fits scheme and port.
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The address it comes from; default: 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) client: Option<std::net::IpAddr>,
    /// Ask this file instead of the running process: every endpoint counts as up and idle, and no key is in use.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of `events`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EventsArgs {
    /// Go on as events happen.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only of this service.
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Only of this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
}
