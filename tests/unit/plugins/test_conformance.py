"""The bundled plugins hold what a partner's must."""

from plugins.compliance.dated_packs.rules import DatedPacks
from plugins.compliance.regional_rules.rules import RegionalRules
from plugins.fee_models.flat.model import Flat
from plugins.fee_models.maker_taker.model import MakerTaker, MakerTakerSettings
from plugins.fee_models.promotions.model import Promotions
from plugins.fee_models.volume_tiers.model import VolumeTiers
from plugins.payment_gateways.sepa.gateway import SepaGateway
from portal.testing import ComplianceConformance, FeeModelConformance, GatewayConformance
from portal.testing.fees import COINS
from tests.statements import Entry, camt053


class TestMakerTaker(FeeModelConformance):
    provider = MakerTaker()


class TestMakerTakerWithAMinimum(FeeModelConformance):
    provider = MakerTaker()
    settings = MakerTakerSettings(maker_bps=1000, taker_bps=0, min_fee="0.000001")


class TestFlat(FeeModelConformance):
    provider = Flat()
    coins = COINS[:3]


class TestVolumeTiers(FeeModelConformance):
    provider = VolumeTiers()


class TestPromotions(FeeModelConformance):
    provider = Promotions()


class TestDatedPacks(ComplianceConformance):
    provider = DatedPacks()


class TestRegionalRules(ComplianceConformance):
    provider = RegionalRules()


class TestSepa(GatewayConformance):
    provider = SepaGateway()
    statement = camt053(Entry(), Entry(reference="RF84P2P7Q4KX2", bank_ref="2026030200002"))
    refused_accounts = (
        ({"iban": "DE88 3704 0044 0532 0130 00", "holder": "Maria Schmidt"}, "iban"),
        ({"iban": "US12 3456", "holder": "Maria Schmidt"}, "iban"),
        ({"iban": "CH93 0076 2011 6238 5295 7", "holder": "Maria Schmidt"}, "bic"),
        ({"iban": "DE89 3704 0044 0532 0130 00", "holder": "Maria\nSchmidt"}, "holder"),
    )
