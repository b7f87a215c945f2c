//! Who owns which keys: password mode in several clusters that share a scripted Argo CD, until there is
//! nothing left to do.

use super::CredentialReconciler;
use crate::argocd::scripted::{ArgoCd, PASSWORD, token};
use crate::cluster::scripted::{Answer, ApiServer, NAMESPACE, NAMESPACE_UID, secret};
use crate::controller::driver::{Reconciler, Requeue};
use crate::controller::scripted::{Lease, bounded, context};
use crate::controller::{Consumers, Context};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const UUID: &str = "0123abcd-0123-4123-8123-0123456789ab";

/// A cluster whose namespace has this uid, at this Argo CD.
struct Cluster {
    server: ApiServer,
    reconciler: CredentialReconciler,
    context: Context,
    _lease: Lease,
}

impl Cluster {
    fn new(argocd: &ArgoCd, uid: &str) -> Self {
        let server = ApiServer::default();
        let settings = format!("argocd: {{url: '{}'}}\ncredentials: {{followAfter: 0s}}", argocd.url());
        let (context, lease) = context(&server, &settings);
        context.consumers.send_replace(Consumers::InStep);
        server.put(&secret("argocd-initial-admin-secret"), data("password", PASSWORD));
        server.put(&format!("/api/v1/namespaces/{NAMESPACE}"), json!({ "metadata": { "uid": uid } }));
        let reconciler = CredentialReconciler::new(context.clone());
        Self { server, reconciler, context, _lease: lease }
    }

    /// Reconciles until there is nothing left to do.
    async fn rests(&mut self) {
        bounded(async {
            for _ in 0..40 {
                match Box::pin(self.reconciler.reconcile()).await.unwrap() {
                    Requeue::After(_) | Requeue::Backoff(_) => return,
                    Requeue::Now | Requeue::Soon(_) => {}
                }
            }
            panic!("it never rests: {:?}", self.server.writes());
        })
        .await;
    }

    /// The id of the key in the Secret.
    fn held(&self) -> String {
        let text = self.server.get(&secret("argocd-token"))["data"]["token"].as_str().unwrap().to_owned();
        let token = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
        crate::core::token::Claims::read(token.as_bytes()).unwrap().id.unwrap()
    }

    async fn replaces(&mut self) -> String {
        self.server.remove(&secret("argocd-token"));
        self.rests().await;
        self.held()
    }
}

fn data(key: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "data": { key: STANDARD.encode(value) } })
}

#[tokio::test]
async fn two_clusters_with_a_namespace_of_one_name_leave_each_others_keys() {
    let argocd = ArgoCd::start(&[]).await;
    let other = "fedcba98-0123-4123-8123-0123456789ab";
    let (mut one, mut two) = (Cluster::new(&argocd, NAMESPACE_UID), Cluster::new(&argocd, other));
    one.rests().await;
    two.rests().await;
    let mut held = [one.held(), two.held()];
    assert!(held[0].starts_with("argocd-auth-webhook-codefresh-89abcdef-"), "{held:?}");
    assert!(held[1].starts_with("argocd-auth-webhook-codefresh-fedcba98-"), "{held:?}");
    for _ in 0..3 {
        held[0] = one.replaces().await;
        assert!(held.iter().all(|id| argocd.keys().contains(id)), "{held:?}: {:?}", argocd.keys());
        held[1] = two.replaces().await;
        assert!(held.iter().all(|id| argocd.keys().contains(id)), "{held:?}: {:?}", argocd.keys());
    }
    assert_eq!(argocd.keys().len(), 2, "each retires its own: {:?}", argocd.keys());
}

#[tokio::test]
async fn keys_that_name_no_cluster_are_kept_and_retired_where_this_one_had_them_and_nowhere_else() {
    let former = |last: char| format!("argocd-auth-webhook-{NAMESPACE}-{}{last}", &UUID[..UUID.len() - 1]);
    let (ours, of_another) = (former('a'), former('b'));
    let argocd = ArgoCd::start(&[&ours, &of_another]).await;
    let mut cluster = Cluster::new(&argocd, NAMESPACE_UID);
    cluster.server.put(&secret("argocd-token"), data("token", &token("apiKey", &ours)));
    cluster.rests().await;
    assert_eq!(cluster.held(), ours, "a key that works is left alone");
    assert_eq!(argocd.keys(), [ours.clone(), of_another.clone()]);
    let next = cluster.replaces().await;
    assert_eq!(argocd.keys(), [of_another, next], "what this cluster had is retired");
}

#[tokio::test]
async fn without_the_namespaces_uid_no_key_is_made_and_the_reason_is_said() {
    let argocd = ArgoCd::start(&[]).await;
    let mut cluster = Cluster::new(&argocd, NAMESPACE_UID);
    cluster
        .server
        .script(|call, _| call.path.ends_with("/namespaces/codefresh").then_some(Answer::Status(403, "not for you")));
    cluster.rests().await;
    assert!(argocd.calls().is_empty() && argocd.keys().is_empty());
    let said = format!("{:?}", *cluster.context.health.borrow());
    assert!(said.contains("reading namespace codefresh") && said.contains("not allowed"), "{said}");
    cluster.server.script(|_, _| None);
    cluster.rests().await;
    assert!(cluster.held().contains("-89abcdef-"));
}

#[tokio::test]
async fn of_wrong_passwords_in_turn_three_are_tried_and_the_rest_is_waited_for() {
    let argocd = ArgoCd::start(&[]).await;
    let mut cluster = Cluster::new(&argocd, NAMESPACE_UID);
    for word in ["one", "two", "one", "three", "four", "two", "five"] {
        cluster.server.put(&secret("argocd-initial-admin-secret"), data("password", word));
        cluster.rests().await;
    }
    let logins = argocd.calls().iter().filter(|call| *call == "POST /api/v1/session").count();
    assert_eq!(logins, 3);
    let said = format!("{:?}", *cluster.context.health.borrow());
    assert!(said.contains("held back"), "{said}");
}
