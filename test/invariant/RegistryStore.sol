// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// What should be true of a Registry, told from outside: the Requests there are, and the sums of money.
contract RegistryStore {
    enum State {
        Live,
        Executed,
        Cancelled
    }

    struct Entry {
        bytes encoded;
        State state;
        bool isAlive;
        uint112 deposit;
        uint256 executions;
    }

    Entry[] private _entries;
    /// Ids that are live, for choosing among them.
    uint256[] private _live;
    mapping(uint256 id => uint256 index) private _indexOf;

    /// Deposits of live Requests.
    uint256 public deposits;
    /// ETH that was forced in.
    uint256 public forced;
    /// Calls of handlers, and how many of them achieved nothing.
    uint256 public calls;
    uint256 public failures;
    /// What was found wrong while it happened; empty: nothing.
    string public wrong;

    mapping(bytes32 action => uint256) public done;

    function add(uint256 id, IRegistry.Request memory r) external {
        if (id != _entries.length) fail("ids are not consecutive");
        _indexOf[id] = _live.length;
        _live.push(id);
        _entries.push(Entry(abi.encode(r), State.Live, r.isAlive, r.initEthSent, 0));
        deposits += r.initEthSent;
    }

    function executed(uint256 id) external {
        Entry storage entry = _entries[id];
        if (entry.state != State.Live) fail("executed what was gone");
        ++entry.executions;
        if (!entry.isAlive) _remove(id, State.Executed);
    }

    function cancelled(uint256 id) external {
        if (_entries[id].state != State.Live) fail("cancelled what was gone");
        _remove(id, State.Cancelled);
    }

    function addForced(uint256 amount) external {
        forced += amount;
    }

    function count(bytes32 action, bool success) external {
        ++calls;
        if (success) ++done[action];
        else ++failures;
    }

    function fail(string memory what) public {
        wrong = what;
    }

    function length() external view returns (uint256) {
        return _entries.length;
    }

    function liveCount() external view returns (uint256) {
        return _live.length;
    }

    /// A Request by chance: mostly one that is live.
    function pick(uint256 seed) external view returns (uint256 id) {
        if (_live.length == 0 || seed % 16 == 0) return seed % _entries.length;
        return _live[seed % _live.length];
    }

    function entryOf(uint256 id) external view returns (Entry memory) {
        return _entries[id];
    }

    function request(uint256 id) external view returns (IRegistry.Request memory) {
        return abi.decode(_entries[id].encoded, (IRegistry.Request));
    }

    function _remove(uint256 id, State state) private {
        _entries[id].state = state;
        deposits -= _entries[id].deposit;
        uint256 last = _live[_live.length - 1];
        _live[_indexOf[id]] = last;
        _indexOf[last] = _indexOf[id];
        _live.pop();
    }
}
