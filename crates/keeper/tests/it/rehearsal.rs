//! Rehearsals against the chain: what is measured is what it takes, and the planned batches succeed with exactly the
//! gas that was planned for them.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address, hex},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    sol,
    sol_types::{SolCall, SolEvent, SolValue},
};
use errand_bindings::{
    IChugSplashManager, IChugSplashRegistry, IExecutorPaymentTerms, IProjectActor, ISimpleLockESS,
};
use errand_bundle::{
    Step,
    bundle::{Bundle, GasRules, Measured, Terms, bundle},
    config::Caps,
    create3,
    plan::Planned,
    project::Site,
};
use errand_chain::{Endpoint, StateLoader};
use errand_keeper::{
    Simulator,
    bundles::bound::bound_header,
    bundles::rehearsal::{Measuring, Project, Rehearsal, Rehearsed, Selection},
};
use errand_sim::{Fork, SimConfig};
use errand_testkit::{Anvil, Deployment};
use std::fs;

const USER_BOND: u64 = 100_000_000_000_000_000;
const SALT: B256 = B256::repeat_byte(7);
/// Reverts with `Nope(42)`.
const REFUSING: Address = address!("0x00000000000000000000000000000000000b0001");
/// Does nothing.
const IDLE: Address = address!("0x00000000000000000000000000000000000b0002");

sol! {
    error Nope(uint256 number);
}

struct Place {
    anvil: Anvil,
    fixture: Deployment,
    site: Site,
    owner: Address,
    executor: Address,
}

impl Place {
    /// The contracts, and the addresses of a manager that is not registered yet.
    async fn new() -> Self {
        let anvil = Anvil::spawn().await.unwrap();
        let mut fixture = Deployment::run(&anvil).await.unwrap();
        fixture.script(&anvil, "script/DeployChugSplash.s.sol").await.unwrap();
        let (owner, executor) = (anvil.account(1).unwrap(), anvil.account(2).unwrap());
        let at = |name: &str| fixture.address(name).unwrap();
        let registry = at("ChugSplashRegistry");
        let places = IChugSplashRegistry::new(registry, anvil.provider())
            .addressesOf(owner, SALT)
            .call()
            .await
            .unwrap();
        let site = Site {
            chain_id: 31337,
            manager: places.manager,
            actor: places.actor,
            registry,
            ess: at("SimpleLockESS"),
            eps: at("FlatFeeEPS"),
        };
        // revert(Nope(42))
        let nope = hex::encode(Nope { number: U256::from(42) }.abi_encode_error());
        let (first, second) = nope.split_at(64);
        let code = format!("7f{first}5f527f{second:0<64}60205260245ffd");
        anvil.set_code(REFUSING, code.parse().unwrap()).await.unwrap();
        anvil.set_code(IDLE, "0x00".parse().unwrap()).await.unwrap();
        Self { anvil, fixture, site, owner, executor }
    }

    async fn send(
        &self,
        from: Address,
        to: Address,
        data: Vec<u8>,
        value: U256,
        gas: Option<u64>,
    ) -> TransactionReceipt {
        let mut transaction = TransactionRequest::default().from(from).to(to).input(data.into()).value(value);
        transaction.gas = gas;
        transaction.max_priority_fee_per_gas = Some(0);
        self.anvil.send(transaction).await.unwrap()
    }

    async fn ok(&self, from: Address, to: Address, call: &impl SolCall, value: U256) {
        let receipt = self.send(from, to, call.abi_encode(), value, Some(8_000_000)).await;
        assert!(receipt.status(), "{receipt:?}");
    }

    async fn register(&self) {
        let register = IChugSplashRegistry::registerCall { owner: self.owner, salt: SALT };
        self.ok(self.owner, self.site.registry, &register, U256::ZERO).await;
    }

    async fn simulator(&self) -> Simulator {
        let endpoint =
            Endpoint::connect(&[self.anvil.http_url().parse().unwrap()], Default::default()).await.unwrap();
        let head = errand_submit::latest_head(&endpoint.provider()).await.unwrap();
        let loader = StateLoader::probe(&endpoint).await.unwrap();
        Simulator::new(loader, SimConfig::new(31337, Fork::Osaka), head)
    }

    fn rehearsal(&self, simulator: &Simulator) -> Rehearsal {
        let block = simulator.next_block(0);
        Rehearsal { site: self.site, executor: self.executor, gas_price: 2_000_000_000, block }
    }

