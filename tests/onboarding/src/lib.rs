//! Onboarding end to end.
