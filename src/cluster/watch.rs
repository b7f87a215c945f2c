//! Watches of one object by its name, or of all that match a selector.

use super::error::{Cause, ClusterError};
use futures_util::{Stream, StreamExt};
use kube::core::Selector;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::ready;
use std::time::Duration;
use tokio::time::Instant;

/// How many seconds one watch lasts. If its connection dies silently, a change goes unnoticed for as long.
/// Starting it again costs one request.
const WATCH_SECONDS: u32 = 60;
/// The same for a watch of a selector. One that ends by itself resumes at its version, without a list.
const SELECTED_WATCH_SECONDS: u32 = 240;
/// The delay after a watch failed, doubled with each further failure.
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// The longest of these delays. It may be short: API servers restart in seconds, and few processes wait.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// A failure this long after the last one starts with the first delay again.
const MIN_UPTIME: Duration = Duration::from_secs(10);

/// Watches the object of this name, forever. Yields it at the start, at each change, and whenever the watch
/// had to list again; `None` if there is none. Errors are for the log only: the watch resumes by itself after
/// restarts of API servers, and if its version is too old.
///
/// Lists and watches with a field selector on the name, so that a Role can allow it for this object alone.
pub fn watch_named<K>(api: Api<K>, name: &str) -> impl Stream<Item = Result<Option<K>, ClusterError>> + Send + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let what = format!("watching {name}");
    let config = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    let events = watcher::watcher(api, config).backoff(Delays::default());
    let mut found = false;
    events.filter_map(move |event| {
        let seen = match event {
            Ok(Event::Init) => {
                found = false;
                None
            }
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                found = true;
                Some(Ok(Some(object)))
            }
            Ok(Event::InitDone) => (!found).then_some(Ok(None)),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Err(error) => Some(Err(ClusterError { what: what.clone(), cause: cause(&error) })),
        };
        ready(seen)
    })
}

/// Watches the objects that match a label selector, forever, as [`watch_named`] does one. Yields the
/// watcher's events.
pub fn watch_selected<K>(
    api: Api<K>,
    selector: &Selector,
) -> impl Stream<Item = Result<Event<K>, ClusterError>> + Send + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let what = format!("watching what has {selector}");
    let config = watcher::Config::default().labels_from(selector).timeout(SELECTED_WATCH_SECONDS);
    let events = watcher::watcher(api, config).backoff(Delays::default());
    events.map(move |event| event.map_err(|error| ClusterError { what: what.clone(), cause: cause(&error) }))
}

fn cause(error: &watcher::Error) -> Cause {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Cause::from(error),
        watcher::Error::WatchError(status) => Cause::Unavailable(format!("status {}", status.code)),
        watcher::Error::NoResourceVersion => Cause::Unreadable,
    }
}

/// Doubles from the first delay to the longest. Not kube's `ExponentialBackoff`: each `reset` starts it
/// anew, and `ResetTimerBackoff` passes `reset` through.
#[derive(Default)]
struct Delays {
    last: Option<(Instant, Duration)>,
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let again = self.last.filter(|(then, _)| now.duration_since(*then) < MIN_UPTIME);
        let delay = again.map_or(FIRST_DELAY, |(_, delay)| (delay * 2).min(LONGEST_DELAY));
        self.last = Some((now, delay));
        Some(delay)
    }
}

impl Backoff for Delays {
    // Does nothing: `watcher` reports each new try as good before its first request, so a watch that is
    // refused would be retried at the first delay forever.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn what_fails_again_is_tried_less_often_though_each_try_begins_well() {
        let mut delays = Delays::default();
        let mut next = || {
            delays.reset();
            delays.next().unwrap().as_millis()
        };
        let mut seen = Vec::new();
        for _ in 0..6 {
            let delay = next();
            seen.push(delay);
            advance(Duration::from_millis(u64::try_from(delay).unwrap())).await;
        }
        assert_eq!(seen, [200, 400, 800, 1600, 2000, 2000]);
        advance(MIN_UPTIME).await;
        assert_eq!(next(), 200);
    }
}
