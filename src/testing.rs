//! Fakes for tests, by their Java names.
//!
//! Java: the test tree (`MockTime`, `MockSelector`, `MockClient`).
//! Differs: see each file. Threads: see each file. Locks: see each file.

pub(crate) mod error_page;
pub(crate) mod golden;
pub(crate) mod mock_client;
pub(crate) mod mock_selector;
pub(crate) mod mock_time;
#[cfg(all(feature = "embedded-broker", not(shuttle)))]
mod sim;
#[cfg(shuttle)]
pub(crate) mod threads;
