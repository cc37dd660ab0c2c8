//! Tests of reading batches of all formats.
