//! What the connection states promise.
