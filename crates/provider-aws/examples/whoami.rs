//! Says who AWS takes this process for, by AWS's own chain of credentials: `whoami [ENDPOINT [PROFILE]]`. For tests of that
//! chain, each in an environment of its own, and for people who wonder.

use anyhow::Result;
use bascule_provider_aws::{Account, Options};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let options = Options {
        endpoint: arguments.next(),
        profile: arguments.next(),
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let said = runtime.block_on(async {
        let account = Account::open(options).await?;
        let identity = account.identity().await?;
        let region = account.region();
        Ok::<_, bascule_provider::Error>(format!("{} {} {region}", identity.arn, identity.key))
    });
    let said = said.unwrap_or_else(|error| error.to_string());
    #[expect(clippy::print_stdout, reason = "it is what this is for")]
    {
        println!("{said}");
    }
    Ok(())
}
