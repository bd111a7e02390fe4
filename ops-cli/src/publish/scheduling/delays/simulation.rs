//! Simulates resends on a virtual clock: a queue against a service that fails at random.

use std::time::Duration;

use super::super::batch::{Packing, Request};
use super::super::bucket::Rate;
use super::super::lane::Verdict;
use super::super::load::{Fate, Load};
use super::super::queue::{Next, Queue};
use super::super::shards::ShardMap;
use super::*;
use crate::publish::input::record::{InputPosition, Record};

const RECORDS: u64 = 5000;
const LATENCY: Duration = Duration::from_millis(3);

/// A service that fails at random: the shares of entries that fail, and of requests whose answer is lost.
#[derive(Clone, Copy)]
struct Service {
    failed: f64,
    throttled: f64,
    lost: f64,
}

impl Service {
    fn fate(self, random: &mut fastrand::Rng) -> Fate {
        match random.f64() {
            x if x < self.failed => Fate::Failed,
            x if x < self.failed + (1.0 - self.failed) * self.throttled => Fate::Refused,
            _ => Fate::Accepted,
        }
    }

    /// The time that a loop takes that resends failed entries at once, in requests of 500.
    fn loop_takes(self, seed: u64) -> Duration {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut left, mut took) = (RECORDS, Duration::ZERO);
        while left > 0 {
            took += LATENCY;
            if random.f64() >= self.lost {
                left -= (0..left.min(500)).filter(|_| self.fate(&mut random) == Fate::Accepted).count() as u64;
            }
        }
        took
    }
}

/// The time that a run takes.
fn takes(service: Service, shards: u32, ordered: bool, seed: u64) -> Duration {
    let mut random = fastrand::Rng::with_seed(seed);
    let packing = Packing { ordered, aggregate_bytes: None };
    let mut queue = Queue::new(ShardMap::even(shards), packing, Rate::new(None, None, Duration::ZERO));
    for offset in 0..RECORDS {
        let place = InputPosition { offset, input: 0, line: offset + 1 };
        queue.push(Record::new(place, vec![b'x'; 100], &format!("k{}", offset % 1000).into(), None));
    }
    let mut under_way: Vec<(Duration, Request, Duration)> = Vec::new();
    let mut now = Duration::ZERO;
    while queue.held() > 0 {
        assert!(now < Duration::from_secs(600), "it ends");
        let mut next = under_way.iter().map(|(due, ..)| *due).min();
        while under_way.len() < 8 {
            match queue.next(now) {
                Next::Send(request) => {
                    under_way.push((now + LATENCY, request, now));
                    next = Some(next.map_or(now + LATENCY, |next| next.min(now + LATENCY)));
                }
                Next::Wait(wait) => {
                    next = Some(next.map_or(now + wait, |next| next.min(now + wait)));
                    break;
                }
                Next::Nothing => break,
            }
        }
        now = next.expect("something is under way or waits").max(now);
        while let Some(index) = under_way.iter().position(|(due, ..)| *due <= now) {
            let (_, request, sent) = under_way.remove(index);
            answered(&mut queue, request, service, &mut random, (sent, now));
        }
    }
    now
}

fn answered(
    queue: &mut Queue,
    request: Request,
    service: Service,
    random: &mut fastrand::Rng,
    at: (Duration, Duration),
) {
    let (sent, now) = at;
    queue.answered(request.id, Duration::ZERO);
    if random.f64() < service.lost {
        for entry in request.entries {
            let mut entries = vec![entry];
            let pause = after_failure(&mut entries, Extent::Request, random.f64());
            queue.settle(&[], entries, now + pause);
        }
        return;
    }
    let fates: Vec<_> = request.entries.iter().map(|_| service.fate(random)).collect();
    let verdict = |(entry, fate): (&QueuedEntry, &Fate)| Verdict {
        hash_key: entry.record.hash_key,
        load: Load::of(entry.record.size()),
        fate: *fate,
    };
    queue.judged(request.entries.iter().zip(&fates).map(verdict), sent, now);
    for (entry, fate) in request.entries.into_iter().zip(fates).rev() {
        let mut entries = vec![entry];
        let pause = match fate {
            Fate::Accepted => {
                queue.settle(&entries, Vec::new(), now);
                continue;
            }
            Fate::Refused => after_refusal(queue.is_accepting(&entries[0]), random.f64()),
            Fate::Failed => {
                let extent = Extent::of_entry(queue.is_accepting(&entries[0]));
                after_failure(&mut entries, extent, random.f64())
            }
        };
        queue.settle(&[], entries, now + pause);
    }
}

#[test]
fn random_failures_leave_half_the_speed_of_a_loop_without_pauses() {
    let services = [(0.3, 0.2, 0.05), (0.3, 0.0, 0.0), (0.0, 0.2, 0.0), (0.05, 0.05, 0.05), (0.6, 0.1, 0.0)];
    for (failed, throttled, lost) in services {
        let service = Service { failed, throttled, lost };
        for (shards, ordered) in [(1, false), (4, false), (1, true), (4, true)] {
            let (mut took, mut of_loop) = (Duration::ZERO, Duration::ZERO);
            for seed in 0..10 {
                took += takes(service, shards, ordered, seed);
                of_loop += service.loop_takes(seed);
            }
            let rates = [took, of_loop].map(|took| RECORDS as f64 * 10.0 / took.as_secs_f64());
            let what = format!("{failed} {throttled} {lost}, {shards} shards, ordered: {ordered}: {rates:.0?}");
            assert!(rates[0] >= 0.5 * rates[1], "{what}");
        }
    }
}
