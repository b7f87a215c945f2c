//! The table of what is told apart.

use super::*;
use crate::argocd::{ListedToken, Message};

const NOW: i64 = 1_800_000_000;

fn claims_of(expires_at: Option<i64>) -> Claims {
    Claims {
        issuer: Some("argocd".to_owned()),
        subject: Subject::ApiKey { account: "admin".to_owned() },
        id: Some("id-1".to_owned()),
        issued_at: Some(NOW),
        not_before: Some(NOW),
        expires_at,
    }
}

fn user(name: &str) -> UserInfo {
    UserInfo { logged_in: true, username: name.to_owned(), iss: "argocd".to_owned() }
}

fn account() -> Account {
    let token = ListedToken { id: "id-1".to_owned(), issued_at: Some(NOW), expires_at: None };
    let capabilities = ["apiKey", "login"].map(str::to_owned).into();
    Account { name: "admin".to_owned(), enabled: true, capabilities, tokens: vec![token] }
}

fn good() -> Answers {
    Answers { userinfo: Ok(user("admin")), account: Some(Ok(account())) }
}

fn failed(cause: Cause) -> ArgoCdError {
    ArgoCdError { what: "asking".to_owned(), cause }
}

fn unauthorized() -> ArgoCdError {
    failed(Cause::Unauthorized(Message::new("invalid session: no", &[])))
}

fn not_taken() -> Answers {
    Answers { userinfo: Ok(UserInfo::default()), account: None }
}

fn with(change: impl FnOnce(&mut Account)) -> Answers {
    let mut account = account();
    change(&mut account);
    Answers { account: Some(Ok(account)), ..good() }
}

#[test]
fn each_verdict_says_what_is_wrong_and_what_to_do() {
    let never = || Ok(claims_of(None));
    let server = || failed(Cause::Server { status: 500, message: Message::default() });
    let table = [
        ("good", never(), good()),
        ("expiring", Ok(claims_of(Some(NOW + 1))), with(|account| account.tokens[0].expires_at = Some(NOW + 1))),
        ("expired", Ok(claims_of(Some(NOW))), good()),
        ("no JWT", Err(Flaw::Empty), good()),
        ("counts as no login", never(), not_taken()),
        ("401", never(), Answers { userinfo: Err(unauthorized()), account: None }),
        ("401 for the account", never(), Answers { account: Some(Err(unauthorized())), ..good() }),
        ("anonymous access", never(), Answers { userinfo: Ok(user("")), ..good() }),
        ("somebody else", never(), Answers { userinfo: Ok(user("bob")), ..good() }),
        ("500", never(), Answers { userinfo: Err(server()), account: None }),
        ("500 for the account", never(), Answers { account: Some(Err(server())), ..good() }),
        ("disabled", never(), with(|account| account.enabled = false)),
        ("no apiKey", never(), with(|account| account.capabilities.clear())),
        ("not listed", never(), with(|account| account.tokens.clear())),
        ("listed with an end", never(), with(|account| account.tokens[0].expires_at = Some(NOW + 1))),
    ];
    let lines = table.map(|(name, key, answers)| {
        let verdict = judge(&key, NOW, &answers);
        let advice = verdict.advice().map(|advice| format!("; to do: {advice}")).unwrap_or_default();
        format!("{name}: [{}] {verdict}{advice}", verdict.kind())
    });
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_key_is_dead_only_beside_a_session_that_is_taken() {
    let refused = Verdict::Refused(Refusal::NotTaken(None));
    let weigh = |verdict: &Verdict, session: &Answers| super::weigh(verdict, session, "admin");
    assert_eq!(weigh(&refused, &good()), Weight::Dead);
    assert_eq!(weigh(&Verdict::Unfit(Flaw::Empty), &good()), Weight::Dead);
    assert_eq!(weigh(&Verdict::Good, &not_taken()), Weight::Alive);

    assert_eq!(weigh(&refused, &not_taken()), Weight::ServerBroken);
    assert_eq!(weigh(&refused, &Answers { userinfo: Ok(user("bob")), ..good() }), Weight::ServerBroken);
    assert_eq!(weigh(&refused, &Answers { userinfo: Err(unauthorized()), account: None }), Weight::ServerBroken);
    assert_eq!(weigh(&refused, &Answers { account: Some(Err(unauthorized())), ..good() }), Weight::ServerBroken);
    assert_eq!(weigh(&refused, &Answers { account: None, ..good() }), Weight::ServerBroken);

    assert_eq!(weigh(&refused, &with(|account| account.enabled = false)), Weight::Withheld(Refusal::Disabled));
    assert_eq!(weigh(&Verdict::Refused(Refusal::Disabled), &good()), Weight::Withheld(Refusal::Disabled));
    assert_eq!(weigh(&refused, &with(|account| account.capabilities.clear())), Weight::Withheld(Refusal::NoApiKeys));

    let unknown = failed(Cause::Unreadable("it ends early"));
    for session in [
        Answers { userinfo: Err(unknown.clone()), account: None },
        Answers { account: Some(Err(unknown.clone())), ..good() },
    ] {
        assert_eq!(weigh(&refused, &session), Weight::Unknown(unknown.clone()));
    }
    assert_eq!(weigh(&Verdict::Unknown(unknown.clone()), &good()), Weight::Unknown(unknown));
}
