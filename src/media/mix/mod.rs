//! The mixer: loudest few, mix-minus, one shared encoding for silent listeners.
