//! The stage: a node, the contracts, a market, three staked executors.

use crate::contracts::Token;
use alloy::{
    primitives::{Address, U256, utils::parse_ether},
    providers::DynProvider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    sol_types::SolCall,
};
use errand_bindings::IStakeManager;
use errand_testkit::{Anvil, Deployment};
use eyre::{Result, ensure};

/// The chain's id: its parameters are in `script/config/31338.json`.
pub(crate) const CHAIN_ID: u64 = 31_338;
/// Seconds per block.
pub(crate) const BLOCK_SECONDS: u64 = 1;
/// What the executors have staked, in AUTO.
pub(crate) const STAKES: [u64; 3] = [50, 30, 20];
/// Accounts of the node: the deployer, then executors, users, and who moves the price.
const FIRST_EXECUTOR: u32 = 1;
const FIRST_USER: u32 = 4;
const USERS: u32 = 6;
const MOVER: u32 = 10;
const PAYEE: u32 = 11;

/// The node and everything on it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) anvil: Anvil,
    pub(crate) deployment: Deployment,
    pub(crate) registry: Address,
    pub(crate) token: Address,
    pub(crate) weth: Address,
    pub(crate) auto: Address,
}

impl Scene {
    /// Starts a node that mines at once, deploys with the scripts that users run, and stakes.
    pub(crate) async fn set(say: impl Fn(&str)) -> Result<Self> {
        say("starting anvil");
        let anvil = Anvil::builder().chain_id(CHAIN_ID).accounts(12).spawn().await?;
        say("deploying with script/Deploy.s.sol");
        let mut deployment = Deployment::run(&anvil).await?;
        for script in ["DeployUniswapV2", "DeployExamples", "DeployDemo"] {
            say(&format!("deploying with script/{script}.s.sol"));
            deployment.script(&anvil, &format!("script/{script}.s.sol")).await?;
        }
        let address = |name| deployment.address(name);
        let (registry, token) = (address("Registry")?, address("DemoToken")?);
        let (weth, auto) = (address("WETH9")?, address("AutoToken")?);
        let scene = Self { registry, token, weth, auto, anvil, deployment };
        say("staking 50, 30 and 20 AUTO");
        scene.stake().await?;
        say("filling the users' wallets");
        scene.fill_wallets().await?;
        Ok(scene)
    }

    pub(crate) const fn provider(&self) -> &DynProvider {
        self.anvil.provider()
    }

    pub(crate) fn address(&self, name: &str) -> Result<Address> {
        self.deployment.address(name)
    }

    pub(crate) fn executor(&self, index: usize) -> Result<Address> {
        self.anvil.account(executor_account(index)?)
    }

    /// One of the users, in turn.
    pub(crate) fn user(&self, number: usize) -> Result<Address> {
        self.anvil.account(FIRST_USER + u32::try_from(number)? % USERS)
    }

    pub(crate) fn mover(&self) -> Result<Address> {
        self.anvil.account(MOVER)
    }

    pub(crate) fn payee(&self) -> Result<Address> {
        self.anvil.account(PAYEE)
    }

    /// Calls a contract from one of the node's accounts, and waits until it is mined.
    pub(crate) async fn call(
        &self,
        from: Address,
        to: Address,
        value: U256,
        call: impl SolCall,
    ) -> Result<TransactionReceipt> {
        let receipt = self.anvil.send(transaction(from, to, value, call)).await?;
        ensure!(receipt.status(), "{} of {to} failed", receipt.transaction_hash);
        Ok(receipt)
    }

    async fn stake(&self) -> Result<()> {
        let (owner, stakes) = (self.anvil.account(0)?, self.address("StakeManager")?);
        for (index, amount) in STAKES.iter().enumerate() {
            let (executor, amount) = (self.executor(index)?, parse_ether(&amount.to_string())?);
            // One more than is staked: the first AUTO that an account gets costs more gas than a fee in AUTO earns.
            let given = amount + parse_ether("1")?;
            self.call(owner, self.auto, U256::ZERO, Token::transferCall { to: executor, amount: given })
                .await?;
            let approve = Token::approveCall { spender: stakes, amount };
            self.call(executor, self.auto, U256::ZERO, approve).await?;
            self.call(executor, stakes, U256::ZERO, IStakeManager::stakeCall { amount }).await?;
        }
        Ok(())
    }

    /// Users hold tokens to sell and AUTO for fees, and have approved what their orders need.
    async fn fill_wallets(&self) -> Result<()> {
        let owner = self.anvil.account(0)?;
        let (orders, payments) = (self.address("UniswapV2Orders")?, self.address("PeriodicPayments")?);
        let (router, auto_payments) = (self.address("UniswapV2Router02")?, self.address("AutoPayments")?);
        let tokens = parse_ether("1000000")?;
        for index in 0..USERS as usize {
            let user = self.user(index)?;
            self.call(owner, self.token, U256::ZERO, Token::mintCall { to: user, amount: tokens }).await?;
            let amount = parse_ether("10000")?;
            self.call(owner, self.auto, U256::ZERO, Token::transferCall { to: user, amount }).await?;
            for (token, spender) in [(self.token, orders), (self.token, payments), (self.auto, auto_payments)]
            {
                let approve = Token::approveCall { spender, amount: U256::MAX };
                self.call(user, token, U256::ZERO, approve).await?;
            }
        }
        let mover = self.mover()?;
        self.call(owner, self.token, U256::ZERO, Token::mintCall { to: mover, amount: tokens }).await?;
        let approve = Token::approveCall { spender: router, amount: U256::MAX };
        self.call(mover, self.token, U256::ZERO, approve).await?;
        Ok(())
    }
}

/// The node's account that is an executor's.
pub(crate) fn executor_account(index: usize) -> Result<u32> {
    Ok(FIRST_EXECUTOR + u32::try_from(index)?)
}

/// A transaction from one of the node's own accounts. Its gas limit is fixed: an estimate that is made in one
/// epoch does not hold for a transaction that has to draw the next.
pub(crate) fn transaction(from: Address, to: Address, value: U256, call: impl SolCall) -> TransactionRequest {
    let input = call.abi_encode().into();
    TransactionRequest::default().from(from).to(to).value(value).input(input).gas_limit(1_000_000)
}