    fn project(&self, registered: bool) -> Project {
        Project {
            owner: self.owner,
            unregistered: (!registered).then_some(SALT),
            nonce: U256::ZERO,
            user_bond: U256::from(USER_BOND),
        }
    }

    /// Measures, or panics.
    async fn measured(
        &self,
        simulator: &mut Simulator,
        registered: bool,
        planned: &[Planned],
    ) -> Vec<Measured> {
        let rehearsal = self.rehearsal(simulator);
        let overhead = 160_000;
        match rehearsal.measure(simulator, &self.project(registered), planned, overhead).await.unwrap() {
            Measuring::Measured(measured) => measured,
            Measuring::Fails(failure) => panic!("{failure:?}"),
        }
    }

    async fn bundle(&self, planned: &[Planned], measured: &[Measured]) -> Bundle {
        let caps = Caps {
            max_base_fee: U256::from(20_000_000_000u64),
            budget: None,
            max_txs: None,
            gas_margin_percent: 15,
        };
        let terms = Terms {
            nonce: U256::ZERO,
            caps: &caps,
            uri: "file.json",
            user_bond: U256::from(USER_BOND),
            base_fee: U256::from(1_000_000_000u64),
            chain_takes_data_fee: false,
            covers_data_fee: false,
        };
        let price = |gas: U256, base_fee: U256| Some(gas * base_fee * U256::from(12) / U256::from(10));
        bundle(self.site, planned, measured, &GasRules::ethereum(160_000), &terms, &price).unwrap()
    }

    /// Proposes, approves and claims a bundle.
    async fn begin(&self, bundle: &Bundle) {
        let Site { manager, ess, .. } = self.site;
        let header = bound_header(&bundle.header);
        let money = U256::from(10).pow(U256::from(20));
        self.ok(self.owner, manager, &IChugSplashManager::depositCall {}, money).await;
        let propose = IChugSplashManager::proposeCall { header: header.clone() };
        self.ok(self.owner, manager, &propose, U256::ZERO).await;
        let approve = IChugSplashManager::approveCall { bundleId: bundle.id, header };
        self.ok(self.owner, manager, &approve, U256::ZERO).await;
        let claim = ISimpleLockESS::claimCall { project: manager, bundleId: bundle.id };
        self.ok(self.executor, ess, &claim, U256::from(USER_BOND)).await;
    }

    /// Executes all batches with exactly their gas, and compares with what was rehearsed.
    async fn execute(&self, bundle: &Bundle, rehearsed: &Rehearsed) {
        assert_eq!(rehearsed.failure, None);
        for (batch, expected) in bundle.batches.iter().zip(&rehearsed.transactions) {
            let data = bundle.call_data(batch);
            let receipt =
                self.send(self.executor, self.site.manager, data, U256::ZERO, Some(batch.gas)).await;
            assert!(receipt.status(), "batch at {} of {} gas: {receipt:?}", batch.first, batch.gas);
            let executed = receipt
                .logs()
                .iter()
                .find_map(|log| IChugSplashManager::ActionsExecuted::decode_log(&log.inner).ok());
            let executed = executed.unwrap();
            assert_eq!(executed.count, U256::from(batch.count));
            // Balances that are new to an executor differ by the price of a fresh account at most.
            let difference = receipt.gas_used.abs_diff(expected.gas_used);
            assert!(difference <= 25_000, "{} used, {} rehearsed", receipt.gas_used, expected.gas_used);
            // At no tip the executor is paid a fifth more than it spends.
            let cost = U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
            let ratio = f64::from(executed.payment) / f64::from(cost);
            println!(
                "  {} actions: {} gas planned, {} used, {} rehearsed, {} paid, {ratio:.4} of the cost",
                batch.count, batch.gas, receipt.gas_used, expected.gas_used, executed.gasUsed
            );
            assert!((1.19..=1.21).contains(&ratio), "{ratio} of the cost: {executed:?} {receipt:?}");
        }
        assert_eq!(bundle.batches.len(), rehearsed.transactions.len());
        let status = IChugSplashManager::new(self.site.manager, self.anvil.provider());
        let status = status.statusOf(bundle.id).call().await.unwrap();
        assert_eq!(status, IChugSplashManager::Status::COMPLETED);
    }

    fn deploy(&self, name: &str, runtime: usize) -> Planned {
        let mut code = hex!("61ffff80600b5f395ff3fe").to_vec();
        code[1..3].copy_from_slice(&u16::try_from(runtime).unwrap().to_be_bytes());
        // PUSH2 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN
        code.push(0);
        code.extend((1..runtime).map(|i| (i % 251) as u8 + 1));
        self.deploy_code(name, code.into())
    }

