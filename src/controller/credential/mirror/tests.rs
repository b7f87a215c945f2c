//! Token mode against a scripted API server and a scripted Argo CD, until there is nothing left to do.

use super::super::reconcile::CredentialReconciler;
use crate::argocd::scripted::{ArgoCd, token};
use crate::cluster::scripted::{ApiServer, NAMESPACE, secret};
use crate::controller::driver::{Reconciler, Requeue};
use crate::controller::scripted::{Lease, bounded, context_of};
use crate::controller::{Consumers, Context};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const BEFORE: &str = "0123abcd-0123-4123-8123-0123456789ab";

struct Scene {
    server: ApiServer,
    argocd: ArgoCd,
    context: Context,
    _lease: Lease,
    reconciler: CredentialReconciler,
}

impl Scene {
    /// A token that a person generated, and a key that password mode left in the account.
    async fn new(place: (&str, &str), credentials: &str) -> Self {
        let (server, argocd) = (ApiServer::default(), ArgoCd::start(&["mine", &former()]).await);
        let (name, key) = place;
        let config = format!(
            "auth: {{type: token, tokenSecretKeyRef: {{name: {name}, key: {key}}}}}\nargocd: {{url: '{}'}}\n\
             credentials: {{followAfter: 0s{credentials}}}\n",
            argocd.url()
        );
        let (context, lease) = context_of(&server, &config);
        context.consumers.send_replace(Consumers::InStep);
        server.put(&secret(name), data(&[(key, &token("apiKey", "mine"))]));
        server.put_namespace();
        let reconciler = CredentialReconciler::new(context.clone());
        Self { server, argocd, context, _lease: lease, reconciler }
    }

    /// Reconciles until there is nothing left to do.
    async fn rests(&mut self) {
        bounded(async {
            for _ in 0..20 {
                if Box::pin(self.reconciler.reconcile()).await.unwrap() != Requeue::Now {
                    return;
                }
            }
            panic!("it never rests: {:?}", self.server.writes());
        })
        .await;
    }

    fn copy(&self) -> Value {
        self.server.get(&secret("argocd-token"))["data"]["token"].clone()
    }

    fn says(&self, reason: &str) -> usize {
        self.server.events().iter().filter(|event| event.starts_with(reason)).count()
    }
}

fn former() -> String {
    format!("argocd-auth-webhook-{NAMESPACE}-{BEFORE}")
}

fn data(entries: &[(&str, &str)]) -> Value {
    let data: Value =
        entries.iter().map(|(key, value)| ((*key).to_owned(), Value::String(STANDARD.encode(value)))).collect();
    json!({ "apiVersion": "v1", "kind": "Secret", "data": data })
}

#[tokio::test]
async fn a_copy_of_a_token_that_works_is_made_and_kept() {
    let mut scene = Scene::new(("mine", "token"), ", mirrorToken: true").await;
    let wanted = STANDARD.encode(token("apiKey", "mine"));
    scene.rests().await;
    assert_eq!(scene.copy(), wanted);
    assert_eq!(scene.says("TokenCopied"), 1);
    scene.rests().await;
    assert_eq!(scene.says("TokenCopied"), 1, "what is right is left alone");
    for other in [data(&[("token", "rubbish"), ("other", "stays")]), data(&[("token", "")])] {
        scene.server.put(&secret("argocd-token"), other);
        scene.rests().await;
        assert_eq!(scene.copy(), wanted);
    }
    assert!(scene.server.events().iter().all(|event| !event.contains(&token("apiKey", "mine"))));
}

#[tokio::test]
async fn a_token_that_does_not_work_is_not_copied() {
    let mut scene = Scene::new(("mine", "token"), ", mirrorToken: true").await;
    scene.argocd.forget("mine");
    scene.server.put(&secret("argocd-token"), data(&[("token", "as it was")]));
    scene.rests().await;
    assert_eq!(scene.copy(), STANDARD.encode("as it was"));
}

#[tokio::test]
async fn a_key_that_password_mode_left_is_emptied_once_nobody_holds_it_and_then_retired() {
    let mut scene = Scene::new(("mine", "token"), "").await;
    let held = token("apiKey", &former());
    scene.server.put(&secret("argocd-token"), data(&[("token", &held), ("other", "stays")]));
    scene.context.consumers.send_replace(Consumers::Stale(1));
    scene.rests().await;
    assert_eq!(scene.copy(), STANDARD.encode(&held), "a pod holds it");
    assert!(scene.argocd.keys().contains(&former()));
    scene.context.consumers.send_replace(Consumers::InStep);
    scene.rests().await;
    assert_eq!(scene.copy(), "");
    assert_eq!(scene.server.get(&secret("argocd-token"))["data"]["other"], STANDARD.encode("stays"));
    assert_eq!(scene.argocd.keys(), ["mine"]);
    assert_eq!((scene.says("FormerKeyCleared"), scene.says("KeyRetired")), (1, 1));
}

#[tokio::test]
async fn a_key_of_ours_that_argo_cd_no_longer_lists_is_emptied_too() {
    let mut scene = Scene::new(("mine", "token"), "").await;
    scene.argocd.forget(&former());
    scene.server.put(&secret("argocd-token"), data(&[("token", &token("apiKey", &former()))]));
    scene.rests().await;
    assert_eq!(scene.copy(), "");
}

#[tokio::test]
async fn what_is_not_ours_or_what_the_settings_refer_to_stays() {
    let theirs = token("apiKey", "mine");
    let mut scene = Scene::new(("mine", "token"), "").await;
    scene.server.put(&secret("argocd-token"), data(&[("token", &theirs)]));
    scene.rests().await;
    assert_eq!(scene.copy(), STANDARD.encode(&theirs));
    // A key beside the one that the settings name, in the same Secret.
    let mut scene = Scene::new(("argocd-token", "mine"), "").await;
    let held = token("apiKey", &former());
    scene.server.put(&secret("argocd-token"), data(&[("mine", &theirs), ("token", &held)]));
    scene.rests().await;
    assert_eq!(scene.copy(), STANDARD.encode(&held));
    // Without the Secret, none is created.
    let mut scene = Scene::new(("mine", "token"), "").await;
    scene.rests().await;
    assert!(!scene.server.writes().iter().any(|write| write.contains("argocd-token")), "{:?}", scene.server.writes());
}

#[tokio::test]
async fn a_copy_beside_the_token_in_one_secret_is_kept_like_any_other() {
    let mut scene = Scene::new(("argocd-token", "mine"), ", mirrorToken: true").await;
    let held = scene.server.get(&secret("argocd-token"))["data"]["mine"].clone();
    scene.rests().await;
    assert_eq!(scene.copy(), held);
    let mut scene = Scene::new(("argocd-token", "token"), ", mirrorToken: true").await;
    scene.rests().await;
    assert_eq!(scene.says("TokenCopied"), 0, "it is the token itself");
}
