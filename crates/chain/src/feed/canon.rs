//! The canonical chain as a pure state machine: headers go in, steps come out.

use alloy::primitives::{B256, Bloom};
use errand_types::BlockHead;
use std::{collections::VecDeque, time::Instant};

/// What the feed needs of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) head: BlockHead,
    pub(super) bloom: Bloom,
    /// When the header came.
    pub(super) seen: Instant,
}

/// A step of the chain.
#[expect(clippy::large_enum_variant, reason = "there are few at a time, and they are moved seldom")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Added(Link),
    Removed(BlockHead),
}

/// What became of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Known, or too old to say anything about.
    Ignored,
    /// The chain moved: what went, newest first, and then what came, oldest first.
    Moved(Vec<Step>),
    /// It is on a branch whose block of this hash has to be supplied.
    Needs(B256),
    /// Its branch left the chain before the oldest block that is known.
    TooDeep,
    /// It contradicts the header that it was supplied for.
    Inconsistent,
}

/// The last blocks of the canonical chain.
#[derive(Clone, Debug)]
pub(super) struct Canon {
    /// Oldest first, never empty. The first cannot be undone.
    history: VecDeque<BlockHead>,
    tip: BlockHead,
    /// Blocks that can be undone.
    depth: usize,
    /// A branch on its way to the chain, newest first.
    branch: Vec<Link>,
}

impl Canon {
    /// Begins with `start`, above which `depth` blocks can be undone.
    pub(super) fn new(start: BlockHead, depth: usize) -> Self {
        Self { history: VecDeque::from([start]), tip: start, depth, branch: Vec::new() }
    }

    /// Begins with blocks that are known to follow each other, or says that they do not.
    pub(super) fn after(blocks: &[BlockHead], depth: usize) -> Option<Self> {
        let (first, rest) = blocks.split_first()?;
        let mut canon = Self::new(*first, depth);
        for head in rest {
            let follows = head.parent_hash == canon.tip.hash && head.number == canon.tip.number + 1;
            if !follows {
                return None;
            }
            canon.push(*head);
        }
        Some(canon)
    }

    pub(super) const fn tip(&self) -> &BlockHead {
        &self.tip
    }

    /// The number of the oldest block that is known.
    pub(super) fn oldest(&self) -> u64 {
        self.history.front().unwrap_or(&self.tip).number
    }

    /// Takes a head that a node named.
    pub(super) fn offer(&mut self, link: Link) -> Outcome {
        self.branch.clear();
        // Below the oldest block there is nothing to compare with: it may be a replica that lags far behind.
        if link.head.number <= self.oldest() || self.position(link.head.hash).is_some() {
            return Outcome::Ignored;
        }
        self.grow(link)
    }

    /// Takes the block that the last outcome asked for.
    pub(super) fn supply(&mut self, link: Link) -> Outcome {
        let fits = self.branch.last().is_some_and(|child| {
            child.head.parent_hash == link.head.hash && child.head.number == link.head.number + 1
        });
        if fits { self.grow(link) } else { Outcome::Inconsistent }
    }

    /// Adds the next older block to the branch, and moves the chain when the branch reaches it.
    fn grow(&mut self, link: Link) -> Outcome {
        self.branch.push(link);
        let parent = link.head.parent_hash;
        let Some(at) = self.position(parent) else {
            let below = link.head.number <= self.oldest() + 1;
            return if below { Outcome::TooDeep } else { Outcome::Needs(parent) };
        };
        if self.history.get(at).is_none_or(|head| head.number + 1 != link.head.number) {
            return Outcome::Inconsistent;
        }
        let mut steps: Vec<Step> = self.history.drain(at + 1..).rev().map(Step::Removed).collect();
        for link in std::mem::take(&mut self.branch).into_iter().rev() {
            steps.push(Step::Added(link));
            self.push(link.head);
        }
        Outcome::Moved(steps)
    }

    fn push(&mut self, head: BlockHead) {
        self.history.push_back(head);
        self.tip = head;
        while self.history.len() > self.depth + 1 {
            self.history.pop_front();
        }
    }

    fn position(&self, hash: B256) -> Option<usize> {
        // From the end: what is asked for is nearly always the tip.
        self.history.iter().rposition(|head| head.hash == hash)
    }
}

/// Steps on their way to somebody. A block that goes before it was handed on leaves no trace.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue<T>(VecDeque<T>);

/// A step that names its block.
pub(super) trait Stepping {
    fn added(&self) -> Option<B256>;
    fn removed(&self) -> Option<B256>;
}

