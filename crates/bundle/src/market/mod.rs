//! The game between executors and owners, played out block by block: who earns what, how long an upgrade takes, whose
//! bond is lost. The rules are SimpleLockESS's and those of FlatFeeEPS and DiminishingBonusEPS, as the contracts have
//! them; players are simple and stubborn, so that one sees what a rule is worth against each of them.
//!
//! Randomness is handed in. Within a round every scenario sees the same basefees, so that differences are the players'.

mod agents;
mod game;
mod render;

pub use agents::{Behaviour, Owner};
pub use game::{Ending, Outcome, play};
pub use render::{RenderError, svg, table};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;

/// One ether in wei.
pub const ETHER: i128 = 1_000_000_000_000_000_000;
/// One gwei in wei.
pub const GWEI: i128 = 1_000_000_000;

/// Constants of a game. The defaults of bonds, lock and percentages are those of ChugSplash's paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    /// wei that the owner forfeits by cancelling
    pub user_bond: i128,
    /// wei that an executor posts with a claim
    pub executor_bond: i128,
    /// seconds of a lock
    pub lock_seconds: u64,
    /// percent on top of cost, at least
    pub flat_percent: i128,
    /// percent on top of cost right after the selection, under [`Payment::DiminishingBonus`]
    pub max_percent: i128,
    /// a lock younger than this gives its holder no user bond, unless it has executed
    pub cancel_min_seconds: u64,
    /// nor an older one
    pub cancel_max_seconds: u64,
    /// seconds of a block
    pub block_seconds: u64,
    /// after so many blocks the game is over
    pub horizon_blocks: u64,
    /// gas units of each transaction that it takes, the switch being the last
    pub batches: Vec<i128>,
    /// gas units of a claim
    pub claim_gas: i128,
    /// gas units of a claim that came second
    pub lost_claim_gas: i128,
    /// wei per gas at the approval
    pub base_fee: i128,
    /// the most that a block changes the basefee by, in thousandths; a block changes it by a random part of it
    pub volatility_permille: i128,
    /// wei per gas that executors tip
    pub tip: i128,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            user_bond: ETHER / 10,
            executor_bond: ETHER / 10,
            lock_seconds: 900,
            flat_percent: 20,
            max_percent: 40,
            cancel_min_seconds: 36,
            cancel_max_seconds: 300,
            block_seconds: 12,
            horizon_blocks: 900,
            batches: vec![15_000_000, 15_000_000, 4_000_000],
            claim_gas: 110_000,
            lost_claim_gas: 40_000,
            base_fee: 20 * GWEI,
            volatility_permille: 50,
            tip: GWEI,
        }
    }
}

/// How executors are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Payment {
    /// FlatFeeEPS: cost and the flat percentage
    FlatFee,
    /// DiminishingBonusEPS: the percentage falls from the greatest to the flat one within a lock time
    DiminishingBonus,
}

impl Payment {
    /// Wei for `gas` at a basefee, `elapsed` seconds after the executor was selected.
    pub fn pay(self, params: &Params, gas: i128, base_fee: i128, elapsed: u64) -> i128 {
        let lock = i128::from(params.lock_seconds.max(1));
        let range = params.max_percent - params.flat_percent;
        let bonus = match self {
            Self::FlatFee => 0,
            Self::DiminishingBonus => range * (lock - i128::from(elapsed).min(lock)),
        };
        // in parts of 100 × lock, so that nothing is lost before the last division
        gas * base_fee * ((100 + params.flat_percent) * lock + bonus) / (100 * lock)
    }
}

/// Who plays, under which terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// for people
    pub name: &'static str,
    /// executors
    pub agents: Vec<Behaviour>,
    /// the project
    pub owner: Owner,
    /// the basefee above which nothing is executed, in percent of the one at the approval; `None`: no cap
    pub cap_percent: Option<i128>,
}

