//! The failure list, case by case: the code, the message, and what the other accounts see of it.

mod access;
