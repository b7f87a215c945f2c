//! Whether the objects that new pods need exist.

use super::snapshot::PodView;
use crate::cluster::{Cause, ClusterError};
use crate::controller::Context;
use crate::drift::{Holder, Need};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long the result of reading an object is reused.
const OBJECT_CACHE_TTL: Duration = Duration::from_secs(2);
/// How long it is reused that an object may not be read.
const MAX_FORBIDDEN_AGE: Duration = Duration::from_mins(5);

/// Whether an object exists.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Presence {
    /// It exists, and has these keys.
    There(BTreeSet<String>),
    Absent,
    /// This account may not read it; only the first new pod shows whether it exists.
    Unknown,
}

impl Presence {
    fn lacks(&self, need: &Need) -> bool {
        match (self, &need.key) {
            (Self::There(keys), Some(key)) => !keys.contains(key),
            (Self::There(_), None) | (Self::Unknown, _) => false,
            (Self::Absent, _) => true,
        }
    }
}

/// What was read about objects, for reuse.
#[derive(Default)]
pub(super) struct Required(BTreeMap<(Holder, String), (Instant, Presence)>);

impl Required {
    /// The missing ones among the needs of pods that have drifted or aren't ready. Of an object's content
    /// only the names of the keys are kept.
    ///
    /// # Errors
    /// A call failed otherwise than by a missing permission or status 404.
    pub(super) async fn absent(&mut self, context: &Context, pods: &[PodView]) -> Result<BTreeSet<Need>, ClusterError> {
        let needs = looked_for(pods);
        let objects: BTreeSet<(Holder, String)> = needs.iter().map(|need| (need.holder, need.name.clone())).collect();
        self.0.retain(|object, _| objects.contains(object));
        for object in objects {
            let counts = |(at, presence): &(Instant, Presence)| {
                at.elapsed() < if *presence == Presence::Unknown { MAX_FORBIDDEN_AGE } else { OBJECT_CACHE_TTL }
            };
            if !self.0.get(&object).is_some_and(counts) {
                let presence = presence(context, object.0, &object.1).await?;
                self.0.insert(object, (Instant::now(), presence));
            }
        }
        let lacks = |need: &Need| {
            self.0.get(&(need.holder, need.name.clone())).is_some_and(|(_, presence)| presence.lacks(need))
        };
        Ok(needs.into_iter().filter(lacks).collect())
    }
}

fn looked_for(pods: &[PodView]) -> BTreeSet<Need> {
    let matters = |pod: &&PodView| {
        let facts = &pod.facts;
        !facts.terminating && !facts.completed && (pod.verdict.drift().is_some() || !facts.readiness.ready)
    };
    pods.iter().filter(matters).flat_map(|pod| pod.facts.needs.iter().cloned()).collect()
}

async fn presence(context: &Context, holder: Holder, name: &str) -> Result<Presence, ClusterError> {
    let found = match holder {
        Holder::Secret => context.find(name).await.map(|secret| secret.map(keys_of_secret)),
        Holder::ConfigMap => context.find(name).await.map(|map| map.map(keys_of_map)),
    };
    match found {
        Ok(Some(keys)) => Ok(Presence::There(keys)),
        Ok(None) => Ok(Presence::Absent),
        Err(error) if matches!(error.cause, Cause::Forbidden(_)) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

fn keys_of_secret(secret: Secret) -> BTreeSet<String> {
    secret.data.into_iter().flatten().map(|(key, _)| key).collect()
}

fn keys_of_map(map: ConfigMap) -> BTreeSet<String> {
    let binary = map.binary_data.into_iter().flatten().map(|(key, _)| key);
    map.data.into_iter().flatten().map(|(key, _)| key).chain(binary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_not_be_read_lacks_nothing() {
        let need =
            |key: Option<&str>| Need { holder: Holder::Secret, name: "mine".to_owned(), key: key.map(str::to_owned) };
        let secret = json!({ "data": { "a": "" } });
        let there = Presence::There(keys_of_secret(serde_json::from_value(secret).unwrap()));
        assert!(there.lacks(&need(Some("b"))) && !there.lacks(&need(Some("a"))) && !there.lacks(&need(None)));
        assert!(Presence::Absent.lacks(&need(None)) && Presence::Absent.lacks(&need(Some("a"))));
        assert!(!Presence::Unknown.lacks(&need(Some("a"))));
        let map = json!({ "data": { "a": "" }, "binaryData": { "b": "" } });
        assert_eq!(keys_of_map(serde_json::from_value(map).unwrap()), ["a", "b"].map(str::to_owned).into());
    }
}
