//! Who waits: for the Lease, and for its end.

use super::*;

/// How long it takes until the end of this leadership is known.
async fn until_lost(mut leadership: Leadership) -> Duration {
    let begun = Instant::now();
    timeout(Duration::from_mins(1), leadership.lost()).await.expect("it was never lost");
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_leadership_is_known_when_it_comes_and_not_before() {
    let (until, leadership) = Leadership::scripted();
    assert_eq!(until_lost(leadership.clone()).await, Duration::ZERO, "it was never granted");
    let begun = Instant::now();
    until.send_replace(Some(begun + Duration::from_secs(10)));
    let renewed = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        until.send_replace(Some(begun + Duration::from_secs(16)));
    };
    let (ended, ()) = tokio::join!(until_lost(leadership.clone()), renewed);
    assert_eq!(ended, Duration::from_secs(16), "a renewal moves the end");
    until.send_replace(Some(Instant::now() + Duration::from_secs(30)));
    let taken_away = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        until.send_replace(None);
    };
    let (ended, ()) = tokio::join!(until_lost(leadership.clone()), taken_away);
    assert_eq!(ended, Duration::from_secs(3), "taken away, it is over at once");
    // Nobody is left who could renew it.
    until.send_replace(Some(Instant::now() + Duration::from_secs(10)));
    drop(until);
    assert_eq!(until_lost(leadership).await, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_lease_looks_every_two_seconds_and_who_holds_it_renews_every_five() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "b");
    held_by(&server, "a", 60);
    let keeping = tokio::spawn(async move { elector.run().await });
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(server.calls().len(), 11, "at once, and ten times after it");
    held_by(&server, "", 60);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(leadership.may_write());
    server.calls();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(server.writes(), ["PATCH the-lease"; 4]);
    keeping.abort();
}

#[tokio::test(start_paused = true)]
async fn a_free_lease_that_may_not_be_written_is_an_error_and_no_defeat() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    held_by(&server, "", 15);
    server.script(|call, _| (call.method == "PATCH").then_some(Answer::Status(403, "not you")));
    let error = elector.round().await.unwrap_err();
    assert_eq!(error.cause, Cause::Forbidden("not you".to_owned()));
    assert!(error.to_string().contains("renewing Lease codefresh/the-lease"), "{error}");
    assert!(!leadership.may_write());
}
