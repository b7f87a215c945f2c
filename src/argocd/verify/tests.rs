//! Tables of answers and the verdicts they lead to.

use super::*;
use crate::argocd::Foreign;
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
    UserInfo { logged_in: true, username: Foreign::new(name.to_owned(), name.to_owned()) }
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

fn answered(cause: Cause) -> Answers {
    Answers { account: Some(Err(failed(cause))), ..good() }
}

fn said() -> Message {
    Message::new("no", &[])
}

#[test]
fn a_session_is_accepted_only_where_its_account_can_be_read() {
    let of = |answers: &Answers| answers.session("admin");
    assert_eq!(of(&good()), SessionHealth::Accepted);
    assert_eq!(of(&with(|account| account.enabled = false)), SessionHealth::Disabled);
    assert_eq!(of(&with(|account| account.capabilities.clear())), SessionHealth::NoApiKeys);
    for answers in [
        not_taken(),
        Answers { userinfo: Ok(user("bob")), ..good() },
        Answers { userinfo: Err(unauthorized()), account: None },
        Answers { account: None, ..good() },
        answered(Cause::Unauthorized(said())),
        answered(Cause::Forbidden(said())),
        answered(Cause::NotFound(said())),
    ] {
        assert!(matches!(of(&answers), SessionHealth::NotAccepted(_)), "{answers:?}");
    }
    let error = failed(Cause::Unreadable("it ends early"));
    for answers in [Answers { userinfo: Err(error.clone()), account: None }, answered(error.cause.clone())] {
        assert_eq!(of(&answers), SessionHealth::Unknown(error.clone()));
    }
}

#[test]
fn a_key_is_dead_only_beside_a_session_that_is_accepted() {
    let error = failed(Cause::Unreadable("it ends early"));
    let sessions = [
        (None, KeyHealth::Undecided),
        (Some(SessionHealth::Accepted), KeyHealth::Dead),
        (Some(SessionHealth::Disabled), KeyHealth::Withheld(Refusal::Disabled)),
        (Some(SessionHealth::NoApiKeys), KeyHealth::Withheld(Refusal::NoApiKeys)),
        (Some(SessionHealth::NotAccepted("no".to_owned())), KeyHealth::ServerBroken("no".to_owned())),
        (Some(SessionHealth::Unknown(error.clone())), KeyHealth::Unknown(Some(error))),
    ];
    for (session, health) in sessions {
        let diagnose = |key| super::diagnose(key, session.as_ref());
        assert_eq!(diagnose(KeyAnswer::Refused), health);
        assert_eq!(diagnose(KeyAnswer::Unfit), health);
        assert_eq!(diagnose(KeyAnswer::Works), KeyHealth::Works, "{session:?}");
        assert_eq!(diagnose(KeyAnswer::Odd), KeyHealth::Odd, "{session:?}");
        assert_eq!(diagnose(KeyAnswer::Unknown), KeyHealth::Unknown(None), "{session:?}");
    }
}

#[test]
fn a_key_that_is_accepted_and_not_listed_is_odd_and_not_dead() {
    for answers in [
        with(|account| account.tokens.clear()),
        with(|account| account.enabled = false),
        Answers { userinfo: Ok(user("bob")), ..good() },
    ] {
        assert_eq!(judge(&Ok(claims_of(None)), NOW, &answers).answer(), KeyAnswer::Odd, "{answers:?}");
    }
    assert_eq!(judge(&Ok(claims_of(None)), NOW, &not_taken()).answer(), KeyAnswer::Refused);
    assert_eq!(judge(&Ok(claims_of(None)), NOW, &good()).answer(), KeyAnswer::Works);
}