impl Stepping for Step {
    fn added(&self) -> Option<B256> {
        match self {
            Self::Added(link) => Some(link.head.hash),
            Self::Removed(_) => None,
        }
    }

    fn removed(&self) -> Option<B256> {
        match self {
            Self::Added(_) => None,
            Self::Removed(head) => Some(head.hash),
        }
    }
}

impl<T: Stepping> Queue<T> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn push(&mut self, step: T) {
        let removed = step.removed();
        if removed.is_some() && self.0.back().and_then(T::added) == removed {
            self.0.pop_back();
        } else {
            self.0.push_back(step);
        }
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.0.front()
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const DEPTH: usize = 16;

    fn link(number: u64, fork: u64, parent: &BlockHead) -> Link {
        let mut hash = B256::ZERO;
        hash.0[..8].copy_from_slice(&number.to_be_bytes());
        hash.0[8..16].copy_from_slice(&fork.to_be_bytes());
        let head = BlockHead { number, hash, parent_hash: parent.hash, ..genesis() };
        Link { head, bloom: Bloom::ZERO, seen: Instant::now() }
    }

    fn genesis() -> BlockHead {
        BlockHead {
            number: 0,
            hash: B256::repeat_byte(0xff),
            parent_hash: B256::ZERO,
            timestamp: 0,
            base_fee: 0,
            gas_limit: 0,
            gas_used: 0,
            prev_randao: B256::ZERO,
            beneficiary: Default::default(),
        }
    }

    /// A chain that forks, and all its blocks.
    struct World {
        chain: Vec<Link>,
        all: HashMap<B256, Link>,
        forks: u64,
    }

    impl World {
        fn new() -> Self {
            Self { chain: Vec::new(), all: HashMap::new(), forks: 0 }
        }

        fn extend(&mut self, blocks: usize) {
            for _ in 0..blocks {
                let parent = self.chain.last().map_or(genesis(), |link| link.head);
                let next = link(parent.number + 1, self.forks, &parent);
                self.all.insert(next.head.hash, next);
                self.chain.push(next);
            }
        }

        fn reorg(&mut self, depth: usize, blocks: usize) {
            self.forks += 1;
            self.chain.truncate(self.chain.len().saturating_sub(depth));
            self.extend(blocks);
        }

        /// Hands the canon a head and whatever it needs.
        fn announce(&self, canon: &mut Canon, head: Link) -> Outcome {
            let mut outcome = canon.offer(head);
            while let Outcome::Needs(hash) = outcome {
                outcome = canon.supply(self.all[&hash]);
            }
            outcome
        }
    }

