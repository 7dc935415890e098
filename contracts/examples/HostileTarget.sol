// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title HostileTarget: what a keeper and a Registry must live with
 * @notice For demos on local chains. None of these may harm anybody but who registers them.
 */
contract HostileTarget {
    /// Raised by `coin` in half of all blocks.
    error Tails();

    /// how often `reenter` ran
    uint256 public entered;

    /// Tries to have `call` done by `registry` from within, and succeeds whether that worked or not.
    function reenter(address registry, bytes calldata call) external {
        ++entered;
        // What comes back does not matter: the Registry refuses to be entered.
        // forge-lint: disable-next-line(unchecked-call)
        (bool success,) = registry.call(call);
        success;
    }

    /// Reverts with as much data as its gas pays for.
    function bomb() external pure {
        assembly {
            revert(0, 1000000)
        }
    }

    /// Burns all its gas.
    function burn() external view {
        while (gasleft() > 0) {}
    }

    /// Succeeds in half of all blocks: which, nobody knows before.
    function coin() external view {
        require(block.prevrandao % 2 == 0, Tails());
    }
}
