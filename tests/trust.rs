//! Which certificates are trusted, compared with Go's crypto/x509, by which API servers verify.

use argocd_auth_webhook::pki::{Certificate, ChainVerdict, judge};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;

mod support {
    pub mod go;
}

/// A chain, what a client trusts, and what crypto/x509 says.
#[derive(Deserialize)]
struct Case {
    what: String,
    chain: Vec<String>,
    roots: Vec<String>,
    server: String,
    at: i64,
    good: bool,
    error: String,
}

fn der(texts: &[String]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| STANDARD.decode(text).unwrap()).collect()
}

impl Case {
    fn judged(&self) -> ChainVerdict {
        let (chain, roots) = (der(&self.chain), der(&self.roots));
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        let roots: Vec<_> = roots.iter().map(|der| Certificate::from_der(der).expect("a certificate")).collect();
        judge(&chain, &roots, &self.server, self.at)
    }
}

/// A number from the environment, for whoever wants to see more of it.
fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn no_chain_is_judged_otherwise_than_by_crypto_x509() {
    let lost = "what crypto/x509 says of certificates isn't compared";
    let Some(program) = support::go::program("crypto_x509", lost) else { return };
    let (seed, count) = (given("TRUST_SEED", 1), given("TRUST_CHAINS", 2000));
    let output =
        Command::new(program).args(["random".to_owned(), seed.to_string(), count.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut trusted, mut refused, mut unknown) = (0, 0, BTreeMap::new());
    let mut wrong = Vec::new();
    for case in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Case>() {
        let case = case.unwrap();
        match (case.judged(), case.good) {
            (ChainVerdict::Trusted, true) => trusted += 1,
            (ChainVerdict::Refused(_), false) => refused += 1,
            (ChainVerdict::Unknown(why), good) => *unknown.entry((why.to_string(), good)).or_insert(0) += 1,
            (verdict, _) => wrong.push(format!("{verdict:?}, but {:?}: {}", case.error, case.what)),
        }
    }
    println!("seed {seed}: {trusted} trusted, {refused} refused, {} differ; not judged: {unknown:?}", wrong.len());
    assert_eq!(wrong, Vec::<String>::new());
    assert!(trusted > count / 5 && refused > count / 4, "each verdict comes up");
    let left = unknown.values().sum::<u64>();
    assert!(left < count / 4, "{left} of {count} can't be judged: {unknown:?}");
}
