//! What can be written after `provider`. Part of the table in [`args`](super).

use bascule_model::BasisPoints;
use clap::{Args, Subcommand, ValueEnum};

use super::super::values::{self, DurationArg};

/// What `provider` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Take a provider in while traffic runs: find its machines, check everything, and shift up from a canary share.
    ///
    /// Shows what it will write into the configuration, asks the cloud and each machine, and only then changes anything.
    /// The backend begins with weight 0; once its machines are up it gets the canary share, then the share that is wanted,
    /// in watched steps that guardrails turn back. What it has reached in the end is written into the file as its weight.
    /// `--dry-run` stops before the first change. Run it on the machine of the edge, as the user that bascule runs as.
    #[command(
        override_usage = "bascule provider add [OPTIONS] <CLOUD> --from <SOURCE> --share <PERCENT>"
    )]
    Add(AddArgs),
}

/// A cloud that endpoints can be found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloudArg {
    /// Amazon Web Services.
    Aws,
    /// Oracle Cloud Infrastructure.
    Oci,
}

/// How endpoints are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemeArg {
    /// Clear text.
    Http,
    /// TLS.
    Https,
    /// HTTP/2 in clear text.
    H2c,
}

/// Which address of a machine is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddressesArg {
    /// The private one.
    Private,
    /// The public one.
    Public,
}

/// How an account in OCI proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum AuthArg {
    /// By the key of the profile.
    ApiKey,
    /// As the machine it runs on.
    InstancePrincipal,
    /// As the resource it runs in.
    ResourcePrincipal,
}

/// Arguments of `provider add`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddArgs {
    /// The cloud.
    #[arg(value_enum, value_name = "CLOUD")]
    pub(crate) cloud: CloudArg,
    /// Where its machines are: in OCI `instance-pool/OCID`, `load-balancer/OCID/SET` or `network-load-balancer/OCID/SET`;
    /// in AWS `auto-scaling-group/NAME`, `target-group/ARN` or `cloud-map/NAMESPACE/SERVICE`.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: String,
    /// The share it is to have in the end.
    #[arg(long, value_name = "PERCENT", value_parser = values::step)]
    pub(crate) share: BasisPoints,
    /// The share it begins with.
    #[arg(long, value_name = "PERCENT", value_parser = values::step, default_value = "1")]
    pub(crate) canary: BasisPoints,
    /// The service; may be left out when there is one.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// The backend's name; default: the cloud's.
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// The account under `accounts`; default: the one that fits, or a new one with the cloud's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// The region, as the cloud names it; default: that of the profile, the environment or the machine.
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// How a new account in OCI proves who it is; default: `api_key`.
    #[arg(long, value_enum)]
    pub(crate) auth: Option<AuthArg>,
    /// The profile of a new account.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The file with the profile; default: where the cloud's own tools look.
    #[arg(long, value_name = "FILE")]
    pub(crate) config_file: Option<String>,
    /// Where the API of a new account is: a private endpoint, or a fake for trying things out.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Which address of its machines is meant, where they have several: `public` where the edge is not in their network.
    #[arg(long, value_enum)]
    pub(crate) addresses: Option<AddressesArg>,
    /// How its endpoints are spoken to.
    #[arg(long, value_enum, default_value = "http")]
    pub(crate) scheme: SchemeArg,
    /// Their port; needed where the source has machines and no ports.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// What sending costs there, `0.0085 USD/GB`, as of today; tiers are written into the file by hand.
    #[arg(long, value_name = "PRICE")]
    pub(crate) egress_price: Option<String>,
    /// The largest change of a share in one step, in percent; default: the service's.
    #[arg(long, value_name = "PERCENT", value_parser = values::step, requires = "bake")]
    pub(crate) step: Option<BasisPoints>,
    /// How long each step is watched; default: the service's.
    #[arg(long, value_name = "DURATION", requires = "step")]
    pub(crate) bake: Option<DurationArg>,
    /// How long its machines may take until they are up.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub(crate) patience: DurationArg,
}
