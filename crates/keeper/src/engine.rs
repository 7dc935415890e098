//! The engine: what is outstanding, what of it would succeed, and what is worth sending. It decides; sending,
//! recording and following the chain are its caller's.

use crate::{
    batch::{Batch, Candidate},
    book::{Book, BookError, Outstanding},
    check::Checker,
    checks::Checks,
    clock::Clock,
    contracts::Contracts,
    flights::Flights,
    funds::{Funds, Shortage},
    planner::{self, BatchLimits, Quote},
    pricing::{OwnGas, ProfitRule},
    quarantine::Quarantine,
    quote::Quoter,
    quotes::{Asked, Quotes},
    requests::BatchEntry,
    simulator::{Simulator, SimulatorError},
    turn::{self, Terms, Turn},
};
use alloy::primitives::{Address, U256, map::HashSet};
use errand_bindings::IRegistry;
use errand_journal::IntentId;
use errand_sim::{Changes, EnvSeen, Environment};
use errand_submit::Fees;
use errand_types::{BlockDelta, BlockHead, CallSpec, NextBlock, RequestId, TX_GAS_CAP};

/// So few heads do not show how far apart blocks are.
const FEW_HEADS: usize = 4;
/// Looks in a row at which state could not be read, after which everything is read anew.
const MAX_TROUBLES: u32 = 8;
/// Accounts and slots that may be mirrored before any are evicted. Where the node gives no write sets, all of them
/// are read again with each block.
const MIRROR_FLOOR: usize = 1 << 16;

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
    /// Gas that may be spent without being charged to anybody on what is the executor's own cost: opening a turn
    /// (the gate's draw), and holding AUTO for the first time. The profit rule does not count it; what goes beyond
    /// this it does.
    pub max_opening_gas: u64,
    /// What reverted and cancelled transactions may cost in 24 hours, in wei: once they have, nothing is sent.
    pub loss_budget: Option<U256>,
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
    /// Requests of which it is not known, because state could not be read.
    pub unknown: usize,
    /// State could not be read, or not all could be checked in time: another look soon may tell more.
    pub is_unfinished: bool,
    /// Whose turn it is.
    pub turn: Option<Turn>,
    /// What to send, best first.
    pub batches: Vec<Batch>,
    /// Why nothing is sent of what pays: the account has too little.
    pub shortage: Option<Shortage>,
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
    quotes: Quotes,
    /// Accounts and slots in the mirror at which those are evicted that nothing depends on
    evict_at: usize,
    flights: Flights,
    quarantine: Quarantine,
    /// Looks in a row at which state could not be read
    troubles: u32,
    /// The last block at which the book had all Requests that the Registry has
    complete_at: u64,
    /// Some were missing after it
    doubted: bool,
    clock: Clock,
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
            simulator: simulator.patient(),
            book,
            checks: Checks::default(),
            terms: None,
            quotes: Quotes::default(),
            evict_at: MIRROR_FLOOR,
            flights: Flights::default(),
            quarantine: Quarantine::default(),
            troubles: 0,
            complete_at: heads.last().map_or(0, |head| head.number),
            doubted: false,
            clock: Clock::default(),
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

    /// The same, for whoever else decides on the state at the head.
    pub const fn simulator_mut(&mut self) -> &mut Simulator {
        &mut self.simulator
    }

    /// The head.
    pub const fn head(&self) -> &BlockHead {
        self.simulator.head()
    }

    /// The chain's time at the host's Unix time `now`.
    pub fn time(&self, now: u64) -> u64 {
        self.clock.time(now)
    }

    /// The environment that the next block will have, as far as it can be known at the host's Unix time `now`.
    pub fn next_block(&self, now: u64) -> NextBlock {
        let head = self.head();
        // The smallest one seen: after a missed slot, or a pause of a chain that mines on demand, the last one
        // would send timers before their time.
        let pairs = self.heads.iter().zip(self.heads.iter().skip(1));
        let intervals = pairs.map(|(before, after)| after.timestamp.saturating_sub(before.timestamp));
        // Of a few, all may be such pauses.
        let interval = if self.heads.len() > FEW_HEADS { intervals.min().unwrap_or(1).max(1) } else { 1 };
        self.simulator.next_block(self.time(now).max(head.timestamp + interval))
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
                self.clock.saw(head.timestamp, now);
                self.quarantine.expire(head.number);
                self.heads.push(*head);
                if self.heads.len() > crate::book::UNDO_DEPTH + 1 {
                    self.heads.remove(0);
                }
                let book = self.book.apply(head, logs)?;
                // An executed Request starts with a clean slate; a recurring one is due again by its target.
                for id in book.added.iter().chain(&book.removed) {
                    self.quarantine.forget(*id);
                }
                (changes, book)
            }
            BlockDelta::Removed { head } => {
                self.heads.pop();
                let changes = self.simulator.undo(head)?;
                (changes, self.book.undo(head)?)
            }
        };
        for id in &book.added {
            self.checks.renew(*id);
            self.quotes.renew(*id);
        }
        for id in &book.removed {
            self.checks.remove(*id);
            self.quotes.remove(*id);
        }
        self.changed.extend(book.added.iter().chain(&book.removed));
        let block = self.next_block(now);
        let gas_price = self.gas_price(&block);
        self.invalidate(&changes, &Environment { block, gas_price });
        Ok(())
    }

    /// Drops what `changes`, what was loaded since, or the environment may have made untrue.
    fn invalidate(&mut self, changes: &Changes, environment: &Environment) {
        let contradicted = self.simulator.take_contradicted();
        for changes in [changes, &contradicted] {
            self.checks.invalidate(changes, environment);
            self.quotes.invalidate(changes, environment);
        }
    }

    /// Evicts from the mirror what nothing depends on, when there is much.
    fn evict(&mut self) {
        if self.simulator.mirror().held() > self.evict_at {
            self.simulator.keep_only(self.checks.reads().chain(self.quotes.reads()));
            let held = self.simulator.mirror().held();
            tracing::debug!(held, "evicted from the mirror what nothing depends on");
            self.evict_at = MIRROR_FLOOR.max(2 * held);
        }
    }

    /// The block from which on logs are missing, when some are.
    pub fn doubted_from(&self) -> Option<u64> {
        self.doubted.then(|| self.complete_at.min(self.head().number) + 1)
    }

    /// Compares the book with the number of Requests in the Registry's state, which does not come from logs. That
    /// costs a node nothing: the number is mirrored.
    async fn count(&mut self, next: &NextBlock) -> Result<(), EngineError> {
        let length = IRegistry::getHashedReqsLenCall {};
        if let Some(length) = self.simulator.view(next, self.contracts.registry, length).await? {
            let number = self.head().number;
            let counted = self.book.expect(length.saturating_to(), number);
            self.doubted = counted.is_err();
            counted?;
            self.complete_at = number;
        }
        Ok(())
    }

    /// What failed on chain and is left alone.
    pub const fn quarantine(&mut self) -> &mut Quarantine {
        &mut self.quarantine
    }

    /// What an AUTO-paid fee is worth to the operator, in wei; `None`: not known.
    pub fn auto_in_wei(&self, fee: U256) -> Option<U256> {
        self.policy.rule.auto_value.in_wei(fee, self.terms.as_ref()?.auto_per_eth)
    }

    /// What was sent and is not settled.
    pub const fn flights(&mut self) -> &mut Flights {
        &mut self.flights
    }

    /// A Request failed on chain although its simulation succeeded.
    pub fn failed_on_chain(&mut self, id: RequestId, block: u64) {
        let Some(entry) = self.book.get(id) else {
            return; // somebody else executed it, or its user cancelled it
        };
        let until = self.quarantine.failed(id, block);
        let (target, inserts) = (entry.request.target, entry.request.insertFeeAmount);
        if inserts && self.quarantine.fee_failed(target, block) {
            // Less is asked for from now on.
            let alike =
                |entry: &&Outstanding| entry.request.insertFeeAmount && entry.request.target == target;
            self.book.iter().filter(alike).for_each(|entry| self.quotes.renew(entry.id));
        }
        tracing::warn!(request = %id, until, "failed on chain although it simulated well; left alone until then");
    }

    /// Requests whose execution was cancelled because it would have failed: what changes its mind costs gas each time.
    pub fn cancelled(&mut self, ids: &[RequestId], block: u64) {
        for id in ids.iter().filter(|id| self.book.get(**id).is_some()) {
            let until = self.quarantine.cancelled(*id, block);
            tracing::info!(request = %id, until, "cancelled, as it would have failed; left alone until then");
        }
    }

    /// Checks what may have changed and, when it is the executor's turn, plans what to send. `skip_plan`: only the
    /// checks are worth making, because a newer head is known or nothing may be sent.
    ///
    /// State that the node does not tell leaves what needs it unknown.
    ///
    /// # Errors
    /// What only a resync can mend: a contradiction, or state that could not be read time and again.
    pub async fn decide(&mut self, now: u64, skip_plan: bool) -> Result<Decision, EngineError> {
        let next = self.next_block(now);
        let mut decision = self.look(&next, skip_plan).await?;
        self.evict();
        decision.unknown = self.book.len().saturating_sub(self.checks.known());
        decision.is_unfinished = self.checks.is_unfinished();
        let Some(trouble) = self.simulator.take_trouble() else {
            self.troubles = 0;
            return Ok(decision);
        };
        self.troubles += 1;
        if self.troubles >= MAX_TROUBLES {
            return Err(trouble.into());
        }
        decision.is_unfinished = true;
        tracing::warn!(error = %trouble, unknown = decision.unknown, "state cannot be read now");
        Ok(decision)
    }

    /// What was sent and is better cancelled: it would fail in the next block.
    pub async fn failing(&mut self, now: u64) -> Result<Vec<IntentId>, EngineError> {
        let next = self.next_block(now);
        // Where it is not known how far apart blocks are, a timer of the next one would seem too early.
        let is_time_known = self.heads.len() > FEW_HEADS;
        let unknown =
            EnvSeen::UNFORESEEABLE | if is_time_known { EnvSeen::default() } else { EnvSeen::TIMESTAMP };
        Ok(self.flights.failing(&mut self.simulator, &next, self.policy.tip, unknown).await?)
    }

    async fn look(&mut self, next: &NextBlock, skip_plan: bool) -> Result<Decision, EngineError> {
        let Some(terms) = self.refresh_terms(next).await? else {
            let reason = "the Registry's terms cannot be read now".to_owned();
            return Ok(Decision { turn: Some(Turn::Unknown { reason }), ..Default::default() });
        };
        self.count(next).await?;
        let gas_price = self.gas_price(next);
        // Time has gone by since the block was applied.
        self.invalidate(&Changes::default(), &Environment { block: *next, gas_price });
        let executor = self.policy.executor;
        let checker = Checker { contracts: &self.contracts, terms: &terms, executor, gas_price };
        let rechecked = self.checks.refresh(&checker, &mut self.simulator, next, self.book.iter()).await?;
        let mut executable: Vec<RequestId> = self.checks.executable().collect();
        executable.sort_unstable();
        let mut decision = Decision { rechecked, executable: executable.len(), ..Default::default() };

        let turn =
            turn::turn(&mut self.simulator, next, &self.contracts, terms.gate, executor, &executable).await?;
        if let Turn::Unknown { reason } = &turn {
            tracing::warn!(reason, "whose turn it is cannot be evaluated; nothing is sent");
        }
        let included = self.head().number + self.policy.inclusion_blocks.max(1);
        let too_dear = self.policy.rule.max_gas_price.is_some_and(|highest| gas_price > highest);
        if !skip_plan && !too_dear && turn.covers(included) {
            executable.retain(|id| !self.flights.holds(*id) && !self.quarantine.holds(*id, next.number));
            let planned = self.plan(&terms, next, gas_price, &turn, &executable).await?;
            (decision.batches, decision.shortage) = planned;
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

    /// Reads the Registry's terms; when they have changed, no check stands. `None`: they cannot be read now.
    async fn refresh_terms(&mut self, next: &NextBlock) -> Result<Option<Terms>, EngineError> {
        let terms = Terms::read(&mut self.simulator, next, self.contracts.registry).await?;
        if self.simulator.is_troubled() {
            return Ok(None);
        }
        if terms != self.terms {
            self.checks.clear();
            self.quotes.clear();
            self.terms.clone_from(&terms);
        }
        terms.map(Some).ok_or(EngineError::NoRegistry(self.contracts.registry))
    }

    /// Quotes what is executable and packs what pays into transactions that the account can pay for.
    async fn plan(
        &mut self,
        terms: &Terms,
        next: &NextBlock,
        gas_price: u128,
        turn: &Turn,
        executable: &[RequestId],
    ) -> Result<(Vec<Batch>, Option<Shortage>), EngineError> {
        let own = self.own_gas(next, turn, executable).await?;
        let gas = self.policy.max_batch_gas.min(TX_GAS_CAP).min(next.gas_limit);
        let quoter = Quoter {
            contracts: &self.contracts,
            terms,
            executor: self.policy.executor,
            rule: &self.policy.rule,
            limits: BatchLimits { gas, entries: self.policy.max_batch_entries },
            gas_price,
            own,
            quarantine: &self.quarantine,
        };
        let asked =
            Asked { environment: Environment { block: *next, gas_price }, own, quarantine: &self.quarantine };
        let entries: Vec<(Outstanding, Option<u64>)> = self
            .quotes
            .due(&asked, executable)
            .into_iter()
            .filter_map(|(id, charged)| Some((self.book.get(id)?.clone(), charged)))
            .collect();
        for ((entry, _), answer) in
            entries.iter().zip(quoter.each(&mut self.simulator, next, &entries).await?)
        {
            self.quotes.made(&asked, entry.id, answer);
        }
        let mut quotes = self.quotes.of(&asked, executable);
        tracing::debug!(?quotes, "quoted");
        // What would lose money alone would be paid for by the others of its batch.
        quotes.retain(|quote| quote.balance.profit().is_some());
        // What is under way comes first, at whatever price it will be mined: it may use up what these need.
        let mut pending = self.flights.pending();
        pending.iter_mut().for_each(|call| call.gas_price = gas_price);
        let mut quoter = quoter;
        if let Some(funds) = self.funds(next, &pending) {
            if let Some(shortage) = funds.shortage(&quotes, self.policy.rule.min_profit) {
                return Ok((Vec::new(), Some(shortage)));
            }
            quoter.limits.gas = gas.min(funds.gas());
        }
        let packed = planner::pack(quotes, quoter.limits);
        let candidates = |quotes: Vec<Quote>| {
            quotes.into_iter().filter_map(|quote| candidate(&self.book, quote)).collect()
        };
        let packed = packed.into_iter().map(candidates).collect();
        if !pending.is_empty() {
            let mut ids = self.flights.pending_ids();
            quoter.own = own.after(ids.any(|id| pays_in_auto(&self.book, id)));
        }
        Ok((quoter.batches(&mut self.simulator, next, pending, packed).await?, None))
    }

    /// What the account has beside what is under way. `None`: it is not known.
    fn funds(&self, next: &NextBlock, pending: &[CallSpec]) -> Option<Funds> {
        let balance = self.simulator.mirror().account(self.policy.executor)?.balance;
        let ceiling = self.policy.rule.max_gas_price.unwrap_or(u128::MAX);
        let offer = Fees::first(next.base_fee.into(), self.policy.tip, ceiling).ok()?.max_fee_per_gas;
        Some(Funds::after(balance, offer, pending.iter().map(|call| call.gas_limit).sum()))
    }

    async fn own_gas(
        &mut self,
        next: &NextBlock,
        turn: &Turn,
        executable: &[RequestId],
    ) -> Result<OwnGas, SimulatorError> {
        let paid_in_auto = executable.iter().any(|id| pays_in_auto(&self.book, *id));
        let (executor, limit) = (self.policy.executor, self.policy.max_opening_gas);
        turn::own_gas(&mut self.simulator, next, &self.contracts, executor, turn, paid_in_auto, limit).await
    }
}

fn candidate(book: &Book, quote: Quote) -> Option<Candidate> {
    let entry = book.get(quote.id)?.clone();
    let entry = BatchEntry { entry, expected_gas: quote.expected_gas, gas_limit: quote.gas_limit };
    Some(Candidate { entry, quote })
}

fn pays_in_auto(book: &Book, id: RequestId) -> bool {
    book.get(id).is_some_and(|entry| entry.request.payWithAUTO)
}
