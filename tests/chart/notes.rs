//! What a person reads after the installation.

use super::helm::{Helm, chart, values_file};
use crate::support::addresses::ADDRESSES;
use crate::support::decision::values;

/// The notes, with values given as text.
fn notes(yaml: &str) -> String {
    let file = values_file(yaml);
    let (chart, file) = (chart(), file.path().to_str().unwrap());
    let arguments = ["install", "hook", chart.to_str().unwrap(), "--dry-run=client", "--values", file];
    let said = Helm::four().run(&arguments).unwrap_or_else(|error| panic!("{yaml}: {error}"));
    said.split_once("NOTES:\n").unwrap().1.to_owned()
}

#[test]
fn the_notes_say_where_argo_cd_is_in_the_programs_words() {
    // Helm is waited for most of the time.
    std::thread::scope(|scope| {
        for some in ADDRESSES.chunks(ADDRESSES.len().div_ceil(4)) {
            scope.spawn(move || {
                for (yaml, ..) in some {
                    let yaml = format!("auth: {{type: token, tokenSecretKeyRef: {{name: a, key: b}}}}\n{yaml}");
                    let taken = values(&yaml).unwrap().taken().to_string();
                    let (_, address) = taken.split_once("; ").unwrap();
                    let said = notes(&yaml);
                    assert!(said.contains(&format!("- Where Argo CD is: {address}.\n")), "{yaml}: {address}: {said}");
                }
            });
        }
    });
}

#[test]
fn the_notes_follow_the_block_that_counts_and_its_own_server_first() {
    for yaml in [
        "{argo-cd: {enabled: false}, global: {external-argo-cd: {server: {svc: a}}, integrations: {argo-cd: {server: \
         {svc: b, auth: {type: token, token: t}}}}}}",
        "{cf: {argo-cd: {fullnameOverride: own}, global: {external-argo-cd: {auth: {type: token, token: t}}}}, \
         argo-cd: {fullnameOverride: other}}",
        "{argo-cd: {enabled: false}, global: {external-argo-cd: {auth: {type: token, token: t}}}}",
    ] {
        let taken = values(yaml).unwrap().taken().to_string();
        let said = notes(yaml);
        let (_, address) = taken.split_once("; ").unwrap();
        assert!(said.contains(&format!("- Where Argo CD is: {address}.\n")), "{yaml}: {address}: {said}");
        assert!(!said.contains("token t"), "{said}");
    }
}
