//! Where packets of a leg may come from and go to: latching and ICE-lite.
