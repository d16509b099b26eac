// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {TokenPush} from "./libraries/TokenPush.sol";
import {TradeHash} from "./libraries/TradeHash.sol";
import {Vault} from "./Vault.sol";

/// @title Escrow for two-party trades of ERC-20 coins against money paid elsewhere.
/// @notice No owner, no upgrade, no pause. Coins leave only to the vaults of the seller and buyer named
/// in the terms and, for the fee, to `feeTo`; moving them takes two of seller, buyer and arbiter, or
/// the buyer's own cancellation, or the passing of `payBy` without a payment.
/// @dev Tokens that take a fee on transfer are refused at opening; tokens that return nothing work.
contract Escrow is IEscrow, EIP712, ReentrancyGuardTransient {
    /// @notice No trade may carry a fee above 5 % of its amount, whatever was signed.
    uint256 public constant FEE_CAP_BPS = 500;

    /// @notice Code that every trader's vault is a clone of.
    address public immutable vaultImplementation;

    /// @notice Where a trade stands; ids are never cleared.
    mapping(bytes32 tradeId => Status) public statusOf;

    /// @notice What trades have taken out of an authority; the maximum value means revoked.
    mapping(bytes32 authority => uint256) public usedOf;

    /// @notice Payouts that the token refused to deliver, waiting for `withdrawCredit`.
    mapping(address token => mapping(address to => uint256)) public credit;

    /// @param coSigner account (or ERC-1271 contract) that co-signs immediate vault withdrawals
    constructor(address coSigner) EIP712("OTC Portal Escrow", "1") {
        vaultImplementation = address(new Vault(coSigner));
    }

    /// @notice Locks the seller's coins for one trade. Anyone may relay unless the authority names an opener.
    /// @param sellerSig seller's signature of `authority`; may be empty when the seller calls
    /// @return tradeId struct hash of `terms`
    function open(Terms calldata terms, OrderAuthority calldata authority, bytes calldata sellerSig)
        external
        nonReentrant
        returns (bytes32 tradeId)
    {
        tradeId = TradeHash.terms(terms);
        if (statusOf[tradeId] != Status.NONE) revert AlreadyUsed(tradeId);
        _checkTerms(terms);
        bytes32 authorityHash = _useAuthority(terms, authority, sellerSig);
        statusOf[tradeId] = Status.OPEN;
        emit Opened(tradeId, terms.seller, terms.buyer, authorityHash, terms);
        _pullExactly(terms.seller, terms.token, terms.amount);
    }

    /// @notice The buyer states that the money is on its way; from here only signatures move the coins.
    /// @param buyerSig buyer's signature of `MarkPaid`; may be empty when the buyer calls
    function markPaid(Terms calldata terms, bytes calldata buyerSig) external {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireStatus(tradeId, Status.OPEN);
        if (block.timestamp > terms.payBy) revert DeadlinePassed(terms.payBy);
        _requireAct(terms.buyer, TradeHash.act(TradeHash.MARK_PAID, tradeId), buyerSig);
        statusOf[tradeId] = Status.PAID;
        emit Paid(tradeId);
    }

    /// @notice The buyer gives up the trade, at any time while it is live: everything returns to the seller.
    /// @param buyerSig buyer's signature of `Cancel`; may be empty when the buyer calls
    function cancel(Terms calldata terms, bytes calldata buyerSig) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireLive(tradeId);
        _requireAct(terms.buyer, TradeHash.act(TradeHash.CANCEL, tradeId), buyerSig);
        statusOf[tradeId] = Status.CLOSED;
        emit Cancelled(tradeId);
        _pay(terms.token, vaultOf(terms.seller), terms.amount);
    }

    /// @notice Returns the coins of a trade that was not marked paid in time. Anyone may call.
    function expire(Terms calldata terms) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireStatus(tradeId, Status.OPEN);
        if (block.timestamp <= terms.payBy) revert TooEarly(terms.payBy);
        statusOf[tradeId] = Status.CLOSED;
        emit Expired(tradeId);
        _pay(terms.token, vaultOf(terms.seller), terms.amount);
    }

    /// @notice Executes a decision that two of the three parties agree on; the caller counts as one.
    /// @dev Fee part = fee × toBuyer ÷ amount, rounded down, in favour of the buyer.
    /// @param sellerSig,buyerSig,arbiterSig signatures of `decision`; empty where a party did not sign
    function settle(
        Terms calldata terms,
        Settle calldata decision,
        bytes calldata sellerSig,
        bytes calldata buyerSig,
        bytes calldata arbiterSig
    ) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireLive(tradeId);
        if (decision.tradeId != tradeId) revert BadTerms("tradeId");
        if (decision.toBuyer > terms.amount) revert BadTerms("toBuyer");
        if (block.timestamp > decision.deadline) revert DeadlinePassed(decision.deadline);
        bytes32 digest = _hashTypedDataV4(TradeHash.settle(decision));
        uint256 agreed = _agrees(terms.seller, digest, sellerSig) + _agrees(terms.buyer, digest, buyerSig)
            + _agrees(terms.arbiter, digest, arbiterSig);
        if (agreed < 2) revert SignaturesMissing(agreed);
        statusOf[tradeId] = Status.CLOSED;
        _payOut(terms, tradeId, decision.toBuyer);
    }

    /// @notice Ends an authority: no further trade can be opened with it; open trades are untouched.
    /// @param ownerSig owner's signature of `RevokeAuthority`; may be empty when the owner calls
    function revokeAuthority(OrderAuthority calldata authority, bytes calldata ownerSig) external {
        bytes32 authorityHash = TradeHash.authority(authority);
        _requireAct(authority.owner, TradeHash.act(TradeHash.REVOKE, authorityHash), ownerSig);
        usedOf[authorityHash] = type(uint256).max;
        emit AuthorityRevoked(authorityHash, authority.owner);
    }

    /// @notice Delivers payouts that the token refused earlier. Anyone may call; only `to` is paid.
    function withdrawCredit(address token, address to) external nonReentrant {
        uint256 amount = credit[token][to];
        if (amount == 0) revert NoCredit();
        credit[token][to] = 0;
        if (!TokenPush.tryTransfer(token, to, amount)) revert TransferRefused(token, to);
        emit CreditWithdrawn(token, to, amount);
    }

    /// @notice Puts the code of a trader's vault on chain, if it is not there yet. Anyone may call.
    function deployVault(address owner) external returns (address vault) {
        return _ensureVault(owner);
    }

    /// @notice Address of a trader's vault, whether or not its code is on chain yet.
    function vaultOf(address owner) public view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(
            vaultImplementation, abi.encodePacked(owner), bytes32(0)
        );
    }

    /// @notice EIP-712 struct hash of the terms: the trade's id.
    function tradeIdOf(Terms calldata terms) external pure returns (bytes32) {
        return TradeHash.terms(terms);
    }

    /// @notice EIP-712 struct hash of an authority, the key of `usedOf`.
    function authorityHashOf(OrderAuthority calldata authority) external pure returns (bytes32) {
        return TradeHash.authority(authority);
    }

    /// @notice EIP-712 domain separator on this chain.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _checkTerms(Terms calldata t) private view {
        if (t.seller == address(0)) revert BadTerms("seller");
        if (t.buyer == address(0) || t.buyer == t.seller) revert BadTerms("buyer");
        if (t.arbiter == address(0) || t.arbiter == t.seller || t.arbiter == t.buyer) revert BadTerms("arbiter");
        if (t.amount == 0) revert BadTerms("amount");
        if (uint256(t.fee) * 10_000 > uint256(t.amount) * FEE_CAP_BPS) revert BadTerms("fee");
        if (t.fee != 0 && (t.feeTo == address(0) || t.feeTo == address(this))) revert BadTerms("feeTo");
        if (t.payBy <= block.timestamp) revert BadTerms("payBy");
    }

    function _useAuthority(Terms calldata t, OrderAuthority calldata a, bytes calldata sig)
        private
        returns (bytes32 authorityHash)
    {
        if (a.owner != t.seller) revert OutsideAuthority("owner");
        if (a.token != t.token) revert OutsideAuthority("token");
        if (a.arbiter != t.arbiter) revert OutsideAuthority("arbiter");
        if (a.feeTo != t.feeTo) revert OutsideAuthority("feeTo");
        if (a.opener != address(0) && a.opener != msg.sender) revert OutsideAuthority("opener");
        if (t.amount > a.maxPerTrade) revert OutsideAuthority("maxPerTrade");
        if (uint256(t.fee) * 10_000 > uint256(t.amount) * a.maxFeeBps) revert OutsideAuthority("maxFeeBps");
        if (t.payBy > block.timestamp + a.payWindow) revert OutsideAuthority("payWindow");
        if (block.timestamp > a.deadline) revert DeadlinePassed(a.deadline);
        authorityHash = TradeHash.authority(a);
        _requireAct(a.owner, authorityHash, sig);
        uint256 used = usedOf[authorityHash];
        if (used > a.maxTotal || t.amount > a.maxTotal - used) revert OutsideAuthority("maxTotal");
        usedOf[authorityHash] = used + t.amount;
    }

    function _pullExactly(address seller, address token, uint256 amount) private {
        address vault = _ensureVault(seller);
        uint256 before = IERC20(token).balanceOf(address(this));
        IVault(vault).pull(token, amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert InexactTransfer(amount, received);
    }

    function _ensureVault(address owner) private returns (address vault) {
        vault = vaultOf(owner);
        if (vault.code.length == 0) {
            Clones.cloneDeterministicWithImmutableArgs(vaultImplementation, abi.encodePacked(owner), bytes32(0));
            emit VaultDeployed(owner, vault);
        }
    }

    function _payOut(Terms calldata t, bytes32 tradeId, uint128 toBuyer) private {
        uint128 feePart = uint128((uint256(t.fee) * toBuyer) / t.amount);
        emit Settled(tradeId, toBuyer, feePart);
        _pay(t.token, vaultOf(t.buyer), toBuyer - feePart);
        _pay(t.token, vaultOf(t.seller), t.amount - toBuyer);
        _pay(t.token, t.feeTo, feePart);
    }

    /// @dev A payee that cannot be paid gets a credit, so that it never blocks the others.
    function _pay(address token, address to, uint256 amount) private {
        if (amount == 0 || TokenPush.tryTransfer(token, to, amount)) return;
        credit[token][to] += amount;
        emit Credited(token, to, amount);
    }

    function _requireStatus(bytes32 tradeId, Status wanted) private view {
        Status status = statusOf[tradeId];
        if (status != wanted) revert WrongStatus(tradeId, status);
    }

    function _requireLive(bytes32 tradeId) private view {
        Status status = statusOf[tradeId];
        if (status != Status.OPEN && status != Status.PAID) revert WrongStatus(tradeId, status);
    }

    function _requireAct(address party, bytes32 structHash, bytes calldata signature) private view {
        if (msg.sender == party) return;
        if (!Signatures.isBy(party, _hashTypedDataV4(structHash), signature)) revert BadSignature(party);
    }

    /// @dev One for a caller or a valid signature, zero for an empty one; a wrong signature reverts.
    function _agrees(address party, bytes32 digest, bytes calldata signature) private view returns (uint256) {
        if (msg.sender == party) return 1;
        if (signature.length == 0) return 0;
        if (!Signatures.isBy(party, digest, signature)) revert BadSignature(party);
        return 1;
    }
}
