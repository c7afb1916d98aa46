//! How sessions end, and what is recorded of it.

use crate::rig::{Rig, close, text};

#[tokio::test]
async fn smoke() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    client.say(&text("hi")).await;
    upstream.hear(&text("hi")).await;
    client.say(&close(1000, "bye")).await;
    upstream.hear(&close(1000, "bye")).await;
    upstream.say(&close(1000, "")).await;
    client.hear(&close(1000, "")).await;
    upstream.fin().await;
    client.expect_fin().await;
    client.fin().await;
    upstream.expect_fin().await;
    let record = rig.record().await;
    assert_eq!(format!("{:?}", record.verdict.cause), "CloseHandshake", "{record:?}");
    rig.done().await;
}
