//! Who may run a guest now: one worker for each core, shared fairly between parsers.
//!
//! A worker is a permit that a thread holds while it runs a batch. A parser may hold at most half of them, and at
//! least one, while another parser waits; with nobody waiting it may hold them all. So a slow parser slows itself.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a worker is offered to others between two pieces of work.
const GIVE_WAY: Duration = Duration::from_millis(50);

/// The permits.
#[derive(Debug, Clone)]
pub struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    count: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    busy: usize,
    /// By parser name.
    running: HashMap<String, usize>,
    waiting: HashMap<String, usize>,
    /// How often a worker was taken.
    taken: u64,
}

impl State {
    fn others_wait(&self, parser: &str) -> bool {
        self.waiting.iter().any(|(name, waiting)| name != parser && *waiting > 0)
    }

    fn may_run(&self, parser: &str, count: usize) -> bool {
        let held = self.running.get(parser).copied().unwrap_or(0);
        self.busy < count && (held < (count / 2).max(1) || !self.others_wait(parser))
    }
}

fn step(counts: &mut HashMap<String, usize>, parser: &str, by: isize) {
    let count = counts.entry(parser.to_owned()).or_default();
    *count = count.saturating_add_signed(by);
    if *count == 0 {
        counts.remove(parser);
    }
}

impl Workers {
    /// `count` workers; one for each core unless configured.
    pub fn new(count: usize) -> Self {
        let shared = Shared { count: count.max(1), state: Mutex::default(), changed: Condvar::new() };
        Workers { shared: Arc::new(shared) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.shared.count
    }

    /// Waits for a worker for `parser`, and holds it until the guard is dropped.
    pub fn acquire(&self, parser: &str) -> Worker<'_> {
        let shared = &*self.shared;
        shared.take(shared.lock(), parser);
        Worker { shared, parser: parser.to_owned() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, mut state: MutexGuard<'_, State>, parser: &str) {
        step(&mut state.waiting, parser, 1);
        while !state.may_run(parser, self.count) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        step(&mut state.waiting, parser, -1);
        step(&mut state.running, parser, 1);
        state.busy += 1;
        state.taken += 1;
    }

    fn give_back<'s>(&self, mut state: MutexGuard<'s, State>, parser: &str) -> MutexGuard<'s, State> {
        step(&mut state.running, parser, -1);
        state.busy -= 1;
        self.changed.notify_all();
        state
    }
}

/// A held worker.
#[derive(Debug)]
pub struct Worker<'a> {
    shared: &'a Shared,
    parser: String,
}

impl Worker<'_> {
    /// Between two pieces of work: lets another parser that waits have its turn first.
    pub fn give_way(&mut self) {
        let shared = self.shared;
        let state = shared.lock();
        if !state.others_wait(&self.parser) {
            return;
        }
        let taken = state.taken;
        let mut state = shared.give_back(state, &self.parser);
        // Whoever wakes first would else be the one that is awake already. Bounded, since those who wait may be at
        // their own share's end.
        while state.taken == taken && state.others_wait(&self.parser) {
            let waited = shared.changed.wait_timeout(state, GIVE_WAY);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() {
                break;
            }
        }
        shared.take(state, &self.parser);
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        drop(self.shared.give_back(self.shared.lock(), &self.parser));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_alone_takes_every_worker() {
        let workers = Workers::new(4);
        let held: Vec<_> = (0..4).map(|_| workers.acquire("a")).collect();
        assert_eq!(held.len(), 4);
    }

    #[test]
    fn with_another_waiting_a_parser_gets_half() {
        let state = |held: usize| State {
            busy: held,
            running: HashMap::from([("a".to_owned(), held)]),
            waiting: HashMap::from([("b".to_owned(), 1)]),
            taken: 0,
        };
        assert!(state(1).may_run("a", 4) && !state(2).may_run("a", 4) && state(2).may_run("b", 4));
        assert!(state(0).may_run("a", 1) && !state(1).may_run("b", 1));
    }

    #[test]
    fn who_gives_way_lets_others_go_first() {
        let workers = Workers::new(1);
        let mut slow = workers.acquire("slow");
        slow.give_way();
        let turns = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let quick = scope.spawn(|| {
                let _worker = workers.acquire("quick");
                turns.lock().unwrap().push("quick");
            });
            while workers.shared.lock().waiting.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            slow.give_way();
            turns.lock().unwrap().push("slow");
            quick.join().unwrap();
        });
        drop(slow);
        assert_eq!(*turns.lock().unwrap(), ["quick", "slow"]);
        assert_eq!(workers.shared.lock().busy, 0);
    }

    #[test]
    fn a_waiting_parser_gets_the_next_free_worker() {
        let workers = Workers::new(2);
        let (first, second) = (workers.acquire("slow"), workers.acquire("slow"));
        std::thread::scope(|scope| {
            let quick = scope.spawn(|| drop(workers.acquire("quick")));
            while workers.shared.state.lock().unwrap().waiting.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(first);
            quick.join().unwrap();
        });
        drop(second);
        assert_eq!(workers.shared.state.lock().unwrap().busy, 0);
    }
}
