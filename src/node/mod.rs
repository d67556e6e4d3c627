//! The only place with sockets, threads and clocks.
