//! Finds the leg that a packet on a shared port belongs to.
