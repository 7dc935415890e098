//! The engine: what is outstanding, what of it would succeed, and what is worth sending. It decides; sending,
//! recording and following the chain are its caller's.

use crate::{
    book::{Book, BookError, Outstanding},
    check::{Checker, Checks},
    contracts::Contracts,
    planner::{self, BatchLimits, Quote, TRANSACTION_GAS_CAP},
    pricing::ProfitRule,
    quarantine::Quarantine,
    quote::{Batch, Quoted, Quoter},
    requests::BatchEntry,
    simulator::{Simulator, SimulatorError},
    turn::{self, Terms, Turn},
};
use alloy::primitives::{
    Address,
    map::{HashMap, HashSet},
};
use errand_journal::IntentId;
use errand_sim::Environment;
use errand_types::{BlockDelta, BlockHead, NextBlock, RequestId};

/// Ids that the gate is shown when it is asked for the turn as such.
const TURN_SAMPLE: usize = 1;

/// Why the engine cannot go on without a resync.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The book and the chain do not fit together.
    #[error(transparent)]
    Book(#[from] BookError),
    /// Nothing can be simulated.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The Registry does not answer as one should.
    #[error("the contract at {0} does not answer as a Registry")]
    NoRegistry(Address),
}

/// How the engine decides.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who executes.
    pub executor: Address,
    /// What the operator asks of work.
    pub rule: ProfitRule,
    /// Gas that a batch may use at most; the chain's and the block's limits hold besides.
    pub max_batch_gas: u64,
    /// Requests in a batch at most.
    pub max_batch_entries: usize,
    /// Tip in wei per gas that quotes reckon with.
    pub tip: u128,
    /// Gas that may be spent on opening a turn without being charged to anybody: the gate's draw. It is the
    /// price of having the turn, so the profit rule does not count it; what goes beyond this it does.
    pub max_opening_gas: u64,
    /// Blocks after which a transaction is usually included: nothing is sent when the turn is over by then.
    pub inclusion_blocks: u64,
}

/// What a look at a block came to.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Requests that were simulated again.
    pub rechecked: usize,
    /// Requests whose call would succeed, or whose quote has to tell.
    pub executable: usize,
    /// Whose turn it is.
    pub turn: Option<Turn>,
    /// What to send, best first.
    pub batches: Vec<Batch>,
}

/// Everything that is known at the head.
#[derive(Debug)]
pub struct Engine {
    contracts: Contracts,
    policy: Policy,
    simulator: Simulator,
    book: Book,
    checks: Checks,
    terms: Option<Terms>,
    /// gas that the last quote of a Request charged
    charged: HashMap<RequestId, u64>,
    /// Requests of transactions that are not settled, and the newest intent that has each
    in_flight: HashMap<RequestId, IntentId>,
    quarantine: Quarantine,
    /// recent heads, the current one last: what a removal goes back to
    heads: Vec<BlockHead>,
    /// Requests that came, went or ran since they were asked for last
    changed: HashSet<RequestId>,
}

impl Engine {
    /// An engine that knows `book` at the simulator's head.
    pub fn new(contracts: Contracts, policy: Policy, simulator: Simulator, book: Book) -> Self {
        let heads = vec![*simulator.head()];
        Self {
            contracts,
            policy,
            simulator,
            book,
            checks: Checks::default(),
            terms: None,
            charged: HashMap::default(),
            in_flight: HashMap::default(),
            quarantine: Quarantine::default(),
            heads,
            changed: HashSet::default(),
        }
    }

    /// How it decides.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The Requests that came, went or ran since this was asked last.
    pub fn take_changed(&mut self) -> HashSet<RequestId> {
        std::mem::take(&mut self.changed)
    }

    /// What is outstanding.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The simulations' state.
    pub const fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// The standing checks.
    pub const fn checks(&self) -> &Checks {
        &self.checks
    }

    /// The head.
    pub const fn head(&self) -> &BlockHead {
        self.simulator.head()
    }

