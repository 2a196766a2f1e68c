//! Nobody notices: 50 rotations of each strategy under an application that goes on querying.

use super::*;
use crate::trial::Seen;

/// Half of the rotations of a strategy.
const HALF: usize = 25;

async fn seen(strategy: Strategy, oldest: Duration) -> Result<Seen> {
    let trial = Trial::start(&function()?, strategy, oldest).await?;
    let seen = trial.while_it_queries(trial.rotate(HALF)).await?;
    println!("{strategy:?} {oldest:?}: {seen:?}");
    assert_eq!(seen.failed, Vec::<String>::new());
    assert_eq!(seen.users, trial.users());
    assert!(seen.requests > 10 * HALF, "{} requests", seen.requests);
    trial.world.finish().await?;
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_users_requests_succeed_within_their_second() -> Result<()> {
    for oldest in OLDEST {
        let seen = seen(Strategy::SingleUser, oldest).await?;
        assert!(seen.refused > 0, "no login met a change of the password");
        assert!(seen.retried > 0, "no request met a change of the password");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn alternating_users_need_no_second_try() -> Result<()> {
    let [young, old] = OLDEST;
    let seen_young = seen(Strategy::AlternatingUsers, young).await?;
    assert_eq!(seen_young.retried, 0);
    assert_eq!(
        seen_young.refused, 0,
        "a young cache never holds a password that was changed"
    );
    let seen_old = seen(Strategy::AlternatingUsers, old).await?;
    assert_eq!(
        seen_old.retried, 0,
        "one refreshing of the secret is enough"
    );
    assert!(
        seen_old.refused > 0,
        "an old cache holds a password that was changed"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cached_is_served_while_secrets_manager_cannot_be_asked() -> Result<()> {
    let [young, _] = OLDEST;
    let trial = Trial::start(&function()?, Strategy::SingleUser, young).await?;
    let version = trial.version().await?;
    let current = trial.world.version("AWSCURRENT").await?;
    assert_eq!(Some(&version), current.as_ref());
    let seen = trial.cut_off(CUT_OFF).await?;
    assert_eq!(seen.failed, Vec::<String>::new());
    assert!(seen.requests > 10, "{} requests", seen.requests);
    trial.rotate(1).await?;
    tokio::time::sleep(2 * young).await;
    assert_ne!(trial.version().await?, version, "it asks again");
    trial.world.finish().await
}