    fn deploy_code(&self, name: &str, init_code: Bytes) -> Planned {
        let salt = create3::salt(name, B256::ZERO);
        Planned {
            name: name.to_owned(),
            target: create3::address_of(self.site.actor, salt),
            step: Step::Deploy { salt, init_code },
        }
    }

    fn proxy(&self, name: &str) -> Planned {
        let mut code = creation_code("ChugSplashProxy");
        code.extend(self.site.actor.abi_encode());
        self.deploy_code(name, code.into())
    }
}

trait ErrorData {
    fn abi_encode_error(&self) -> Vec<u8>;
}

impl<E: alloy::sol_types::SolError> ErrorData for E {
    fn abi_encode_error(&self) -> Vec<u8> {
        self.abi_encode()
    }
}

fn creation_code(name: &str) -> Vec<u8> {
    let path = errand_testkit::root().unwrap().join(format!("out/{name}.sol/{name}.json"));
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    hex::decode(json["bytecode"]["object"].as_str().unwrap()).unwrap()
}

fn set(proxy: &Planned, implementation: &Planned) -> Planned {
    let step = Step::SetImplementation { implementation: implementation.target };
    Planned { name: "set".into(), target: proxy.target, step }
}

fn store(proxy: &Planned, slot: u8) -> Planned {
    let step = Step::SetStorage { slot: B256::with_last_byte(slot), offset: 0, value: vec![9; 32].into() };
    Planned { name: "store".into(), target: proxy.target, step }
}

fn call(target: Address, value: u64, data: &[u8]) -> Planned {
    let step = Step::Call { value: U256::from(value), data: data.to_vec().into() };
    Planned { name: "call".into(), target, step }
}

