// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Returns `true`, as the ERC-20 standard says.
contract StandardToken {
    mapping(address => uint256) public balanceOf;
    uint256 public fee;

    constructor(uint256 fee_) {
        fee = fee_;
    }

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function transfer(address to, uint256 value) public virtual returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value - fee;
        return true;
    }
}

/// @notice A token whose transfer to listed payees misbehaves; otherwise it returns `true`.
contract HostileToken is StandardToken {
    uint8 public mode;
    mapping(address => bool) public listed;
    address public callTarget;
    bytes public callData;
    bool public reentered;
    uint256 public transfers;
    uint256 private waste;

    constructor() StandardToken(0) {}

    function list(address payee, bool on, uint8 mode_) external {
        listed[payee] = on;
        mode = mode_;
    }

    function reenter(address target, bytes calldata data) external {
        callTarget = target;
        callData = data;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        transfers++;
        if (callTarget != address(0)) {
            (bool done,) = callTarget.call(callData);
            if (done) reentered = true;
        }
        if (listed[to]) {
            if (mode == 0) revert("payee refused");
            if (mode == 1) return false;
            if (mode == 2) while (true) {}
            if (mode == 4) for (uint256 i = 0; i < 3_000; i++) waste = i;
            if (mode == 3) {
                assembly {
                    return(0, 100000)
                }
            }
        }
        return super.transfer(to, value);
    }
}

/// @notice A contract wallet whose owner is one key (ERC-1271).
contract ContractWallet {
    address public immutable key;

    constructor(address key_) {
        key = key_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        bool good = ecrecover(digest, uint8(signature[64]), r, s) == key;
        return good ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}
