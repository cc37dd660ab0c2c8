//! Tests of building batches.
