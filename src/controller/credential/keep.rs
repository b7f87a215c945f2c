//! The loop: look, plan, do the one thing, look again.

use super::act::{ActError, Acting, LOGIN, MARKS, about, credential, is_conflict};
use super::action::{Next, Plan, State};
use super::id::Prefix;
use super::look::{self, Asking, Held, Memory, Remembered, unknown};
use super::marks::Attempt;
use super::plan::{Terms, plan};
use super::reach::{Reach, base};
use super::report::{self, Report};
use super::snapshot::{Key, Left, Login, Snapshot, Trouble};
use super::source::{self, Sources, key_place};
use crate::argocd::{Account, ListedToken, Server};
use crate::cluster::{ClusterError, Event, watch_named};
use crate::controller::context::{Consumers, Context};
use crate::controller::{state, status};
use crate::core::{Mode, Username};
use crate::pki::{self, Seconds};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, select_all};
use k8s_openapi::api::core::v1::Secret;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest time between two tries while something is in the way. Each may be a login, which costs
/// Argo CD a second of work.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// The longest time for which a server may ask to be left alone.
const LONGEST_LEAVE: Seconds = 600;
/// Between two looks at what is about to change.
const SOON: Duration = Duration::from_millis(500);
const POLL_LEASE: Duration = Duration::from_secs(1);
/// So many changes in a row are no longer what a plan is about; something undoes them.
const MOST_STEPS: u32 = 30;
/// A status is written anew at this age, so that people see that somebody looks.
const STATUS_AGE: Seconds = 600;
/// The time between two that differ in their words only.
const WORDS_AGE: Seconds = 60;

/// How to go on.
enum Rest {
    /// At once.
    None,
    /// In a moment, with the same session.
    Soon,
    /// After a while that grows; at least so many seconds.
    Later(Seconds),
    /// At this time, or when something changes.
    Until(Seconds),
}

/// What was seen, with what the snapshot leaves out.
struct Looked {
    snapshot: Snapshot,
    held: Option<Held>,
    current: Option<ListedToken>,
    seen_lists: bool,
}

/// Keeps the credential.
pub(super) struct Keep {
    context: Context,
    prefix: Prefix,
    memory: Memory,
    reach: Reach,
    server: String,
    /// Keys of ours at the last look that could list them.
    listed: (Option<ListedToken>, Vec<Left>),
    /// The state that people know of.
    told: Option<State>,
    /// The status that was written last, and when.
    published: Option<(Value, Seconds)>,
    steps: u32,
    delay: Duration,
}

impl Keep {
    pub(super) fn new(context: Context) -> Self {
        Self {
            prefix: Prefix::new(&context.options.namespace),
            server: base(&context).map_or_else(|error| error, |base| base.to_string()),
            memory: Memory::default(),
            reach: Reach::default(),
            listed: (None, Vec::new()),
            told: None,
            published: None,
            steps: 0,
            delay: FIRST_DELAY,
            context,
        }
    }

