//! What `errand request new` says before anything is signed.

use crate::chain::{Chain, Ran};
use alloy::{
    primitives::{Address, U256, aliases::U40},
    sol,
};

sol! {
    function create(address token, address payee, uint256 amount, uint40 firstDue, uint40 period, uint32 count,
        uint40 expiry, bool catchUp) external returns (uint256 id);
}

/// An account of this file's alone.
const POOR: u32 = 79;

/// Everything up to the question, which a test has no terminal to answer.
fn new(chain: &Chain, index: u32, target: &str, rest: &[&str]) -> Ran {
    chain.run_as(index, &[&["request", "new", "--target", target][..], rest].concat())
}

#[test]
fn tokens_and_approvals_that_a_forwarder_would_keep_are_warned_of() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let forwarder = chain.address("PlainForwarder").to_string();
    let other = Address::repeat_byte(0xab).to_string();

    let mint = new(&chain, 1, &target, &["--call", "mint(address,uint256)", &forwarder, "5"]);
    for text in ["leaves 5 base units of the token", "anybody's", "names the forwarder", &forwarder] {
        assert!(mint.stderr.contains(text), "`{text}` is not in:\n{}", mint.stderr);
    }
    let approve = new(&chain, 1, &target, &["--call", "approve(address,uint256)", &other, "5"]);
    for text in ["the approval would be the forwarder's", "leaves an approval of the forwarder", "anybody"] {
        assert!(approve.stderr.contains(text), "`{text}` is not in:\n{}", approve.stderr);
    }
    let harmless = new(&chain, 1, &target, &["--call", "mint(address,uint256)", &other, "5"]);
    assert!(
        harmless.stderr.contains("To sign") && !harmless.stderr.contains("warning"),
        "{}",
        harmless.stderr
    );
}

#[test]
fn a_fee_is_written_over_a_number_only() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let me = chain.account(1).to_string();
    let over_address = ["--insert-fee", "--call", "mint(address,uint256)", &me, "5"];
    new(&chain, 1, &target, &over_address)
        .failed(2, &["writes the fee over input 1, which is address and not uint256"]);
    let over_number = [&["--verify-user"], &over_address[..]].concat();
    let ran = new(&chain, 1, &target, &over_number);
    assert!(ran.stderr.contains("To sign"), "{}", ran.stderr);
}

#[test]
fn a_call_that_pays_its_own_fee_deposits_its_value_alone() {
    let chain = Chain::shared();
    let orders = chain.address("UniswapV2Orders").to_string();
    let (token, weth) = (chain.address("DemoToken"), chain.address("WETH9"));
    let me = chain.account(1).to_string();
    let order = format!("([{token},{weth}],1ether,1,0,{},2000000000)", U256::MAX);
    let signature =
        "swapTokensForEthPayingFee(address,uint256,(address[],uint256,uint256,uint256,uint256,uint256))";
    let flags = ["--verify-user", "--insert-fee", "--yes", "--json"];
    let json =
        new(&chain, 1, &orders, &[&flags[..], &["--call", signature, &me, "0", &order]].concat()).ok().json();
    assert_eq!(json["request"]["initEthSentWei"], "0", "{json}");
    assert_eq!(json["request"]["addedAtBlock"], json["transactions"][0]["block"], "{json}");
}

#[test]
fn a_call_that_repeats_once_its_time_has_come_is_warned_of() {
    let chain = Chain::shared();
    let payments = chain.address("PeriodicPayments");
    let schedule = |from: u32, first_due: u64, period: u64, catch_up: bool| {
        chain.transact(
            from,
            payments,
            &createCall {
                token: chain.address("DemoToken"),
                payee: Address::repeat_byte(0xbb),
                amount: U256::ZERO,
                firstDue: U40::from(first_due),
                period: U40::from(period),
                count: 9,
                expiry: U40::MAX,
                catchUp: catch_up,
            },
        );
        let next = chain.call(payments, &nextIdCall {});
        (next - U256::from(1)).to_string()
    };
    let due = chain.now() + 7_200;
    let missed = schedule(9, due, 3_600, true);
    let target = payments.to_string();
    let flags = ["--recurring", "--pay", "auto", "--call", "pay(uint256)"];
    let ran = new(&chain, 9, &target, &[&flags[..], &[&missed]].concat());
    assert!(ran.stderr.contains("in 1 day the call succeeds twice in a row"), "{}", ran.stderr);
    // Nor does it take ETH to be told so: whoever pays in AUTO may have next to none.
    let poor = chain.account(POOR);
    chain.block_on(chain.anvil.set_balance(poor, U256::from(5_000_000_000_000_000u64))).unwrap();
    let ran = new(&chain, POOR, &target, &[&flags[..], &[&schedule(POOR, due, 3_600, true)]].concat());
    assert!(ran.stderr.contains("in 1 day the call succeeds twice in a row"), "{}", ran.stderr);
    let once = schedule(9, due, 3_600, false);
    let ran = new(&chain, 9, &target, &[&flags[..], &[&once]].concat());
    assert!(ran.stderr.contains("To sign") && !ran.stderr.contains("twice in a row"), "{}", ran.stderr);
}

sol! {
    function nextId() external view returns (uint256);
}
