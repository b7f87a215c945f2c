//! What the tests of the certificates' actions work with: the executor at a scripted API server.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

use super::action::Action;
use super::execute::{ExecuteError, Executor, encoded};
use super::lifetimes::Lifetimes;
use super::observe::{CA, NEXT, Objects, Observed, SERVING, observe};
use super::snapshot::Snapshot;
use crate::cluster::scripted::{ApiServer, NAMESPACE, secret};
use crate::controller::Context;
use crate::controller::scripted::{Lease, bounded, context};
use crate::pki::{Authority, Id};
use crate::time::{Seconds, now};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub(super) const CONFIGURATION: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/rel-codefresh";

pub(super) struct Scene {
    pub server: ApiServer,
    pub context: Context,
    pub lease: Lease,
    pub terms: Lifetimes,
}

pub(super) fn entry(name: &str, bundle: Option<&str>) -> Value {
    let service = json!({ "name": "hook", "namespace": NAMESPACE });
    let client = json!({ "service": service, "caBundle": bundle.map(|text| encoded(text.as_bytes())) });
    json!({ "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": client })
}

impl Scene {
    /// A cluster with the webhook configuration of two entries, and nothing else.
    pub fn empty() -> Self {
        let server = ApiServer::default();
        let (context, lease) = context(&server, "");
        server.put(CONFIGURATION, json!({ "webhooks": [entry("a.b.c", None), entry("d.e.f", None)] }));
        Self { server, context, lease, terms: Lifetimes { ca: 100_000, leaf: 10_000, propagation: 60 } }
    }

    /// With a CA, a serving certificate of it, and another CA that is to take over.
    pub fn whole() -> Self {
        let scene = Self::empty();
        let make = || Authority::make("rel", 100_000, now()).unwrap();
        let (ca, next) = (make(), make());
        let names = scene.context.options.service_names();
        let leaf = Authority::from_pem(&ca.cert, &ca.key).unwrap().sign(&names, now(), now() + 10_000).unwrap();
        let data = [(CA, &ca), (NEXT, &next)].map(|(keys, pair)| pairs(keys, &pair.cert, &pair.key));
        let [mut held, next] = data;
        json_patch::merge(&mut held, &next);
        scene.server.put(&secret("rel-ca"), json!({ "data": held }));
        scene.server.put(&secret("rel-serving"), json!({ "data": pairs(SERVING, &leaf.cert, &leaf.key) }));
        scene
    }

    pub async fn objects(&self) -> Objects {
        Objects {
            ca: self.context.find("rel-ca").await.unwrap(),
            serving: self.context.find("rel-serving").await.unwrap(),
            configuration: self.context.configuration().await.unwrap(),
        }
    }

    pub fn observed(&self, objects: &Objects) -> Observed {
        let options = &self.context.options;
        observe(objects, None, &options.service_names(), &options.server_name(), now())
    }

    /// Observes, and then does this, whatever was seen.
    pub async fn execute(&self, action: Action) -> Result<(), ExecuteError> {
        bounded(async {
            let objects = self.objects().await;
            let observed = self.observed(&objects);
            self.server.calls();
            self.carry_out(&objects, &observed, now(), action).await
        })
        .await
    }

    /// Does this after that look.
    pub async fn carry_out(
        &self,
        objects: &Objects,
        observed: &Observed,
        now: Seconds,
        action: Action,
    ) -> Result<(), ExecuteError> {
        let (context, terms) = (&self.context, &self.terms);
        Executor { context, terms, objects, observed, now }.execute(action).await
    }

    pub fn data(&self, name: &str) -> Value {
        self.server.get(&secret(name))["data"].clone()
    }

    /// The ids of the CA and of the one that is to take over.
    pub async fn ids(&self) -> Vec<Id> {
        let Snapshot { current, next, .. } = self.observed(&self.objects().await).snapshot;
        [current, next].iter().filter_map(|slot| slot.held().map(|ca| ca.id)).collect()
    }
}

pub(super) fn pairs([cert, key]: [&str; 2], certificate: &str, private: &str) -> Value {
    json!({ cert: encoded(certificate.as_bytes()), key: encoded(private.as_bytes()) })
}

pub(super) fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}
