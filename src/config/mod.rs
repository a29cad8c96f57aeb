//! From profiles to checked accounts.
