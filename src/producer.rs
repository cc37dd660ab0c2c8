//! The producer layer.