    /// Keeps at it; never ends.
    pub(super) async fn run(mut self) {
        let bell = Notify::new();
        let context = self.context.clone();
        let work = async {
            let mut leadership = self.context.leadership.clone();
            loop {
                while timeout(POLL_LEASE, leadership.granted()).await.is_err() {
                    // Whoever leads now knows nothing of these, and whatever is left of them is
                    // retired.
                    (self.memory.session, self.memory.fresh) = (None, None);
                }
                let rest = Box::pin(self.pass()).await;
                self.rest(rest, &bell).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = watch(&context, &bell) => {}
        }
    }

    async fn rest(&mut self, rest: Rest, bell: &Notify) {
        let rest = match rest {
            Rest::None if self.steps >= MOST_STEPS => {
                tracing::warn!(steps = self.steps, "changes do not last; somebody undoes them");
                Rest::Later(0)
            }
            rest => rest,
        };
        match rest {
            Rest::None => self.steps += 1,
            Rest::Soon => sleep(SOON).await,
            Rest::Later(least) => {
                self.memory.session = None;
                self.steps = 0;
                let least = Duration::from_secs(u64::try_from(least.clamp(0, LONGEST_LEAVE)).unwrap_or(0));
                let _ = timeout(jittered(self.delay).max(least), bell.notified()).await;
                self.delay = (self.delay * 2).min(LONGEST_DELAY);
            }
            Rest::Until(then) => {
                self.memory.session = None;
                (self.steps, self.delay) = (0, FIRST_DELAY);
                let seconds = u64::try_from(then.saturating_sub(pki::now())).unwrap_or(0);
                // Not at once, should the clock not have moved on.
                let wait = Duration::from_secs(seconds).max(Duration::from_millis(250));
                let _ = timeout(wait, bell.notified()).await;
            }
        }
    }

    /// One look and at most one change.
    async fn pass(&mut self) -> Rest {
        match self.look_and_act().await {
            Ok(rest) => rest,
            Err(error) if is_conflict(&error) => {
                tracing::debug!(%error, "looking again");
                self.steps += 1;
                Rest::Soon
            }
            Err(error) => {
                self.context.metrics.failed(Some(&error.cause));
                let trouble = Trouble { kind: "cluster", text: error.to_string(), leave_alone: None };
                self.report(&State::Unavailable(trouble), None, None).await;
                Rest::Later(0)
            }
        }
    }

    async fn look_and_act(&mut self) -> Result<Rest, ClusterError> {
        let context = self.context.clone();
        let mut state = state::State::open(&context).await?;
        let remembered = Remembered { marks: state.get(MARKS).unwrap_or_default(), attempt: state.get(LOGIN) };
        let sources = source::read(&context).await?;
        let request = sources.request.as_ref().map(|value| state.digest(&[b"check", value.as_bytes()]));
        let login = login(&context, &state, &sources, remembered.attempt.as_ref(), self.memory.succeeded);
        let mut reach = std::mem::take(&mut self.reach);
        let server = reach.server(&context).await;
        let result = match server {
            Ok(server) => {
                let looked = self.look(&sources, remembered, login, request, server.as_ref()).await;
                self.go_on(&mut state, &sources, looked, server).await
            }
            Err(error) => Err(error),
        };
        self.reach = reach;
        result
    }

    async fn look(
        &mut self,
        sources: &Sources,
        remembered: Remembered,
        login: Login,
        request: Option<String>,
        server: Result<&&Server, &Trouble>,
    ) -> Looked {
        let context = &self.context;
        let now = pki::now();
        let mode = context.settings.auth.mode;
        let username = sources.username.as_ref().ok().map(String::as_str);
        let held = look::held(&sources.key, username.filter(|_| mode == Mode::Password), now);
        let held_id = held.as_ref().ok().map(|held| held.id.clone());
        if self.memory.fresh.as_ref().is_some_and(|fresh| Some(&fresh.id) == held_id.as_ref()) {
            // It was written, though nobody said so.
            self.memory.fresh = None;
        }
        let mut snapshot = Snapshot {
            mode,
            key: Key::Absent(String::new()),
            account: held.as_ref().ok().map(|held| held.account.clone()).or_else(|| username.map(str::to_owned)),
            left: Vec::new(),
            held_is_ours: false,
            unseen: remembered.marks.accounts.iter().cloned().collect(),
            login,
            session: None,
            fresh: None,
            marks: remembered.marks,
            request,
            consumers: *context.consumers.borrow(),
        };
        let asking = match server {
            Ok(server) => Asking { server, metrics: &context.metrics.credential },
            Err(trouble) => {
                snapshot.key = unknown(held.as_ref(), trouble);
                snapshot.login = match snapshot.login {
                    Login::Free => Login::NoWay(trouble.clone()),
                    other => other,
                };
                return Looked { snapshot, held: held.ok(), current: None, seen_lists: false };
            }
        };
        let mut accounts: Vec<Account> = Vec::new();
        // Our own session first: what the key is told after it is a definite answer.
        if let (Some(token), Some(username)) = (&self.memory.session, username) {
            let (session, account) = look::session(&asking, token, username).await;
            snapshot.session = Some(session);
            accounts.extend(account);
        }
        let held = match held {
            Ok(held) => {
                let (key, account) = look::key(&asking, &held, &mut self.memory, now).await;
                snapshot.key = key;
                accounts.extend(account.filter(|account| accounts.iter().all(|known| known.name != account.name)));
                Some(held)
            }
            Err(key) => {
                snapshot.key = key;
                None
            }
        };
        if let (Some(fresh), Some(username)) = (&self.memory.fresh, username) {
            snapshot.fresh = Some(look::fresh(&asking, fresh, username, now).await);
        }
        if let (Key::Works { .. }, Some(held)) = (&snapshot.key, &held) {
            // What other accounts may have left of ours, if this one may look.
            for name in &snapshot.unseen {
                if accounts.iter().all(|known| known.name != *name) {
                    accounts.extend(asking.account(&held.token, name).await.ok());
                }
            }
        }
        let fresh_id = self.memory.fresh.as_ref().map(|fresh| fresh.id.as_str());
        let mut current = None;
        for account in &accounts {
            let but = [held_id.as_deref(), fresh_id];
            snapshot.left.extend(look::left(account, &self.prefix, but, &self.memory));
            let is_held = |id: &&str| self.prefix.is_ours(id);
            let listed = held_id.as_deref().filter(is_held).and_then(|id| account.token(id));
            current = current.or_else(|| listed.cloned());
        }
        snapshot.held_is_ours = current.is_some();
        snapshot.unseen.retain(|name| accounts.iter().all(|account| account.name != *name));
        let seen_lists = !accounts.is_empty();
        Looked { snapshot, held, current, seen_lists }
    }

    async fn go_on(
        &mut self,
        state: &mut state::State,
        sources: &Sources,
        looked: Looked,
        server: Result<&Server, Trouble>,
    ) -> Result<Rest, ClusterError> {
        let Looked { snapshot, held, current, seen_lists } = looked;
        let now = pki::now();
        if seen_lists {
            self.listed = (current, snapshot.left.clone());
        }
        let credentials = &self.context.settings.credentials;
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let check = jittered(credentials.check_interval);
        let terms = Terms { follow_after: seconds(credentials.follow_after), check: seconds(check).max(1) };
        let Plan { state: how, next } = plan(&snapshot, terms, now);
        tracing::debug!(state = how.name(), ?next, "planned");
        let key_id = held.as_ref().map(|held| held.id.as_str());
        let since =
            snapshot.marks.valid.as_ref().filter(|(id, _)| Some(id.as_str()) == key_id).map(|(_, since)| *since);
        let known = Some((snapshot.account.as_deref(), key_id, since));
        let action = match next {
            Next::Do(action) => action,
            resting => {
                self.report(&how, known, sources.key_secret.as_ref()).await;
                let least = if let State::Unavailable(trouble) = &how { trouble.leave_alone } else { None };
                return Ok(match resting {
                    Next::Soon => Rest::Soon,
                    Next::Wait(then) => Rest::Until(then),
                    Next::Later | Next::Do(_) => Rest::Later(least.unwrap_or(0)),
                });
            }
        };
        let Ok(server) = server else { return Ok(Rest::Later(0)) };
        let asking = Asking { server, metrics: &self.context.metrics.credential };
        let context = self.context.clone();
        let answered = snapshot.request != snapshot.marks.answered;
        let remembers = matches!(action, super::action::Action::Remember(_));
        let mut acting = Acting {
            context: &context,
            asking: &asking,
            state,
            memory: &mut self.memory,
            sources,
            prefix: &self.prefix,
            seen: &snapshot,
            held: held.as_ref().map(|held| &held.token),
            now,
        };
        if acting.memory.succeeded {
            // What a login that succeeded could not take away itself.
            match acting.forget_attempt().await {
                Ok(()) => {}
                Err(ActError::Cluster(error)) => return Err(error),
                Err(_) => return Ok(Rest::Later(0)),
            }
        }
        match acting.carry_out(action).await {
            Ok(()) => {
                if remembers && answered && snapshot.request.is_some() {
                    self.answer(&how, sources.key_secret.as_ref()).await;
                }
                Ok(Rest::None)
            }
            Err(ActError::Cluster(error)) => Err(error),
            Err(ActError::ArgoCd(trouble)) => {
                let least = trouble.leave_alone.unwrap_or(0);
                self.report(&State::Unavailable(trouble), known, sources.key_secret.as_ref()).await;
                Ok(Rest::Later(least))
            }
            Err(ActError::Minor(trouble)) => {
                tracing::warn!("{}", trouble.text);
                self.report(&how, known, sources.key_secret.as_ref()).await;
                Ok(Rest::Later(trouble.leave_alone.unwrap_or(0)))
            }
        }
    }

    /// A person asked for a look, and gets to know what it showed.
    async fn answer(&mut self, how: &State, secret: Option<&Secret>) {
        let name = key_place(&self.context).name;
        let note = format!("looked, as was asked for: {}", report::message(how));
        let event = Event { reason: "CredentialChecked", action: "Check", note, warning: !how.works() };
        self.context.tell(about(&self.context, &name, secret), event).await;
        // Also where nothing is new, so that the time of the look is seen.
        self.published = None;
    }

    /// Tells people how things are, if that is new.
    async fn report(
        &mut self,
        how: &State,
        known: Option<(Option<&str>, Option<&str>, Option<Seconds>)>,
        secret: Option<&Secret>,
    ) {
        let now = pki::now();
        let context = self.context.clone();
        context.metrics.credential.is(how, now);
        context.metrics.credential.superseded(self.listed.1.len());
        let place = key_place(&context);
        let is_new = self.told.as_ref().is_none_or(|told| report::kind(told) != report::kind(how));
        let passing = matches!(how, State::Replacing(_));
        if is_new && !passing {
            let advice = report::advice(how, &context.settings.auth);
            let advice = advice.map(|advice| format!("; to do: {advice}")).unwrap_or_default();
            let note = format!("{}{advice}", report::message(how));
            let first_and_good = self.told.is_none() && how.works() && !matches!(how, State::Expires(_));
            if first_and_good {
                tracing::info!(secret = place.name, "{note}");
            } else {
                let warning = !matches!(how, State::Valid);
                let event = Event { reason: report::reason(how), action: "Check", note, warning };
                context.tell(about(&context, &place.name, secret), event).await;
            }
            self.told = Some(how.clone());
        }
        let (account, key_id, valid_since) = known.unwrap_or_default();
        let report = Report {
            auth: &context.settings.auth,
            place: &place,
            account,
            state: how,
            server: &self.server,
            valid_since,
            key_id,
            current: self.listed.0.as_ref(),
            left: &self.listed.1,
        };
        let status = report.status();
        let due = self.published.as_ref().is_none_or(|(before, at)| {
            let age = now.saturating_sub(*at);
            let same_but_words = without_words(before) == without_words(&status);
            age >= STATUS_AGE || !same_but_words || (*before != status && age >= WORDS_AGE)
        });
        if due {
            let mut document = status.clone();
            document["checkedAt"] = pki::text(now).into();
            match status::publish(&context, "credential", &document).await {
                Ok(()) => self.published = Some((status, now)),
                Err(error) => {
                    context.metrics.failed(Some(&error.cause));
                    tracing::warn!(%error, "the status is not up to date");
                }
            }
        }
    }
}

/// Whether a login may be tried.
fn login(
    context: &Context,
    state: &state::State,
    sources: &Sources,
    attempt: Option<&Attempt>,
    succeeded: bool,
) -> Login {
    let (username, password) = match (&sources.username, &sources.password) {
        (Ok(username), Ok(password)) => (username, password),
        (Err(missing), _) | (_, Err(missing)) => return Login::Missing(missing.clone()),
    };
    let wait = i64::try_from(context.settings.credentials.login_wait.as_secs()).unwrap_or(i64::MAX);
    let digest = credential(state, username, password);
    match attempt.and_then(|attempt| Some((attempt, attempt.blocks(&digest, wait, pki::now())?))) {
        Some((attempt, until)) if !succeeded => Login::Tried { until, said: attempt.said.clone() },
        _ => Login::Free,
    }
}

fn without_words(status: &Value) -> Value {
    let mut status = status.clone();
    status["message"] = Value::Null;
    status
}

/// Up to a tenth less: many installations don't look in one second.
fn jittered(time: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without randomness there is no jitter, and no harm.
    let _ = SystemRandom::new().fill(&mut byte);
    time - time / 10 * u32::from(byte[0]) / 256
}

/// Rings whenever something changes that a plan depends on; never ends.
async fn watch(context: &Context, bell: &Notify) {
    let auth = &context.settings.auth;
    let mut names = vec![key_place(context).name, auth.credential.name.clone()];
    if let (Mode::Password, Username::SecretKey(reference)) = (auth.mode, &auth.username) {
        names.push(reference.name.clone());
    }
    names.sort();
    names.dedup();
    let streams: Vec<BoxStream<'_, Option<ClusterError>>> =
        names.iter().map(|name| watch_named(context.secrets(), name).map(|seen| seen.err()).boxed()).collect();
    let mut changes = select_all(streams);
    let mut consumers = context.consumers.subscribe();
    loop {
        tokio::select! {
            Some(failed) = changes.next() => match failed {
                // Passes read by themselves, so that nothing is missed for long.
                Some(error) => {
                    context.metrics.failed(Some(&error.cause));
                    tracing::debug!(%error, "a watch broke; trying on");
                }
                None => bell.notify_one(),
            },
            Ok(()) = consumers.changed() => {
                if *consumers.borrow_and_update() != Consumers::Unknown {
                    bell.notify_one();
                }
            }
            else => return,
        }
    }
}
