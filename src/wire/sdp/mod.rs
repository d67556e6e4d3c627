//! Session descriptions (RFC 8866): reader and writer, with typed views of the attributes that offers carry.
