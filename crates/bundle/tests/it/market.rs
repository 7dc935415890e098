//! What the rules are worth against each sort of player.

use errand_bundle::market::{
    Behaviour, ETHER, Ending, GWEI, Owner, Params, Payment, Report, Scenario, ScenarioResult, play,
    scenarios, simulate, svg, table,
};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use std::sync::LazyLock;

static REPORT: LazyLock<Report> = LazyLock::new(|| report(7));

fn report(seed: u64) -> Report {
    simulate(&Params::default(), &scenarios(), 200, &mut StdRng::seed_from_u64(seed))
}

fn result(scenario: &str, payment: Payment) -> &'static ScenarioResult {
    REPORT.results.iter().find(|found| found.scenario.name == scenario && found.payment == payment).unwrap()
}

fn profits(scenario: &str, payment: Payment) -> Vec<f64> {
    result(scenario, payment).agents.iter().map(|agent| agent.profit_ether).collect()
}

const BOTH: [Payment; 2] = [Payment::FlatFee, Payment::DiminishingBonus];

#[test]
fn the_same_seed_gives_the_same_report() {
    assert_eq!(report(7), *REPORT);
    assert_ne!(report(8), *REPORT);
}

#[test]
fn the_bonus_falls_in_a_line() {
    let params = Params::default();
    let paid = |payment: Payment, elapsed| payment.pay(&params, 1000, GWEI, elapsed) / GWEI;
    assert_eq!(
        [0, 450, 900, 5000].map(|elapsed| paid(Payment::DiminishingBonus, elapsed)),
        [1400, 1300, 1200, 1200]
    );
    assert_eq!([0, 900].map(|elapsed| paid(Payment::FlatFee, elapsed)), [1200, 1200]);
    // to the wei, as the contract rounds
    assert_eq!(Payment::DiminishingBonus.pay(&params, 1, 7, 1), 9);
}

#[test]
fn honest_executors_earn_and_fast_ones_earn_more() {
    for payment in BOTH {
        assert!(profits("honest", payment)[0] > 0.0);
        assert_eq!(result("honest", payment).completed, 1.0);
        // rivals cost each other little more than the claims that came second
        let two: f64 = profits("two honest", payment).iter().sum();
        let alone = profits("honest", payment)[0];
        assert!(two < alone && two > 0.95 * alone, "{two} {alone}");
    }
    let late = |payment| profits("late", payment)[0];
    assert!(late(Payment::DiminishingBonus) < 0.6 * profits("honest", Payment::DiminishingBonus)[0]);
    // a flat fee does not tell the two apart
    let honest = profits("honest", Payment::FlatFee)[0];
    assert!((late(Payment::FlatFee) - honest).abs() < 0.15 * honest);
    assert!(result("late", Payment::FlatFee).completion_seconds > Some(800.0));
}

#[test]
fn waiting_for_a_higher_basefee_costs_the_bonus() {
    let bonus = Payment::DiminishingBonus;
    assert!(profits("opportunist", bonus)[0] < profits("honest", bonus)[0]);
    let flat = Payment::FlatFee;
    assert!(result("opportunist", flat).completion_seconds > result("honest", flat).completion_seconds);
}

#[test]
fn a_stalling_executor_loses_its_bonds_and_time_is_all_it_takes() {
    for payment in BOTH {
        let alone = result("honest", payment);
        let found = result("stalling and honest", payment);
        let [stalling, honest] = found.agents.as_slice() else { panic!() };
        assert!(stalling.bonds_lost > 0.5 && stalling.claims == stalling.bonds_lost);
        let bond = REPORT.params.executor_bond as f64 / ETHER as f64;
        assert!(stalling.profit_ether < -bond * stalling.bonds_lost);
        assert_eq!(honest.bonds_lost, 0.0);
        assert!(honest.profit_ether > 0.9 * alone.agents[0].profit_ether);
        let added = found.completion_seconds.unwrap() - alone.completion_seconds.unwrap();
        let per_bond = added / stalling.bonds_lost;
        assert!((880.0..=930.0).contains(&per_bond), "a bond buys one lock time: {per_bond}");
    }
}

#[test]
fn the_project_has_what_is_forfeited() {
    let params = Params { volatility_permille: 0, ..Params::default() };
    let report = simulate(&params, &scenarios(), 50, &mut StdRng::seed_from_u64(7));
    let find = |name, payment| {
        report.results.iter().find(|found| found.scenario.name == name && found.payment == payment).unwrap()
    };
    for payment in BOTH {
        let (alone, stalled) = (find("honest", payment), find("stalling and honest", payment));
        let gained = stalled.project_ether - alone.project_ether;
        assert!((gained - 0.1 * stalled.agents[0].bonds_lost).abs() < 1e-9, "{gained}");
    }
}