    /// The environment that the next block will have, as far as it can be known at Unix time `now`.
    pub fn next_block(&self, now: u64) -> NextBlock {
        let head = self.head();
        // The smallest one seen: after a missed slot, or a pause of a chain that mines on demand, the last one
        // would send timers before their time.
        let pairs = self.heads.iter().zip(self.heads.iter().skip(1));
        let intervals = pairs.map(|(before, after)| after.timestamp.saturating_sub(before.timestamp));
        let interval = intervals.min().unwrap_or(1).max(1);
        self.simulator.next_block(now.max(head.timestamp + interval))
    }

    /// What a transaction in the next block would pay, in wei per gas.
    fn gas_price(&self, next: &NextBlock) -> u128 {
        u128::from(next.base_fee) + self.policy.tip
    }

    /// Takes a step of the chain.
    pub fn apply(&mut self, delta: &BlockDelta, now: u64) -> Result<(), EngineError> {
        let (changes, book) = match delta {
            BlockDelta::Added { head, logs, writes } => {
                let changes = self.simulator.apply(head, writes)?;
                self.heads.push(*head);
                if self.heads.len() > crate::book::UNDO_DEPTH + 1 {
                    self.heads.remove(0);
                }
                let book = self.book.apply(head, logs)?;
                // An executed Request starts with a clean slate; a recurring one is due again by its target.
                for id in book.added.iter().chain(&book.removed) {
                    self.quarantine.forget(*id);
                    self.checks.remove(*id);
                }
                (changes, book)
            }
            BlockDelta::Removed { head } => {
                self.heads.pop();
                let changes = self.simulator.undo(head)?;
                let book = self.book.undo(head)?;
                for id in &book.added {
                    self.checks.remove(*id);
                }
                (changes, book)
            }
        };
        for id in &book.removed {
            self.checks.remove(*id);
            self.charged.remove(id);
        }
        self.changed.extend(book.added.iter().chain(&book.removed));
        let block = self.next_block(now);
        let gas_price = self.gas_price(&block);
        self.checks.invalidate(&changes, &Environment { block, gas_price });
        Ok(())
    }

    /// Requests of a transaction that was recorded: they are nobody else's until it is settled.
    pub fn hold(&mut self, intent: IntentId, ids: impl IntoIterator<Item = RequestId>) {
        for id in ids {
            let holder = self.in_flight.entry(id).or_insert(intent);
            *holder = intent.max(*holder);
        }
    }

    /// Requests whose transaction is settled. What a later intent holds stays held.
    pub fn release(&mut self, intent: IntentId, ids: impl IntoIterator<Item = RequestId>) {
        for id in ids {
            if self.in_flight.get(&id) == Some(&intent) {
                self.in_flight.remove(&id);
            }
        }
    }

    /// A Request failed on chain although its simulation succeeded.
    pub fn failed_on_chain(&mut self, id: RequestId, block: u64) {
        if self.book.get(id).is_none() {
            return; // somebody else executed it, or its user cancelled it
        }
        let until = self.quarantine.failed(id, block);
        tracing::warn!(request = %id, until, "failed on chain although it simulated well; left alone until then");
    }

