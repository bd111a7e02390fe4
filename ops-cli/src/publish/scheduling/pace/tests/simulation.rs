//! Simulated shards and producers, on a virtual clock.

use std::time::Duration;

use super::super::super::load::{Fate, Load, Verdicts};
use super::super::Pace;

/// A shard with the limits of Kinesis: a bucket that holds one second.
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

/// The shard, the network and the competitor of a run.
#[derive(Clone)]
pub struct World {
    /// The load per second that the shard accepts, from each of these times (in seconds) on.
    pub limits: Vec<(u64, f64)>,
    /// The share of entries that are refused at random.
    pub random: f64,
    /// A shard at its limit refuses any of a request's entries instead of the last ones.
    pub is_scattered: bool,
    /// The share of requests whose answer is lost.
    pub lost: f64,
    /// The part of the latency, and of the competitor's pause, that varies.
    pub jitter: f64,
    pub latency: Duration,
    /// Another producer: records in each of its requests, and the time between them.
    pub competitor: Option<(u32, Duration)>,
    pub producers: usize,
    pub bytes: usize,
    pub seconds: u64,
}

impl World {
    pub fn new() -> Self {
        Self {
            limits: vec![(0, f64::INFINITY)],
            random: 0.0,
            is_scattered: false,
            lost: 0.0,
            jitter: 0.0,
            latency: Duration::from_millis(5),
            competitor: None,
            producers: 1,
            bytes: 200,
            seconds: 60,
        }
    }

    pub fn limited(limit: f64) -> Self {
        Self { limits: vec![(0, limit)], ..Self::new() }
    }
}

impl World {
    fn vary(&self, time: Duration, random: &mut fastrand::Rng) -> Duration {
        if self.jitter == 0.0 { time } else { time.mul_f64(1.0 + self.jitter * (random.f64() - 0.5)) }
    }
}

/// An answer on its way to the producer.
struct Answer {
    sent: Duration,
    due: Duration,
    verdicts: Verdicts,
    is_lost: bool,
}

/// A producer with one request in flight, of at most 500 records, built at 30,000 records/s.
pub struct Producer {
    pace: Pace,
    under_way: Option<Answer>,
    /// Records accepted and refused in each second.
    pub accepted: Vec<u64>,
    pub refused: Vec<u64>,
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
            self.under_way =
                Some(Answer { sent: now, due: now + world.vary(world.latency, random) + built, verdicts, is_lost });
        }
    }
}

/// The results of a producer in a range of seconds.
#[derive(Debug)]
pub struct Throughput {
    pub accepted_per_second: f64,
    pub refused_share: f64,
}

impl Producer {
    pub fn reached(&self, from: usize, to: usize) -> Throughput {
        let sum = |counts: &[u64]| counts[from..to].iter().sum::<u64>() as f64;
        let (accepted, refused) = (sum(&self.accepted), sum(&self.refused));
        Throughput {
            accepted_per_second: accepted / (to - from) as f64,
            refused_share: refused / (accepted + refused).max(1.0),
        }
    }
}

pub fn simulate(world: &World, seed: u64) -> Vec<Producer> {
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
            competitor_due += world.vary(every, &mut random);
            (0..records).for_each(|_| _ = shard.accepts(1.0, now));
        }
        for producer in &mut producers {
            producer.step(world, &mut shard, &mut random, now);
        }
        now += Duration::from_micros(250);
    }
    producers
}

/// The load that a loop without pacing would have accepted, which sends the next request after each answer.
pub fn loops_rate(world: &World) -> f64 {
    500.0 / (world.latency.as_secs_f64() + 500.0 / BUILT_PER_SECOND) * (1.0 - world.random)
}
