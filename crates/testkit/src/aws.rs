//! A pretended AWS: [`Moto`], which is moto's server from its Python package, and the [`Outsider`], which is boto3 and looks at
//! what the product has done there; for Global Accelerator, which moto lacks, the fake in [`accelerator`].

pub mod accelerator;
mod moto;

pub use accelerator::Accelerator;
pub use moto::{Moto, Outsider, python};
