//! Tests that run over every message: hostile bytes, an independent codec, and Kafka's own schemas.

mod decode_fuzz;
mod oracle;
mod schemas;
