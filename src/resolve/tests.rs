//! What settings refer to, at a scripted API server. Time stands still, so a call that isn't answered fails.

use super::*;
use crate::argocd::TlsTrust;
use crate::cluster::scripted::{ApiServer, NAMESPACE};
use crate::core::{ConfigMapKeyRef, Username};
use crate::settings::{CertificateAuthority, Tls};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::json;

/// An API server with a Secret `s` and a `ConfigMap` `m` of these values.
fn server(values: &[(&str, &str)]) -> ApiServer {
    let server = ApiServer::default();
    let plain: serde_json::Map<_, _> = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).into())).collect();
    let encoded = values.iter().map(|(key, text)| ((*key).to_owned(), STANDARD.encode(text).into()));
    let encoded: serde_json::Map<_, _> = encoded.collect();
    let path = |kind: &str, name: &str| format!("/api/v1/namespaces/{NAMESPACE}/{kind}/{name}");
    server.put(&path("secrets", "s"), json!({ "data": encoded }));
    server.put(&path("configmaps", "m"), json!({ "data": plain }));
    server
}

fn place(name: &str, key: &str) -> SecretKeyRef {
    SecretKeyRef { name: name.to_owned(), key: key.to_owned(), optional: None }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_the_object_the_key_or_the_value_and_each_is_said() {
    let server = server(&[("empty", ""), ("full", "x")]);
    let client = server.client();
    for patient in [false, true] {
        let resolver = Resolver { client: Ok(client.clone()), namespace: NAMESPACE, patient };
        let secret = async |name: &str, key: &str| resolver.secret_value(name, key).await.unwrap();
        let map = async |name: &str, key: &str| resolver.config_map_value(name, key).await.unwrap();
        let missing = |text: String| Missing(text);
        assert_eq!(secret("t", "full").await, Err(missing(format!("there is no Secret {NAMESPACE}/t"))));
        assert_eq!(secret("s", "other").await, Err(missing(format!("Secret {NAMESPACE}/s has no key other"))));
        assert_eq!(secret("s", "empty").await, Err(missing(format!("empty in Secret {NAMESPACE}/s is empty"))));
        assert_eq!(secret("s", "full").await, Ok(b"x".to_vec()));
        assert_eq!(map("n", "full").await, Err(missing(format!("there is no ConfigMap {NAMESPACE}/n"))));
        assert_eq!(map("m", "other").await, Err(missing(format!("ConfigMap {NAMESPACE}/m has no key other"))));
        assert_eq!(map("m", "empty").await, Err(missing(format!("empty in ConfigMap {NAMESPACE}/m is empty"))));
        assert_eq!(map("m", "full").await, Ok("x".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_name_from_anywhere_is_one_that_argo_cd_takes_and_never_quoted() {
    let server = server(&[("good", "a-b_c.D9"), ("bad", "correct horse"), ("long", &"a".repeat(33))]);
    let client = server.client();
    let resolver = Resolver { client: Ok(client.clone()), namespace: NAMESPACE, patient: false };
    let of_map = |key: &str| Username::ConfigMapKey(ConfigMapKeyRef { name: "m".to_owned(), key: key.to_owned() });
    for from in [Username::Plain("a-b_c.D9".to_owned()), Username::SecretKey(place("s", "good")), of_map("good")] {
        assert_eq!(resolver.username(&from).await.unwrap(), Ok("a-b_c.D9".to_owned()));
    }
    for key in ["bad", "long"] {
        for from in [Username::SecretKey(place("s", key)), of_map(key)] {
            let Missing(said) = resolver.username(&from).await.unwrap().unwrap_err();
            assert!(said.starts_with(key) && said.contains("is no user name"), "{said}");
            assert!(!said.contains("correct horse") && !said.contains("aaa"), "{said}");
        }
    }
    assert!(!is_account_name(""));
}

#[tokio::test(start_paused = true)]
async fn a_password_that_can_be_none_is_told_of_and_not_handed_on() {
    let server = server(&[("good", "hunter2 "), ("bad", "${ARGOCD_PASSWORD}")]);
    let client = server.client();
    let resolver = Resolver { client: Ok(client.clone()), namespace: NAMESPACE, patient: false };
    let read = async |key: &str| resolver.password(&place("s", key)).await.unwrap();
    assert_eq!(read("good").await.unwrap().expose_secret(), "hunter2 ", "white space is part of it");
    let Missing(said) = read("bad").await.unwrap_err();
    assert!(said.contains("placeholder") && !said.contains("ARGOCD_PASSWORD"), "{said}");
    let mut binary = Secret::default();
    binary.data.get_or_insert_default().insert("k".to_owned(), k8s_openapi::ByteString(vec![0xff, 0xfe]));
    let Missing(said) = resolver.password_in(Some(&binary), &place("s", "k")).unwrap_err();
    assert!(said.ends_with("is not text"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn trust_is_the_settings_and_a_ca_that_is_not_there_is_not_replaced_by_the_systems() {
    let server = server(&[("ca.crt", "PEM")]);
    let client = server.client();
    let resolver = Resolver { client: Ok(client.clone()), namespace: NAMESPACE, patient: false };
    let with = |certificate_authority, insecure_skip_verify| Tls { insecure_skip_verify, certificate_authority };
    let (secret, map) = (CertificateAuthority::Secret, CertificateAuthority::ConfigMap);
    let text = str::to_owned;
    let trust = async |tls: Tls| resolver.trust(&tls).await.unwrap();
    assert_eq!(trust(with(None, false)).await, Ok(TlsTrust::SystemRoots));
    assert_eq!(trust(with(Some(secret(text("s"), text("ca.crt"))), true)).await, Ok(TlsTrust::Insecure));
    for ca in [secret(text("s"), text("ca.crt")), map(text("m"), text("ca.crt"))] {
        assert_eq!(trust(with(Some(ca), false)).await, Ok(TlsTrust::Ca(b"PEM".to_vec())));
    }
    for ca in [secret(text("t"), text("ca.crt")), map(text("m"), text("other"))] {
        let Missing(said) = trust(with(Some(ca), false)).await.unwrap_err();
        assert!(said.starts_with("the CA of Argo CD's certificate can't be read: "), "{said}");
    }
}
