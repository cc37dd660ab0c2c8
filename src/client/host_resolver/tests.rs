//! What the host resolver promises.
