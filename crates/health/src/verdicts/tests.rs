//! Both together in virtual time.
