//! What every client program in Rust shares: the conversation with the runner, the workloads, the clocks.
//!
//! A client program is started with words `name=value` and says `ready` with its version when its first metadata are there.
//! Then it answers each line `run` with one run of its workload and `done NANOSECONDS`, and each line `report` with a line of
//! JSON about the last run. It ends with its standard input. The runner looks at CPU time, memory, threads and switches from
//! outside, between the two lines, in the same way for all languages.

mod conversation;
mod record;
mod settings;
mod workload;

pub use conversation::converse;
pub use record::{MOST_OVERHEAD, put_record};
pub use settings::Settings;

/// A producer under test.
pub trait Producer: Sync {
    /// What one thread holds.
    type Caller<'a>: Caller
    where
        Self: 'a;

    /// What the next thread holds.
    fn caller(&self) -> Self::Caller<'_>;

    /// Returns when all that was sent has been answered; ends the program when something failed.
    fn flush(&self);
}

/// One thread's view of a producer.
pub trait Caller {
    /// Hands over one record, as cheaply as this producer can.
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]);

    /// Hands over all of these in turn. Whoever does it best within one task says so.
    fn send_all<'v>(&mut self, records: impl Iterator<Item = (Option<[u8; 16]>, &'v [u8])>) {
        for (key, value) in records {
            self.send(key.as_ref().map(<[u8; 16]>::as_slice), value);
        }
    }

    /// Returns when the broker has answered.
    fn send_and_wait(&mut self, value: &[u8]);

    /// Called after the last `send` of this thread.
    fn finish(&mut self) {}
}
