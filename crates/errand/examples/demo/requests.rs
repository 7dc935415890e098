//! The Requests of the demo, and what is expected of each.

use crate::{
    contracts::{Hostile, Order, Orders, Payments},
    market::{read, units},
    scene::Scene,
};
use alloy::{
    primitives::{Address, Bytes, U256, Uint},
    providers::Provider,
    sol_types::{SolCall, SolEvent},
};
use errand_bindings::IRegistry;
use eyre::{OptionExt, Result};
use serde::Serialize;

/// Seconds between payments of a recurring Request, and how many there are.
pub(crate) const PERIOD: u64 = 8;
const PAYMENTS: u32 = 4;
/// wei that a Request paid in ETH deposits for its fee.
const DEPOSIT: &str = "0.03";

/// Kinds of Requests, as the report names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    LimitBuy,
    LimitSell,
    StopLoss,
    Recurring,
    OnceAfter,
    NeverExecutable,
    Cancelled,
    Hostile,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::LimitBuy,
        Self::LimitSell,
        Self::StopLoss,
        Self::Recurring,
        Self::OnceAfter,
        Self::NeverExecutable,
        Self::Cancelled,
        Self::Hostile,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LimitBuy => "limit order, ETH to token",
            Self::LimitSell => "limit order, token to ETH",
            Self::StopLoss => "stop loss, fee from its output",
            Self::Recurring => "recurring payment, fee in AUTO",
            Self::OnceAfter => "payment once after t",
            Self::NeverExecutable => "never executable",
            Self::Cancelled => "cancelled by its user",
            Self::Hostile => "on a hostile target",
        }
    }
}

/// What should become of a Request by the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Executed so many times.
    Executed(u32),
    /// Never executed.
    Untouched,
    /// Chance decides; at most once.
    AtMostOnce,
}

/// A Request that was registered.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) user: Address,
    pub(crate) expected: Expected,
    pub(crate) request: IRegistry::Request,
}

/// A Request that is going to be registered.
struct Wish {
    kind: Kind,
    expected: Expected,
    target: Address,
    call: Vec<u8>,
    deposit: U256,
    eth_for_call: U256,
    verify_user: bool,
    insert_fee: bool,
    pay_with_auto: bool,
    recurring: bool,
}

/// Registers everything. `start` is the Unix time at which the market begins to move.
pub(crate) async fn register(scene: &Scene, start: u64) -> Result<Vec<Registered>> {
    let mut all = Vec::new();
    for (number, make) in (0..).zip(wishes()) {
        let user = scene.user(number)?;
        let wish = make(scene, user, start).await?;
        all.push(submit(scene, user, wish).await?);
    }
    Ok(all)
}

type Make<'a> =
    Box<dyn for<'s> Fn(&'s Scene, Address, u64) -> futures::future::BoxFuture<'s, Result<Wish>> + 'a>;

/// All wishes; they alternate, so that ids say nothing about kinds.
fn wishes<'a>() -> Vec<Make<'a>> {
    let mut wishes: Vec<Make<'a>> = Vec::new();
    for n in 0..14u64 {
        // Prices from 3,050 to 3,375: the market rises to 3,450.
        wishes.push(Box::new(move |scene, user, _| {
            Box::pin(limit_buy(scene, user, 3_050 + 25 * n, Kind::LimitBuy))
        }));
        if n < 10 {
            // Prices from 2,900 down to 2,630: the market falls to 2,560.
            wishes.push(Box::new(move |scene, user, _| Box::pin(limit_sell(scene, user, 2_900 - 30 * n))));
            // Stops at 3,080 to 3,350 tokens per ETH.
            wishes.push(Box::new(move |scene, user, _| Box::pin(stop_loss(scene, user, 3_080 + 30 * n))));
            wishes.push(Box::new(move |scene, user, start| {
                Box::pin(once_after(scene, user, start + 10 + 6 * n))
            }));
        }
        if n < 8 {
            wishes.push(Box::new(move |scene, user, start| Box::pin(recurring(scene, user, start + 5 + n))));
        }
        if n < 6 {
            let never = Kind::NeverExecutable;
            wishes.push(Box::new(move |scene, user, _| Box::pin(limit_buy(scene, user, 9_000 + n, never))));
        }
        if n < 4 {
            let cancelled = Kind::Cancelled;
            wishes
                .push(Box::new(move |scene, user, _| Box::pin(limit_buy(scene, user, 8_000 + n, cancelled))));
            wishes.push(Box::new(move |scene, user, _| Box::pin(hostile(scene, user, n))));
        }
    }
    wishes
}

