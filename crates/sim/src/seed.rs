//! A whole history from one number.

use std::time::Duration;

use bascule_model::Rng;

use crate::calm::{self, Calm};
use crate::law::Broken;
use crate::layout::{Layout, Unusable};
use crate::script::Script;
use crate::world::World;

/// How long the first phase is.
const STORM: Duration = Duration::from_secs(12);

/// Why a seed did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A law was broken.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A mistake of the simulator.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// Plays a seed through both phases.
///
/// # Errors
/// The first law that is broken.
pub fn play(seed: u64) -> Result<(World, Calm), Failed> {
    let rng = Rng::new(seed);
    let layout = Layout::random(&mut rng.fork("layout"))?;
    let script = Script::random(&layout, STORM, &mut rng.fork("script"));
    let mut world = World::new(layout, &script, seed)?;
    world.run(script.end)?;
    let calm = calm::rest(&mut world)?;
    Ok((world, calm))
}
