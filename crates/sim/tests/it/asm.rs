//! An assembler for the programs of the tests: mnemonics, numbers (pushed with as few bytes as they need),
//! `name:` for a jump destination and `@name` to push it.

use alloy::primitives::{Address, Bytes, U256};
use revm::bytecode::opcode::OpCode;
use std::collections::HashMap;

/// Assembles a program.
pub(crate) fn asm(text: &str) -> Bytes {
    let mnemonics: HashMap<_, _> =
        (0..=u8::MAX).filter_map(OpCode::new).map(|op| (op.as_str(), op.get())).collect();
    let mut code = Vec::new();
    let (mut labels, mut uses) = (HashMap::new(), Vec::new());
    for token in text.split_whitespace() {
        if let Some(name) = token.strip_suffix(':') {
            labels.insert(name, code.len());
            code.push(mnemonics["JUMPDEST"]);
        } else if let Some(name) = token.strip_prefix('@') {
            code.push(mnemonics["PUSH2"]);
            uses.push((code.len(), name));
            code.extend([0, 0]);
        } else if let Some(opcode) = mnemonics.get(token) {
            code.push(*opcode);
        } else {
            push(
                &mut code,
                token.parse().unwrap_or_else(|_| panic!("`{token}` is no mnemonic and no number")),
            );
        }
    }
    for (at, name) in uses {
        let target = u16::try_from(labels[name]).unwrap();
        code[at..at + 2].copy_from_slice(&target.to_be_bytes());
    }
    code.into()
}

fn push(code: &mut Vec<u8>, value: U256) {
    let bytes = value.to_be_bytes_trimmed_vec();
    code.push(0x5f + u8::try_from(bytes.len()).unwrap());
    code.extend(bytes);
}

/// An account, as a number to push.
pub(crate) fn number(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}