/// The scenarios that the README speaks of.
pub fn scenarios() -> Vec<Scenario> {
    use Behaviour::{Follower, Honest, Late, Leader, Opportunist, Stalling};
    let with = |name, agents: &[Behaviour]| Scenario {
        name,
        agents: agents.to_vec(),
        owner: Owner::Honest,
        cap_percent: None,
    };
    let owned = |name, owner| Scenario { owner, ..with(name, &[Honest]) };
    let capped = |name, agents: &[Behaviour]| Scenario { cap_percent: Some(105), ..with(name, agents) };
    vec![
        with("honest", &[Honest]),
        with("two honest", &[Honest, Honest]),
        with("late", &[Late]),
        with("opportunist", &[Opportunist]),
        with("stalling and honest", &[Stalling, Honest]),
        with("colluding pair", &[Leader, Follower]),
        with("colluding pair and honest", &[Leader, Follower, Honest]),
        capped("cap, honest", &[Honest]),
        capped("cap, stalling and honest", &[Stalling, Honest]),
        owned("owner flips an action", Owner::Flips { batch: 1 }),
        owned("owner cancels at once", Owner::Cancels { blocks: 1 }),
        owned("owner cancels later", Owner::Cancels { blocks: 3 }),
    ]
}

/// Everything that [`simulate`] found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// what was played with
    pub params: Params,
    /// so often each
    pub rounds: u32,
    /// per scenario and way to pay
    pub results: Vec<ScenarioResult>,
}

/// Means over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioResult {
    /// who played
    pub scenario: Scenario,
    /// how executors were paid
    pub payment: Payment,
    /// per executor
    pub agents: Vec<AgentResult>,
    /// ether: bonds taken less payments made and bonds lost
    pub project_ether: f64,
    /// part of the rounds in which the upgrade was completed
    pub completed: f64,
    /// seconds from the approval to the completion, where there was one
    pub completion_seconds: Option<f64>,
}

/// One executor's means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentResult {
    /// how it plays
    pub behaviour: Behaviour,
    /// payments and the user bond, less gas and lost bonds
    pub profit_ether: f64,
    /// bonds lost per round
    pub bonds_lost: f64,
    /// claims per round
    pub claims: f64,
}

/// Plays each scenario `rounds` times under both ways to pay.
pub fn simulate(params: &Params, scenarios: &[Scenario], rounds: u32, rng: &mut impl Rng) -> Report {
    let seeds: Vec<u64> = (0..rounds).map(|_| rng.random()).collect();
    let mut results = Vec::new();
    for scenario in scenarios {
        for payment in [Payment::FlatFee, Payment::DiminishingBonus] {
            let outcomes: Vec<Outcome> = seeds
                .iter()
                .map(|seed| {
                    let mut rng = StdRng::seed_from_u64(*seed);
                    let fees = base_fees(params, &mut rng);
                    play(params, scenario, payment, &fees, &mut rng)
                })
                .collect();
            results.push(summary(scenario, payment, &outcomes));
        }
    }
    Report { params: params.clone(), rounds, results }
}

/// A basefee per block: each a random step away from the one before, up and down alike.
pub fn base_fees(params: &Params, rng: &mut impl Rng) -> Vec<i128> {
    let mut fee = params.base_fee;
    let most = i32::try_from(params.volatility_permille.clamp(0, 125)).unwrap_or(0);
    (0..params.horizon_blocks)
        .map(|_| {
            let now = fee;
            fee = (fee + fee * i128::from(rng.random_range(-most..=most)) / 1000).max(1);
            now
        })
        .collect()
}

fn summary(scenario: &Scenario, payment: Payment, outcomes: &[Outcome]) -> ScenarioResult {
    let rounds = outcomes.len().max(1) as f64;
    let mean = |sum: i128| sum as f64 / rounds;
    let agents = scenario.agents.iter().enumerate().map(|(index, behaviour)| {
        let accounts = || outcomes.iter().filter_map(|outcome| outcome.agents.get(index));
        AgentResult {
            behaviour: *behaviour,
            profit_ether: mean(accounts().map(|account| account.profit).sum()) / ETHER as f64,
            bonds_lost: mean(accounts().map(|account| i128::from(account.bonds_lost)).sum()),
            claims: mean(accounts().map(|account| i128::from(account.claims)).sum()),
        }
    });
    let times: Vec<u64> = outcomes
        .iter()
        .filter_map(|outcome| match outcome.ending {
            Ending::Completed { seconds } => Some(seconds),
            _ => None,
        })
        .collect();
    let total: u64 = times.iter().sum();
    ScenarioResult {
        scenario: scenario.clone(),
        payment,
        agents: agents.collect(),
        project_ether: mean(outcomes.iter().map(|outcome| outcome.project).sum()) / ETHER as f64,
        completed: times.len() as f64 / rounds,
        completion_seconds: (!times.is_empty()).then(|| total as f64 / times.len() as f64),
    }
}
