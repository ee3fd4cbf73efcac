//! What agents do to verdicts, beside checks and traffic.

use proptest::prelude::*;

use super::*;

impl World {
    fn with_agents() -> Self {
        let mut world = Self::new();
        world.has_agents = true;
        world.aim(OutlierPolicy::default());
        world.run(2 * SECOND);
        world
    }

    /// The agent of an endpoint says this from now on, and has been asked.
    fn say(&mut self, place: usize, line: &'static str) {
        self.agents[place] = Some(line);
        self.run(2 * SECOND);
    }
}

#[test]
fn down_by_its_agent_is_down_though_all_else_is_well_and_only_the_agent_undoes_it() {
    let mut world = World::with_agents();
    world.say(1, "down #disk full");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.by_checks), (Down, Up));
    assert_eq!(verdict.reasons, [Reason::Agent]);
    world.agents[1] = None;
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Up, Down], "silence undoes nothing");
    world.say(1, "ready 50%");
    assert_eq!(world.states(), [Up, Down], "nor does another word");
    world.say(1, "up");
    let verdict = world.verdict(1);
    assert_eq!(verdict.state, Up);
    let moved: Vec<_> = world.moved.iter().map(|m| (m.to, m.reason)).collect();
    assert_eq!(moved, [(Down, Reason::Agent), (Up, Reason::Agent)]);
    assert_eq!(verdict.returned_at, Some(world.moved[1].at), "it ramps");
}

#[test]
fn up_by_its_agent_overrules_neither_checks_nor_traffic() {
    let mut world = World::with_agents();
    world.checks_pass[1] = false;
    world.run(10 * SECOND);
    world.say(1, "down");
    assert_eq!(world.verdict(1).reasons, [Reason::Agent, Reason::Timeout]);
    world.say(1, "up ready 100%");
    assert_eq!(world.states(), [Up, Down]);
    world.checks_pass[1] = true;
    world.traffic_fails[1] = true;
    world.run(10 * SECOND);
    let out = |world: &World| world.verdict(1).ejection.map(|ejection| ejection.since);
    let since = out(&world);
    assert!(since.is_some());
    for line in ["drain", "ready", "down", "up"] {
        world.say(1, line);
        assert_eq!(world.states(), [Up, Down], "{line}");
        assert_eq!(out(&world), since, "{line} does not end it");
    }
    world.traffic_fails[1] = false;
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Up, Up]);
}

#[test]
fn what_an_agent_takes_out_gets_no_trial() {
    let mut world = World::with_agents();
    world.traffic_fails[1] = true;
    world.run(2 * SECOND);
    world.say(1, "maint");
    let tried = world.tried.len();
    world.run(10 * SECOND);
    assert_eq!(world.tried.len(), tried);
    world.say(1, "ready");
    assert!(world.tried.len() > tried);
}

#[test]
fn agents_that_take_everything_out_are_no_fault_of_the_checks() {
    let mut world = World::with_agents();
    world.say(0, "down");
    world.say(1, "down");
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Down, Down]);
    assert!(!world.verdict(0).held && !world.verdict(1).held);
}

#[test]
fn an_endpoint_that_its_agent_drains_is_no_better_place() {
    let mut world = World::with_agents();
    world.say(0, "drain");
    world.traffic_fails[1] = true;
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Up, Up], "the other is all there is");
    world.say(0, "ready");
    world.run(2 * SECOND);
    assert_eq!(world.states(), [Up, Down]);
    world.say(0, "drain");
    assert_eq!(world.verdict(1).ejection, None, "never the last");
}

#[test]
fn what_an_agent_said_that_is_no_longer_configured_ends() {
    let mut world = World::with_agents();
    world.say(1, "fail");
    assert_eq!(world.states(), [Up, Down]);
    world.has_agents = false;
    world.aim(OutlierPolicy::default());
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.agent), (Up, None));
    assert_eq!(verdict.returned_at, Some(world.now));
    world.traffic_fails[1] = true;
    world.run(2 * SECOND);
    assert_eq!(world.states(), [Up, Down], "traffic judges it again");
}

const LINES: [Option<&str>; 7] = [
    None,
    Some("down"),
    Some("up"),
    Some("drain"),
    Some("ready"),
    Some("0%"),
    Some("60%"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_agent_takes_out_and_never_puts_back_what_others_took_out(
        steps in prop::collection::vec((0..2_usize, 0..LINES.len(), any::<bool>(), any::<bool>()), 1..12),
    ) {
        let mut world = World::with_agents();
        world.moved.clear();
        let mut told = world.states();
        for (place, line, checks_pass, traffic_fails) in steps {
            world.agents[place] = LINES[line];
            (world.checks_pass[place], world.traffic_fails[place]) = (checks_pass, traffic_fails);
            world.run(3 * SECOND);
            for (place, told) in told.iter_mut().enumerate() {
                let verdict = world.verdict(place);
                let agent = verdict.agent.unwrap();
                if agent.down.is_some() || verdict.ejection.is_some() {
                    prop_assert_eq!(verdict.state, Down);
                }
                if agent.down.is_none() && verdict.ejection.is_none() && !verdict.held {
                    prop_assert_eq!(verdict.state, verdict.by_checks);
                }
                for moved in world.moved.iter().filter(|m| m.id == world.ids[place]) {
                    prop_assert_eq!(moved.from, *told, "each change is told, once");
                    *told = moved.to;
                }
                prop_assert_eq!(*told, verdict.state);
            }
            world.moved.clear();
        }
    }
}
