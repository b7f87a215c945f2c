//! What a person reads after the installation.

use super::helm::{Helm, chart, objects, program_values, values_file};
use crate::support::addresses::{ADDRESSES, MISPLACED, UNUSABLE};
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

#[test]
fn an_address_that_can_not_be_used_is_refused_in_the_programs_words() {
    for (yaml, says) in UNUSABLE {
        let yaml = format!("auth: {{type: token, tokenSecretKeyRef: {{name: a, key: b}}}}\n{yaml}");
        let said = Helm::four().render_alone(&yaml).expect_err(&yaml);
        assert!(said.contains(says) && said.contains("argocd.url or argocd.svc"), "{yaml}: {said}");
    }
}

#[test]
fn an_address_where_nobody_reads_it_is_refused_in_the_programs_words() {
    for (yaml, says) in MISPLACED {
        let yaml = format!("auth: {{type: token, tokenSecretKeyRef: {{name: a, key: b}}}}\n{yaml}");
        let said = Helm::four().render_alone(&yaml).expect_err(&yaml);
        assert!(said.contains(says) && !said.contains("eyJa"), "{yaml}: {said}");
    }
}

#[test]
fn two_charts_that_differ_are_refused_in_the_programs_words() {
    let block = "{type: password, username: bob}";
    for yaml in [
        format!(
            "{{global: {{external-argo-cd: {{auth: {block}}}}}, aa: {{app-proxy: {{config: {{argoCdUsername: ann}}}}}}, zz: \
             {{app-proxy: {{config: {{argoCdUsername: eve}}}}}}}}"
        ),
        format!(
            "{{argo-cd: {{enabled: false}}, global: {{external-argo-cd: {{auth: {block}, server: {{svc: a}}}}, integrations: \
             {{argo-cd: {{server: {{auth: {block}, svc: b}}}}}}}}}}"
        ),
    ] {
        let wanted = values(&yaml).unwrap_err().to_string();
        let wanted = wanted.strip_prefix("values.yaml: ").unwrap();
        let said = Helm::four().render_alone(&yaml).expect_err(&yaml);
        assert!(said.contains(wanted.trim()), "{yaml}: {wanted}: {said}");
    }
}

#[test]
fn complete_values_of_an_umbrella_and_of_a_classic_chart_are_taken_as_the_program_takes_them() {
    let global = "{external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: sec, key: k}}}, more: {a: 1}}";
    let copies = format!("{{global: {global}, argo-workflows: {{global: {global}, deeper: {{global: {global}}}}}}}");
    let classic = "{app-proxy: {config: {argoCdUsername: admin}}, argo-cd: {enabled: ENABLED}, global: {external-argo-cd: \
                   {auth: {type: password, username: bob, passwordSecretKeyRef: {name: s, key: k}}}}}";
    for yaml in [
        copies.clone(),
        format!("{{global: {{a: 1}}, gitops-runtime: {copies}}}"),
        classic.replace("ENABLED", "false"),
        classic.replace("ENABLED", "true"),
        // Deeper than any block is read stands the Runtime's chart with its default.
        format!(
            "{{global: {global}, platform: {{gitops-runtime: {{global: {{integrations: {{argo-cd: {{server: {{auth: {{type: \
             password, username: admin, password: '', passwordSecretKeyRef: {{name: argocd-initial-admin-secret, key: \
             password}}, token: '', tokenSecretKeyRef: {{}}}}}}}}}}}}}}}}}}"
        ),
        // An Argo CD beside the Runtime, and what others have.
        "{global: {external-argo-cd: {server: {svc: ext}, auth: {type: password, username: bob}}, postgresql: {auth: \
         {username: a, password: b}}, cargoRegistry: {token: t}}, argo-cd: {enabled: true}, rabbitmq: {auth: {username: a, \
         password: b}}, gitops-runtime: {argo-cd: {enabled: false}, app-proxy: {config: {argoCdUsername: admin}}}}"
            .to_owned(),
    ] {
        let rendered = Helm::four().render_alone(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        let (wanted, kept) = (values(&yaml).unwrap(), values(&program_values(&objects(&rendered))).unwrap());
        assert_eq!((kept.auth, kept.argocd), (wanted.auth, wanted.argocd), "{yaml}");
    }
    let differs = copies.replacen(
        "deeper: {global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: sec",
        "deeper: {global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: other",
        1,
    );
    let said = Helm::four().render_alone(&differs).unwrap_err();
    assert!(
        said.contains("argo-workflows.deeper.global.external-argo-cd.auth.tokenSecretKeyRef: is not read here"),
        "{said}"
    );
}
