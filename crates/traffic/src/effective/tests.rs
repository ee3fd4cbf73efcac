//! Laws of the effective row.

use proptest::prelude::*;

use super::*;
use crate::fixtures::points;

/// All of its endpoints up, nothing returning.
fn whole(target: u16, endpoints: usize) -> Standing {
    up(target, endpoints, endpoints)
}

fn up(target: u16, up: usize, total: usize) -> Standing {
    Standing {
        target: points(target),
        off: false,
        up,
        up_weight: up as u64 * 10_000,
        open: total,
        total,
        slow_start: BasisPoints::FULL,
        room: None,
    }
}

fn serve(standings: &[Standing]) -> Vec<u16> {
    let row = row(standings, FailOpen::Never);
    assert_eq!(row.mode, Mode::Serve);
    row.effective.iter().map(|share| share.get()).collect()
}

#[test]
fn two_of_four_endpoints_up_make_30_percent_23_08() {
    let standings = [whole(7000, 3), up(3000, 2, 4)];
    assert_eq!(serve(&standings), [7692, 2308]);
    let factors = row(&standings, FailOpen::Never).factors[1];
    assert!((factors.health - 0.7).abs() < 1e-9 && (factors.product - 0.21).abs() < 1e-9);
    assert_eq!((factors.up, factors.total), (2, 4));
}

#[test]
fn a_few_endpoints_less_change_nothing() {
    assert_eq!(serve(&[whole(5000, 1), up(5000, 5, 7)]), [5000, 5000]);
}

#[test]
fn a_backend_without_an_endpoint_up_gives_its_share_to_the_others_in_proportion() {
    assert_eq!(
        serve(&[whole(5000, 1), whole(3000, 1), up(2000, 0, 3)]),
        [6250, 3750, 0]
    );
}

#[test]
fn a_standby_takes_over_when_the_whole_row_is_lost() {
    let standings = [up(7000, 0, 2), up(3000, 0, 2), whole(0, 1)];
    assert_eq!(serve(&standings), [0, 0, 10_000]);
}

#[test]
fn a_backend_that_is_off_does_not_take_over() {
    let off = Standing {
        off: true,
        ..whole(0, 1)
    };
    for fail_open in [FailOpen::Never, FailOpen::WhenNoBackendUp] {
        let row = row(&[up(10_000, 0, 2), off], fail_open);
        assert_eq!(row.effective[1], BasisPoints::ZERO);
    }
}

#[test]
fn the_only_backend_that_is_up_gets_all_from_the_first_moment_of_its_ramp() {
    let returning = Standing {
        slow_start: BasisPoints::ZERO,
        ..whole(3000, 1)
    };
    assert_eq!(serve(&[up(7000, 0, 1), returning]), [0, 10_000]);
    assert_eq!(serve(&[whole(7000, 1), returning]), [10_000, 0]);
}

/// With a capacity, all endpoints together, in basis points of what the service brings.
fn with_room(standing: Standing, room: u64) -> Standing {
    Standing {
        room: Some(room),
        ..standing
    }
}

#[test]
fn the_health_factor_goes_by_capacity_where_one_is_declared() {
    // Half of the endpoints can still take what the target brings: nothing moves.
    let half = with_room(up(3000, 2, 4), 8000);
    assert_eq!(serve(&[whole(7000, 3), half]), [7000, 3000]);
    // A quarter takes 2000 of 3000.
    let quarter = with_room(up(3000, 1, 4), 8000);
    let standings = [whole(7000, 3), quarter];
    let health = row(&standings, FailOpen::Never).factors[1].health;
    assert!((health - 2.0 / 3.0).abs() < 1e-6, "{health}");
    assert_eq!(serve(&standings), [8000, 2000]);
}

