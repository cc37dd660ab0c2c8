//! The socket shell: one acceptor and one processor for each broker, one pool of request handlers for all.

pub(crate) mod acceptor;
pub(crate) mod processor;
pub(crate) mod request_channel;
pub(crate) mod request_handler;
pub(crate) mod socket_server;
