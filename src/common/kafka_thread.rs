//! Starts the few threads that the crate has, each with a name.
//!
//! Java: `common/utils/KafkaThread.java`.
//! Differs: a panic is caught and handed to the thread's owner, which fails every waiting caller.
//! Threads: the caller's and the new one. Locks: none.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::sync::thread::{Builder, JoinHandle};

/// Starts a thread called `name`. Where `body` panics, `on_panic` runs on the same thread with the panic's text.
///
/// # Errors
/// Where the operating system gives no thread.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts threads"
)]
pub(crate) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
    on_panic: impl FnOnce(String) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
            on_panic(panic_text(panic.as_ref()));
        }
    })
}

/// What a panic said, as far as it said it in words.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_owned()
    }
}