#[test]
fn what_the_survivors_cannot_take_is_shed_and_not_poured_on_them() {
    let standings = [with_room(whole(5000, 2), 6000), up(5000, 0, 2)];
    let row = row(&standings, FailOpen::Never);
    assert_eq!(row.divided.shares, [points(6000), points(0)]);
    assert_eq!(row.divided.shed, points(4000));
    assert_eq!(row.effective, [points(10_000), points(0)]);
}

#[test]
fn a_standby_takes_what_the_survivors_cannot() {
    let standby = with_room(whole(0, 1), 3000);
    let lost = [with_room(whole(5000, 2), 6000), up(5000, 0, 2), standby];
    let row = row(&lost, FailOpen::Never);
    assert_eq!(row.divided.shares, [points(6000), points(0), points(3000)]);
    assert_eq!(row.divided.shed, points(1000));
    let well = [with_room(whole(5000, 2), 6000), whole(5000, 2), standby];
    assert_eq!(serve(&well), [5000, 5000, 0]);
}

#[test]
fn where_nothing_fits_at_all_everything_is_shed_and_the_row_stays_exact() {
    let standings = [with_room(whole(7000, 1), 0), with_room(whole(3000, 1), 0)];
    let row = row(&standings, FailOpen::Never);
    assert_eq!(row.divided.shed, points(10_000));
    assert_eq!(row.effective, [points(7000), points(3000)]);
}

#[test]
fn a_heavy_backend_that_returns_rises_as_slowly_as_a_light_one() {
    for target in [100, 3000, 5000, 9000, 9900] {
        for slow_start in [0, 100, 1000, 5000, 9000, 10_000] {
            let returning = Standing {
                slow_start: points(slow_start),
                ..whole(target, 1)
            };
            let share = serve(&[returning, whole(10_000 - target, 1)])[0];
            let line = u32::from(target) * u32::from(slow_start) / 10_000;
            assert_eq!(u32::from(share), line, "{target} at {slow_start}");
        }
    }
}

#[test]
fn where_all_return_those_that_came_later_rise_too_and_nothing_jumps_when_the_first_are_done() {
    let returning = |stands: u16| Standing {
        slow_start: points(stands),
        ..whole(5000, 1)
    };
    assert_eq!(serve(&[returning(4000), returning(4000)]), [5000, 5000]);
    assert_eq!(serve(&[returning(4000), returning(0)]), [10_000, 0]);
    assert_eq!(serve(&[returning(9900), returning(5900)]), [7021, 2979]);
    assert_eq!(serve(&[returning(10_000), returning(6000)]), [7000, 3000]);
}

#[test]
fn while_a_backend_returns_the_others_stay_within_their_capacity() {
    let mut shed = 10_000;
    for slow_start in (0..=10_000).step_by(200) {
        let returning = Standing {
            slow_start: points(slow_start),
            ..with_room(whole(5000, 2), 6000)
        };
        let standings = [with_room(whole(5000, 2), 6000), returning];
        let row = row(&standings, FailOpen::Never);
        assert!(row.divided.shares[0] <= points(6000));
        assert!(row.divided.shed.get() <= shed);
        shed = row.divided.shed.get();
    }
    assert_eq!(shed, 0);
}

#[test]
fn where_only_what_returns_is_not_full_the_factors_still_say_who_has_how_much() {
    let standings = [
        with_room(up(217, 1, 3), 0),
        Standing {
            slow_start: points(1325),
            ..with_room(up(93, 1, 2), 4620)
        },
        Standing {
            slow_start: points(2),
            ..whole(1, 1)
        },
    ];
    let row = row(&standings, FailOpen::Never);
    assert_eq!(row.effective, [0, 9967, 33].map(points));
    let [_, heavy, light] = [0, 1, 2].map(|index| row.factors[index].product);
    assert!((heavy / (heavy + light) - 0.9967).abs() < 0.001);
}

#[test]
fn a_row_that_returns_to_a_standby_takes_over_by_a_ramp() {
    let returning = Standing {
        slow_start: points(1000),
        ..whole(10_000, 1)
    };
    assert_eq!(serve(&[returning, whole(0, 1)]), [1000, 9000]);
}