/// Buys tokens for 0.05 ETH once an ETH is worth `price` of them.
async fn limit_buy(scene: &Scene, user: Address, price: u64, kind: Kind) -> Result<Wish> {
    let amount_in = units("0.05")?;
    // What the order gives at that price, less Uniswap's 0.3 % and a thousandth for its own weight.
    let min_out = amount_in * U256::from(price) * U256::from(996) / U256::from(1_000);
    let order = Order {
        path: vec![scene.weth, scene.token],
        amountIn: amount_in,
        minOut: min_out,
        stopOut: U256::MAX,
        maxBaseFee: U256::MAX,
        deadline: U256::MAX,
    };
    let expected = if kind == Kind::LimitBuy { Expected::Executed(1) } else { Expected::Untouched };
    Ok(Wish {
        kind,
        expected,
        target: scene.address("UniswapV2Orders")?,
        call: Orders::swapEthForTokensCall { user, order }.abi_encode(),
        deposit: amount_in + units(DEPOSIT)?,
        eth_for_call: amount_in,
        verify_user: true,
        insert_fee: false,
        pay_with_auto: false,
        recurring: false,
    })
}

/// Sells 150 tokens once an ETH costs `price` of them.
async fn limit_sell(scene: &Scene, user: Address, price: u64) -> Result<Wish> {
    let amount_in = units("150")?;
    let order = Order {
        path: vec![scene.token, scene.weth],
        amountIn: amount_in,
        minOut: amount_in * U256::from(996) / U256::from(1_000 * price),
        stopOut: U256::MAX,
        maxBaseFee: U256::MAX,
        deadline: U256::MAX,
    };
    Ok(Wish {
        kind: Kind::LimitSell,
        expected: Expected::Executed(1),
        target: scene.address("UniswapV2Orders")?,
        call: Orders::swapTokensForEthCall { user, order }.abi_encode(),
        deposit: units(DEPOSIT)?,
        eth_for_call: U256::ZERO,
        verify_user: true,
        insert_fee: false,
        pay_with_auto: false,
        recurring: false,
    })
}

/// Sells 600 tokens once they have lost so much that an ETH costs `price` of them. What they give pays the fee.
async fn stop_loss(scene: &Scene, user: Address, price: u64) -> Result<Wish> {
    let amount_in = units("600")?;
    let stop_out = amount_in * U256::from(997) / U256::from(1_000 * price);
    let order = Order {
        path: vec![scene.token, scene.weth],
        amountIn: amount_in,
        minOut: stop_out / U256::from(2),
        stopOut: stop_out,
        maxBaseFee: U256::MAX,
        deadline: U256::MAX,
    };
    Ok(Wish {
        kind: Kind::StopLoss,
        expected: Expected::Executed(1),
        target: scene.address("UniswapV2Orders")?,
        call: Orders::swapTokensForEthPayingFeeCall { user, feeWei: U256::ZERO, order }.abi_encode(),
        deposit: U256::ZERO,
        eth_for_call: U256::ZERO,
        verify_user: true,
        insert_fee: true,
        pay_with_auto: false,
        recurring: false,
    })
}

