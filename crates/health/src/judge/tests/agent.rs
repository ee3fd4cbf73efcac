//! How agents are asked, and what is kept of what they say. What comes of it is in `verdicts`.

use bascule_model::AdminState;

use super::world::{PASSED, SECOND, World, policy, target};
use super::*;
use crate::{AgentDown, AgentPolicy};

fn with_agent() -> CheckPolicy {
    CheckPolicy {
        agent: Some(AgentPolicy {
            port: 9707,
            interval: 2 * SECOND,
        }),
        ..policy()
    }
}

/// Passes the time to the next question, and answers it.
fn say(world: &mut World, line: Option<&str>) {
    while world.questions.is_empty() {
        world.pass_time(Duration::from_millis(100));
        if world.is_under_way(1) {
            world.answer(1, PASSED);
        }
    }
    let check = world.questions.remove(0);
    let said = line.and_then(|line| AgentLine::read(line.as_bytes()));
    world
        .judge
        .handle(world.now, Input::AgentAnswered { check, said });
    world.collect();
}

fn up() -> World {
    let mut world = World::with_one(&with_agent());
    world.round(PASSED);
    assert_eq!(world.state(), ObservedState::Up);
    world
}

#[test]
fn an_agent_that_cannot_be_reached_is_no_failure() {
    let mut world = up();
    for _ in 0..10 {
        say(&mut world, None);
    }
    assert_eq!(world.state(), ObservedState::Up);
    assert!(world.told.is_empty());
    assert_eq!(world.verdict(1).agent, Some(AgentState::default()));
}

#[test]
fn what_changes_is_told_once() {
    let mut world = up();
    for line in ["drain 50% #later", "drain 50% #later", "ready", "ready"] {
        say(&mut world, Some(line));
    }
    assert_eq!(world.told, ["drain, 50 %, later", "50 %"]);
    assert_eq!(world.moved.len(), 1, "what checks say did not change");
    let agent = world.verdict(1).agent.unwrap();
    assert_eq!(agent.wanted(), AdminState::Ready);
}

#[test]
fn an_agent_that_is_no_longer_configured_is_forgotten() {
    let mut world = up();
    say(&mut world, Some("fail"));
    world.set_targets(vec![target(1, &policy())]);
    assert_eq!(world.verdict(1).agent, None);
    world.set_targets(vec![target(1, &with_agent())]);
    assert_eq!(world.verdict(1).agent, Some(AgentState::default()));
}

#[test]
fn a_reload_keeps_what_the_agent_said() {
    let mut world = up();
    say(&mut world, Some("stopped"));
    let mut slower = with_agent();
    slower.interval = 5 * SECOND;
    slower.agent = Some(AgentPolicy {
        port: 9708,
        interval: SECOND,
    });
    world.set_targets(vec![target(1, &slower)]);
    let agent = world.verdict(1).agent.unwrap();
    assert_eq!(agent.down, Some(AgentDown::Stopped));
}

#[test]
fn services_that_share_an_agent_ask_it_once_whatever_their_checks() {
    let mut other = with_agent();
    other.fall = 7;
    let mut second = target(1, &other);
    Arc::make_mut(&mut second.id).service = "api".parse().unwrap();
    let mut world = World::new(vec![target(1, &with_agent()), second]);
    world.pass_time(SECOND);
    assert_eq!((world.asked.len(), world.questions.len()), (2, 1));
    say(&mut world, Some("down"));
    let report = world.judge.report();
    let mut agents = report.endpoints.values().map(|verdict| &verdict.agent);
    assert!(agents.all(|agent| agent.as_ref().is_some_and(AgentState::takes_out)));
}
