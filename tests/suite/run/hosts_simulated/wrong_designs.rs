//! Wrong designs, each in a world that provokes its fault whatever the seed. The right design keeps
//! the cap there.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SEEDS: std::ops::Range<u64> = 0..5;

/// A quiet world that is over soon.
fn short_world(rate: &str, hosts: usize) -> World {
    World { rate: rate.parse().unwrap(), hosts, lasts: SECOND * 160, delay_ms: 5, ..quiet_world() }
}

/// Each request of the first host is lost on its way back, takes its slot for 10 s, and arrives 7
/// to 10 s later. Others wait with their row on disk for a slot: only the lease holds them back.
fn late_world(slots: usize) -> World {
    World { slots, only_the_first_is_bad: true, faults: 1_000, ..short_world("24/min", 2) }
}

/// Requests of the second minute overtake those of the first.
fn counts_from_sending() -> World {
    World { delay_ms: 3_000, ..short_world("100/min", 1) }
}

/// The second host's clock is a minute ahead. So it takes over from the first one, which is cut
/// off, at once, and the first one sends for ten seconds more.
fn takes_over_by_the_others_clock() -> World {
    World {
        starts_s: vec![0, 2],
        clocks: &[(0, 0), (0, 60)],
        plan: vec![(3, 0, Event::CutOff(SECOND * 300))],
        ..late_world(6)
    }
}

/// The first host's places become free one after the other. The second one wants half of them, and
/// the table gives it those that are free.
fn has_memory_before_the_row() -> World {
    World {
        starts_s: vec![0, 55],
        slots: 6,
        only_the_first_is_bad: true,
        delay_ms: 5_000,
        ..short_world("60/min", 2)
    }
}

/// The second host gets half of the places after a minute, and uses them. The failover loses that,
/// and the third host raises its places.
fn awaits_no_renewals() -> World {
    World {
        starts_s: vec![0, 2, 70],
        plan: vec![(69, 0, Event::FailOver { lost: SECOND * 7, down_for: Duration::ZERO })],
        ..short_world("100/min", 3)
    }
}

/// The first host has sent all it may when the failover loses all traces of its session.
fn notices_no_failover() -> World {
    World {
        starts_s: vec![0, 4],
        plan: vec![(3, 0, Event::FailOver { lost: SECOND * 4, down_for: Duration::ZERO })],
        ..short_world("100/min", 2)
    }
}

/// The first host freezes. The second one takes over, and sends. The failover loses the take-over,
/// and the first host wakes up.
fn outlives_a_failover() -> World {
    World {
        starts_s: vec![0, 3],
        plan: vec![
            (2, 0, Event::Freeze(SECOND * 112)),
            (112, 1, Event::FailOver { lost: SECOND * 96, down_for: Duration::ZERO }),
        ],
        ..short_world("100/min", 2)
    }
}

/// The first host sends until its lease ends. The second one takes over as early as it may: a short
/// freeze moves its looks.
fn rests_for_one_timeout() -> World {
    World {
        starts_s: vec![0, 11],
        plan: vec![(11, 0, Event::CutOff(SECOND * 300)), (15, 1, Event::Freeze(SECOND * 2))],
        ..late_world(6)
    }
}

/// A clock is 199 ppm faster than the receiver's. In a window it gains more than the time that a
/// request takes.
fn has_no_guard() -> World {
    World { clocks: &[(199, 0)], lasts: SECOND * 1_300, ..short_world("20/10min", 1) }
}

/// The new primary's clock is 5 s ahead.
fn asks_the_servers_clock() -> World {
    let failover = Event::FailOver { lost: Duration::ZERO, down_for: Duration::ZERO };
    World { plan: vec![(30, 0, failover)], ..short_world("100/min", 2) }
}

/// A world for each wrong design.
pub(super) fn worlds() -> Vec<World> {
    [
        (Design::CountsFromSending, counts_from_sending()),
        (Design::TakeOverByTheOthersClock, takes_over_by_the_others_clock()),
        (Design::MemoryBeforeRow, has_memory_before_the_row()),
        (Design::NoRenewalsAwaited, awaits_no_renewals()),
        (Design::FailoverNotNoticed, notices_no_failover()),
        (Design::LeaseOutlivesFailover, outlives_a_failover()),
        (Design::OneTimeoutAfterTakeOver, rests_for_one_timeout()),
        (Design::NoGuard, has_no_guard()),
        (Design::PlacesOnTheServersClock, asks_the_servers_clock()),
    ]
    .map(|(design, world)| World { design, ..world })
    .to_vec()
}

/// The seeds with which this world sees more requests in a window than the cap allows.
fn caught(world: &World) -> Vec<u64> {
    let n = world.rate.requests.get() as usize;
    SEEDS.filter(|seed| simulate(World { seed: *seed, ..world.clone() }).most > n).collect()
}

#[test]
fn wrong_designs_are_caught() {
    for world in worlds() {
        assert_eq!(caught(&world), SEEDS.collect::<Vec<_>>(), "{:?}", world.design);
    }
}

#[test]
fn the_right_design_holds_in_the_same_worlds() {
    for world in worlds() {
        let right = World { design: Design::Right, ..world.clone() };
        assert_eq!(caught(&right), Vec::<u64>::new(), "in the world of {:?}", world.design);
    }
}
