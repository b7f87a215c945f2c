//! Watches what a plan of the credential depends on.

use super::mirror_policy::{MirrorPolicy, mirror_policy};
use super::source::key_place;
use crate::cluster::{ClusterError, watch_named};
use crate::controller::driver::on_watch_event;
use crate::controller::{Consumers, Context};
use crate::core::{GENERATED_TOKEN, Mode, Username};
use futures_util::stream::{BoxStream, select_all};
use futures_util::{Stream, StreamExt};
use std::future::ready;
use tokio::sync::Notify;

/// Wakes the loop whenever something changes that a plan depends on; runs forever.
pub(super) async fn watch(context: &Context, wake: &Notify) {
    let auth = &context.settings.auth;
    let mut names = vec![key_place(context).name, auth.credential.name.clone()];
    if let (Mode::Password, Username::SecretKey(reference)) = (auth.mode, &auth.username) {
        names.push(reference.name.clone());
    }
    if mirror_policy(context) == MirrorPolicy::Copy {
        names.push(GENERATED_TOKEN.name.to_owned());
    }
    names.sort();
    names.dedup();
    let streams: Vec<BoxStream<'_, Option<ClusterError>>> =
        names.iter().map(|name| changes(context, name).boxed()).collect();
    let mut changes = select_all(streams);
    let mut consumers = context.consumers.subscribe();
    let mut login_wanted = context.login_wanted.subscribe();
    loop {
        tokio::select! {
            Some(failed) = changes.next() => on_watch_event(&context.metrics, failed, wake),
            Ok(()) = consumers.changed() => {
                if *consumers.borrow_and_update() != Consumers::Unknown {
                    wake.notify_one();
                }
            }
            Ok(()) = login_wanted.changed() => {
                if *login_wanted.borrow_and_update() {
                    wake.notify_one();
                }
            }
            else => return,
        }
    }
}

/// Reduces a watch of a Secret to changes (`None`) and errors. A restarted watch repeats what is known, which
/// is no change.
fn changes(context: &Context, name: &str) -> impl Stream<Item = Option<ClusterError>> + Send + use<> {
    let mut before = None;
    watch_named(context.secrets(), name).filter_map(move |seen| {
        let change = match seen {
            Err(error) => Some(Some(error)),
            Ok(seen) => {
                let version = seen.and_then(|secret| secret.metadata.resource_version);
                let changed = before.replace(version.clone()) != Some(version);
                changed.then_some(None)
            }
        };
        ready(change)
    })
}