    /// Applies steps as a consumer would, who cannot undo anything but his last block.
    fn apply(seen: &mut Vec<BlockHead>, outcome: Outcome) {
        let Outcome::Moved(steps) = outcome else { return assert_eq!(outcome, Outcome::Ignored) };
        for step in steps {
            match step {
                Step::Removed(head) => assert_eq!(seen.pop(), Some(head)),
                Step::Added(link) => {
                    assert_eq!(seen.last().map_or(genesis().hash, |head| head.hash), link.head.parent_hash);
                    seen.push(link.head);
                }
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Event {
        Extend(usize),
        Reorg { depth: usize, extra: usize },
        Announce,
        AnnounceOlder(usize),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => (1usize..5).prop_map(Event::Extend),
            2 => (1usize..=DEPTH / 2, 0usize..3).prop_map(|(depth, extra)| Event::Reorg { depth, extra }),
            4 => Just(Event::Announce),
            2 => (0usize..DEPTH * 2).prop_map(Event::AnnounceOlder),
        ]
    }

    proptest! {
        /// Whatever heads are missed, repeated or late: the steps lead to the canonical chain, one block at a time.
        #[test]
        fn steps_end_in_the_canonical_chain(events in prop::collection::vec(event(), 1..80)) {
            let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
            let mut seen = Vec::new();
            let mut unseen_reorgs = 0;
            for event in events {
                match event {
                    Event::Extend(blocks) => world.extend(blocks),
                    // What the canon has not heard of yet adds up: keep the sum within its depth.
                    Event::Reorg { depth, extra } if unseen_reorgs + depth <= DEPTH => {
                        world.reorg(depth, depth + extra);
                        unseen_reorgs += depth;
                    }
                    Event::Reorg { .. } => {}
                    Event::Announce => {
                        if let Some(head) = world.chain.last() {
                            apply(&mut seen, world.announce(&mut canon, *head));
                            unseen_reorgs = 0;
                        }
                    }
                    Event::AnnounceOlder(back) => {
                        let at = world.chain.len().saturating_sub(back + 1);
                        if let Some(head) = world.chain.get(at).filter(|_| unseen_reorgs == 0) {
                            apply(&mut seen, world.announce(&mut canon, *head));
                        }
                    }
                }
            }
            world.extend(1);
            let head = *world.chain.last().unwrap();
            apply(&mut seen, world.announce(&mut canon, head));
            let canonical: Vec<BlockHead> = world.chain.iter().map(|link| link.head).collect();
            prop_assert_eq!(seen, canonical);
            prop_assert_eq!(canon.tip(), &head.head);
        }

        /// A queue that was emptied at any moments leads to the same chain as the steps themselves.
        #[test]
        fn queue_loses_only_what_cancels_out(
            reorgs in prop::collection::vec((1usize..4, 1usize..4, 0usize..6), 1..40),
        ) {
            let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
            let (mut queue, mut seen) = (Queue::new(), Vec::new());
            for (depth, extra, taken) in reorgs {
                world.reorg(depth, depth + extra);
                let head = *world.chain.last().unwrap();
                if let Outcome::Moved(steps) = world.announce(&mut canon, head) {
                    steps.into_iter().for_each(|step| queue.push(step));
                }
                for _ in 0..taken {
                    let Some(step) = queue.pop() else { break };
                    apply(&mut seen, Outcome::Moved(vec![step]));
                }
            }
            while let Some(step) = queue.pop() {
                apply(&mut seen, Outcome::Moved(vec![step]));
            }
            let canonical: Vec<BlockHead> = world.chain.iter().map(|link| link.head).collect();
            prop_assert_eq!(seen, canonical);
        }
    }

    #[test]
    fn removed_blocks_come_before_added_ones_and_newest_first() {
        let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
        world.extend(3);
        let old: Vec<BlockHead> = world.chain.iter().map(|link| link.head).collect();
        world.announce(&mut canon, *world.chain.last().unwrap());
        world.reorg(2, 3);
        let outcome = world.announce(&mut canon, *world.chain.last().unwrap());
        let new = &world.chain[1..];
        let expected: Vec<Step> = [Step::Removed(old[2]), Step::Removed(old[1])]
            .into_iter()
            .chain(new.iter().copied().map(Step::Added))
            .collect();
        assert_eq!(outcome, Outcome::Moved(expected));
    }

    #[test]
    fn reorg_of_exactly_the_depth_is_followed_and_one_more_is_not() {
        for (depth, too_deep) in [(DEPTH, false), (DEPTH + 1, true)] {
            let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
            world.extend(DEPTH * 2);
            for link in &world.chain {
                canon.offer(*link);
            }
            world.reorg(depth, depth + 1);
            let outcome = world.announce(&mut canon, *world.chain.last().unwrap());
            assert_eq!(outcome == Outcome::TooDeep, too_deep, "depth {depth}: {outcome:?}");
        }
    }

    #[test]
    fn shorter_branch_is_followed() {
        let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
        world.extend(5);
        world.announce(&mut canon, *world.chain.last().unwrap());
        world.reorg(3, 1);
        let head = *world.chain.last().unwrap();
        assert!(matches!(world.announce(&mut canon, head), Outcome::Moved(steps) if steps.len() == 4));
        assert_eq!(canon.tip().number, 3);
    }

    #[test]
    fn head_from_before_the_history_is_ignored() {
        let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
        world.extend(DEPTH * 3);
        for link in &world.chain {
            canon.offer(*link);
        }
        assert_eq!(canon.offer(world.chain[DEPTH]), Outcome::Ignored);
        assert_eq!(canon.tip(), &world.chain.last().unwrap().head);
    }

    #[test]
    fn block_that_was_not_asked_for_is_refused() {
        let (mut world, mut canon) = (World::new(), Canon::new(genesis(), DEPTH));
        world.extend(4);
        assert_eq!(canon.offer(world.chain[3]), Outcome::Needs(world.chain[2].head.hash));
        assert_eq!(canon.supply(world.chain[1]), Outcome::Inconsistent);
        let mut jump = world.chain[0];
        jump.head.number = 9;
        assert_eq!(canon.offer(jump), Outcome::Inconsistent, "a number that does not follow the parent's");
    }

    #[test]
    fn start_must_be_contiguous() {
        let mut world = World::new();
        world.extend(4);
        let heads: Vec<BlockHead> = world.chain.iter().map(|link| link.head).collect();
        assert!(Canon::after(&[], DEPTH).is_none());
        assert!(Canon::after(&[heads[0], heads[2]], DEPTH).is_none());
        assert_eq!(Canon::after(&heads, DEPTH).unwrap().tip(), &heads[3]);
    }
}
