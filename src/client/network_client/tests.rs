//! What the network client promises.
