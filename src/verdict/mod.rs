//! From what was planned and measured to a decision, purely.

pub mod binomial;
