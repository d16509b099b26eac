// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPermit2} from "../../src/interfaces/IPermit2.sol";

/// @notice A token whose holders allow by signature (ERC-2612).
contract PermitToken is ERC20, ERC20Permit {
    constructor() ERC20("Permit Token", "PT") ERC20Permit("Permit Token") {}

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }
}

/// @notice The same, but a unit of each transfer stays with the token.
contract FeePermitToken is PermitToken {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(this)) super._update(to, address(this), 1);
    }
}

/// @notice Stands in for Permit2 in tests: written from its published EIP-712 types, for keys only.
/// @dev The real bytecode is in no npm package; what matters here is that the witness, the spender, the
/// amount, the nonce and the deadline are under the signature.
contract Permit2Double {
    error Refused(string why);

    mapping(address owner => mapping(uint256 nonce => bool)) public used;

    function permitWitnessTransferFrom(
        IPermit2.PermitTransferFrom calldata permit,
        IPermit2.SignatureTransferDetails calldata details,
        address owner,
        bytes32 witness,
        string calldata witnessType,
        bytes calldata signature
    ) external {
        if (block.timestamp > permit.deadline) revert Refused("deadline");
        if (details.requestedAmount > permit.permitted.amount) revert Refused("amount");
        if (used[owner][permit.nonce]) revert Refused("nonce");
        used[owner][permit.nonce] = true;
        bytes32 hash = structHash(permit, witness, witnessType, msg.sender);
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainSeparator(), hash));
        if (recover(digest, signature) != owner) revert Refused("signature");
        IERC20(permit.permitted.token).transferFrom(owner, details.to, details.requestedAmount);
    }

    function domainSeparator() public view returns (bytes32) {
        bytes32 kind = keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(kind, keccak256("Permit2"), block.chainid, address(this)));
    }

    function structHash(
        IPermit2.PermitTransferFrom calldata permit,
        bytes32 witness,
        string calldata witnessType,
        address spender
    ) public pure returns (bytes32) {
        bytes32 permitted = keccak256(
            abi.encode(keccak256("TokenPermissions(address token,uint256 amount)"), permit.permitted)
        );
        bytes memory stub =
            "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,";
        bytes32 kind = keccak256(abi.encodePacked(stub, witnessType));
        return keccak256(abi.encode(kind, permitted, spender, permit.nonce, permit.deadline, witness));
    }

    function recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
    }
}
