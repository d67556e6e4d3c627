//! What is agreed to, case by case.
