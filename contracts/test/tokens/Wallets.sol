// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A contract wallet that answers nothing until the gas is gone.
contract BurningWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return 0;
    }
}

/// @notice A contract wallet that answers with a great deal of data.
contract BombingWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            return(0, 1000000)
        }
    }
}

/// @notice A payee of the chain's own coin that misbehaves.
contract CoinPayee {
    enum Mode {
        TAKE,
        REFUSE,
        BURN,
        BOMB,
        REENTER
    }

    Mode public mode;
    address public target;
    bytes public data;
    bool public reentered;

    function behave(Mode mode_) external {
        mode = mode_;
    }

    function reenter(address target_, bytes calldata data_) external {
        (mode, target, data) = (Mode.REENTER, target_, data_);
    }

    receive() external payable {
        if (mode == Mode.REFUSE) revert("no coins");
        if (mode == Mode.BURN) while (true) {}
        if (mode == Mode.BOMB) {
            assembly {
                revert(0, 100000)
            }
        }
        if (mode == Mode.REENTER) (reentered,) = target.call(data);
    }
}
