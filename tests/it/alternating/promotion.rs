//! What becomes current, and what never may: C47.

use super::Alternating;
use crate::{created, failed};

#[tokio::test]
async fn c47_a_clone_that_was_never_made_or_is_refused_is_never_promoted() {
    let it = Alternating::start().await;
    let (token, clone) = (created(&it.world).await, it.clone_role());
    let labels = it.world.labels().await.unwrap();
    let is_refused = async || {
        let finish = it.world.step("finishSecret", &token).await;
        let message = failed(&finish, "NoWorkingCredential");
        assert!(message.contains(&clone), "{message}");
        assert_eq!(it.world.labels().await.unwrap(), labels);
        assert!(it.current_logs_in().await);
    };
    is_refused().await;
    it.world.step("setSecret", &token).await.success().unwrap();
    let postgres = &it.world.postgres;
    postgres
        .set_password(&clone, "changed by hand")
        .await
        .unwrap();
    is_refused().await;
    it.world.steps(&token).await.unwrap();
    assert_eq!(it.current().await.0, clone);
    it.world.finish().await.unwrap();
}
