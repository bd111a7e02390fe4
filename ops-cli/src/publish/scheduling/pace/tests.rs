//! The pace against simulated shards, on a virtual clock. Each test states the throughput that it requires.

mod simulation;

use proptest::prelude::*;

use super::super::load::Fate;
use super::*;
use simulation::{World, loops_rate, simulate};

/// The mean throughput of one producer in several runs, from this second on.
fn mean(world: &World, from: usize) -> f64 {
    (1..=4).map(|seed| simulate(world, seed)[0].reached(from, 60).accepted_per_second).sum::<f64>() / 4.0
}

/// A shard of 1,000 records/s with a competitor that sends `records` every `every` milliseconds.
fn competed((records, every): (u32, u64), latency: u64, jitter: f64) -> World {
    let competitor = Some((records, Duration::from_millis(every)));
    World { competitor, jitter, latency: Duration::from_millis(latency), ..World::limited(1000.0) }
}

#[test]
fn random_refusals_leave_nine_tenths_of_what_a_loop_without_pacing_reaches() {
    for (random, at_once) in [(0.01, 0.95), (0.03, 0.95), (0.1, 0.95), (0.3, 0.95), (0.6, 0.95)] {
        let world = World { random, ..World::new() };
        let producer = &simulate(&world, 1)[0];
        let (first, later) = (producer.reached(0, 2), producer.reached(3, 60));
        let attainable = loops_rate(&world);
        assert!(later.accepted_per_second >= 0.9 * attainable, "{random}: {later:?} of {attainable}");
        assert!(first.accepted_per_second >= at_once * attainable, "{random}: {first:?} of {attainable}");
    }
    for latency in [5, 20, 50] {
        for (random, least) in [(0.9, 0.95), (0.95, 0.95), (0.97, 0.9), (0.98, 0.7), (0.99, 0.6)] {
            let world = World { random, latency: Duration::from_millis(latency), ..World::new() };
            let (later, attainable) = (mean(&world, 3), loops_rate(&world));
            assert!(later >= least * attainable, "{random} at {latency} ms: {later} of {attainable}");
        }
    }
}

#[test]
fn the_pace_reaches_98_percent_of_a_hard_limit_with_less_than_5_percent_refused() {
    for limit in [300.0, 1000.0, 5000.0] {
        for latency in [1, 5, 20, 50] {
            let world = World { latency: Duration::from_millis(latency), ..World::limited(limit) };
            let producer = &simulate(&world, 1)[0];
            let later = producer.reached(1, 60);
            assert!(later.accepted_per_second >= 0.98 * limit, "{limit} at {latency} ms: {later:?}");
            assert!(later.refused_share < 0.05, "{limit} at {latency} ms: {later:?}");
        }
    }
}

#[test]
fn a_hard_limit_that_refuses_arbitrary_entries_is_reached_within_four_seconds() {
    for limit in [300.0, 1000.0, 5000.0] {
        for latency in [1, 5, 20, 50] {
            let latency = Duration::from_millis(latency);
            let world = World { latency, is_scattered: true, ..World::limited(limit) };
            let later = simulate(&world, 1)[0].reached(4, 60);
            assert!(
                later.accepted_per_second >= 0.97 * limit && later.refused_share < 0.05,
                "{limit} {latency:?}: {later:?}"
            );
        }
    }
}

#[test]
fn a_limit_in_bytes_is_reached_like_one_in_records() {
    let world = World { bytes: 5000, ..World::limited(DOCUMENTED) };
    let later = simulate(&world, 1)[0].reached(3, 60);
    let attainable = DOCUMENTED / Load::of(5000).amount;
    assert!(later.accepted_per_second >= 0.98 * attainable && later.refused_share < 0.05, "{later:?} of {attainable}");
}

#[test]
fn a_run_gets_a_third_of_a_shard_beside_a_producer_that_offers_one_and_a_half_times_the_limit() {
    for (records, every) in [(15, 10), (75, 50), (150, 100), (500, 333)] {
        let competitor = Some((records, Duration::from_millis(every)));
        let producer = &simulate(&World { competitor, ..World::limited(1000.0) }, 1)[0];
        let later = producer.reached(3, 60);
        assert!(later.accepted_per_second >= 333.0, "{records} every {every} ms: {later:?}");
    }
}

/// With a request every 20 ms and a competitor that empties the bucket every 10 ms, a request finds room for 5 records on
/// average. The bound is 250 records/s, of which the best constant rate reaches 240. At 50 ms the bound is 100.
#[test]
fn a_run_reaches_most_of_the_bound_of_one_request_in_flight_beside_a_competitor() {
    for (latency, competitor, exact, varying) in [
        (20, (15, 10), 190.0, 190.0),
        (20, (75, 50), 650.0, 600.0),
        (20, (150, 100), 650.0, 700.0),
        (20, (500, 333), 750.0, 800.0),
        (50, (15, 10), 40.0, 75.0),
        (50, (75, 50), 280.0, 280.0),
        (50, (150, 100), 500.0, 400.0),
        (50, (500, 333), 600.0, 600.0),
    ] {
        for (jitter, least) in [(0.0, exact), (0.4, varying)] {
            let later = mean(&competed(competitor, latency, jitter), 3);
            assert!(later >= least, "{competitor:?} at {latency} ms, jitter {jitter}: {later} of {least}");
        }
    }
}

