//! Who moves the market: a trader that takes the price along a path, and a base fee that wanders.

use crate::{
    contracts::{Pair, Router},
    scene::{Scene, transaction},
};
use alloy::{primitives::{Address, U256, utils::parse_ether}, sol_types::SolCall};
use eyre::{OptionExt, Result};

/// The price of one ETH in tokens, at seconds after the start; straight lines in between.
const PATH: [(u64, u64); 6] = [(0, 3_000), (8, 3_000), (30, 3_450), (40, 3_450), (75, 2_560), (90, 2_900)];
/// The base fee moves between these, in wei per gas, by at most an eighth per block.
const BASE_FEE: (u128, u128) = (500_000_000, 12_000_000_000);

/// The price that the path has at a time.
pub(crate) fn target_price(seconds: u64) -> f64 {
    let mut before = PATH[0];
    for point in PATH {
        if seconds < point.0 {
            let share = (seconds - before.0) as f64 / (point.0 - before.0) as f64;
            return before.1 as f64 + (point.1 as f64 - before.1 as f64) * share;
        }
        before = point;
    }
    before.1 as f64
}

/// The market's state.
#[derive(Debug)]
pub(crate) struct Market<'a> {
    scene: &'a Scene,
    pair: Address,
    router: Address,
    weth_is_token0: bool,
    base_fee: u128,
    randomness: u64,
}

impl<'a> Market<'a> {
    pub(crate) async fn open(scene: &'a Scene) -> Result<Self> {
        let pair = scene.address("DemoPair")?;
        let token0 = read(scene, pair, Pair::token0Call {}).await?;
        Ok(Self {
            scene,
            pair,
            router: scene.address("UniswapV2Router02")?,
            weth_is_token0: token0 == scene.weth,
            base_fee: 2_000_000_000,
            randomness: 0x5eed,
        })
    }

    /// Trades the pair to the price of the path, and sets the next block's base fee.
    pub(crate) async fn step(&mut self, seconds: u64) -> Result<()> {
        self.move_base_fee().await?;
        let reserves = read(self.scene, self.pair, Pair::getReservesCall {}).await?;
        let (first, second) = (reserves.reserve0.to::<u128>(), reserves.reserve1.to::<u128>());
        let (eth, tokens) = if self.weth_is_token0 { (first, second) } else { (second, first) };
        let (eth, tokens) = (eth as f64, tokens as f64);
        let target = target_price(seconds);
        if (tokens / eth / target - 1.0).abs() < 0.001 {
            return Ok(());
        }
        // Along eth * tokens = k the price is tokens / eth; Uniswap's 0.3 % is small beside a step.
        let wanted_eth = (eth * tokens / target).sqrt();
        let mover = self.scene.mover()?;
        let deadline = U256::MAX;
        let trade = if wanted_eth > eth {
            let call = Router::swapExactETHForTokensCall {
                amountOutMin: U256::ZERO,
                path: vec![self.scene.weth, self.scene.token],
                to: mover,
                deadline,
            };
            transaction(mover, self.router, U256::from((wanted_eth - eth) as u128), call)
        } else {
            let amount = eth * tokens / wanted_eth - tokens;
            let call = Router::swapExactTokensForETHCall {
                amountIn: U256::from(amount as u128),
                amountOutMin: U256::ZERO,
                path: vec![self.scene.token, self.scene.weth],
                to: mover,
                deadline,
            };
            transaction(mover, self.router, U256::ZERO, call)
        };
        let fees = self.base_fee * 4;
        self.scene
            .anvil
            .submit(trade.gas_limit(300_000).max_fee_per_gas(fees).max_priority_fee_per_gas(1_000_000_000))
            .await?;
        Ok(())
    }

    async fn move_base_fee(&mut self) -> Result<()> {
        // xorshift: the same wandering in every run
        self.randomness ^= self.randomness << 13;
        self.randomness ^= self.randomness >> 7;
        self.randomness ^= self.randomness << 17;
        let step = i128::from(self.randomness % 225) - 112; // thousandths
        let moved = i128::try_from(self.base_fee)? * (1_000 + step) / 1_000;
        self.base_fee = u128::try_from(moved)?.clamp(BASE_FEE.0, BASE_FEE.1);
        self.scene.anvil.set_next_base_fee(self.base_fee).await
    }
}

/// Reads a view of a contract.
pub(crate) async fn read<C: SolCall>(scene: &Scene, to: Address, call: C) -> Result<C::Return> {
    use alloy::providers::Provider;
    let request = transaction(Address::ZERO, to, U256::ZERO, call);
    let answer = scene.provider().call(request).await?;
    C::abi_decode_returns(&answer).ok().ok_or_eyre("a view's answer does not decode")
}

/// Base units of what `ether` says; for constants.
pub(crate) fn units(ether: &str) -> Result<U256> {
    Ok(parse_ether(ether)?)
}
