//! How a leg ended: side, cause, SIP status and Q.850 cause, in one table.
