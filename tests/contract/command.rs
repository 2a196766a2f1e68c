//! The command itself, with moto in AWS's place: the SDK finds it as it would find AWS, by its own settings.

use std::process::Command;

use testbed::SecretsManager;

use crate::account::{Account, PREFIX, answered};
use crate::belief::{Asked, Belief, Failure, ask, is};

/// The secrets that are left.
async fn left(account: &Account) -> Result<Vec<String>, Failure> {
    let listed = answered(
        account
            .secrets
            .list_secrets()
            .include_planned_deletion(true)
            .send()
            .await,
    )?;
    let names = listed
        .secret_list
        .unwrap_or_default()
        .into_iter()
        .filter_map(|one| one.name);
    Ok(names.filter(|name| name.starts_with(PREFIX)).collect())
}

#[tokio::test]
async fn contract_aws_asks_whom_the_environment_names_and_leaves_nothing() -> Result<(), Failure> {
    let stand_in = Account::of_testbed(SecretsManager::start().await?).await?;
    let Some((_, gate)) = &stand_in.testbed else {
        return Err("no gate".into());
    };
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", "what_we_believe_of_aws_holds", "--nocapture"])
        .env_clear();
    command
        .env("CONTRACT", "aws")
        .env("AWS_ENDPOINT_URL", gate.url())
        .env("AWS_REGION", "eu-west-1");
    command
        .env("AWS_ACCESS_KEY_ID", "somebody")
        .env("AWS_SECRET_ACCESS_KEY", "somebody's");
    let run = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&run.stderr);
    is(
        &(run.status.success(), said.contains("DOES NOT HOLD")),
        &(true, false),
    )
    .map_err(|_| said.clone())?;
    let (before, after) = said
        .split_once("beliefs hold")
        .ok_or_else(|| said.clone())?;
    assert!(before.contains("under one cent"), "{before}");
    assert!(
        after.contains("not asked: it takes a rotation function"),
        "{after}"
    );
    assert!(
        gate.operations()
            .iter()
            .filter(|operation| *operation == "CreateSecret")
            .count()
            > 10
    );
    is(&left(&stand_in).await?, &Vec::new())
}

#[tokio::test]
async fn what_a_check_made_is_deleted_also_where_it_fails_or_panics() -> Result<(), Failure> {
    const FAILING: &[Belief] = &[
        Belief {
            says: "a check panics",
            sources: &[],
            asked: Asked::Both(|account| {
                Box::pin(async move {
                    account.secret().await?;
                    panic!("as it should")
                })
            }),
        },
        Belief {
            says: "a check fails",
            sources: &[],
            asked: Asked::Both(|account| {
                Box::pin(async move {
                    account.secret().await?;
                    Err("as it should".into())
                })
            }),
        },
    ];
    let account = Account::of_testbed(SecretsManager::start().await?).await?;
    let report = ask(&account, FAILING).await;
    is(&(report.holding, report.wrong.len()), &(0, 2))?;
    is(&left(&account).await?, &Vec::new())
}
