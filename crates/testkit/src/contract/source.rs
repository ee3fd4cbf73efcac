//! What a `Discover` keeps: a set is complete or there is none, and an error says what to do.

use std::sync::Arc;
use std::time::Duration;

use bascule_provider::port::Set;
use bascule_provider::{Discover, Kind};

use super::{IMPATIENCE, PATIENCE, Wire, faults};
use crate::meddler::{Meddle, Meddler};

/// A source in a pretend cloud with enough in it for several pages, behind a meddler.
pub trait Rig {
    /// The source; a call of its may take so long.
    fn source(&self, patience: Duration) -> Arc<dyn Discover>;
    /// What stands before the cloud.
    fn meddler(&self) -> &Meddler;
    /// How its errors look.
    fn wire(&self) -> &dyn Wire;
    /// All that there is in it.
    fn all(&self) -> Set;
    /// Takes everything out of it.
    fn empty(&self);
}

/// The whole set comes, and the source has a name.
///
/// # Panics
/// When it does not.
pub async fn finds_all(rig: &impl Rig) {
    let source = rig.source(PATIENCE);
    assert_eq!(source.discover().await.unwrap(), rig.all());
    assert!(!source.source().is_empty());
    assert!(!rig.all().instances.is_empty());
}

/// A source without anything is an empty set, not an error.
///
/// # Panics
/// When it is not.
pub async fn finds_nothing_where_nothing_is(rig: &impl Rig) {
    rig.empty();
    assert_eq!(
        rig.source(PATIENCE).discover().await.unwrap(),
        Set::default()
    );
}

/// Whatever goes wrong, at whichever of its calls: there is an error of the right kind, or the whole set, never a part.
///
/// # Panics
/// When there is another.
pub async fn gives_all_or_an_error(rig: &impl Rig) {
    let source = rig.source(PATIENCE);
    drop(rig.meddler().take_asked());
    source.discover().await.unwrap();
    let calls = rig.meddler().take_asked().len();
    assert!(calls > 0);
    for before in 0..calls {
        for (name, meddle, is_right) in faults(rig.wire()) {
            let passing = (0..before).map(|_| Meddle::Pass);
            rig.meddler().next(passing.chain([meddle]));
            match rig.source(PATIENCE).discover().await {
                Ok(set) => assert_eq!(set, rig.all(), "{name} at call {before}"),
                Err(error) => assert!(is_right(&error), "{name} at call {before}: {error:?}"),
            }
            rig.meddler().next([]);
        }
    }
}

/// A call that is not answered ends, as what may be well in a moment.
///
/// # Panics
/// When it does not.
pub async fn waits_for_no_answer_for_ever(rig: &impl Rig) {
    rig.meddler().next((0..8).map(|_| Meddle::Silence));
    let error = rig.source(IMPATIENCE).discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient, "{error:?}");
}

/// Makes a test of each law for a rig that `$start` starts.
#[macro_export]
macro_rules! source_contract {
    ($name:ident, $start:path) => {
        mod $name {
            $crate::laws!(source, $start,
                finds_all finds_nothing_where_nothing_is gives_all_or_an_error waits_for_no_answer_for_ever);
        }
    };
}
