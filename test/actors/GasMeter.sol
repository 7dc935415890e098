// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/// Remembers the gas that it finds at its beginning.
contract GasMeter {
    uint256 public seen = 1;

    fallback() external {
        seen = gasleft();
    }

    function reset() external {
        seen = 1;
    }
}
