//! What we believe of AWS, each belief once, with its source. Asked of the testbed, where moto is not AWS but corrected; and of AWS:
//!
//! ```sh
//! CONTRACT=aws cargo test --test contract
//! ```
//!
//! with credentials as AWS's tools find them. `observe`, beside this, shows what only a rotation by the service itself can.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod account;
mod belief;
mod command;
mod described;
mod labels;
mod observed;
mod proof;
mod rds;
mod rotation;
mod values;

use account::Account;
use belief::{Asked, Belief, Failure, ask, say};
use testbed::SecretsManager;

/// All of them, in the order in which they are asked.
fn beliefs() -> impl Iterator<Item = &'static Belief> {
    [
        values::BELIEFS,
        labels::BELIEFS,
        described::BELIEFS,
        rotation::BELIEFS,
        rds::BELIEFS,
    ]
    .into_iter()
    .flatten()
}

#[tokio::test]
async fn what_we_believe_of_aws_holds() -> Result<(), Failure> {
    let is_aws = std::env::var("CONTRACT").is_ok_and(|of| of == "aws");
    let account = if is_aws {
        Account::of_aws().await
    } else {
        Account::of_testbed(SecretsManager::shared().await?).await?
    };
    if is_aws {
        say(&cost());
    }
    let report = ask(&account, beliefs()).await;
    say(&format!(
        "{} beliefs hold, {} were not asked\n{}",
        report.holding, report.not_asked, report.text
    ));
    if !report.wrong.is_empty() {
        return Err(report.wrong.join("\n").into());
    }
    // The testbed has whatever can be asked for.
    if !is_aws && report.not_asked > 0 {
        return Err(format!("{} beliefs were not asked", report.not_asked).into());
    }
    Ok(())
}

/// What it makes, and what that costs.
fn cost() -> String {
    let asked = beliefs()
        .filter(|belief| matches!(belief.asked, Asked::Both(_)))
        .count();
    format!(
        "asks AWS with the credentials of the environment. It makes fewer than {asked} secrets called {}-…, one after the other, and \
         deletes each at once, for good; it reads what RDS has, and makes nothing there. At $0.40 a secret and month and $0.05 for \
         10,000 calls: under one cent, if each secret counts for an hour.",
        account::PREFIX
    )
}
