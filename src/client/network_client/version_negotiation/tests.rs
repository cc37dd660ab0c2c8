//! What the exchange of versions promises.
