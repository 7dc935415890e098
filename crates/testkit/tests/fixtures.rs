//! The fixtures themselves: a fixture that does not do what it says makes every test on it worthless.

use alloy::{
    network::Ethereum,
    primitives::{Address, U256},
    providers::{Provider, RootProvider},
    rpc::types::TransactionRequest,
};
use errand_testkit::{Anvil, Deployment, Proxy, proxy::Mode};
use eyre::Result;

#[tokio::test]
async fn node_has_the_options_it_was_built_with() -> Result<()> {
    let anvil =
        Anvil::builder().chain_id(7).base_fee(5_000_000_000).accounts(2).no_mining().ipc().spawn().await?;
    assert_eq!(anvil.provider().get_chain_id().await?, 7);
    assert_eq!(anvil.provider().get_accounts().await?, [anvil.account(0)?, anvil.account(1)?]);
    anvil.mine(1).await?;
    anvil.set_next_base_fee(9_000_000_000).await?;
    anvil.mine(1).await?;
    let block = anvil.provider().get_block(2.into()).await?.unwrap();
    assert_eq!(block.header.base_fee_per_gas, Some(9_000_000_000));
    assert!(std::path::Path::new(&anvil.ipc_url()).exists());

    let pending = anvil.submit(transfer(&anvil)?).await?;
    assert!(anvil.provider().get_transaction_receipt(pending).await?.is_none());
    anvil.drop_transaction(pending).await?;
    anvil.mine(1).await?;
    assert!(anvil.provider().get_transaction_receipt(pending).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn node_goes_back_when_told_to() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let snapshot = anvil.snapshot().await?;
    anvil.mine(5).await?;
    let before = anvil.provider().get_block(5.into()).await?.unwrap().header.hash;
    anvil.reorg(2).await?;
    let after = anvil.provider().get_block(5.into()).await?.unwrap().header.hash;
    assert_ne!(before, after);
    anvil.rollback(2).await?;
    assert_eq!(anvil.provider().get_block_number().await?, 3);
    anvil.revert(snapshot).await?;
    assert_eq!(anvil.provider().get_block_number().await?, 0);
    Ok(())
}

#[tokio::test]
async fn node_lets_others_send_for_an_address() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let stranger = Address::repeat_byte(0x51);
    anvil.set_balance(stranger, U256::from(10).pow(U256::from(18))).await?;
    anvil.impersonate(stranger).await?;
    let receipt = anvil.send(transfer(&anvil)?.from(stranger)).await?;
    assert!(receipt.status());
    assert_eq!(receipt.from, stranger);
    Ok(())
}

#[tokio::test]
async fn node_is_gone_when_dropped() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let port = anvil.port();
    anvil.kill();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn deployment_is_what_the_script_records() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let deployment = Deployment::run(&anvil).await?;
    let registry = deployment.address("Registry")?;
    assert!(!anvil.provider().get_code_at(registry).await?.is_empty());
    assert!(deployment.path().starts_with(deployment.folder()));
    assert!(deployment.address("Nothing").is_err());
    Ok(())
}

#[tokio::test]
async fn proxy_fails_when_told_to() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let ask = || async {
        let provider = RootProvider::<Ethereum>::new_http(proxy.http_url().parse().unwrap());
        let answer = provider.get_chain_id();
        tokio::time::timeout(std::time::Duration::from_secs(3), answer.into_future()).await
    };
    assert_eq!(ask().await??, 31337);
    proxy.answer_next("429 Too Many Requests", "Retry-After: 1\r\n", "slow down");
    assert!(ask().await?.unwrap_err().to_string().contains("slow down"));
    assert_eq!(proxy.pending_answers(), 0);
    proxy.set(Mode::Silent);
    assert!(ask().await.is_err(), "no answer within the time limit");
    proxy.set(Mode::Down);
    assert!(ask().await?.is_err(), "refused at once");
    proxy.set(Mode::Pass);
    assert_eq!(ask().await??, 31337);
    let other = Anvil::builder().chain_id(5).spawn().await?;
    proxy.lead_to(other.port());
    assert_eq!(ask().await??, 5);
    Ok(())
}

fn transfer(anvil: &Anvil) -> Result<TransactionRequest> {
    Ok(TransactionRequest::default()
        .from(anvil.account(0)?)
        .to(Address::repeat_byte(0x99))
        .value(U256::from(1)))
}
