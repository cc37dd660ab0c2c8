//! Learns when the tool shall stop: SIGINT and SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

/// Becomes true with the first SIGINT or SIGTERM; a second one ends the process at once.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// Set by the signal handler (SeqCst, as `signal-hook` does), read by the loops of the tool.
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Listens from now on.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset and sets it, the second one finds it set and ends us.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self { asked })
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits for a time, or less where the tool shall stop; returns whether it shall go on.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let mut left = time;
        while !self.is_asked() && left > Duration::ZERO {
            let step = left.min(SHORT);
            thread::park_timeout(step);
            left = left.saturating_sub(step);
        }
        !self.is_asked()
    }
}

/// How late a signal may be noticed.
const SHORT: Duration = Duration::from_millis(50);