/// Plans, rehearses and executes for good.
async fn lives(planned: impl Fn(&Place) -> Vec<Planned>) {
    let place = Place::new().await;
    let planned = planned(&place);
    let mut simulator = place.simulator().await;
    let measured = place.measured(&mut simulator, false, &planned).await;
    let bundle = place.bundle(&planned, &measured).await;
    let rehearsal = place.rehearsal(&simulator);
    let whole = rehearsal.whole(&mut simulator, &place.project(false), &bundle, &[]).await.unwrap();
    assert!(matches!(whole.selection, Selection::Claimed { bond, .. } if bond == U256::from(USER_BOND)));
    assert_eq!(whole.failure, None);
    assert_eq!(whole.actions.len(), planned.len());
    place.register().await;
    place.begin(&bundle).await;
    place.execute(&bundle, &whole).await;
    for deployed in planned.iter().filter(|planned| matches!(planned.step, Step::Deploy { .. })) {
        assert!(!place.anvil.provider().get_code_at(deployed.target).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn one_deploy_succeeds_with_the_planned_gas() {
    lives(|place| vec![place.deploy("one", 100)]).await;
}

#[tokio::test]
async fn ten_deploys_succeed_with_the_planned_gas() {
    lives(|place| (0..10).map(|i| place.deploy(&format!("d{i}"), 24_000 / (i + 1))).collect()).await;
}

#[tokio::test]
async fn fifty_deploys_succeed_with_the_planned_gas() {
    lives(|place| (0..50).map(|i| place.deploy(&format!("d{i}"), 3_000)).collect()).await;
}

#[tokio::test]
async fn a_switch_of_twenty_proxies_succeeds_with_the_planned_gas() {
    lives(|place| {
        let proxies: Vec<_> = (0..20).map(|i| place.proxy(&format!("p{i}"))).collect();
        let implementations: Vec<_> = (0..20).map(|i| place.deploy(&format!("i{i}"), 200)).collect();
        let stored = proxies.iter().map(|proxy| store(proxy, 3));
        let switched = proxies.iter().zip(&implementations).map(|(proxy, to)| set(proxy, to));
        let sent = call(Address::repeat_byte(0xcc), 5, &[]);
        proxies.iter().chain(&implementations).cloned().chain(stored).chain(switched).chain([sent]).collect()
    })
    .await;
}

/// New proxies that get an implementation and `writes` slots each.
fn switch(place: &Place, proxies: usize, writes: u8) -> Vec<Planned> {
    let implementation = place.deploy("implementation", 200);
    let proxies: Vec<_> = (0..proxies).map(|i| place.proxy(&format!("p{i}"))).collect();
    let stored = proxies.iter().flat_map(|proxy| (0..writes).map(|slot| store(proxy, slot)));
    let switched = proxies.iter().map(|proxy| set(proxy, &implementation));
    let deploys = [implementation.clone()].into_iter().chain(proxies.clone());
    deploys.chain(stored).chain(switched).collect()
}

#[tokio::test]
async fn a_switch_of_one_is_paid_by_what_it_takes() {
    lives(|place| switch(place, 1, 0)).await;
}

#[tokio::test]
async fn one_write_and_thirty_are_paid_by_what_they_take() {
    lives(|place| switch(place, 1, 1)).await;
    lives(|place| switch(place, 1, 30)).await;
}

#[tokio::test]
async fn a_call_with_little_and_with_much_data_is_paid_by_what_it_takes() {
    for length in [4, 10_000] {
        let data: Vec<u8> = (0..length).map(|i| (i % 251) as u8 + 1).collect();
        lives(|place| vec![place.deploy("one", 100), call(IDLE, 0, &data)]).await;
    }
}

#[tokio::test]
async fn three_hundred_actions_are_planned_and_fit() {
    let place = Place::new().await;
    let proxies: Vec<_> = (0..50).map(|i| place.proxy(&format!("p{i}"))).collect();
    let deploys: Vec<_> = (0..150).map(|i| place.deploy(&format!("d{i}"), 1_500)).collect();
    let switched = proxies.iter().zip(&deploys).map(|(proxy, to)| set(proxy, to));
    let stored = proxies.iter().map(|proxy| store(proxy, 1));
    let planned: Vec<_> = proxies.iter().chain(&deploys).cloned().chain(stored).chain(switched).collect();
    assert_eq!(planned.len(), 300);
    let mut simulator = place.simulator().await;
    let measured = place.measured(&mut simulator, false, &planned).await;
    let bundle = place.bundle(&planned, &measured).await;
    let rehearsal = place.rehearsal(&simulator);
    let whole = rehearsal.whole(&mut simulator, &place.project(false), &bundle, &[]).await.unwrap();
    assert_eq!((whole.failure.clone(), whole.actions.len()), (None, 300));
    assert!(bundle.batches.iter().all(|batch| batch.gas <= 16_777_216 && batch.bytes <= 131_072));
    println!("300 actions: {} transactions, {} gas", bundle.batches.len(), whole.gas_used());
}

#[tokio::test]
async fn what_fails_is_named_with_its_reason() {
    let place = Place::new().await;
    let mut simulator = place.simulator().await;
    let rehearsal = place.rehearsal(&simulator);
    let nope = Nope { number: U256::from(42) }.abi_encode_error();

    // A constructor that calls what reverts, and what is not there yet.
    let asks = |target: Address| {
        // success := call(gas, target, 0, 0, 0, 0, 0); returndatacopy(0, 0, size); if (!success) revert(0, size)
        let code = format!("5f5f5f5f5f73{}5af13d5f5f3e6026573d5ffd5b00", hex::encode(target));
        hex::decode(code.replace(' ', "")).unwrap()
    };
    let planned = [place.deploy("fine", 10), place.deploy_code("asking", asks(REFUSING).into())];
    let measuring =
        rehearsal.measure(&mut simulator, &place.project(false), &planned, 160_000).await.unwrap();
    let Measuring::Fails(failure) = measuring else { panic!("{measuring:?}") };
    assert_eq!((failure.index, failure.reason.as_ref()), (1, nope.as_slice()));
    assert!(failure.touched.contains(&REFUSING), "{failure:?}");

    let planned =
        [place.deploy("fine", 10), call(Address::repeat_byte(0xcc), 1, &[]), call(REFUSING, 0, &[1])];
    let measuring =
        rehearsal.measure(&mut simulator, &place.project(false), &planned, 160_000).await.unwrap();
    let Measuring::Fails(failure) = measuring else { panic!("{measuring:?}") };
    assert_eq!((failure.index, failure.reason.as_ref()), (2, nope.as_slice()));

    // With gas that somebody thought of, the same is seen of the whole.
    let bundle = place.bundle(&planned, &[Measured { frame: 90_000, share: 90_000 }; 3]).await;
    let whole = rehearsal.whole(&mut simulator, &place.project(false), &bundle, &[]).await.unwrap();
    let failure = whole.failure.unwrap();
    assert_eq!((failure.index, failure.reason.as_ref()), (2, nope.as_slice()));

    // A proxy that is somebody else's.
    let planned = [place.deploy("fine", 10), set(&place.deploy("x", 1), &place.deploy("fine", 10))];
    let measuring =
        rehearsal.measure(&mut simulator, &place.project(false), &planned, 160_000).await.unwrap();
    assert!(matches!(measuring, Measuring::Fails(failure) if failure.index == 1));
}

#[tokio::test]
async fn the_rest_is_rehearsed_on_the_present_state() {
    let place = Place::new().await;
    let planned: Vec<_> = (0..4).map(|i| place.deploy(&format!("d{i}"), 20_000)).collect();
    let mut simulator = place.simulator().await;
    let measured = place.measured(&mut simulator, false, &planned).await;
    let bundle = place.bundle(&planned, &measured).await;
    assert!(bundle.batches.len() >= 2);
    place.register().await;
    place.begin(&bundle).await;

    let mut simulator = place.simulator().await;
    let rehearsal = place.rehearsal(&simulator);
    let rest = |batches| (bundle.id, bundle.actions.as_slice(), &bundle.tree, batches);
    let (id, actions, tree, batches) = rest(bundle.batches.as_slice());
    let all = rehearsal.rest(&mut simulator, id, actions, tree, batches).await.unwrap();
    assert_eq!((all.selection, all.failure.clone(), all.actions.len()), (Selection::Held, None, 4));
    assert!(all.payment() > U256::ZERO && all.gas_used() > 10_000_000);

    // Another executor cannot claim while the lock is live: the strategy's answer is made up for it.
    let other = Rehearsal { executor: Address::repeat_byte(0x77), ..rehearsal };
    let assumed = other.rest(&mut simulator, id, actions, tree, batches).await.unwrap();
    assert_eq!((assumed.selection, assumed.failure, assumed.actions.len()), (Selection::Assumed, None, 4));

    let first = &bundle.batches[0];
    let receipt = place
        .send(place.executor, place.site.manager, bundle.call_data(first), U256::ZERO, Some(first.gas))
        .await;
    assert!(receipt.status());
    let mut simulator = place.simulator().await;
    let rehearsal = place.rehearsal(&simulator);
    let left = rehearsal.rest(&mut simulator, id, actions, tree, &batches[1..]).await.unwrap();
    assert_eq!((left.failure.clone(), left.actions.len()), (None, 4 - first.count));
    assert_eq!(left.actions[0].0, first.count);
    // What was done is not done again.
    let again = rehearsal.rest(&mut simulator, id, actions, tree, batches).await.unwrap();
    let failure = again.failure.unwrap();
    let wrong: &[u8] = &IChugSplashManager::WrongIndex { next: U256::from(first.count), given: U256::ZERO }
        .abi_encode_error();
    assert_eq!((failure.index, failure.reason.as_ref()), (0, wrong));
    place.execute_rest(&bundle, &left).await;
}

impl Place {
    async fn execute_rest(&self, bundle: &Bundle, left: &Rehearsed) {
        for (batch, expected) in bundle.batches[1..].iter().zip(&left.transactions) {
            let data = bundle.call_data(batch);
            let receipt =
                self.send(self.executor, self.site.manager, data, U256::ZERO, Some(batch.gas)).await;
            assert_eq!((receipt.status(), receipt.gas_used), (true, expected.gas_used));
        }
    }
}

#[tokio::test]
async fn a_proxy_that_could_not_be_upgraded_again_is_found() {
    let place = Place::new().await;
    let (proxy, implementation) = (place.proxy("p"), place.deploy("i", 50));
    let planned = [proxy.clone(), implementation.clone(), set(&proxy, &implementation)];
    let mut simulator = place.simulator().await;
    let measured = place.measured(&mut simulator, false, &planned).await;
    let bundle = place.bundle(&planned, &measured).await;
    let rehearsal = place.rehearsal(&simulator);
    let probes = [(proxy.target, implementation.target), (proxy.target, Address::repeat_byte(0xdd))];
    let whole = rehearsal.whole(&mut simulator, &place.project(false), &bundle, &probes).await.unwrap();
    assert_eq!(whole.failure, None);
    // One has no code behind it, so it cannot be set.
    assert_eq!(whole.not_upgradeable.len(), 1);
    let wrong = IProjectActor::NoCode { target: Address::repeat_byte(0xdd) }.abi_encode_error();
    assert_eq!(whole.not_upgradeable[0], (proxy.target, wrong.into()));
    let price = IExecutorPaymentTerms::new(place.site.eps, place.anvil.provider());
    assert!(!price.coversDataFee().call().await.unwrap());
    assert!(place.fixture.contracts().contains_key("FlatFeeEPS"));
}