    /// Checks what may have changed and, when it is the executor's turn, plans what to send. `skip_plan`: a
    /// newer head is known, so that only the checks are worth making.
    pub async fn decide(&mut self, now: u64, skip_plan: bool) -> Result<Decision, EngineError> {
        let next = self.next_block(now);
        self.refresh_terms(&next).await?;
        let Some(terms) = self.terms.clone() else {
            return Err(EngineError::NoRegistry(self.contracts.registry));
        };
        let gas_price = self.gas_price(&next);
        let checker =
            Checker { contracts: &self.contracts, terms: &terms, executor: self.policy.executor, gas_price };
        let rechecked = self.checks.refresh(&checker, &mut self.simulator, &next, self.book.iter()).await?;
        let mut executable: Vec<RequestId> = self.checks.executable().collect();
        executable.sort_unstable();
        let mut decision = Decision { rechecked, executable: executable.len(), ..Default::default() };

        let sample: Vec<_> = executable.iter().copied().take(TURN_SAMPLE).collect();
        let gate = terms.gate;
        let turn =
            turn::turn(&mut self.simulator, &next, &self.contracts, gate, self.policy.executor, &sample)
                .await?;
        if let Turn::Unknown { reason } = &turn {
            tracing::warn!(reason, "whose turn it is cannot be evaluated; nothing is sent");
        }
        let included = self.head().number + self.policy.inclusion_blocks.max(1);
        let too_dear = self.policy.rule.max_gas_price.is_some_and(|highest| gas_price > highest);
        if !skip_plan && !too_dear && turn.covers(included) {
            executable
                .retain(|id| !self.in_flight.contains_key(id) && !self.quarantine.holds(*id, next.number));
            let opening_gas = turn.opening_gas().min(self.policy.max_opening_gas);
            decision.batches = self.plan(&terms, &next, gas_price, opening_gas, &executable).await?;
        }
        tracing::debug!(
            block = next.number,
            timestamp = next.timestamp,
            outstanding = self.book.len(),
            rechecked,
            executable = decision.executable,
            batches = decision.batches.len(),
            ?turn,
            "decided"
        );
        decision.turn = Some(turn);
        Ok(decision)
    }

    /// Reads the Registry's terms; when they have changed, no check stands.
    async fn refresh_terms(&mut self, next: &NextBlock) -> Result<(), EngineError> {
        let terms = Terms::read(&mut self.simulator, next, self.contracts.registry).await?;
        if terms != self.terms {
            self.checks.clear();
            self.terms = terms;
        }
        Ok(())
    }

    async fn plan(
        &mut self,
        terms: &Terms,
        next: &NextBlock,
        gas_price: u128,
        opening_gas: u64,
        executable: &[RequestId],
    ) -> Result<Vec<Batch>, EngineError> {
        let gas = self.policy.max_batch_gas.min(TRANSACTION_GAS_CAP).min(next.gas_limit);
        let quoter = Quoter {
            contracts: &self.contracts,
            terms,
            executor: self.policy.executor,
            rule: &self.policy.rule,
            limits: BatchLimits { gas, entries: self.policy.max_batch_entries },
            gas_price,
            opening_gas,
        };
        let entries: Vec<(Outstanding, Option<u64>)> = executable
            .iter()
            .filter_map(|id| Some((self.book.get(*id)?.clone(), self.charged.get(id).copied())))
            .collect();
        let quotes: Vec<Quote> = quoter
            .each(&mut self.simulator, next, &entries)
            .await?
            .into_iter()
            .zip(&entries)
            .filter_map(|(quoted, (entry, _))| match quoted {
                Quoted::Executes(quote) => Some(quote),
                not => {
                    tracing::debug!(request = %entry.id, quote = ?not, "does not execute");
                    None
                }
            })
            .collect();
        self.charged.extend(quotes.iter().map(|quote| (quote.id, quote.expected_gas)));

        tracing::debug!(?quotes, "quoted");
        // What would lose money alone would be paid for by the others of its batch.
        let paying = quotes.into_iter().filter(|quote| quote.balance.profit().is_some()).collect();
        let mut batches: Vec<Batch> = Vec::new();
        for quotes in planner::pack(paying, quoter.limits) {
            let entries = quotes
                .iter()
                .filter_map(|quote| {
                    let entry = self.book.get(quote.id)?.clone();
                    let (expected_gas, gas_limit) = (quote.expected_gas, quote.gas_limit);
                    Some((BatchEntry { entry, expected_gas, gas_limit }, quote.gas))
                })
                .collect();
            let before: Vec<_> = batches.iter().map(|batch| batch.call.clone()).collect();
            // Once the first transaction has opened the turn, the others pay for themselves.
            let opening_gas = if batches.is_empty() { opening_gas } else { 0 };
            let quoter = Quoter { opening_gas, ..quoter };
            batches.extend(quoter.batch(&mut self.simulator, next, &before, entries).await?);
        }
        Ok(batches)
    }
}
