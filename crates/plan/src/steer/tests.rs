//! What the control loop does, as examples.

pub(super) mod fixture;
mod keys;
mod laws;

use std::time::Duration;

use bascule_model::{AdminState, AdminTarget, Revision};

use super::*;
use crate::command::{Command, Pace};
use crate::view::{EvacuationPhase, ShiftPhase, TurnedBy};
use fixture::{Sim, facts, name, row, shift_command};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn meet() -> Sim {
    let mut sim = Sim::new(&[("meet", facts(&[("aws", 70), ("oci", 30)]))]);
    sim.run(30 * SECOND);
    sim
}

fn phase(sim: &Sim) -> ShiftPhase {
    sim.newest().phase
}

#[test]
fn a_shift_moves_in_steps_and_each_is_watched() {
    let mut sim = meet();
    let accepted = sim.shift(&[("aws", 50), ("oci", 50)]).unwrap();
    assert_eq!(accepted.shifts, ["s-0001"]);
    assert_eq!(sim.target("meet"), "aws=65 oci=35");
    sim.run(SECOND);
    let shift = sim.newest();
    assert_eq!(
        (shift.step, shift.steps, shift.phase),
        (1, 4, ShiftPhase::Baking)
    );
    sim.run(3 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    sim.run(9 * MINUTE);
    assert_eq!(phase(&sim), ShiftPhase::Completed);
    let rows = [
        "aws=65 oci=35",
        "aws=60 oci=40",
        "aws=55 oci=45",
        "aws=50 oci=50",
    ];
    assert_eq!(sim.rows, rows);
    let view = &sim.steer.state().services["meet"];
    assert_eq!(view.declared.to_string(), "aws=70 oci=30");
    assert_eq!(view.override_row.as_ref().unwrap().actor, "ops");
    let started = sim.kinds().iter().filter(|k| **k == "shift_step").count();
    assert_eq!(started, 4);
    assert!(sim.kinds().contains(&"shift_completed"));
}

#[test]
fn a_shift_now_is_one_step() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 20)], Pace::Now)).unwrap();
    assert_eq!(sim.target("meet"), "aws=20 oci=80");
    sim.run(SECOND);
    assert_eq!(phase(&sim), ShiftPhase::Completed);
}

#[test]
fn without_data_a_shift_is_held_and_says_so() {
    let mut sim = meet();
    sim.rate = 0;
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(HOUR);
    let shift = sim.newest();
    assert_eq!((shift.step, shift.phase), (1, ShiftPhase::Holding));
    assert!(
        shift.note.starts_with("no data: oci answered 0 requests"),
        "{}",
        shift.note
    );
    sim.rate = 200;
    sim.run_until("completed", |sim| phase(sim) == ShiftPhase::Completed);
}

#[test]
fn a_person_can_let_a_held_step_pass() {
    let mut sim = meet();
    sim.rate = 0;
    sim.shift(&[("aws", 60)]).unwrap();
    sim.run(5 * MINUTE);
    let id = sim.newest().id;
    sim.ask(Command::Resume { shift: id }).unwrap();
    sim.run(SECOND);
    assert_eq!(sim.newest().step, 2);
}

#[test]
fn when_the_edge_is_silent_a_shift_is_held() {
    let mut sim = meet();
    sim.shift(&[("aws", 60)]).unwrap();
    sim.run(MINUTE);
    for _ in 0..600 {
        sim.pass(SECOND);
    }
    assert_eq!((phase(&sim), sim.newest().step), (ShiftPhase::Holding, 1));
}

#[test]
fn errors_at_the_receiver_ramp_it_back_after_the_hold() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(4 * MINUTE);
    sim.errors.insert(name("oci"), 5);
    sim.run_until("returning", |sim| phase(sim) == ShiftPhase::Returning);
    let shift = sim.newest();
    assert_eq!(shift.turned_by, Some(TurnedBy::Guardrail));
    assert!(shift.note.contains("(limit 0.5 %)"), "{}", shift.note);
    sim.run_until("back", |sim| phase(sim) == ShiftPhase::Aborted);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert_eq!(
        sim.rows[..],
        [
            "aws=65 oci=35",
            "aws=60 oci=40",
            "aws=65 oci=35",
            "aws=70 oci=30"
        ]
    );
    assert_eq!(sim.steer.state().services["meet"].override_row, None);
    assert!(sim.kinds().contains(&"shift_returning"));
}

