//! How many bytes of records and log events stay in memory, the oldest leaving first, whoever holds them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Takings of one holder in a row count as one up to so many bytes, which bounds what the order itself takes.
const MERGE_BYTES: usize = 64 << 10;

/// Something whose oldest bytes can go: the records of a shard, the events of a log stream.
pub trait Holder: Send + Sync {
    /// Lets go of its oldest, at least `bytes` of it if it has as much, whole items. Returns how many bytes that were.
    /// Called with no lock of the budget held; must not call [`Share::give_back`] for them.
    fn let_go(&self, bytes: usize) -> usize;
}

/// A limit in bytes that holders share; clones are the same one.
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
    /// What was taken, the oldest first. What was given back is still in it, and so is what is of a holder that is gone.
    order: VecDeque<Taking>,
    has_dropped: bool,
}

struct Taking {
    of: Arc<Account>,
    bytes: usize,
}

/// What one holder has. Its numbers are changed under the ledger's lock only.
struct Account {
    holder: Weak<dyn Holder>,
    numbers: Mutex<Numbers>,
}

#[derive(Default)]
struct Numbers {
    held: usize,
    /// What the holder let go of by itself, or more of than it was asked to: its oldest, still in the order.
    ahead: usize,
    is_closed: bool,
}

/// A holder's part of the budget; given back whole when it is dropped.
pub struct Share {
    shared: Arc<Shared>,
    account: Arc<Account>,
}

impl Budget {
    /// At most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Shared { limit, ledger: Mutex::default() }) }
    }

    pub fn share(&self, holder: Weak<dyn Holder>) -> Share {
        let account = Arc::new(Account { holder, numbers: Mutex::default() });
        Share { shared: Arc::clone(&self.shared), account }
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.shared.ledger().held
    }

    /// Has the oldest bytes let go of, until what is held is within the limit. Call it after [`Share::take`], with none of
    /// the holder's locks held; it costs nothing while there is room.
    pub fn keep(&self) {
        while let Some(Taking { of, bytes }) = self.shared.oldest_over() {
            let Some(holder) = of.holder.upgrade() else { continue };
            let gone = holder.let_go(bytes);
            let mut ledger = self.shared.ledger();
            let mut numbers = of.numbers();
            let counted = gone.min(numbers.held);
            numbers.held -= counted;
            numbers.ahead += gone.saturating_sub(bytes);
            ledger.held -= counted;
            if gone > 0 && !ledger.has_dropped {
                ledger.has_dropped = true;
                let limit = self.shared.limit;
                tracing::warn!(
                    "{limit} bytes of records and log events are in memory (--memory-limit): the oldest leave it from now on"
                );
            }
        }
    }
}

impl Ledger {
    /// Takes what is held no more off the front of the order, which would else grow for as long as there is room.
    fn forget(&mut self) {
        while let Some(front) = self.order.front_mut() {
            let left = front.of.owed(front.bytes);
            if left > 0 {
                front.bytes = left;
                return;
            }
            self.order.pop_front();
        }
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest taking that is still held, if too much is.
    fn oldest_over(&self) -> Option<Taking> {
        let mut ledger = self.ledger();
        if ledger.held <= self.limit {
            return None;
        }
        ledger.forget();
        ledger.order.pop_front()
    }
}

impl Account {
    /// What of a taking, the oldest, is still held.
    fn owed(&self, bytes: usize) -> usize {
        let mut numbers = self.numbers();
        let ahead = numbers.ahead.min(bytes);
        numbers.ahead -= ahead;
        if numbers.is_closed { 0 } else { bytes - ahead }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Counts `bytes` more, the newest of all. May be called under the holder's own lock.
    pub fn take(&self, bytes: usize) {
        let mut ledger = self.shared.ledger();
        ledger.held += bytes;
        self.account.numbers().held += bytes;
        ledger.forget();
        match ledger.order.back_mut() {
            Some(last) if Arc::ptr_eq(&last.of, &self.account) && last.bytes < MERGE_BYTES => last.bytes += bytes,
            _ => ledger.order.push_back(Taking { of: Arc::clone(&self.account), bytes }),
        }
    }

    /// Counts `bytes` less: the holder let go of its oldest by itself. May be called under the holder's own lock.
    pub fn give_back(&self, bytes: usize) {
        let mut ledger = self.shared.ledger();
        let mut numbers = self.account.numbers();
        let counted = bytes.min(numbers.held);
        numbers.held -= counted;
        numbers.ahead += counted;
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

    /// Items of so many bytes each, the oldest first.
    #[derive(Default)]
    struct Items(Mutex<VecDeque<usize>>);

    impl Items {
        fn push(&self, share: &Share, bytes: usize) {
            self.0.lock().unwrap().push_back(bytes);
            share.take(bytes);
        }

        fn held(&self) -> Vec<usize> {
            self.0.lock().unwrap().iter().copied().collect()
        }
    }

    impl Holder for Items {
        fn let_go(&self, bytes: usize) -> usize {
            let mut items = self.0.lock().unwrap();
            let mut gone = 0;
            while gone < bytes
                && let Some(item) = items.pop_front()
            {
                gone += item;
            }
            gone
        }
    }

    fn holder(budget: &Budget) -> (Arc<Items>, Share) {
        let items = Arc::new(Items::default());
        let weak: Weak<dyn Holder> = Arc::downgrade(&items) as _;
        let share = budget.share(weak);
        (items, share)
    }

    #[test]
    fn the_oldest_leave_first_whoever_holds_them() {
        let budget = Budget::new(100);
        let (one, of_one) = holder(&budget);
        let (two, of_two) = holder(&budget);
        one.push(&of_one, 40);
        two.push(&of_two, 40);
        one.push(&of_one, 15);
        budget.keep();
        assert_eq!((one.held(), two.held(), budget.held()), (vec![40, 15], vec![40], 95));
        two.push(&of_two, 10);
        budget.keep();
        assert_eq!((one.held(), two.held(), budget.held()), (vec![15], vec![40, 10], 65));
        one.push(&of_one, 90);
        budget.keep();
        assert_eq!((one.held(), two.held(), budget.held()), (vec![90], vec![10], 100));
    }

    #[test]
    fn what_was_given_back_is_not_asked_for_again() {
        let budget = Budget::new(100);
        let (one, of_one) = holder(&budget);
        let (two, of_two) = holder(&budget);
        one.push(&of_one, 60);
        two.push(&of_two, 30);
        assert_eq!(one.let_go(1), 60);
        of_one.give_back(60);
        assert_eq!(budget.held(), 30);
        one.push(&of_one, 80);
        budget.keep();
        assert_eq!((one.held(), two.held(), budget.held()), (vec![80], vec![], 80));
        drop(of_one);
        assert_eq!(budget.held(), 0);
        two.push(&of_two, 100);
        budget.keep();
        assert_eq!((two.held(), budget.held()), (vec![100], 100));
    }

    #[test]
    fn the_order_does_not_grow_with_what_is_gone() {
        let budget = Budget::new(1000);
        let (_one, of_one) = holder(&budget);
        let (_two, of_two) = holder(&budget);
        for _ in 0..10_000 {
            for share in [&of_one, &of_two] {
                share.take(100);
                share.give_back(100);
            }
        }
        assert!(budget.shared.ledger().order.len() <= 4);
    }
}
