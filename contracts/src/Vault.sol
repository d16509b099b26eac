// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title One trader's coins, ready to be escrowed.
/// @notice Its address exists before its code and is funded by a plain transfer of a token or of the
/// chain's own coin (token zero). Coins leave it
/// into the escrow under the owner's signed authority, or to an address of the owner's choice: at once
/// with the platform's co-signature, or on the owner's word alone after `EXIT_DELAY`.
/// @dev Deployed by the escrow as a clone whose only immutable argument is the owner's address.
contract Vault is IVault, EIP712 {
    using SafeERC20 for IERC20;

    /// @notice Time between asking for an exit and taking it; the platform closes open offers meanwhile.
    uint256 public constant EXIT_DELAY = 2 days;

    /// @notice Time during which a ripe exit may be taken. It lapses afterwards, so that no exit asked
    /// for long ago can pull coins from under a new order.
    uint256 public constant EXIT_WINDOW = 7 days;

    bytes32 private constant WITHDRAW =
        keccak256("Withdraw(address token,address to,uint256 amount,uint256 nonce,uint40 deadline)");
    bytes32 private constant EXIT =
        keccak256("Exit(address token,address to,uint256 amount,uint256 nonce,uint40 deadline)");
    bytes32 private constant CANCEL_EXIT = keccak256("CancelExit(uint256 nonce)");

    /// @notice The only contract that may pull.
    address public immutable escrow;

    /// @notice Account whose signature makes a withdrawal immediate.
    address public immutable coSigner;

    /// @notice Nonces that a withdrawal or an exit request has taken.
    mapping(uint256 nonce => bool) public nonceUsed;

    /// @notice Unix second from which an exit may be taken; zero if none waits under this request.
    mapping(bytes32 request => uint40) public readyAt;

    constructor(address coSigner_) EIP712("OTC Portal Vault", "1") {
        escrow = msg.sender;
        coSigner = coSigner_;
    }

    /// @notice Takes the chain's own coin from anybody.
    receive() external payable {}

    /// @notice The trader whose signature moves these coins.
    function owner() public view returns (address) {
        return address(bytes20(Clones.fetchCloneArgs(address(this))));
    }

    /// @inheritdoc IVault
    function pull(address token, uint256 amount) external {
        if (msg.sender != escrow) revert OnlyEscrow();
        _send(token, msg.sender, amount);
    }

    /// @notice Pays out at once with both signatures of `Withdraw`; a signer that calls needs none.
    function withdraw(Outflow calldata out, bytes calldata ownerSig, bytes calldata coSig) external {
        _takeNonce(out);
        bytes32 digest = _digest(WITHDRAW, out);
        _requireBy(owner(), digest, ownerSig);
        _requireBy(coSigner, digest, coSig);
        emit Withdrawn(out.token, out.to, out.amount, out.nonce);
        _send(out.token, out.to, out.amount);
    }

    /// @notice Starts the delay of an exit that needs nobody but the owner.
    /// @param ownerSig owner's signature of `Exit`; may be empty when the owner calls
    function requestExit(Outflow calldata out, bytes calldata ownerSig) external {
        _takeNonce(out);
        bytes32 digest = _digest(EXIT, out);
        _requireBy(owner(), digest, ownerSig);
        uint40 ready = uint40(block.timestamp + EXIT_DELAY);
        readyAt[digest] = ready;
        emit ExitRequested(out.token, out.to, out.amount, out.nonce, ready);
    }

    /// @notice Takes a ripe exit: its amount, or all that is left if trades have since taken some.
    /// Anyone may call; only the address named in the request is paid.
    function exit(Outflow calldata out) external {
        bytes32 request = _digest(EXIT, out);
        uint256 ready = readyAt[request];
        if (ready == 0) revert NoSuchExit(out.nonce);
        if (block.timestamp < ready) revert ExitNotReady(ready);
        if (block.timestamp > ready + EXIT_WINDOW) revert ExitLapsed(ready + EXIT_WINDOW);
        delete readyAt[request];
        uint256 balance = out.token == address(0) ? address(this).balance : IERC20(out.token).balanceOf(address(this));
        uint256 amount = out.amount < balance ? out.amount : balance;
        emit Exited(out.token, out.to, amount, out.nonce);
        _send(out.token, out.to, amount);
    }

    /// @notice Withdraws an exit request, for instance one that a thief of the key made.
    /// @param ownerSig owner's signature of `CancelExit`; may be empty when the owner calls
    function cancelExit(Outflow calldata out, bytes calldata ownerSig) external {
        bytes32 request = _digest(EXIT, out);
        if (readyAt[request] == 0) revert NoSuchExit(out.nonce);
        _requireBy(owner(), _hashTypedDataV4(keccak256(abi.encode(CANCEL_EXIT, out.nonce))), ownerSig);
        delete readyAt[request];
        emit ExitCancelled(out.nonce);
    }

    function _send(address token, address to, uint256 amount) private {
        if (token != address(0)) return IERC20(token).safeTransfer(to, amount);
        bool done;
        assembly ("memory-safe") {
            done := call(gas(), to, amount, 0, 0, 0, 0)
        }
        if (!done) revert CoinRefused(to);
    }

    function _takeNonce(Outflow calldata out) private {
        if (block.timestamp > out.deadline) revert RequestExpired(out.deadline);
        if (nonceUsed[out.nonce]) revert NonceUsed(out.nonce);
        nonceUsed[out.nonce] = true;
    }

    function _digest(bytes32 typeHash, Outflow calldata out) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(typeHash, out)));
    }

    function _requireBy(address signer, bytes32 digest, bytes calldata signature) private view {
        if (msg.sender == signer) return;
        if (!Signatures.isBy(signer, digest, signature)) revert SignatureRejected(signer);
    }
}
