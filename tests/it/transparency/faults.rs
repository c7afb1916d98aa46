//! Bugs in closewatch itself cost their own session, and not its record.

use crate::rig::{Rig, line, text};

#[tokio::test]
async fn a_panic_in_a_session_is_filed_and_harms_no_other() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    let (mut other_client, mut other_upstream) = rig.session().await;
    rig.arm();
    client.say(&text("boom")).await;
    assert_eq!(
        line(&rig.record().await),
        "1006 by proxy: proxy_error, none, abnormal; client open saw 1006; upstream open saw 1006"
    );
    client.receive_all().await;
    upstream.receive_all().await;
    other_client.say(&text("unharmed")).await;
    other_upstream.hear(&text("unharmed")).await;
    other_client.fin().await;
    other_upstream.expect_fin().await;
    other_upstream.fin().await;
    assert_eq!(rig.record().await.verdict.cause.as_str(), "client_eof");
    // And the worker still serves.
    let (mut next, _upstream) = rig.session().await;
    next.reset();
    rig.record().await;
    rig.done().await;
}

#[test]
fn a_session_whose_task_is_dropped_is_filed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut rig, peers) = runtime.block_on(async {
        let mut rig = Rig::new();
        let peers = rig.session().await;
        (rig, peers)
    });
    drop(runtime);
    assert_eq!(
        line(&rig.filed()),
        "1006 by proxy: proxy_error, none, abnormal; client open saw 1006; upstream open saw 1006"
    );
    drop(peers);
}
