//! Bugs on purpose: each is one line in the code, and some test must find it.
//!
//! Java: none.
//! Differs: in every build but that of `tests/planted` the macro is the constant `false`.
//! Threads: any. Locks: none.
//!
//! `--cfg planted="name"` plants one bug. `--cfg planted="any"` builds all of them, and the environment variable
//! `OTTLA_PLANTED` says which one is real, so that one build can try each in turn.

use std::sync::OnceLock;

/// Whether the bug of this name is planted: `if planted!("name") { .. }`.
macro_rules! planted {
    ($name:tt) => {
        cfg!(planted = $name)
            || (cfg!(planted = "any") && $crate::common::planted::is_chosen($name))
    };
}
pub(crate) use planted;

/// Whether the environment asks for this bug.
pub(crate) fn is_chosen(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("OTTLA_PLANTED").ok());
    chosen.as_deref() == Some(name)
}
