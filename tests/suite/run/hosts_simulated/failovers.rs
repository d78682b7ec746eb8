//! Failovers that lose commits, each in a world that leaves nothing to chance.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The first host has sent all it may when the database loses all traces of its session.
fn loses_the_first_session(lost_s: u32) -> World {
    World {
        rate: "12/min".parse().unwrap(),
        lasts: SECOND * 240,
        plan: vec![(3, 0, Event::FailOver { lost: SECOND * lost_s, down_for: Duration::ZERO })],
        ..quiet_world()
    }
}

fn assert_kept(world: &World) {
    for seed in 0..8 {
        let seen = simulate(World { seed, ..world.clone() });
        let n = world.rate.requests.get() as usize;
        assert!(seen.most <= n, "seed {seed}: {} in a window", seen.most);
        assert!(seen.requests > n * 2, "seed {seed}: {} requests", seen.requests);
    }
}

/// The lost session is cut off. It sends requests that were on disk until its lease ends, and they
/// arrive as late as they can.
#[test]
fn a_lost_session_sends_until_its_lease_ends() {
    let mut world = World {
        hosts: 2,
        starts_s: vec![0, 4],
        slots: 2,
        only_the_first_is_bad: true,
        faults: 1_000,
        ..loses_the_first_session(4)
    };
    world.plan.insert(0, (3, 0, Event::CutOff(SECOND * 300)));
    assert_kept(&world);
}

/// The first session that notices the failover gives its new places to another one.
#[test]
fn places_rest_after_a_failover_whoever_gets_them() {
    assert_kept(&World { hosts: 3, starts_s: vec![0, 4, 4], ..loses_the_first_session(4) });
}
