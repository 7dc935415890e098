//! A bare EVM: deploys, calls, and slots that are written from outside.

use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
};

pub(crate) const CALLER: Address = Address::repeat_byte(0xca);

pub(crate) struct Evm {
    inner: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    nonce: u64,
}

impl Evm {
    pub(crate) fn new() -> Self {
        let context = Context::mainnet().with_db(CacheDB::new(EmptyDB::new()));
        Self { inner: context.build_mainnet(), nonce: 0 }
    }

    fn send(&mut self, kind: TxKind, data: Bytes) -> ExecutionResult {
        let tx = TxEnv::builder()
            .caller(CALLER)
            .kind(kind)
            .data(data)
            .gas_limit(16_000_000)
            .nonce(self.nonce)
            .build()
            .unwrap();
        self.nonce += 1;
        self.inner.transact_commit(tx).unwrap()
    }

    pub(crate) fn deploy(&mut self, init_code: &[u8]) -> Address {
        let result = self.send(TxKind::Create, init_code.to_vec().into());
        assert!(result.is_success(), "{result:?}");
        result.created_address().unwrap()
    }

    pub(crate) fn call(&mut self, to: Address, data: &[u8]) -> Bytes {
        let result = self.send(TxKind::Call(to), data.to_vec().into());
        assert!(result.is_success(), "{result:?}");
        result.into_output().unwrap()
    }

    /// What `SET_STORAGE` does: `StorageWrite.write`.
    pub(crate) fn write(&mut self, account: Address, slot: B256, offset: u8, value: &[u8]) {
        let db = &mut self.inner.ctx.journaled_state.database;
        let mut word = revm::Database::storage(db, account, slot.into()).unwrap().to_be_bytes::<32>();
        let end = 32 - usize::from(offset);
        word[end - value.len()..end].copy_from_slice(value);
        db.insert_account_storage(account, slot.into(), U256::from_be_bytes(word)).unwrap();
    }
}