#[test]
fn a_slower_receiver_ramps_it_back() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(4 * MINUTE);
    sim.latency.insert(name("oci"), Duration::from_millis(100));
    sim.run_until("back", |sim| phase(sim) == ShiftPhase::Aborted);
    assert!(
        sim.newest().note.contains("oci p95"),
        "{}",
        sim.newest().note
    );
}

#[test]
fn a_receiver_that_goes_down_sends_it_back_at_once() {
    let mut sim = meet();
    sim.shift(&[("aws", 40)]).unwrap();
    sim.run(7 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=55 oci=45");
    sim.is_up("oci", 0);
    sim.run(40 * SECOND);
    assert_eq!(phase(&sim), ShiftPhase::Aborted);
    assert_eq!(sim.rows.last().unwrap(), "aws=70 oci=30");
    assert_eq!(sim.rows.len(), 4);
}

#[test]
fn pause_holds_and_resume_goes_on() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    let id = sim.newest().id;
    sim.ask(Command::Pause { shift: id.clone() }).unwrap();
    sim.run(HOUR);
    assert_eq!(
        (phase(&sim), sim.target("meet").as_str()),
        (ShiftPhase::Paused, "aws=65 oci=35")
    );
    sim.ask(Command::Resume { shift: id }).unwrap();
    sim.run(13 * MINUTE);
    assert_eq!(phase(&sim), ShiftPhase::Completed);
}

#[test]
fn abort_ramps_back_at_the_same_pace() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(7 * MINUTE);
    let id = sim.newest().id;
    sim.ask(Command::Abort { shift: id.clone() }).unwrap();
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    sim.run(MINUTE);
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    assert!(matches!(
        sim.ask(Command::Abort { shift: id }),
        Err(Refusal::WrongPhase {
            phase: "returning",
            ..
        })
    ));
    sim.run(6 * MINUTE);
    assert_eq!(
        (phase(&sim), sim.target("meet").as_str()),
        (ShiftPhase::Aborted, "aws=70 oci=30")
    );
}

#[test]
fn an_aborted_shift_goes_back_to_the_override_before_it() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 60)], Pace::Now)).unwrap();
    sim.run(SECOND);
    sim.shift(&[("aws", 40)]).unwrap();
    let id = sim.newest().id;
    sim.ask(Command::Abort { shift: id }).unwrap();
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    let view = &sim.steer.state().services["meet"];
    assert_eq!(
        view.override_row.as_ref().unwrap().shares,
        row(&[("aws", 60), ("oci", 40)])
    );
}

#[test]
fn only_one_shift_of_a_service_runs() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    assert_eq!(
        sim.shift(&[("aws", 60)]),
        Err(Refusal::Busy {
            shift: "s-0001".to_owned()
        })
    );
}

#[test]
fn what_cannot_be_asked_is_refused_with_evidence_and_kept_in_history() {
    let mut sim = meet();
    let unknown = sim.shift(&[("ocl", 50)]).unwrap_err();
    assert!(matches!(unknown, Refusal::UnknownBackend { known, .. } if known.len() == 2));
    let above = sim.shift(&[("aws", 60), ("oci", 60)]).unwrap_err();
    assert!(matches!(above, Refusal::Sum { above: true, .. }));
    sim.is_up("oci", 0);
    let down = sim.shift(&[("aws", 50)]).unwrap_err();
    assert!(matches!(down, Refusal::Rails { broken, .. } if broken[0].rule == "receiver_up"));
    let refused = sim.history.iter().filter(|entry| entry.refused.is_some());
    assert_eq!(refused.count(), 3);
    assert_eq!(sim.steer.state().revision, Revision(0));
}