#[test]
fn a_row_for_any_losses_is_the_row_when_they_happen() {
    // One of them has just begun to return, and has no weight yet.
    let begins = Standing {
        up_weight: 0,
        ..whole(0, 1)
    };
    let standings = [
        with_room(whole(5000, 2), 7000),
        with_room(up(3000, 1, 2), 4000),
        whole(2000, 1),
        with_room(whole(0, 1), 1000),
        begins,
    ];
    // But for the loss of all: there is no row then.
    for losses in 0..31_u32 {
        let is_lost = |index: usize| losses & (1 << index) != 0;
        let mut happened = standings;
        for (index, standing) in happened.iter_mut().enumerate() {
            if is_lost(index) {
                (standing.up, standing.up_weight) = (0, 0);
            }
        }
        let row = row(&happened, FailOpen::Never);
        assert_eq!(when_lost(&standings, is_lost), row.divided, "{losses:05b}");
    }
}

#[test]
fn refusals_say_whether_people_or_faults_took_all_out() {
    let mode = |standings: &[Standing]| row(standings, FailOpen::Never).mode;
    let off = Standing {
        off: true,
        ..whole(0, 1)
    };
    let drained = Standing {
        open: 0,
        ..up(5000, 0, 2)
    };
    assert_eq!(mode(&[off, off]), Mode::Refuse(Refusal::AllOff));
    assert_eq!(mode(&[off, drained]), Mode::Refuse(Refusal::AllOff));
    assert_eq!(
        mode(&[off, up(5000, 0, 2)]),
        Mode::Refuse(Refusal::NoBackendUp)
    );
    assert_eq!(
        mode(&[off, up(5000, 0, 0)]),
        Mode::Refuse(Refusal::NoBackendUp),
        "not resolved yet"
    );
}

#[test]
fn fail_open_divides_by_the_target_row_among_those_not_off() {
    let off = Standing {
        off: true,
        ..up(5000, 0, 1)
    };
    let row = row(
        &[up(3000, 0, 9), up(2000, 0, 1), off],
        FailOpen::WhenNoBackendUp,
    );
    assert_eq!(row.mode, Mode::FailOpen);
    assert_eq!(row.effective, [points(6000), points(4000), points(0)]);
}

fn standing() -> impl Strategy<Value = Standing> {
    let counts = (0_usize..6, 0_usize..6, 0_usize..6);
    (
        0_u16..=10_000,
        0_u8..4,
        counts,
        0_u64..=10_000,
        0_u16..=10_000,
        prop_oneof![2 => Just(None), 1 => (0_u64..30_000).prop_map(Some)],
    )
        .prop_map(|(target, off, (a, b, c), weight, slow_start, room)| {
            let mut counts = [a, b, c];
            counts.sort_unstable();
            let [up, open, total] = counts;
            let returning = usize::from(up > 1);
            Standing {
                target: points(target),
                off: off == 0,
                up,
                up_weight: (up - returning) as u64 * 10_000 + returning as u64 * weight,
                open,
                total,
                slow_start: points(if slow_start > 5000 {
                    10_000
                } else {
                    slow_start
                }),
                room,
            }
        })
}

fn fail_open() -> impl Strategy<Value = FailOpen> {
    prop::sample::select(vec![FailOpen::Never, FailOpen::WhenNoBackendUp])
}

