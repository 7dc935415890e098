// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeteringTest} from "./MeteringTest.sol";
import {console} from "forge-std/console.sol";

/// forge-config: default.isolate = true
contract MeteringTableTest is MeteringTest {
    function test_Explore() public {
        uint256[4] memory batches = [uint256(0), 1, 10, 50];
        uint256[3] memory sizes = [uint256(2), 20, 100];
        for (uint256 b; b < 4; ++b) {
            for (uint256 k; k < 32; ++k) {
                for (uint256 w; w < 3; ++w) {
                    if (batches[b] == 50 && sizes[w] != 2) continue;
                    Path memory p;
                    p.batch = batches[b];
                    p.inAuto = k & 1 != 0;
                    p.refund = k & 2 != 0;
                    p.isAlive = k & 4 != 0;
                    p.verifyUser = k & 8 != 0;
                    p.insertFee = k & 16 != 0;
                    p.words = sizes[w];
                    if (p.words == 100 && !p.refund && !p.insertFee && !p.inAuto) p.zeros = true;
                    (uint256 c, uint256 r) = _measure(p);
                    uint256 n = p.batch == 0 ? 1 : p.batch;
                    console.log(
                        string.concat(
                            _name(p),
                            " | ",
                            vm.toString(c * 10_000 / r),
                            " | ",
                            vm.toString((int256(c) - int256(r)) / int256(n)),
                            " | "
                        ),
                        r
                    );
                }
            }
        }
    }
}
