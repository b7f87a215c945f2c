//! What tokens and flaws are recognised, and that no input makes reading fail badly.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: i64 = 1_800_000_000;

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims), URL_SAFE_NO_PAD.encode("signature"))
}

fn key() -> Value {
    json!({"iss": "argocd", "sub": "admin:apiKey", "jti": "id-1", "iat": NOW, "nbf": NOW})
}

fn with(name: &str, value: Value) -> String {
    let mut claims = key();
    claims[name] = value;
    jwt(&claims)
}

/// The flaw of a token, whether it is found while reading or in the claims.
fn flaw(token: impl AsRef<[u8]>) -> Option<Flaw> {
    Claims::read(token.as_ref()).map_or_else(Some, |claims| claims.flaw(NOW))
}

#[test]
fn a_good_key_is_read_and_has_no_flaw() {
    let claims = Claims::read(jwt(&key()).as_bytes()).unwrap();
    assert_eq!(claims.subject, Subject::ApiKey { account: "admin".to_owned() });
    assert_eq!((claims.id.as_deref(), claims.issued_at, claims.expires_at), (Some("id-1"), Some(NOW), None));
    assert_eq!(claims.flaw(NOW), None);
    assert_eq!(flaw(with("sub", json!("admin"))), None, "no suffix counts as apiKey");
    assert_eq!(flaw(with("nbf", json!(NOW + MAX_SKEW))), None, "clocks differ");
}

#[test]
fn each_wrong_shape_is_named() {
    let (good, session) = (jwt(&key()), with("sub", json!("admin:login")));
    let project = with("sub", json!("proj:default:deployer"));
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("white space alone", b" \n".to_vec()),
        ("a newline after it", format!("{good}\n").into()),
        ("a space before it", format!(" {good}").into()),
        ("in quotation marks", format!("\"{good}\"").into()),
        ("base64 twice", STANDARD.encode(&good).into()),
        ("base64 twice, with a newline inside", STANDARD.encode(format!("{good}\n")).into()),
        ("base64 twice, url-safe, unpadded", URL_SAFE_NO_PAD.encode(&good).into()),
        ("base64 twice, in lines", STANDARD.encode(&good).as_bytes().chunks(20).collect::<Vec<_>>().join(&b'\n')),
        ("a password", b"hunter2".to_vec()),
        ("two parts", b"a.b".to_vec()),
        ("not text", vec![0xff, 0xfe]),
        ("with its scheme", format!("Bearer {good}").into()),
        ("a header that is none", good.replacen("ey", "ez", 1).into()),
        ("claims that are none", {
            let mut parts: Vec<_> = good.split('.').collect();
            parts[1] = "bm9uZQ";
            parts.join(".").into()
        }),
        ("no signature", good.rsplit_once('.').unwrap().0.to_owned().into_bytes().into_iter().chain(*b".").collect()),
        ("no subject", with("sub", json!("")).into()),
        ("another issuer", with("iss", json!("https://login.example.com")).into()),
        ("no issuer", with("iss", Value::Null).into()),
        ("a session", session.into()),
        ("a project's", project.into()),
        ("no id", with("jti", Value::Null).into()),
        ("expired", with("exp", json!(NOW)).into()),
        ("expiring", with("exp", json!(NOW + 1)).into()),
        ("expiring, a fraction", with("exp", json!(1_800_000_001.5)).into()),
        ("not valid yet", with("nbf", json!(NOW + MAX_SKEW + 1)).into()),
    ];
    let lines: Vec<String> = table
        .into_iter()
        .map(|(name, token)| {
            let flaw = flaw(token).unwrap();
            format!(
                "{name}: {} [{}{}]; {}",
                flaw,
                flaw.kind(),
                if flaw.is_usable() { ", usable" } else { "" },
                flaw.advice()
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_a_token_claims_is_shown_with_care() {
    let long = with("iss", json!("x\n\u{1b}[31m".repeat(1000)));
    let said = flaw(long).unwrap().to_string();
    assert!(said.len() < 400 && !said.contains(['\n', '\u{1b}']), "{said}");
}

#[test]
fn neither_debug_nor_display_has_the_token() {
    for token in [jwt(&key()), with("sub", json!("admin:login")), "hunter2-hunter2".to_owned()] {
        let signature = token.rsplit('.').next().unwrap();
        let shown = match Claims::read(token.as_bytes()) {
            Ok(claims) => format!("{claims:?} {:?}", claims.flaw(NOW)),
            Err(flaw) => format!("{flaw:?} {flaw}"),
        };
        assert!(!shown.contains(signature) && !shown.contains("hunter2"), "{shown}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
        let _ = Claims::read(&bytes).map(|claims| claims.flaw(now));
    }

    #[test]
    fn no_claims_are_too_strange(
        header in "\\PC{0,20}", claims in "\\{(\"(iss|sub|jti|iat|exp)\":(\"\\PC{0,5}\"|-?[0-9]{1,20}(\\.[0-9]{1,3})?|null|\\[\\]),?){0,5}\\}",
        now in any::<i64>(),
    ) {
        let token = [header, claims, "s".to_owned()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        if let Err(flaw) | Ok(Some(flaw)) = Claims::read(token.as_bytes()).map(|claims| claims.flaw(now)) {
            let _ = format!("{flaw} {}", flaw.advice());
        }
    }

    #[test]
    fn whatever_is_put_around_a_key_it_is_never_taken_as_it_is(before in "[ \\n\"a.]{0,2}", after in "[ \\n\"=.]{0,2}") {
        prop_assume!(!(before.is_empty() && after.is_empty()));
        let found = flaw([before, jwt(&key()), after].concat());
        prop_assert!(found.is_some());
    }

    #[test]
    fn every_key_comes_back_as_it_was_claimed(account in "[-._A-Za-z0-9]{1,32}", id in "[-A-Za-z0-9]{1,60}", iat in 0..NOW) {
        prop_assume!(account != "proj");
        let token = jwt(&json!({"iss": "argocd", "sub": format!("{account}:apiKey"), "jti": id, "iat": iat}));
        let claims = Claims::read(token.as_bytes()).unwrap();
        prop_assert_eq!(claims.subject.account(), Some(account.as_str()));
        prop_assert_eq!((claims.id.as_deref(), claims.issued_at, claims.flaw(NOW)), (Some(id.as_str()), Some(iat), None));
    }
}
