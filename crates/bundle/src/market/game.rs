//! The rules: one upgrade from its approval on.

use super::{Behaviour, Owner, Params, Payment, Scenario};
use rand::{Rng, seq::SliceRandom};

/// How an upgrade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// the last action was executed
    Completed {
        /// seconds from the approval on
        seconds: u64,
    },
    /// an action failed, and the owner closed the bundle
    Failed,
    /// the owner cancelled
    Cancelled,
    /// the game was over before
    Open,
}

/// One executor's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// wei
    pub profit: i128,
    /// bonds that were forfeited
    pub bonds_lost: u32,
    /// claims that won
    pub claims: u32,
}

/// How a round went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// executors, as in the scenario
    pub agents: Vec<Account>,
    /// wei of the project
    pub project: i128,
    /// wei that went to the chain
    pub burnt: i128,
    /// how it ended
    pub ending: Ending,
}

/// What a player sees when it decides.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) params: &'a Params,
    pub(super) payment: Payment,
    pub(super) base_fee: i128,
    pub(super) base_fee_at_claim: i128,
    pub(super) selected_for: u64,
    pub(super) batches_left: usize,
    pub(super) gas_left: i128,
    pub(super) has_begun: bool,
    pub(super) own_claims: u32,
    pub(super) last_holder: Option<Behaviour>,
}

impl View<'_> {
    /// Whether claiming and executing what is left at once earns anything.
    pub(super) fn pays(&self) -> bool {
        let price = self.base_fee + self.params.tip;
        let paid = self.payment.pay(self.params, self.gas_left, self.base_fee, self.params.block_seconds);
        paid > (self.gas_left + self.params.claim_gas) * price
    }
}

/// The last lock.
#[derive(Debug, Clone, Copy)]
struct Lock {
    agent: usize,
    at: u64,
    /// since when the agent has been selected without another in between
    since: u64,
    base_fee: i128,
    begun: bool,
    /// excused: the basefee was seen above the cap
    congested: bool,
    settled: bool,
}

struct Game<'a> {
    params: &'a Params,
    scenario: &'a Scenario,
    payment: Payment,
    cap: Option<i128>,
    accounts: Vec<Account>,
    /// per agent: before it may not claim
    cooling: Vec<u64>,
    project: i128,
    burnt: i128,
    next: usize,
    lock: Option<Lock>,
    last_worker: Option<usize>,
    first_claim: Option<u64>,
}

/// Plays one round with these basefees, one per block.
pub fn play(
    params: &Params,
    scenario: &Scenario,
    payment: Payment,
    fees: &[i128],
    rng: &mut impl Rng,
) -> Outcome {
    let count = scenario.agents.len();
    let mut game = Game {
        params,
        scenario,
        payment,
        cap: scenario.cap_percent.map(|percent| params.base_fee * percent / 100),
        accounts: vec![Account::default(); count],
        cooling: vec![0; count],
        project: 0,
        burnt: 0,
        next: 0,
        lock: None,
        last_worker: None,
        first_claim: None,
    };
    let mut order: Vec<usize> = (0..count).collect();
    let mut ending = Ending::Open;
    for (block, fee) in (0u64..).zip(fees) {
        order.shuffle(rng);
        if let Some(end) = game.block(block, *fee, &order) {
            ending = end;
            break;
        }
    }
    game.finish(ending, fees.len() as u64);
    Outcome { agents: game.accounts, project: game.project, burnt: game.burnt, ending }
}