#[test]
fn a_stale_request_is_refused() {
    let mut sim = meet();
    sim.shift(&[("aws", 60)]).unwrap();
    sim.tell(Event::Request(Request {
        id: 77,
        actor: "ops".to_owned(),
        if_match: Some(Revision(0)),
        dry_run: false,
        reason: String::new(),
        command: shift_command(&[("aws", 50)], Pace::Policy),
    }));
    let stale = Refusal::Stale {
        seen: Revision(0),
        current: Revision(1),
    };
    assert_eq!(sim.replies, [(77, Err(stale))]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut sim = meet();
    sim.tell(Event::Request(Request {
        id: 5,
        actor: "ops".to_owned(),
        if_match: None,
        dry_run: true,
        reason: String::new(),
        command: shift_command(&[("aws", 50)], Pace::Policy),
    }));
    let (_, accepted) = sim.replies.remove(0);
    let accepted = accepted.unwrap();
    let (from, to) = &accepted.rows["meet"];
    assert_eq!(
        (from.to_string(), to.to_string()),
        ("aws=70 oci=30".into(), "aws=50 oci=50".into())
    );
    assert_eq!(accepted.revision, Revision(0));
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert!(sim.history.is_empty());
}

#[test]
fn what_cannot_be_stored_is_refused_and_did_not_happen() {
    let mut sim = meet();
    sim.disk_full = true;
    assert_eq!(
        sim.shift(&[("aws", 50)]),
        Err(Refusal::Store("no space left".to_owned()))
    );
    sim.run(MINUTE);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert!(sim.rows.is_empty());
    sim.disk_full = false;
    sim.shift(&[("aws", 50)]).unwrap();
    assert_eq!(sim.target("meet"), "aws=65 oci=35");
    sim.disk_full = true;
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=65 oci=35");
    assert!(sim.kinds().contains(&"store_failed"));
    sim.disk_full = false;
    sim.run_until("completed", |sim| phase(sim) == ShiftPhase::Completed);
}

#[test]
fn a_share_of_zero_is_off_once_reached() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 0)], Pace::Now)).unwrap();
    let edge = sim.edge.services["meet"].clone();
    assert_eq!(edge.shares.to_string(), "aws=0 oci=100");
    assert!(edge.off.contains(&name("aws")));
}

#[test]
fn an_override_ends_in_a_ramp_to_what_is_declared() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 60)], Pace::Now)).unwrap();
    sim.run(23 * HOUR);
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    sim.run(HOUR + MINUTE);
    assert_eq!(sim.target("meet"), "aws=65 oci=35");
    sim.run(6 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert!(sim.edge.services.is_empty(), "it follows the file again");
    assert!(sim.kinds().contains(&"override_ended"));
}

#[test]
fn an_override_ends_also_without_traffic_and_while_the_process_was_away() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 60)], Pace::Now)).unwrap();
    sim.run(MINUTE);
    sim.rate = 0;
    sim.now.wall = sim.now.wall + 30 * HOUR;
    sim.crash();
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
}

#[test]
fn an_override_ends_also_while_its_shift_is_paused() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    let id = sim.newest().id;
    sim.ask(Command::Pause { shift: id.clone() }).unwrap();
    sim.run(24 * HOUR + MINUTE);
    assert_eq!(sim.steer.state().shifts[&id].phase, ShiftPhase::Superseded);
    sim.run(4 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert_eq!(sim.steer.state().services["meet"].override_row, None);
}

#[test]
fn an_override_lasts_no_longer_than_allowed() {
    let mut sim = meet();
    let mut command = shift_command(&[("aws", 60)], Pace::Now);
    if let Command::Shift { expires_in, .. } = &mut command {
        *expires_in = Some(100 * HOUR);
    }
    let refusal = Refusal::TooLong {
        asked: 100 * HOUR,
        max: 72 * HOUR,
    };
    assert_eq!(sim.ask(command), Err(refusal));
}

#[test]
fn clearing_an_override_ramps_to_what_is_declared() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 60)], Pace::Now)).unwrap();
    sim.run(SECOND);
    let service: bascule_model::ServiceName = "meet".parse().unwrap();
    let pace = Pace::Policy;
    sim.ask(Command::ClearOverride { service, pace }).unwrap();
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert_eq!(sim.steer.state().services["meet"].override_row, None);
}

#[test]
fn without_an_override_a_changed_file_takes_effect_at_once() {
    let mut sim = meet();
    sim.set_facts(&[("meet", facts(&[("aws", 10), ("oci", 90)]))]);
    assert_eq!(sim.target("meet"), "aws=10 oci=90");
    assert!(sim.kinds().contains(&"weight_changed"));
    assert_eq!(sim.history.last().unwrap().action, "config");
}

