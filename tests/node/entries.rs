//! Entries of the registration that come and go with the values.

use super::certificates::entries;
use crate::support::cluster::eventually;
use crate::support::helm::Helm;
use crate::support::release::{Release, token_values};
use crate::support::scene::Scene;

const MINE: &str =
    "services: [{name: mine, selector: {matchLabels: {app: mine}}, containers: [main], reads: credential}]";

async fn managers_are_without_us(release: &Release) {
    eventually("caBundle has no owner", async || {
        let managers = release.managers().await;
        if managers.iter().any(|name| name == "argocd-auth-webhook") { Err(format!("{managers:?}")) } else { Ok(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_can_remove_an_entry_and_every_other_keeps_its_ca() {
    for helm in [Helm::Four, Helm::Three] {
        let scene = Scene::new(if helm == Helm::Four { "entries-4" } else { "entries-3" }).await;
        let release = scene.install(helm, "auth", &token_values(MINE));
        release.injects().await;
        let first = release.settles().await;
        managers_are_without_us(&release).await;
        let before = entries(&release.cluster().get(&release.configuration()).await.unwrap());
        assert!(before.contains(&"mine".to_owned()), "{before:?}");

        release.upgrade(&token_values(""), &[]).unwrap_or_else(|error| panic!("{helm:?}: {error}"));
        let configuration = release.cluster().get(&release.configuration()).await.unwrap();
        let after = entries(&configuration);
        assert_eq!(after.len(), before.len() - 1, "{helm:?}: {after:?}");
        assert!(!after.contains(&"mine".to_owned()));
        assert_eq!(release.settled().await.unwrap(), first, "{helm:?}: the upgrade left caBundle alone");

        // And back: the new entry gets its CA.
        release.run("rollback", &["1"]).unwrap_or_else(|error| panic!("{helm:?}: {error}"));
        assert_eq!(release.settles().await, first);
        managers_are_without_us(&release).await;
        assert_eq!(entries(&release.cluster().get(&release.configuration()).await.unwrap()).len(), before.len());
    }
}
