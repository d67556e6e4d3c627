//! One media session: path, protection, reception, sending and figures joined.
