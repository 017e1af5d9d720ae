//! The one integration binary: a second one would link the SDK again.