#[test]
fn an_override_survives_a_changed_file_and_fits_its_backends() {
    let mut sim = meet();
    sim.ask(shift_command(&[("aws", 60)], Pace::Now)).unwrap();
    sim.run(SECOND);
    sim.set_facts(&[("meet", facts(&[("aws", 10), ("gcp", 60), ("oci", 30)]))]);
    assert_eq!(sim.target("meet"), "aws=60 gcp=0 oci=40");
    let view = sim.steer.state().services["meet"].clone();
    assert_eq!(view.declared.to_string(), "aws=10 gcp=60 oci=30");
    sim.set_facts(&[("meet", facts(&[("gcp", 60), ("oci", 30)]))]);
    assert_eq!(sim.target("meet"), "gcp=0 oci=100");
    sim.set_facts(&[("meet", facts(&[("gcp", 60), ("own", 40)]))]);
    assert_eq!(sim.target("meet"), "gcp=60 own=40");
    assert_eq!(sim.steer.state().services["meet"].override_row, None);
}

#[test]
fn a_shift_goes_on_when_its_backends_change_under_it() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(4 * MINUTE);
    sim.set_facts(&[("meet", facts(&[("aws", 1), ("gcp", 1), ("oci", 1)]))]);
    sim.run_until("completed", |sim| phase(sim) == ShiftPhase::Completed);
    assert_eq!(sim.target("meet"), "aws=50 gcp=0 oci=50");
}

#[test]
fn after_a_crash_a_shift_goes_on_in_the_middle() {
    let mut sim = meet();
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(4 * MINUTE);
    sim.crash();
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    sim.run(SECOND);
    assert_eq!((phase(&sim), sim.newest().step), (ShiftPhase::Baking, 2));
    sim.run_until("completed", |sim| phase(sim) == ShiftPhase::Completed);
    assert_eq!(sim.target("meet"), "aws=50 oci=50");
}

fn two_services() -> Sim {
    let mut sim = Sim::new(&[
        ("chat", facts(&[("gcp", 1), ("oci", 1)])),
        ("meet", facts(&[("aws", 60), ("gcp", 20), ("oci", 20)])),
    ]);
    sim.run(30 * SECOND);
    sim
}

fn evacuate(provider: &str, fast: bool) -> Command {
    Command::Evacuate {
        provider: provider.parse().unwrap(),
        fast,
        expires_in: None,
    }
}

fn evacuation(sim: &Sim) -> crate::view::EvacuationView {
    sim.steer
        .state()
        .evacuations
        .values()
        .last()
        .unwrap()
        .clone()
}

#[test]
fn an_evacuation_shifts_to_off_proves_drains_and_ends_in_a_restore() {
    let mut sim = two_services();
    sim.in_flight.insert(name("gcp"), 3);
    let accepted = sim.ask(evacuate("gcp", false)).unwrap();
    assert_eq!(accepted.shifts.len(), 2);
    sim.run(21 * SECOND);
    assert_eq!(sim.target("meet"), "aws=75 gcp=0 oci=25");
    assert_eq!(sim.target("chat"), "gcp=0 oci=100");
    assert!(sim.edge.services["meet"].off.contains(&name("gcp")));
    sim.run(2 * SECOND);
    let view = evacuation(&sim);
    let proof = view.proof.unwrap();
    assert!(proof.holds);
    assert_eq!((proof.probes, proof.answered[&name("oci")]), (40, 20));
    assert_eq!((proof.picks_on_evacuated, proof.workers), (0, 2));
    assert_eq!((view.phase, view.running), (EvacuationPhase::Draining, 6));
    sim.in_flight.clear();
    sim.run(SECOND);
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Evacuated);
    sim.run(23 * HOUR + 59 * MINUTE);
    assert_eq!(sim.target("chat"), "gcp=0 oci=100");
    sim.run(2 * MINUTE);
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Restoring);
    sim.run(4 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=60 gcp=20 oci=20");
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Restored);
    assert!(sim.edge.services.is_empty());
}

#[test]
fn a_fast_evacuation_is_one_step() {
    let mut sim = two_services();
    sim.ask(evacuate("gcp", true)).unwrap();
    assert_eq!(sim.target("chat"), "gcp=0 oci=100");
    sim.run(SECOND);
    assert!(evacuation(&sim).proof.unwrap().holds);
}

