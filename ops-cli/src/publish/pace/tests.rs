//! The pace against simulated shards, on a virtual clock. Each test states the throughput that it demands.

use proptest::prelude::*;

use super::super::load::Fate;
use super::*;

/// A shard as Kinesis limits it: a bucket that holds one second.
struct Shard {
    limit: f64,
    tokens: f64,
    at: Duration,
}

impl Shard {
    fn new(limit: f64) -> Self {
        Self { limit, tokens: limit.min(1e12), at: Duration::ZERO }
    }

    fn accepts(&mut self, load: f64, now: Duration) -> bool {
        self.tokens = (self.tokens + (now - self.at).as_secs_f64() * self.limit).min(self.limit);
        self.at = now;
        let accepts = self.tokens >= load;
        if accepts {
            self.tokens -= load;
        }
        accepts
    }
}

/// What a run meets.
#[derive(Clone)]
struct World {
    /// Load a second that the shard accepts, from these times (in seconds) on.
    limits: Vec<(u64, f64)>,
    /// The share of entries that are refused at random.
    random: f64,
    /// A shard at its limit refuses any of a request's entries instead of the last.
    is_scattered: bool,
    /// The share of requests whose answer is lost.
    lost: f64,
    latency: Duration,
    /// Another producer: records in each of its requests, and the time between them.
    competitor: Option<(u32, Duration)>,
    producers: usize,
    bytes: usize,
    seconds: u64,
}

impl World {
    fn new() -> Self {
        Self {
            limits: vec![(0, f64::INFINITY)],
            random: 0.0,
            is_scattered: false,
            lost: 0.0,
            latency: Duration::from_millis(5),
            competitor: None,
            producers: 1,
            bytes: 200,
            seconds: 60,
        }
    }

    fn limited(limit: f64) -> Self {
        Self { limits: vec![(0, limit)], ..Self::new() }
    }
}

/// An answer that is under way.
struct Answer {
    sent: Duration,
    due: Duration,
    verdicts: Verdicts,
    is_lost: bool,
}

/// A producer: one request under way, of 500 records at most, built at 30,000 records a second.
struct Producer {
    pace: Pace,
    under_way: Option<Answer>,
    /// Records accepted and refused in each second.
    accepted: Vec<u64>,
    refused: Vec<u64>,
}

const BUILT_PER_SECOND: f64 = 30_000.0;

impl Producer {
    fn new(world: &World) -> Self {
        let seconds = world.seconds as usize + 60;
        Self { pace: Pace::new(), under_way: None, accepted: vec![0; seconds], refused: vec![0; seconds] }
    }

    fn step(&mut self, world: &World, shard: &mut Shard, random: &mut fastrand::Rng, now: Duration) {
        if let Some(answer) = self.under_way.take_if(|answer| answer.due <= now)
            && !answer.is_lost
        {
            self.accepted[now.as_secs() as usize] += u64::from(answer.verdicts.accepted.records);
            self.refused[now.as_secs() as usize] += u64::from(answer.verdicts.refused.records);
            self.pace.answered(answer.verdicts, answer.sent, now);
        }
        if self.under_way.is_some() {
            return;
        }
        let load = Load::of(world.bytes);
        let mut fates = Vec::new();
        while fates.len() < 500 && self.pace.wait(now).is_zero() {
            self.pace.take(world.bytes, now);
            let is_accepted = random.f64() >= world.random && shard.accepts(load.amount, now);
            fates.push(if is_accepted { Fate::Accepted } else { Fate::Refused });
        }
        if world.is_scattered {
            random.shuffle(&mut fates);
        }
        if !fates.is_empty() {
            let built = Duration::from_secs_f64(fates.len() as f64 / BUILT_PER_SECOND);
            let mut verdicts = Verdicts::default();
            fates.into_iter().for_each(|fate| verdicts.push(fate, load));
            let is_lost = random.f64() < world.lost;
            self.under_way = Some(Answer { sent: now, due: now + world.latency + built, verdicts, is_lost });
        }
    }
}

/// What a producer reached, from one second to another.
#[derive(Debug)]
struct Reached {
    accepted_per_second: f64,
    refused_share: f64,
}

impl Producer {
    fn reached(&self, from: usize, to: usize) -> Reached {
        let sum = |counts: &[u64]| counts[from..to].iter().sum::<u64>() as f64;
        let (accepted, refused) = (sum(&self.accepted), sum(&self.refused));
        Reached {
            accepted_per_second: accepted / (to - from) as f64,
            refused_share: refused / (accepted + refused).max(1.0),
        }
    }
}

