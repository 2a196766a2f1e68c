//! What one of the two may do, the other may, whatever an administrator makes of the original: C26, C27.
//!
//! `EQUALITY_CASES` asks for more cases than CI runs, `EQUALITY_SEED` for others: a change is judged by the same ones.

mod abilities;
mod generated;
mod made;
mod original;
mod place;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::Value;
use testbed::{Alternating, Session, Superuser, TestResult, unique};
use tokio::runtime::Runtime;

use self::abilities::{Abilities, abilities};
use self::generated::original;
use self::made::shares_what_it_makes;
use self::original::Original;
use self::place::Place;
use crate::world;

#[test]
fn c26_c27_what_one_may_do_the_other_may_at_every_rotation() -> TestResult {
    let seed = number("EQUALITY_SEED")?.unwrap_or(1);
    let config = Config {
        cases: number("EQUALITY_CASES")?.map_or(CASES, |cases| u32::try_from(cases).unwrap()),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &seed_bytes(seed));
    let kind = Superuser::chosen()?;
    let runtime = Runtime::new()?;
    let result = TestRunner::new_with_rng(config, rng).run(&vec(original(), 2..4), |life| {
        let throughout = Box::pin(equal_throughout(life, kind));
        let ended = runtime.block_on(throughout);
        ended.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))
    });
    if let Err(failure) = result {
        panic!("EQUALITY_SEED={seed}: {failure}");
    }
    Ok(())
}

/// Rotates after every moment of the original's life, and looks at both.
async fn equal_throughout(life: Vec<Original>, kind: Superuser) -> TestResult {
    let database = unique("equality");
    let it = world().database(&database).alternating_by(kind).await?;
    let place = Place::furnish(&it).await?;
    let admin = it.world.postgres.admin_session(&database).await?;
    for (round, moment) in life.into_iter().enumerate() {
        let moment = moment.within_reach(kind, place.major);
        admin.run(&moment.sql(&place)).await?;
        let rotation = it.world.rotate().await?;
        let not_given = moment.not_given(kind, place.major);
        let named = named(&rotation.steps[1].1.warnings());
        assert_eq!(&named, &not_given, "named by the warning of round {round}");
        let original = log_in(&it, &it.world.role).await?;
        let clone = log_in(&it, &it.clone_role()).await?;
        let differences = differences(
            &abilities(&original, &place, &not_given).await?,
            &abilities(&clone, &place, &not_given).await?,
        );
        assert!(differences.is_empty(), "round {round}: {differences:#?}");
        let by_original = shares_what_it_makes(&original, &clone).await?;
        let by_clone = shares_what_it_makes(&clone, &original).await?;
        assert_eq!(&by_original, &by_clone);
        let is_its_own = by_original.iter().all(|made| made[1] == it.world.role);
        assert!(is_its_own || moment.starts_as_another(), "{by_original:?}");
    }
    drop(admin);
    let end = format!("DROP DATABASE {database} WITH (FORCE)");
    it.world.postgres.admin(&end).await?;
    it.world.finish().await?;
    Ok(())
}

/// A session of one of the two, whose password is the current one or the one before.
async fn log_in(it: &Alternating, role: &str) -> TestResult<Session> {
    let mut credentials = it.current().await?;
    if credentials.0 != role {
        credentials = it.world.credentials("AWSPREVIOUS").await?;
    }
    let (_, password) = credentials;
    let database = &it.world.database;
    Ok(it.world.postgres.login(role, &password, database).await?)
}

/// What they answer differently, with both answers.
fn differences(of_original: &Abilities, of_clone: &Abilities) -> Vec<String> {
    assert!(of_original.len() > 400, "only {} asked", of_original.len());
    let asked: BTreeSet<_> = of_original.keys().chain(of_clone.keys()).collect();
    let answers = asked
        .into_iter()
        .map(|one| (one, of_original.get(one), of_clone.get(one)));
    answers
        .filter(|(_, original, clone)| original != clone)
        .map(|(asked, original, clone)| format!("{asked}: original {original:?}, clone {clone:?}"))
        .collect()
}

/// What the one warning says could not be copied; nothing without a warning.
fn named(warnings: &[&String]) -> BTreeSet<String> {
    assert!(warnings.len() <= 1, "{warnings:?}");
    let lines = warnings
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let names: Vec<_> = lines
        .map(|line| line["not_copied"].as_str().unwrap().to_owned())
        .collect();
    names
        .iter()
        .flat_map(|names| names.split(", "))
        .map(str::to_owned)
        .collect()
}

/// The number in a variable of the environment.
fn number(variable: &str) -> TestResult<Option<u64>> {
    let text = std::env::var(variable).ok();
    Ok(text.map(|text| text.parse()).transpose()?)
}

fn seed_bytes(seed: u64) -> [u8; 16] {
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}

/// As many as fit into 25 seconds of CI.
const CASES: u32 = 6;
