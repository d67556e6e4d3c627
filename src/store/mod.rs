//! What must outlive the process: SQLite or PostgreSQL through one dialect.
