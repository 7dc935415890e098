//! What a block writes outside its transactions.

use super::Tracked;
use alloy::{
    primitives::{Address, B256, address},
    rpc::types::Block,
};
use errand_types::StateKeys;

/// Contracts whose storage the protocol writes in every block.
const SYSTEM_CONTRACTS: [Address; 4] = [
    // EIP-4788: beacon roots
    address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02"),
    // EIP-2935: block hashes
    address!("0000F90827F1C53a10cb7A02335B175320002935"),
    // EIP-7002: withdrawal requests
    address!("00000961Ef480Eb55e80D19ad83579A64c007002"),
    // EIP-7251: consolidation requests
    address!("0000BBdDc7CE488642fb579F8B00f3a590007251"),
];

/// What is tracked of the accounts that the protocol itself may have written: its contracts, the account that
/// is paid the tips, and those that withdrawals go to.
pub(super) fn written(block: &Block<B256>, tracked: &(impl Tracked + ?Sized)) -> StateKeys {
    let withdrawals = block.withdrawals.iter().flat_map(|withdrawals| withdrawals.iter());
    let mut accounts: Vec<Address> = withdrawals
        .map(|withdrawal| withdrawal.address)
        .chain([block.header.beneficiary])
        .chain(SYSTEM_CONTRACTS)
        .filter(|address| tracked.has_account(*address))
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    let slots = SYSTEM_CONTRACTS.iter().flat_map(|address| tracked.slots_of(*address)).collect();
    StateKeys { accounts, slots }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{eips::eip4895::Withdrawal, primitives::U256};
    use errand_types::Slot;

    #[test]
    fn only_what_is_tracked_of_the_protocols_accounts_is_read_again() {
        let [paid, unpaid, miner] = [1, 2, 3].map(Address::repeat_byte);
        let mut block = Block::<B256>::default();
        block.header.inner.beneficiary = miner;
        let withdrawal = |address| Withdrawal { address, ..Default::default() };
        block.withdrawals = Some(vec![withdrawal(paid), withdrawal(paid), withdrawal(unpaid)].into());
        let [roots, hashes, ..] = SYSTEM_CONTRACTS;
        let other = Slot { address: paid, key: U256::ZERO };
        let root = Slot { address: roots, key: U256::from(5) };
        let tracked = StateKeys { accounts: vec![paid, miner, hashes], slots: vec![other, root] };
        let keys = written(&block, &tracked);
        assert_eq!(keys.accounts, [hashes, paid, miner]);
        assert_eq!(keys.slots, [root]);
    }
}
