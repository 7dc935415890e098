//! Values by name land where the compiled getters read them.

use crate::{
    evm::Evm,
    fixtures::{artifact, project},
};
use alloy::{
    hex,
    primitives::{Address, Bytes, U256, address, b256},
    sol,
    sol_types::SolCall,
};
use errand_bundle::artifact::Artifact;
use proptest::prelude::*;

sol! {
    interface Variables {
        function inherited() returns (uint64);
        function signed() returns (int32);
        function flag() returns (bool);
        function mode() returns (uint8);
        function selector() returns (bytes4);
        function wallet() returns (address);
        function thing() returns (address);
        function full() returns (uint256);
        function word() returns (bytes32);
        function text() returns (string);
        function blob() returns (bytes);
        function packed(uint256 index) returns (uint24);
        function nested(uint256 i, uint256 j) returns (uint256);
        function inner() returns (uint8 small, address who, uint256 big);
        function balances(address who) returns (uint256);
        function seen(string name, uint256 index) returns (bool);
        function inners(bytes32 key) returns (uint8 small, address who, uint256 big);
        function bySigned(int8 key) returns (uint8);
        function pair(uint256 index) returns (uint8 small, address who, uint256 big);
    }
}

/// A contract whose storage was written as the file says.
struct Written {
    evm: Evm,
    at: Address,
}

impl Written {
    fn new(storage: &str) -> Self {
        let project = project(&format!(
            "[contracts.Variables]\nkind = \"chugsplash\"\n[contracts.Variables.storage]\n{storage}"
        ));
        let mut evm = Evm::new();
        let code = Artifact::parse(&artifact("Variables").unwrap()).unwrap().link(|_| None).unwrap();
        let at = evm.deploy(&code);
        for named in &project.contracts[0].writes {
            evm.write(at, named.write.slot, named.write.offset, &named.write.value);
        }
        Self { evm, at }
    }

    fn get<C: SolCall>(&mut self, call: C) -> C::Return {
        C::abi_decode_returns(&self.evm.call(self.at, &call.abi_encode())).unwrap()
    }
}

const WHO: Address = address!("97CDF6dCD1521A5D6B91441438FAAB2F62Cd67B8");

#[test]
fn elementary_variables_packed_or_not() {
    let word = b256!("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
    let mut written = Written::new(&format!(
        r#"
        inherited = 18_446_744_073_709_551_615
        signed = -5
        flag = true
        mode = 2
        selector = "0xdeadbeef"
        wallet = "{WHO}"
        thing = "{{{{ Variables }}}}"
        full = "2 ether"
        word = "{word}"
        "#
    ));
    assert_eq!(written.get(Variables::inheritedCall {}), u64::MAX);
    assert_eq!(written.get(Variables::signedCall {}), -5);
    assert!(written.get(Variables::flagCall {}));
    assert_eq!(written.get(Variables::modeCall {}), 2);
    assert_eq!(written.get(Variables::selectorCall {}), hex!("deadbeef"));
    assert_eq!(written.get(Variables::walletCall {}), WHO);
    let own = project("[contracts.Variables]\nkind = \"chugsplash\"\n").contracts[0].address();
    assert_eq!(written.get(Variables::thingCall {}), own);
    assert_eq!(written.get(Variables::fullCall {}), U256::from(2_000_000_000_000_000_000u64));
    assert_eq!(written.get(Variables::wordCall {}), word);
}

#[test]
fn arrays_structs_and_mappings() {
    let mut written = Written::new(&format!(
        r#"
        packed = [1, 2, 0xffffff, 4, 5]
        "nested[2][1]" = 21
        inner = {{ small = 7, who = "{WHO}" }}
        "inner.big" = 9
        "pair[1].who" = "{WHO}"
        "pair[1].big" = 4
        "balances[{WHO}]" = "5 ether"
        "balances[{{{{ Variables }}}}]" = 6
        "seen['al]ice'][3]" = true
        "bySigned[-3]" = 8
        [contracts.Variables.storage.inners]
        0x0000000000000000000000000000000000000000000000000000000000000007 = {{ small = 1, big = 2 }}
        "#
    ));
    for (index, expected) in [1, 2, 0xff_ffff, 4, 5].into_iter().enumerate() {
        let found = written.get(Variables::packedCall { index: U256::from(index) });
        assert_eq!(found.to::<u32>(), expected);
    }
    let nested = |i, j| Variables::nestedCall { i: U256::from(i), j: U256::from(j) };
    assert_eq!(written.get(nested(2, 1)), U256::from(21));
    assert_eq!(written.get(nested(2, 0)), U256::ZERO);
    let inner = written.get(Variables::innerCall {});
    assert_eq!((inner.small, inner.who, inner.big), (7, WHO, U256::from(9)));
    let pair = written.get(Variables::pairCall { index: U256::ONE });
    assert_eq!((pair.small, pair.who, pair.big), (0, WHO, U256::from(4)));
    let own = project("[contracts.Variables]\nkind = \"chugsplash\"\n").contracts[0].address();
    assert_eq!(written.get(Variables::balancesCall { who: own }), U256::from(6));
    assert_eq!(written.get(Variables::balancesCall { who: WHO }), U256::from(5_000_000_000_000_000_000u64));
    assert!(written.get(Variables::seenCall { name: "al]ice".into(), index: U256::from(3) }));
    assert!(!written.get(Variables::seenCall { name: "bob".into(), index: U256::from(3) }));
    assert_eq!(written.get(Variables::bySignedCall { key: -3 }), 8);
    let of = written.get(Variables::innersCall { key: U256::from(7).into() });
    assert_eq!((of.small, of.who, of.big), (1, Address::ZERO, U256::from(2)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn texts_and_bytes_of_any_length(text in "[a-z ]{0,100}", blob in prop::collection::vec(any::<u8>(), 0..100)) {
        let blob = Bytes::from(blob);
        let mut written = Written::new(&format!("text = \"{text}\"\nblob = \"{blob}\"\n"));
        prop_assert_eq!(written.get(Variables::textCall {}), text);
        prop_assert_eq!(written.get(Variables::blobCall {}), blob);
    }

    #[test]
    fn neighbours_in_a_slot_are_left_alone(signed: i32, flag: bool, mode in 0u8..3, selector: [u8; 4], inherited: u64) {
        let mut written = Written::new(&format!(
            "signed = {signed}\nflag = {flag}\nmode = {mode}\nselector = \"{}\"\ninherited = \"{inherited}\"\n",
            hex::encode_prefixed(selector)
        ));
        prop_assert_eq!(written.get(Variables::signedCall {}), signed);
        prop_assert_eq!(written.get(Variables::flagCall {}), flag);
        prop_assert_eq!(written.get(Variables::modeCall {}), mode);
        prop_assert_eq!(written.get(Variables::selectorCall {}).0, selector);
        prop_assert_eq!(written.get(Variables::inheritedCall {}), inherited);
        prop_assert_eq!(written.get(Variables::walletCall {}), Address::ZERO);
    }
}
