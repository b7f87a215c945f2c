//! When the process has to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Running,
    Drain,
    Now,
}

/// Waits for the start of the drain, and for an immediate end.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Stage>);

/// Causes a [`Shutdown`]. If the trigger is dropped, the shutdown never comes.
#[derive(Debug)]
pub struct Trigger(watch::Sender<Stage>);

impl Trigger {
    /// Starts the drain.
    pub fn drain(&self) {
        self.0.send_if_modified(|stage| std::mem::replace(stage, (*stage).max(Stage::Drain)) < Stage::Drain);
    }

    /// Ends the process at once.
    pub fn now(&self) {
        self.0.send_replace(Stage::Now);
    }
}

impl Shutdown {
    /// A shutdown that the program itself triggers.
    #[must_use]
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(Stage::Running);
        (Trigger(sender), Self(receiver))
    }

    /// A shutdown by SIGTERM or SIGINT: the first signal starts the drain, the second ends the process at
    /// once. From now on neither kills the process by itself. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The signal handlers can't be installed.
    pub fn by_signals() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (trigger, shutdown) = Self::new();
        tokio::spawn(async move {
            for stage in [Stage::Drain, Stage::Now] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "asked to end");
                trigger.0.send_replace(stage);
            }
            // Kept until the end: a dropped trigger would never end anything.
            std::future::pending::<()>().await;
        });
        Ok(shutdown)
    }

    /// Waits until the drain starts.
    pub async fn drain(&mut self) {
        self.at_least(Stage::Drain).await;
    }

    /// Waits until the process has to end at once.
    pub async fn now(&mut self) {
        self.at_least(Stage::Now).await;
    }

    async fn at_least(&mut self, stage: Stage) {
        if self.0.wait_for(|now| *now >= stage).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