proptest! {
    #[test]
    fn a_row_is_exact_and_what_is_off_or_down_gets_nothing(
        standings in prop::collection::vec(standing(), 1..12), fail_open in fail_open()
    ) {
        let row = row(&standings, fail_open);
        let sum: u32 = row.effective.iter().map(|share| u32::from(share.get())).sum();
        let refuses = matches!(row.mode, Mode::Refuse(_));
        prop_assert_eq!(sum, if refuses { 0 } else { 10_000 });
        for (standing, share) in standings.iter().zip(&row.effective) {
            prop_assert!(!standing.off || share.is_zero());
            prop_assert!(row.mode != Mode::Serve || standing.up > 0 || share.is_zero());
            prop_assert!(standing.open > 0 || share.is_zero());
        }
        let someone_up = standings.iter().any(|s| !s.off && s.up > 0);
        prop_assert_eq!(row.mode == Mode::Serve, someone_up);
    }

    #[test]
    fn nobody_gets_more_than_its_endpoints_can_take(standings in prop::collection::vec(standing(), 1..12)) {
        let row = row(&standings, FailOpen::Never);
        let sum: u32 = row.divided.shares.iter().map(|share| u32::from(share.get())).sum();
        prop_assume!(row.mode == Mode::Serve);
        prop_assert_eq!(sum + u32::from(row.divided.shed.get()), 10_000);
        for (standing, share) in standings.iter().zip(&row.divided.shares) {
            let up = standing.up as f64 / standing.total.max(1) as f64;
            let limit = standing.room.map_or(10_000.0, |room| room as f64 * up);
            prop_assert!(f64::from(share.get()) <= limit + 1e-6, "{} {}", share.get(), limit);
        }
    }

    #[test]
    fn the_factors_give_the_effective_share_again(standings in prop::collection::vec(standing(), 1..12)) {
        let row = row(&standings, FailOpen::Never);
        let sum: f64 = row.factors.iter().map(|factors| factors.product).sum();
        // What a standby got, and what was shed where nothing fits, is said in words instead.
        let by_target = |(s, share): (&Standing, &BasisPoints)| !s.target.is_zero() || share.is_zero();
        prop_assume!(row.mode == Mode::Serve && sum > 0.0 && row.divided.shed < BasisPoints::FULL);
        prop_assume!(standings.iter().zip(&row.effective).all(by_target));
        for (factors, share) in row.factors.iter().zip(&row.effective) {
            let said = factors.product / sum;
            let off_by = (said - share.ratio()).abs();
            let got_in = 1.0 - row.divided.shed.ratio();
            prop_assert!(off_by <= 0.002 / got_in, "{} {} {:#?}", said, share.ratio(), row);
        }
    }

    #[test]
    fn a_loss_leaves_the_others_in_proportion(
        weights in prop::collection::vec(1_u64..1000, 2..12), lost in any::<prop::sample::Index>()
    ) {
        let targets = largest_remainder(&weights, 10_000).unwrap();
        let lost = lost.index(targets.len());
        let standing = |(n, target): (usize, &u16)| up(*target, usize::from(n != lost), 1);
        let standings: Vec<Standing> = targets.iter().enumerate().map(standing).collect();
        let left: f64 = standings.iter().filter(|s| s.up > 0).map(|s| f64::from(s.target.get())).sum();
        prop_assume!(left > 0.0);
        for (share, standing) in serve(&standings).iter().zip(&standings) {
            let quota = f64::from(standing.target.get()) * standing.up as f64 / left * 10_000.0;
            prop_assert!((f64::from(*share) - quota).abs() < 1.0);
        }
    }

    #[test]
    fn a_ramp_never_falls_and_never_overshoots(
        standings in prop::collection::vec(standing(), 1..12), steady in 0_u16..=10_000,
        a in 0_u16..=10_000, b in 0_u16..=10_000
    ) {
        let standings: Vec<Standing> = standings.into_iter().chain([whole(steady, 1)]).collect();
        // Of all that clients ask for: where the others are full too, the part that is let in changes as well.
        let share = |slow_start: u16| {
            let mut standings = standings.clone();
            standings[0].slow_start = points(slow_start);
            row(&standings, FailOpen::Never).divided.shares[0]
        };
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(share(low) <= share(high));
        prop_assert!(share(high) <= share(10_000));
    }
}