#[test]
fn a_drain_deadline_ends_the_wait() {
    let mut sim = two_services();
    sim.in_flight.insert(name("gcp"), 1);
    sim.ask(evacuate("gcp", true)).unwrap();
    sim.run(29 * MINUTE);
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Draining);
    sim.run(2 * MINUTE);
    let view = evacuation(&sim);
    assert_eq!(view.phase, EvacuationPhase::Evacuated);
    assert_eq!(view.note, "2 requests still ran at the drain deadline");
}

#[test]
fn a_restore_waits_until_the_provider_is_up_and_goes_slower_than_out() {
    let mut sim = two_services();
    sim.ask(evacuate("gcp", true)).unwrap();
    sim.is_up("gcp", 0);
    sim.run(MINUTE);
    let provider: bascule_model::ProviderName = "gcp".parse().unwrap();
    sim.ask(Command::Restore { provider }).unwrap();
    sim.run(HOUR);
    assert_eq!(sim.target("chat"), "gcp=0 oci=100");
    let shift = sim.newest();
    assert_eq!(shift.phase, ShiftPhase::Holding);
    assert_eq!(shift.note, "waits: gcp has no endpoint that is up");
    sim.is_up("gcp", 2);
    sim.run(SECOND);
    assert_eq!(sim.target("chat"), "gcp=6.25 oci=93.75");
    sim.run(MINUTE);
    assert_ne!(sim.target("chat"), "gcp=50 oci=50");
    sim.run(4 * MINUTE);
    assert_eq!(sim.target("chat"), "gcp=50 oci=50");
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Restored);
}

#[test]
fn an_evacuation_that_would_leave_nobody_is_refused() {
    let mut sim = Sim::new(&[
        ("chat", facts(&[("aws", 1)])),
        ("meet", facts(&[("aws", 60), ("oci", 40)])),
    ]);
    let service: bascule_model::ServiceName = "chat".parse().unwrap();
    assert_eq!(
        sim.ask(evacuate("aws", true)),
        Err(Refusal::AllOff { service })
    );
    sim.set_facts(&[("meet", facts(&[("aws", 60), ("oci", 40)]))]);
    sim.is_up("oci", 0);
    let refusal = sim.ask(evacuate("aws", true)).unwrap_err();
    assert!(matches!(refusal, Refusal::Rails { broken, .. } if broken[0].rule == "receiver_up"));
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
}

#[test]
fn an_evacuation_takes_the_place_of_a_running_shift_and_never_turns_back_by_itself() {
    let mut sim = two_services();
    sim.shift(&[("aws", 40)]).unwrap();
    sim.errors.insert(name("oci"), 10);
    sim.ask(evacuate("gcp", false)).unwrap();
    let superseded = sim.steer.state().shifts["s-0001"].phase;
    assert_eq!(superseded, ShiftPhase::Superseded);
    sim.run(10 * MINUTE);
    let shift = sim.newest();
    assert_eq!((shift.phase, shift.step), (ShiftPhase::Holding, 1));
    assert!(
        shift.note.contains("does not turn back by itself"),
        "{}",
        shift.note
    );
    sim.errors.clear();
    sim.run_until("evacuated", |sim| {
        evacuation(sim).phase == EvacuationPhase::Evacuated
    });
}

#[test]
fn where_two_evacuations_left_nobody_the_end_of_one_lets_the_other_hold() {
    let mut sim = two_services();
    sim.set_facts(&[("meet", facts(&[("aws", 60), ("gcp", 20), ("oci", 20)]))]);
    sim.ask(evacuate("oci", true)).unwrap();
    sim.ask(evacuate("aws", true)).unwrap();
    sim.run(SECOND);
    sim.set_facts(&[("meet", facts(&[("aws", 60), ("oci", 40)]))]);
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    let provider: bascule_model::ProviderName = "aws".parse().unwrap();
    sim.ask(Command::Restore { provider }).unwrap();
    sim.run(5 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=100 oci=0");
}

#[test]
fn aborting_an_evacuation_brings_all_services_back() {
    let mut sim = two_services();
    sim.ask(evacuate("gcp", false)).unwrap();
    sim.run(12 * SECOND);
    let id = sim.newest().id;
    sim.ask(Command::Abort { shift: id }).unwrap();
    sim.run(MINUTE);
    assert_eq!(sim.target("chat"), "gcp=50 oci=50");
    assert_eq!(sim.target("meet"), "aws=60 gcp=20 oci=20");
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Restored);
}

