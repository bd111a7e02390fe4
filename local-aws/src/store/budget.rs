//! Bounds the bytes of records and log events in memory. The oldest are evicted first, whichever shard or log stream owns them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Merges consecutive allocations by one owner up to this size, which bounds the queue.
const MAX_MERGED_BYTES: usize = 64 << 10;

/// An owner of memory: the records of a shard, or the events of a log stream.
pub trait MemoryOwner: Send + Sync {
    /// Evicts its oldest items, at least `bytes` if it has as many. Returns the evicted bytes. The budget does not hold a
    /// lock during the call. The owner must not call [`Share::release`] for the evicted bytes.
    fn evict(&self, bytes: usize) -> usize;
}

/// A limit in bytes that all owners share. Clones share it.
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    limit: usize,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    held: usize,
    /// The allocations, the oldest first. Released allocations, and those of dropped owners, may still be in it.
    queue: VecDeque<Allocation>,
    has_evicted: bool,
}

struct Allocation {
    owner: Arc<Account>,
    bytes: usize,
}

/// The allocations of one owner. Its numbers change only under the ledger's lock.
struct Account {
    owner: Weak<dyn MemoryOwner>,
    numbers: Mutex<Numbers>,
}

#[derive(Default)]
struct Numbers {
    held: usize,
    /// Bytes that the owner released by itself, or evicted beyond a request. They are its oldest and still in the queue.
    released_early: usize,
    is_closed: bool,
}

/// An owner's part of the budget. Dropping it releases all of its bytes.
pub struct Share {
    shared: Arc<Shared>,
    account: Arc<Account>,
}

impl Budget {
    /// Creates a budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Shared { limit, ledger: Mutex::default() }) }
    }

    pub fn share(&self, owner: Weak<dyn MemoryOwner>) -> Share {
        let account = Arc::new(Account { owner, numbers: Mutex::default() });
        Share { shared: Arc::clone(&self.shared), account }
    }

    /// The bytes in memory.
    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.shared.ledger().held
    }

    /// Evicts the oldest bytes until the limit is met. Must be called after [`Share::allocate`], without any of the owner's
    /// locks. Costs nothing while there is room.
    pub fn evict_excess(&self) {
        while let Some(Allocation { owner: account, bytes }) = self.shared.oldest_over_limit() {
            let Some(owner) = account.owner.upgrade() else { continue };
            let evicted = owner.evict(bytes);
            let mut ledger = self.shared.ledger();
            let mut numbers = account.numbers();
            let counted = evicted.min(numbers.held);
            numbers.held -= counted;
            numbers.released_early += evicted.saturating_sub(bytes);
            ledger.held -= counted;
            if evicted > 0 && !ledger.has_evicted {
                ledger.has_evicted = true;
                let limit = self.shared.limit;
                tracing::warn!(
                    "records and log events have reached the memory limit of {limit} bytes (--memory-limit): the oldest are evicted from now on"
                );
            }
        }
    }
}

