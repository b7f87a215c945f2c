//! Structured log lines on standard error.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// [`Format::Text`] on a terminal, [`Format::Json`] elsewhere.
    #[default]
    Auto,
    /// One readable line per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// There is no format of this name.
    #[error("unknown log format {0:?}: it is auto, text or json")]
    Format(String),
    /// The filter can't be parsed.
    #[error(
        "unknown log filter {0:?}: give a level (error, warn, info, debug, trace, off), \
         or several as in info,argocd_auth_webhook=debug"
    )]
    Filter(String),
    /// A subscriber was installed before.
    #[error("logging was started already")]
    Started,
}

impl FromStr for Format {
    type Err = LogsError;

    fn from_str(text: &str) -> Result<Self, LogsError> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogsError::Format(text.to_owned())),
        }
    }
}

/// How many lines may wait to be written. With our longest lines they take about 2 MiB.
const MAX_WAITING: usize = 1024;

/// Counts the lines dropped because the queue was full.
static LEFT_OUT: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines were dropped so far because standard error took no more.
pub fn left_out() -> u64 {
    LEFT_OUT.get().map_or(0, |counter| counter.dropped_lines().try_into().unwrap_or(u64::MAX))
}

/// Installs logging to standard error for the whole process. Dropping the guard writes the lines that still
/// wait. `filter` is a level, or levels per target such as `info,argocd_auth_webhook=debug`. `colour` colours text.
///
/// A thread of its own writes. If nobody reads (the full pipe of a hanging container runtime), lines are
/// dropped, and no request or probe waits.
///
/// # Errors
/// [`LogsError`]: the filter can't be parsed, or a subscriber was installed before.
pub fn init(format: Format, filter: &str, colour: bool) -> Result<WorkerGuard, LogsError> {
    let writer = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_WAITING);
    let (writer, guard) = writer.thread_name("logs").finish(std::io::stderr());
    let counter = writer.error_counter();
    let subscriber = subscriber(format, filter, colour, writer)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogsError::Started)?;
    let _ = LEFT_OUT.set(counter);
    Ok(guard)
}

/// The subscriber that [`init`] installs, with another writer.
///
/// # Errors
/// The filter can't be parsed.
pub fn subscriber<W>(
    format: Format,
    filter: &str,
    colour: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, LogsError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let unreadable = || LogsError::Filter(filter.to_owned());
    // `Targets` takes a misspelt level for the name of a target, which would silence everything else, and an
    // empty text for `error`.
    let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    let is_directive = |part: &str| part.contains('=') || is_level(part);
    if !filter.split(',').all(is_directive) {
        return Err(unreadable());
    }
    let targets: Targets = filter.parse().map_err(|_| unreadable())?;
    // kube logs bodies that it can't parse, and one can be a Secret. Failures are logged by the caller.
    let targets = targets.with_target("kube_client", LevelFilter::OFF);
    // kube's watcher logs each retry of a refused watch, which our own log says once.
    let targets = targets.with_target("kube_runtime", LevelFilter::ERROR);
    let terminal = std::io::stderr().is_terminal();
    let text = format == Format::Text || (format == Format::Auto && terminal);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = if text {
        lines.with_ansi(colour).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    Ok(tracing_subscriber::registry().with(layer.with_filter(targets)))
}

/// Logs a panic as one line with its location. The message is left out: it comes from code that met the
/// unexpected, and may quote a credential.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panicked");
    }));
}

/// Limits the log lines about refused requests, over all listeners: 10 a second.
pub(crate) static REFUSALS: Throttle = Throttle::new(10);

/// A rate limit: lets a number of events per second pass and counts the rest.
#[derive(Debug)]
pub(crate) struct Throttle {
    most: u32,
    second: Mutex<Second>,
}

#[derive(Debug)]
struct Second {
    begun: Option<Instant>,
    passed: u32,
    left_out: u64,
}

impl Throttle {
    pub(crate) const fn new(most: u32) -> Self {
        Self { most, second: Mutex::new(Second { begun: None, passed: 0, left_out: 0 }) }
    }

    /// Whether this event passes: `None` if not, else how many were held back since the last one that did.
    pub(crate) fn pass(&self) -> Option<u64> {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.begun.is_none_or(|begun| begun.elapsed() >= Duration::from_secs(1)) {
            (second.begun, second.passed) = (Some(Instant::now()), 0);
        }
        if second.passed < self.most {
            second.passed += 1;
            return Some(std::mem::take(&mut second.left_out));
        }
        second.left_out += 1;
        None
    }
}

/// How many characters are shown: the longest object name of Kubernetes.
const MAX_NAME: usize = 253;

/// Text from a request, safe for a log line: cut, with control, invisible and direction characters escaped.
/// JSON lets some of these through and a terminal would obey them. Borrowed if nothing changes.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    let cut = text.char_indices().nth(MAX_NAME).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    if cut.chars().any(|character| !character.is_ascii_graphic() && !character.escape_debug().eq([character])) {
        Cow::Owned(cut.escape_debug().take(MAX_NAME).collect())
    } else {
        Cow::Borrowed(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_refused() {
        for filter in ["inof", "", "info,warm", "info,hyper=lod"] {
            assert!(subscriber(Format::Json, filter, false, std::io::sink).is_err(), "{filter:?}");
        }
        for filter in ["info", "off", "warn,argocd_auth_webhook=debug"] {
            assert!(subscriber(Format::Json, filter, false, std::io::sink).is_ok(), "{filter:?}");
        }
    }

    #[test]
    fn what_is_refused_too_often_is_counted_instead_of_logged() {
        let throttle = Throttle::new(2);
        assert_eq!(
            [throttle.pass(), throttle.pass(), throttle.pass(), throttle.pass()],
            [Some(0), Some(0), None, None]
        );
        throttle.second.lock().unwrap().begun = Instant::now().checked_sub(Duration::from_secs(1));
        assert_eq!([throttle.pass(), throttle.pass()], [Some(2), Some(0)]);
    }

    #[test]
    fn text_from_requests_is_cut_and_cannot_steer_a_terminal() {
        assert_eq!(shown("cap-app-proxy-"), "cap-app-proxy-");
        assert_eq!(shown("a\u{9b}31m\nb"), "a\\u{9b}31m\\nb");
        assert_eq!(shown("\u{202e}\u{2066}\u{200b}\u{2028}"), "\\u{202e}\\u{2066}\\u{200b}\\u{2028}");
        assert_eq!(shown(&"é".repeat(300)).chars().count(), 253);
        assert!(shown(&"\n".repeat(300)).chars().count() <= 253);
    }
}
