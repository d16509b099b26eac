"""A camt.053 bank statement with one credit, as a seller's bank would send it.

Structure: ISO 20022 camt.053.001.08, the parts that banks fill for a SEPA credit transfer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Credit:
    """Money that arrived. `amount` is a decimal string of `currency`."""

    iban: str
    amount: str
    currency: str
    reference: str
    payer_name: str
    payer_iban: str
    booked: bool = True


def camt053(credit: Credit) -> bytes:
    """The statement as XML. Every call is a new message with a new entry."""
    now = datetime.now(UTC)
    unique = uuid4().hex[:20]
    status = "BOOK" if credit.booked else "PDNG"
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>{unique}</MsgId><CreDtTm>{now:%Y-%m-%dT%H:%M:%SZ}</CreDtTm></GrpHdr>
    <Stmt>
      <Id>{unique}</Id><CreDtTm>{now:%Y-%m-%dT%H:%M:%SZ}</CreDtTm>
      <Acct><Id><IBAN>{credit.iban}</IBAN></Id><Ccy>{credit.currency}</Ccy></Acct>
      <Bal>
        <Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
        <Amt Ccy="{credit.currency}">{credit.amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
        <Dt><Dt>{now:%Y-%m-%d}</Dt></Dt>
      </Bal>
      <Ntry>
        <NtryRef>{unique}</NtryRef>
        <Amt Ccy="{credit.currency}">{credit.amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
        <Sts><Cd>{status}</Cd></Sts>
        <BookgDt><Dt>{now:%Y-%m-%d}</Dt></BookgDt><ValDt><Dt>{now:%Y-%m-%d}</Dt></ValDt>
        <AcctSvcrRef>{unique}</AcctSvcrRef>
        <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>
        <NtryDtls><TxDtls>
          <Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
          <Amt Ccy="{credit.currency}">{credit.amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
          <RltdPties>
            <Dbtr><Pty><Nm>{escape(credit.payer_name)}</Nm></Pty></Dbtr>
            <DbtrAcct><Id><IBAN>{credit.payer_iban}</IBAN></Id></DbtrAcct>
          </RltdPties>
          <RmtInf><Strd><CdtrRefInf>
            <Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>{escape(credit.reference)}</Ref>
          </CdtrRefInf></Strd></RmtInf>
        </TxDtls></NtryDtls>
      </Ntry>
    </Stmt>
  </BkToCstmrStmt>
</Document>
"""
    return text.encode()