impl Game<'_> {
    fn block(&mut self, block: u64, fee: i128, order: &[usize]) -> Option<Ending> {
        let now = block * self.params.block_seconds;
        if let (Owner::Cancels { blocks }, Some(first)) = (self.scenario.owner, self.first_claim)
            && now >= first + blocks * self.params.block_seconds
        {
            self.cancel(now);
            return Some(Ending::Cancelled);
        }
        if self.cap.is_some_and(|cap| fee > cap) {
            // Whoever holds the lock notes it, since that excuses the bond.
            let lock_seconds = self.params.lock_seconds;
            if let Some(lock) = self.lock.as_mut().filter(|lock| now <= lock.at + lock_seconds) {
                lock.congested = true;
                if let Some(until) = self.cooling.get_mut(lock.agent) {
                    *until = lock.at + 2 * lock_seconds;
                }
            }
            return None;
        }
        match self.live(now) {
            Some(lock) => self.execute(lock, now, fee),
            None => {
                self.race(now, fee, order);
                None
            }
        }
    }

    fn live(&self, now: u64) -> Option<Lock> {
        self.lock.filter(|lock| !lock.settled && now <= lock.at + self.params.lock_seconds)
    }

    fn view(&self, agent: usize, now: u64, fee: i128) -> View<'_> {
        let left = self.params.batches.get(self.next..).unwrap_or_default();
        let lock = self.lock.filter(|lock| lock.agent == agent);
        View {
            params: self.params,
            payment: self.payment,
            base_fee: fee,
            base_fee_at_claim: lock.map_or(fee, |lock| lock.base_fee),
            selected_for: lock.map_or(0, |lock| now.saturating_sub(lock.at)),
            batches_left: left.len(),
            gas_left: left.iter().sum(),
            has_begun: lock.is_some_and(|lock| lock.begun),
            own_claims: self.accounts.get(agent).map_or(0, |account| account.claims),
            last_holder: self.lock.and_then(|lock| self.scenario.agents.get(lock.agent).copied()),
        }
    }

    /// The first in the block's order wins the lock; the others' claims revert.
    fn race(&mut self, now: u64, fee: i128, order: &[usize]) {
        let wanting: Vec<usize> = order
            .iter()
            .copied()
            .filter(|agent| self.cooling.get(*agent).is_none_or(|until| now > *until))
            .filter(|agent| {
                let behaviour = self.scenario.agents.get(*agent);
                behaviour.is_some_and(|behaviour| behaviour.claims(&self.view(*agent, now, fee)))
            })
            .collect();
        let Some((winner, losers)) = wanting.split_first() else { return };
        self.settle();
        for loser in losers {
            self.spend(*loser, self.params.lost_claim_gas, fee);
        }
        self.spend(*winner, self.params.claim_gas, fee);
        if let Some(account) = self.accounts.get_mut(*winner) {
            account.claims += 1;
        }
        let since = self.lock.filter(|lock| lock.agent == *winner).map_or(now, |lock| lock.since);
        self.first_claim.get_or_insert(now);
        self.lock = Some(Lock {
            agent: *winner,
            at: now,
            since,
            base_fee: fee,
            begun: false,
            congested: false,
            settled: false,
        });
    }

    /// The next transaction of the upgrade, if its executor sends it.
    fn execute(&mut self, lock: Lock, now: u64, fee: i128) -> Option<Ending> {
        let behaviour = self.scenario.agents.get(lock.agent)?;
        let gas = *self.params.batches.get(self.next)?;
        if !behaviour.executes(&self.view(lock.agent, now, fee)) {
            return None;
        }
        self.spend(lock.agent, gas, fee);
        let payment = self.payment.pay(self.params, gas, fee, now - lock.since);
        self.transfer(lock.agent, payment);
        self.last_worker = Some(lock.agent);
        if let Some(lock) = self.lock.as_mut() {
            lock.begun = true;
        }
        if self.scenario.owner == (Owner::Flips { batch: self.next }) {
            // The action burns what is committed to it, which is paid, and the lock is excused.
            return Some(Ending::Failed);
        }
        self.next += 1;
        (self.next == self.params.batches.len()).then_some(Ending::Completed { seconds: now })
    }

    /// The user bond goes to the holder that has worked or had its chance, else to the last that worked.
    fn cancel(&mut self, now: u64) {
        let chance = self.params.cancel_min_seconds..=self.params.cancel_max_seconds;
        let holder = self
            .live(now)
            .filter(|lock| self.last_worker == Some(lock.agent) || chance.contains(&(now - lock.since)))
            .map(|lock| lock.agent);
        if let Some(to) = holder.or(self.last_worker) {
            self.transfer(to, self.params.user_bond);
        }
    }

    /// A lock that is over when the next one comes: its bond is the project's, unless it is excused.
    fn settle(&mut self) {
        let Some(lock) = self.lock.as_mut().filter(|lock| !lock.settled) else { return };
        lock.settled = true;
        let Lock { agent, congested, .. } = *lock;
        if congested {
            return;
        }
        self.transfer(agent, -self.params.executor_bond);
        if let Some(account) = self.accounts.get_mut(agent) {
            account.bonds_lost += 1;
        }
    }

    /// A lock that was live when the bundle ended is excused; one that was over before is settled by anybody.
    fn finish(&mut self, ending: Ending, blocks: u64) {
        if ending == Ending::Open && self.live(blocks * self.params.block_seconds).is_none() {
            self.settle();
        }
    }

    /// From the project to an executor.
    fn transfer(&mut self, agent: usize, wei: i128) {
        if let Some(account) = self.accounts.get_mut(agent) {
            account.profit += wei;
            self.project -= wei;
        }
    }

    /// From an executor to the chain.
    fn spend(&mut self, agent: usize, gas: i128, fee: i128) {
        let wei = gas * (fee + self.params.tip);
        if let Some(account) = self.accounts.get_mut(agent) {
            account.profit -= wei;
            self.burnt += wei;
        }
    }
}
