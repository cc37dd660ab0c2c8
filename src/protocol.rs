//! The protocol layer.