fn simulate(world: &World, seed: u64) -> Vec<Producer> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut shard = Shard::new(world.limits[0].1);
    let mut producers: Vec<_> = (0..world.producers).map(|_| Producer::new(world)).collect();
    let mut competitor_due = Duration::ZERO;
    let mut now = Duration::ZERO;
    while now < Duration::from_secs(world.seconds) {
        if let Some((_, limit)) = world.limits.iter().rev().find(|(from, _)| now >= Duration::from_secs(*from)) {
            shard.limit = *limit;
        }
        if let Some((records, every)) = world.competitor
            && now >= competitor_due
        {
            competitor_due += every;
            (0..records).for_each(|_| _ = shard.accepts(1.0, now));
        }
        for producer in &mut producers {
            producer.step(world, &mut shard, &mut random, now);
        }
        now += Duration::from_micros(250);
    }
    producers
}

/// What a loop that sends the next request after each answer, whatever is refused, would have accepted.
fn loops_rate(world: &World) -> f64 {
    500.0 / (world.latency.as_secs_f64() + 500.0 / BUILT_PER_SECOND) * (1.0 - world.random)
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
    let world = World { random: 0.9, ..World::new() };
    let later = simulate(&world, 1)[0].reached(5, 60);
    assert!(later.accepted_per_second >= 0.75 * loops_rate(&world), "with 9 of 10 refused, three quarters: {later:?}");
}

#[test]
fn a_hard_limit_is_held_at_98_percent_with_less_than_5_percent_refused() {
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
fn a_hard_limit_that_refuses_any_entries_is_held_after_four_seconds() {
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
fn a_limit_in_bytes_is_held_like_one_in_records() {
    let world = World { bytes: 5000, ..World::limited(DOCUMENTED) };
    let later = simulate(&world, 1)[0].reached(3, 60);
    let attainable = DOCUMENTED / Load::of(5000).amount;
    assert!(later.accepted_per_second >= 0.98 * attainable && later.refused_share < 0.05, "{later:?} of {attainable}");
}

#[test]
fn beside_a_producer_that_offers_one_and_a_half_times_the_limit_a_third_of_the_shard_is_ours() {
    for (records, every) in [(15, 10), (75, 50), (150, 100), (500, 333)] {
        let competitor = Some((records, Duration::from_millis(every)));
        let producer = &simulate(&World { competitor, ..World::limited(1000.0) }, 1)[0];
        let later = producer.reached(3, 60);
        assert!(later.accepted_per_second >= 333.0, "{records} every {every} ms: {later:?}");
    }
}

/// With a request every 20 ms and a competitor that empties the bucket every 10 ms, a request finds room for 5 records on
/// average: 250 a second are the bound. The best constant rate reaches 222.
#[test]
fn beside_a_competitor_at_20_ms_half_the_bound_of_one_request_in_flight_is_reached() {
    for (records, every, least) in [(15, 10, 125.0), (75, 50, 500.0), (150, 100, 500.0), (500, 333, 500.0)] {
        let competitor = Some((records, Duration::from_millis(every)));
        let world = World { competitor, latency: Duration::from_millis(20), ..World::limited(1000.0) };
        let later = simulate(&world, 1)[0].reached(3, 60);
        assert!(later.accepted_per_second >= least, "{records} every {every} ms: {later:?}");
    }
}

#[test]
fn what_another_producer_leaves_of_a_shard_is_used() {
    let competitor = Some((60, Duration::from_millis(100)));
    let later = simulate(&World { competitor, ..World::limited(1000.0) }, 1)[0].reached(3, 60);
    assert!(later.accepted_per_second >= 0.9 * 400.0, "{later:?}");
}

#[test]
fn two_of_us_share_a_shard_and_lose_nothing_of_it() {
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
fn a_shard_that_refused_everything_is_used_again_within_five_seconds() {
    let limits = vec![(0, 1000.0), (10, 0.0), (40, 1000.0)];
    let producer = &simulate(&World { limits, ..World::new() }, 1)[0];
    let (refusing, later) = (producer.reached(15, 40), producer.reached(45, 60));
    assert!(later.accepted_per_second >= 950.0, "{later:?}");
    let tried = producer.refused[15..40].iter().sum::<u64>() / 25;
    assert!((20..=100).contains(&tried) && refusing.accepted_per_second == 0.0, "{tried} tries a second");
}

#[test]
fn lost_answers_and_late_ones_cost_no_more_than_themselves() {
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

    /// Limits, random refusals, latency and sizes in any combination.
    #[test]
    fn whatever_the_shard_does_two_thirds_of_what_it_accepts_are_reached(
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
    fn no_wait_is_forever_and_every_wait_ends(sizes in prop::collection::vec(1_usize..1_100_000, 1..50)) {
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