impl Ledger {
    /// Removes released allocations from the front of the queue, which would otherwise grow while there is room.
    fn remove_released(&mut self) {
        while let Some(front) = self.queue.front_mut() {
            let left = front.owner.remaining(front.bytes);
            if left > 0 {
                front.bytes = left;
                return;
            }
            self.queue.pop_front();
        }
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest allocation, if the limit is exceeded.
    fn oldest_over_limit(&self) -> Option<Allocation> {
        let mut ledger = self.ledger();
        if ledger.held <= self.limit {
            return None;
        }
        ledger.remove_released();
        ledger.queue.pop_front()
    }
}

impl Account {
    /// The bytes of the owner's oldest allocation that were not released.
    fn remaining(&self, bytes: usize) -> usize {
        let mut numbers = self.numbers();
        let released_early = numbers.released_early.min(bytes);
        numbers.released_early -= released_early;
        if numbers.is_closed { 0 } else { bytes - released_early }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Allocates `bytes`, the newest of all. May be called under the owner's lock.
    pub fn allocate(&self, bytes: usize) {
        let mut ledger = self.shared.ledger();
        ledger.held += bytes;
        self.account.numbers().held += bytes;
        ledger.remove_released();
        match ledger.queue.back_mut() {
            Some(last) if Arc::ptr_eq(&last.owner, &self.account) && last.bytes < MAX_MERGED_BYTES => {
                last.bytes += bytes
            }
            _ => ledger.queue.push_back(Allocation { owner: Arc::clone(&self.account), bytes }),
        }
    }

    /// Releases `bytes`, the owner's oldest. May be called under the owner's lock.
    pub fn release(&self, bytes: usize) {
        let mut ledger = self.shared.ledger();
        let mut numbers = self.account.numbers();
        let counted = bytes.min(numbers.held);
        numbers.held -= counted;
        numbers.released_early += counted;
        ledger.held -= counted;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut ledger = self.shared.ledger();
        let mut numbers = self.account.numbers();
        numbers.is_closed = true;
        ledger.held -= numbers.held;
        numbers.held = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items with their sizes in bytes, the oldest first.
    #[derive(Default)]
    struct Items(Mutex<VecDeque<usize>>);

    impl Items {
        fn push(&self, share: &Share, bytes: usize) {
            self.0.lock().unwrap().push_back(bytes);
            share.allocate(bytes);
        }

        fn held(&self) -> Vec<usize> {
            self.0.lock().unwrap().iter().copied().collect()
        }
    }

    impl MemoryOwner for Items {
        fn evict(&self, bytes: usize) -> usize {
            let mut items = self.0.lock().unwrap();
            let mut evicted = 0;
            while evicted < bytes
                && let Some(item) = items.pop_front()
            {
                evicted += item;
            }
            evicted
        }
    }

    fn owner(budget: &Budget) -> (Arc<Items>, Share) {
        let items = Arc::new(Items::default());
        let weak: Weak<dyn MemoryOwner> = Arc::downgrade(&items) as _;
        let share = budget.share(weak);
        (items, share)
    }

    #[test]
    fn the_oldest_bytes_are_evicted_first_regardless_of_their_owner() {
        let budget = Budget::new(100);
        let (one, of_one) = owner(&budget);
        let (two, of_two) = owner(&budget);
        one.push(&of_one, 40);
        two.push(&of_two, 40);
        one.push(&of_one, 15);
        budget.evict_excess();
        assert_eq!((one.held(), two.held(), budget.used()), (vec![40, 15], vec![40], 95));
        two.push(&of_two, 10);
        budget.evict_excess();
        assert_eq!((one.held(), two.held(), budget.used()), (vec![15], vec![40, 10], 65));
        one.push(&of_one, 90);
        budget.evict_excess();
        assert_eq!((one.held(), two.held(), budget.used()), (vec![90], vec![10], 100));
    }

    #[test]
    fn released_bytes_are_not_evicted() {
        let budget = Budget::new(100);
        let (one, of_one) = owner(&budget);
        let (two, of_two) = owner(&budget);
        one.push(&of_one, 60);
        two.push(&of_two, 30);
        assert_eq!(one.evict(1), 60);
        of_one.release(60);
        assert_eq!(budget.used(), 30);
        one.push(&of_one, 80);
        budget.evict_excess();
        assert_eq!((one.held(), two.held(), budget.used()), (vec![80], vec![], 80));
        drop(of_one);
        assert_eq!(budget.used(), 0);
        two.push(&of_two, 100);
        budget.evict_excess();
        assert_eq!((two.held(), budget.used()), (vec![100], 100));
    }

    #[test]
    fn the_queue_does_not_grow_with_released_allocations() {
        let budget = Budget::new(1000);
        let (_one, of_one) = owner(&budget);
        let (_two, of_two) = owner(&budget);
        for _ in 0..10_000 {
            for share in [&of_one, &of_two] {
                share.allocate(100);
                share.release(100);
            }
        }
        assert!(budget.shared.ledger().queue.len() <= 4);
    }
}