#[test]
fn a_colluding_pair_does_not_profit_from_the_bonus() {
    for payment in BOTH {
        for scenario in ["colluding pair", "colluding pair and honest"] {
            let pair: f64 = profits(scenario, payment)[..2].iter().sum();
            let honest = profits("honest", payment)[0];
            let bond = REPORT.params.executor_bond as f64 / ETHER as f64;
            let lost = result(scenario, payment).agents[0].bonds_lost;
            // it is what one honest executor earns at most, less the bond that starts the bonus anew
            assert!(pair < honest - 0.8 * bond * lost, "{scenario}: {pair} {honest}");
        }
    }
}

#[test]
fn an_owner_cannot_harvest_bonds() {
    for payment in BOTH {
        let flips = result("owner flips an action", payment);
        assert_eq!(flips.agents[0].bonds_lost, 0.0);
        assert!(flips.agents[0].profit_ether > 0.0);
        assert!(flips.project_ether < 0.0);
        assert_eq!(flips.completed, 0.0);
        // who has worked gets the user bond of a cancelled upgrade
        let later = result("owner cancels later", payment);
        assert!(later.agents[0].profit_ether > 0.1);
        // who has had no time to does not: it loses the gas of its claim, and the owner wins nothing
        let at_once = result("owner cancels at once", payment);
        let loss = at_once.agents[0].profit_ether;
        assert!((-0.01..0.0).contains(&loss), "{loss}");
        assert_eq!(at_once.project_ether, 0.0);
    }
}

#[test]
fn congestion_excuses_a_bond_and_is_shelter_for_who_stalls() {
    let capped = |name| result(name, Payment::FlatFee);
    assert_eq!(capped("cap, honest").agents[0].bonds_lost, 0.0);
    let found = capped("cap, stalling and honest");
    assert_eq!(found.agents[1].bonds_lost, 0.0);
    assert!(found.agents[0].bonds_lost < found.agents[0].claims);
}

#[test]
fn a_report_is_drawn_and_tabulated() {
    let drawn = svg(&REPORT).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"));
    let table = table(&REPORT);
    for scenario in scenarios() {
        assert!(drawn.contains(scenario.name) && table.contains(scenario.name), "{}", scenario.name);
    }
    for found in &REPORT.results {
        for agent in &found.agents {
            let label = format!("{}: {:?}", found.scenario.name, agent.behaviour).to_lowercase();
            assert!(drawn.contains(&label), "{label}");
        }
    }
    let agents: usize = REPORT.results.iter().map(|found| found.agents.len()).sum();
    assert_eq!(table.lines().count(), agents + 2);
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    use Behaviour::{Follower, Honest, Late, Leader, Opportunist, Stalling};
    prop::sample::select(vec![Honest, Late, Opportunist, Stalling, Leader, Follower])
}

fn owner() -> impl Strategy<Value = Owner> {
    prop_oneof![
        Just(Owner::Honest),
        (0usize..3).prop_map(|batch| Owner::Flips { batch }),
        (0u64..100).prop_map(|blocks| Owner::Cancels { blocks }),
    ]
}

proptest! {
    #[test]
    fn no_wei_comes_from_nowhere(
        agents in prop::collection::vec(behaviour(), 0..5),
        owner in owner(),
        cap_percent in prop::option::of(80i128..130),
        steps in prop::collection::vec(1i128..60, 1..400),
        seed: u64,
    ) {
        let fees: Vec<i128> = steps.into_iter().map(|gwei| gwei * GWEI).collect();
        let scenario = Scenario { name: "any", agents, owner, cap_percent };
        for payment in BOTH {
            let params = Params::default();
            let outcome = play(&params, &scenario, payment, &fees, &mut StdRng::seed_from_u64(seed));
            let executors: i128 = outcome.agents.iter().map(|agent| agent.profit).sum();
            prop_assert_eq!(executors + outcome.project + outcome.burnt, 0);
            for agent in &outcome.agents {
                prop_assert!(agent.bonds_lost <= agent.claims);
            }
            if let Ending::Completed { seconds } = outcome.ending {
                // a claim, and a block for each transaction
                prop_assert!(seconds >= 12 * params.batches.len() as u64);
            }
        }
    }

    #[test]
    fn who_executes_at_once_never_loses_a_bond(cap_percent in prop::option::of(80i128..130), steps in prop::collection::vec(1i128..60, 100..400), seed: u64) {
        // the last claim may come too late to finish: then the game is open and its lock live
        let fees: Vec<i128> = steps.into_iter().map(|gwei| gwei * GWEI).collect();
        let scenario = Scenario { name: "any", agents: vec![Behaviour::Honest; 2], owner: Owner::Honest, cap_percent };
        let outcome = play(&Params::default(), &scenario, Payment::FlatFee, &fees, &mut StdRng::seed_from_u64(seed));
        prop_assert!(outcome.agents.iter().all(|agent| agent.bonds_lost == 0));
    }
}
