// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";

/// @notice What these tests call of a Safe.
interface ISafe {
    function setup(
        address[] calldata owners,
        uint256 threshold,
        address to,
        bytes calldata data,
        address fallbackHandler,
        address paymentToken,
        uint256 payment,
        address payable paymentReceiver
    ) external;
    function domainSeparator() external view returns (bytes32);
}

interface ISafeFactory {
    function createProxyWithNonce(address singleton, bytes calldata initializer, uint256 saltNonce)
        external
        returns (address);
}

/// @notice Real Safes, from the bytecode that Safe publishes on npm, and accounts with delegated code.
abstract contract Wallets {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    string private constant SAFE = "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts/";

    ISafeFactory private _factory;
    address private _singleton;
    address private _handler;

    /// @return safe a two-of-two Safe, version 1.5.0, of these keys
    function newSafe(uint256 first, uint256 second) internal returns (address safe) {
        if (_singleton == address(0)) {
            _singleton = _create("Safe.sol/Safe.json");
            _factory = ISafeFactory(_create("proxies/SafeProxyFactory.sol/SafeProxyFactory.json"));
            _handler = _create("handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json");
        }
        address[] memory owners = new address[](2);
        (owners[0], owners[1]) = (vm.addr(first), vm.addr(second));
        bytes memory setup = abi.encodeCall(
            ISafe.setup, (owners, 2, address(0), "", _handler, address(0), 0, payable(address(0)))
        );
        return _factory.createProxyWithNonce(_singleton, setup, first);
    }

    /// @return what both owners sign for the Safe to agree to `digest`, in the order of their addresses
    function signAsSafe(address safe, uint256 first, uint256 second, bytes32 digest)
        internal
        view
        returns (bytes memory)
    {
        bytes32 structHash = keccak256(abi.encode(keccak256("SafeMessage(bytes message)"), keccak256(abi.encode(digest))));
        bytes32 message = keccak256(abi.encodePacked(hex"1901", ISafe(safe).domainSeparator(), structHash));
        bytes memory one = signDigest(first, message);
        bytes memory two = signDigest(second, message);
        return vm.addr(first) < vm.addr(second) ? bytes.concat(one, two) : bytes.concat(two, one);
    }

    function signDigest(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Gives the account of a key the code of another, as an EIP-7702 authorization does.
    function delegate(address account, address code) internal {
        vm.etch(account, abi.encodePacked(hex"ef0100", code));
    }

    function _create(string memory artefact) private returns (address made) {
        bytes memory code = vm.getCode(string.concat(SAFE, artefact));
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
        }
        require(made != address(0), artefact);
    }
}
