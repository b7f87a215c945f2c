//! What every serving process needs: bounded connections, health, metrics, and an orderly shutdown.
//!
//! Knows nothing of admission reviews: [`crate::webhook`] and [`crate::controller`] bring what is served.

mod admin;
mod bounds;
mod connection;
mod health;
mod listener;
mod phase;
mod progress;
mod shutdown;
mod slots;

pub use admin::AdminServer;
pub(crate) use admin::router as admin_router;
pub use bounds::Bounds;
pub(crate) use connection::Useful;
pub(crate) use health::Health;
pub use listener::BindError;
pub(crate) use listener::{Listener, MAX_ACCEPT_SILENCE, bind};
pub use progress::{Loops, Progress};
pub use shutdown::{Shutdown, Trigger};