/// A schedule of payments from the user's wallet.
async fn schedule(scene: &Scene, user: Address, first: u64, count: u32) -> Result<(Address, Vec<u8>)> {
    let payments = scene.address("PeriodicPayments")?;
    let id = read(scene, payments, Payments::nextIdCall {}).await?;
    let create = Payments::createCall {
        token: scene.token,
        payee: scene.payee()?,
        amount: units("10")?,
        firstDue: Uint::from(first),
        period: Uint::from(PERIOD),
        count,
        expiry: Uint::MAX,
        catchUp: true,
    };
    scene.call(user, payments, U256::ZERO, create).await?;
    Ok((payments, Payments::payCall { id }.abi_encode()))
}

async fn recurring(scene: &Scene, user: Address, first: u64) -> Result<Wish> {
    let (target, call) = schedule(scene, user, first, PAYMENTS).await?;
    Ok(Wish {
        kind: Kind::Recurring,
        expected: Expected::Executed(PAYMENTS),
        target,
        call,
        deposit: U256::ZERO,
        eth_for_call: U256::ZERO,
        verify_user: false,
        insert_fee: false,
        pay_with_auto: true,
        recurring: true,
    })
}

async fn once_after(scene: &Scene, user: Address, first: u64) -> Result<Wish> {
    let (target, call) = schedule(scene, user, first, 1).await?;
    Ok(Wish {
        kind: Kind::OnceAfter,
        expected: Expected::Executed(1),
        target,
        call,
        deposit: units(DEPOSIT)?,
        eth_for_call: U256::ZERO,
        verify_user: false,
        insert_fee: false,
        pay_with_auto: false,
        recurring: false,
    })
}

async fn hostile(scene: &Scene, _: Address, n: u64) -> Result<Wish> {
    let inner = IRegistry::withdrawCall { to: scene.payee()? }.abi_encode();
    let (call, expected) = match n {
        0 => (
            Hostile::reenterCall { registry: scene.registry, call: inner.into() }.abi_encode(),
            Expected::Executed(1),
        ),
        1 => (Hostile::bombCall {}.abi_encode(), Expected::Untouched),
        2 => (Hostile::burnCall {}.abi_encode(), Expected::Untouched),
        _ => (Hostile::coinCall {}.abi_encode(), Expected::AtMostOnce),
    };
    Ok(Wish {
        kind: Kind::Hostile,
        expected,
        target: scene.address("HostileTarget")?,
        call,
        deposit: units(DEPOSIT)?,
        eth_for_call: U256::ZERO,
        verify_user: false,
        insert_fee: false,
        pay_with_auto: false,
        recurring: false,
    })
}

async fn submit(scene: &Scene, user: Address, wish: Wish) -> Result<Registered> {
    let call = IRegistry::newReqPaySpecificCall {
        target: wish.target,
        referer: Address::ZERO,
        callData: Bytes::from(wish.call),
        ethForCall: wish.eth_for_call.to(),
        verifyUser: wish.verify_user,
        insertFeeAmount: wish.insert_fee,
        payWithAUTO: wish.pay_with_auto,
        isAlive: wish.recurring,
    };
    let receipt = scene.call(user, scene.registry, wish.deposit, call).await?;
    let log = receipt
        .logs()
        .iter()
        .find(|log| log.address() == scene.registry)
        .ok_or_eyre("no Request was logged")?;
    let event = IRegistry::HashedReqAdded::decode_log(&log.inner)?.data;
    let id = event.id.to();
    let request = errand_keeper::book::registered(event);
    Ok(Registered { id, kind: wish.kind, user, expected: wish.expected, request })
}

/// Cancels what its users are going to cancel.
pub(crate) async fn cancel(scene: &Scene, all: &[Registered]) -> Result<()> {
    for entry in all.iter().filter(|entry| entry.kind == Kind::Cancelled) {
        let call = IRegistry::cancelHashedReqCall { id: U256::from(entry.id), r: entry.request.clone() };
        let gas_price = scene.provider().get_gas_price().await? * 4;
        let transaction = crate::scene::transaction(entry.user, scene.registry, U256::ZERO, call);
        scene
            .anvil
            .submit(
                transaction
                    .gas_limit(200_000)
                    .max_fee_per_gas(gas_price)
                    .max_priority_fee_per_gas(1_000_000_000),
            )
            .await?;
    }
    Ok(())
}