#[test]
fn the_pace_uses_the_capacity_that_another_producer_leaves() {
    for latency in [5, 20, 50] {
        for (competitor, left) in [((60, 100), 400.0), ((30, 50), 400.0), ((6, 10), 400.0), ((9, 10), 100.0)] {
            for jitter in [0.0, 0.4] {
                let later = mean(&competed(competitor, latency, jitter), 3);
                assert!(later >= left, "{competitor:?} at {latency} ms, jitter {jitter}: {later} of {left}");
            }
        }
    }
}

#[test]
fn two_runs_share_a_shard_without_losing_throughput() {
    for seed in 0..3 {
        let producers = simulate(&World { producers: 2, ..World::limited(1000.0) }, seed);
        let rates = [0, 1].map(|n: usize| producers[n].reached(10, 60).accepted_per_second);
        assert!(rates.iter().all(|rate| *rate >= 250.0) && rates[0] + rates[1] >= 950.0, "{rates:?}");
    }
}

#[test]
fn a_changed_limit_is_reached_within_four_seconds() {
    let limits = vec![(0, 1000.0), (20, 300.0), (40, 1000.0), (60, f64::INFINITY), (80, 500.0)];
    let world = World { limits, seconds: 100, ..World::new() };
    let producer = &simulate(&world, 1)[0];
    for (from, to, attainable) in
        [(4, 20, 1000.0), (24, 40, 300.0), (44, 60, 1000.0), (64, 80, loops_rate(&world)), (84, 100, 500.0)]
    {
        let reached = producer.reached(from, to);
        assert!(reached.accepted_per_second >= 0.95 * attainable, "from {from} s: {reached:?} of {attainable}");
        assert!(reached.refused_share < 0.05, "from {from} s: {reached:?}");
    }
}

#[test]
fn a_shard_that_refused_everything_is_at_full_speed_within_five_seconds() {
    let limits = vec![(0, 1000.0), (10, 0.0), (40, 1000.0)];
    let producer = &simulate(&World { limits, ..World::new() }, 1)[0];
    let (refusing, later) = (producer.reached(15, 40), producer.reached(45, 60));
    assert!(later.accepted_per_second >= 950.0, "{later:?}");
    let tried = producer.refused[15..40].iter().sum::<u64>() / 25;
    assert!((20..=100).contains(&tried) && refusing.accepted_per_second == 0.0, "{tried} tries a second");
}

#[test]
fn lost_and_late_answers_do_not_lower_the_pace() {
    for latency in [5, 50, 200] {
        let world = World { lost: 0.05, latency: Duration::from_millis(latency), ..World::limited(1000.0) };
        let later = simulate(&world, 1)[0].reached(3, 60);
        assert!(later.accepted_per_second >= 0.93 * 950.0, "{latency} ms: {later:?}");
    }
    let world = World { lost: 0.05, random: 0.2, ..World::new() };
    let later = simulate(&world, 1)[0].reached(3, 60);
    assert!(later.accepted_per_second >= 0.9 * 0.95 * loops_rate(&world), "{later:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Combines limits, random refusals, latency and sizes at random.
    #[test]
    fn the_pace_reaches_two_thirds_of_what_any_shard_accepts(
        limit in prop_oneof![100.0_f64..3000.0, Just(f64::INFINITY)],
        random in prop_oneof![Just(0.0), 0.001_f64..0.6],
        latency in 1_u64..120,
        bytes in 10_usize..2000,
        seed: u64,
    ) {
        let world = World { random, latency: Duration::from_millis(latency), bytes, ..World::limited(limit) };
        let later = simulate(&world, seed)[0].reached(5, 60);
        let attainable = loops_rate(&world).min(limit / Load::of(bytes).amount);
        prop_assert!(later.accepted_per_second >= 0.65 * attainable, "{:?} of {}", later, attainable);
        if random == 0.0 {
            prop_assert!(later.refused_share < 0.12, "{:?}", later);
        }
    }

    #[test]
    fn every_wait_is_finite_and_ends(sizes in prop::collection::vec(1_usize..1_100_000, 1..50)) {
        let mut pace = Pace::new();
        pace.take(10, Duration::ZERO);
        let mut verdicts = Verdicts::default();
        (0..100).for_each(|_| verdicts.push(Fate::Accepted, Load::of(10)));
        (0..400).for_each(|_| verdicts.push(Fate::Refused, Load::of(10)));
        pace.answered(verdicts, Duration::ZERO, Duration::ZERO);
        prop_assert!(matches!(pace.mode, Mode::Testing(_)));
        let mut now = Duration::ZERO;
        for size in &sizes {
            let wait = pace.wait(now);
            prop_assert!(wait <= Duration::from_secs(11));
            now += wait;
            prop_assert!(pace.wait(now).is_zero());
            pace.take(*size, now);
        }
        let sum: f64 = sizes.iter().map(|size| Load::of(*size).amount).sum();
        let last = sizes.last().map_or(0.0, |size| Load::of(*size).amount);
        prop_assert!((sum - last) / DOCUMENTED <= now.as_secs_f64() + 0.1);
    }
}