#[test]
fn an_override_under_an_evacuation_comes_back_with_the_restore() {
    let mut sim = two_services();
    sim.ask(shift_command(
        &[("aws", 40), ("gcp", 40), ("oci", 20)],
        Pace::Now,
    ))
    .unwrap();
    sim.run(SECOND);
    sim.ask(evacuate("gcp", true)).unwrap();
    let view = sim.steer.state().services["meet"]
        .override_row
        .clone()
        .unwrap();
    assert_eq!(view.evacuation.as_deref(), Some("e-0001"));
    sim.run(MINUTE);
    let provider: bascule_model::ProviderName = "gcp".parse().unwrap();
    sim.ask(Command::Restore { provider }).unwrap();
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=40 gcp=40 oci=20");
}

#[test]
fn a_crash_while_an_evacuation_is_proven_proves_it_again() {
    let mut sim = two_services();
    sim.ask(evacuate("gcp", true)).unwrap();
    sim.crash();
    sim.run(2 * SECOND);
    assert!(evacuation(&sim).proof.unwrap().holds);
}

#[test]
fn undo_goes_back_to_what_people_had_set() {
    let mut sim = meet();
    let drained = AdminTarget::Backend("meet".parse().unwrap(), name("oci"));
    sim.ask(Command::SetAdmin {
        target: drained.clone(),
        state: AdminState::Drain,
    })
    .unwrap();
    let early = sim.steer.state().revision;
    sim.ask(Command::SetAdmin {
        target: drained.clone(),
        state: AdminState::Ready,
    })
    .unwrap();
    sim.ask(shift_command(&[("aws", 60)], Pace::Now)).unwrap();
    sim.run(SECOND);
    sim.shift(&[("aws", 40)]).unwrap();
    sim.run(SECOND);
    sim.ask(Command::Undo { to: None }).unwrap();
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=60 oci=40");
    sim.ask(Command::Undo { to: Some(early) }).unwrap();
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=70 oci=30");
    assert_eq!(sim.edge.admin[&drained], AdminState::Drain);
    let missing = sim.ask(Command::Undo {
        to: Some(Revision(9999)),
    });
    assert!(matches!(
        missing,
        Err(Refusal::NotFound {
            what: "revision",
            ..
        })
    ));
}

#[test]
fn undoing_an_evacuation_is_a_restore() {
    let mut sim = two_services();
    sim.ask(evacuate("gcp", true)).unwrap();
    sim.run(MINUTE);
    sim.ask(Command::Undo { to: None }).unwrap();
    assert_eq!(evacuation(&sim).phase, EvacuationPhase::Restoring);
    sim.run(10 * MINUTE);
    assert_eq!(sim.target("meet"), "aws=60 gcp=20 oci=20");
}

#[test]
fn an_admin_state_that_cuts_a_service_off_is_refused() {
    let mut sim = Sim::new(&[("meet", facts(&[("aws", 1), ("oci", 1)]))]);
    let set = |p: &str| Command::SetAdmin {
        target: AdminTarget::Provider(p.parse().unwrap()),
        state: AdminState::Maint,
    };
    sim.ask(set("aws")).unwrap();
    assert!(matches!(sim.ask(set("oci")), Err(Refusal::AllOff { .. })));
    assert!(matches!(
        sim.ask(set("ibm")),
        Err(Refusal::UnknownProvider { .. })
    ));
    assert_eq!(sim.edge.admin.len(), 1);
}

#[test]
fn a_row_that_no_worker_confirmed_is_published_again_and_nothing_goes_on_before() {
    let mut sim = meet();
    sim.edge_stuck = true;
    sim.shift(&[("aws", 50)]).unwrap();
    sim.run(HOUR);
    assert_eq!(phase(&sim), ShiftPhase::Moving);
    sim.edge_stuck = false;
    sim.run(SECOND);
    assert_eq!((phase(&sim), sim.newest().step), (ShiftPhase::Baking, 1));
}
