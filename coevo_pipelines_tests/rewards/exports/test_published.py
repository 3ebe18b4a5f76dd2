"""Against what the receiving systems publish. Values are theirs; the source is named at each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coevo_pipelines.rewards.exports.collective import MUTATION
from coevo_pipelines.rewards.exports.ethereum import checksummed, keccak256
from coevo_pipelines.rewards.exports.formats import export
from coevo_pipelines.rewards.exports.payout import Refused
from coevo_pipelines_tests.rewards.exports.rounds import account, claim_is_valid, lines, paid, payee, rows

EIP_55 = [  # https://eips.ethereum.org/EIPS/eip-55, Test Cases
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


def test_keccak_is_not_sha3() -> None:
    # Ethereum yellow paper: the hash of nothing.
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize("address", EIP_55)
def test_eip_55(address: str) -> None:
    assert checksummed(address) == checksummed(address.lower()) == checksummed("0x" + address[2:].upper()) == address


@pytest.mark.parametrize("address", EIP_55[4:])
def test_eip_55_finds_every_letter_in_the_wrong_case(address: str) -> None:
    for at, letter in enumerate(address[2:], 2):
        if letter.isalpha():
            with pytest.raises(Refused, match="checksum"):
                checksummed(address[:at] + letter.swapcase() + address[at + 1 :])


def test_safe_sample() -> None:
    # bh2smith/safe-airdrop, public/sample.csv: its ERC-20 and native rows.
    token = "0x6b175474e89094c44da98b954eedeac495271d0f"
    two, three = "0x2000000000000000000000000000000000000000", "0x3000000000000000000000000000000000000000"
    person = payee("p", 10**14, ethereum=two)
    erc20 = export("safe", paid(person, currency="DAI", decimals=18, token=token)).files["safe.csv"].decode()
    assert erc20.lower() == f"token_type,token_address,receiver,amount,id\nerc20,{token},{two},0.0001,\n"
    person = payee("p", 10**14, ethereum=three)
    native = export("safe", paid(person, currency="ETH", decimals=18, token=None)).files["safe.csv"].decode()
    assert native == f"token_type,token_address,receiver,amount,id\nnative,,{three},0.0001,\n"


def test_safe_files_are_short_enough_for_the_app() -> None:
    # bh2smith/safe-airdrop counts lines by splitting at line ends and refused more than 401, later 501.
    people = [payee(f"p{n:04}", n, ethereum=account(n)) for n in range(1, 901)]
    done = export("safe", paid(*people))
    files = {name: data for name, data in done.files.items() if name != "safe.people.csv"}
    assert list(files) == ["safe-1-of-3.csv", "safe-2-of-3.csv", "safe-3-of-3.csv"]
    assert all(len(data.decode().split("\n")) <= 401 for data in files.values())
    assert [row["receiver"] for data in files.values() for row in rows(data)] == [account(n) for n in range(1, 901)]


def test_disperse_example() -> None:
    # disperse.app, the second line of the example in its field for recipients and amounts.
    person = payee("p", 27182 * 10**14, ethereum="0x271bffabd0f79b8bd4d7a1c245b7ec5b576ea98a")
    done = export("disperse", paid(person, currency="ETH", decimals=18, token=None))
    assert done.files["disperse.txt"].decode().lower() == "0x271bffabd0f79b8bd4d7a1c245b7ec5b576ea98a,2.7182\n"


def test_drips_account_of_an_address() -> None:
    # drips-network/sdk, tests of AddressDriverClient.getUserAddress.
    address, account_id = (
        "0x945AFA63507e56748368D3F31ccC35043efDbd4b",
        "846959513016227493489143736695218182523669298507",
    )
    for given in ({"ethereum": address}, {"drips": address}, {"drips": account_id}):
        done = export("drips", paid(payee("p", 7, **given)))
        assert json.loads(done.files["drips.json"]) == [{"accountId": account_id, "weight": 1_000_000}]


def test_github_sponsors_columns() -> None:
    # docs.github.com, Sponsoring accounts in bulk: the two columns; GraphQL BulkSponsorship.amount: 1 to 12000.
    done = export(
        "github_sponsors",
        paid(
            payee("a", 100, github_sponsors="octocat"),
            payee("b", 99, github_sponsors="hubot"),
            payee("c", 1_200_150, github_sponsors="mona-lisa"),
        ),
    )
    text = "Maintainer username,Sponsorship amount in USD\noctocat,1\nmona-lisa,12000\n"
    assert done.files["github_sponsors.csv"].decode() == text
    assert [(person, amount) for person, amount, _ in done.left_out] == [("b", 99), ("c", 150)]
    assert done.total == 1_200_100


UNISWAP = {  # Uniswap/merkle-distributor, test/MerkleDistributor.spec.ts, parseBalanceMap; the accounts are Waffle's
    "0x17ec8597ff92C3F44523bDc65BF0f1bE632917ff": {
        "index": 0,
        "amount": "0xc8",
        "proof": ["0x2a411ed78501edb696adca9e41e78d8256b61cfac45612fa0434d7cf87d916c6"],
    },
    "0x63FC2aD3d021a4D7e64323529a55a9442C444dA0": {
        "index": 1,
        "amount": "0x012c",
        "proof": [
            "0xbfeb956a3b705056020a3b64c540bff700c0f6c96c55c0a5fcab57124cb36f7b",
            "0xd31de46890d4a77baeebddbd77bf73b5c626397b73ee8c69b51efe4c9a5a72fa",
        ],
    },
    "0xD1D84F0e28D6fedF03c73151f98dF95139700aa7": {
        "index": 2,
        "amount": "0xfa",
        "proof": [
            "0xceaacce7533111e902cc548e961d77b23a4d8cd073c6b68ccf55c62bd47fc36b",
            "0xd31de46890d4a77baeebddbd77bf73b5c626397b73ee8c69b51efe4c9a5a72fa",
        ],
    },
}


def test_uniswap_claims() -> None:
    people = [
        payee(f"p{n}", int(str(claim["amount"]), 16), ethereum=who) for n, (who, claim) in enumerate(UNISWAP.items())
    ]
    document = json.loads(export("merkle", paid(*people, decimals=18)).files["merkle.json"])
    assert document["claims"] == UNISWAP
    assert document["tokenTotal"] == "0x02ee"
    assert all(claim_is_valid(document["merkleRoot"], who, claim) for who, claim in UNISWAP.items())


def test_the_checker_of_claims_accepts_a_published_claim() -> None:
    # Uniswap/merkle-distributor, scripts/result.json, the first claim and the root: the checker is right, too.
    root = "0x38216c30a2f890b6ca117509560cfd423b583e5476bfe9695d4a80ebf0a94222"
    claim: dict[str, Any] = {
        "index": 0,
        "amount": "0x00",
        "proof": [
            "0xf20b349d370d0022b66d85bd9b7d5dc94316f73cd5032454d0c885804d21a69b",
            "0x0437fa78053839181a767dc31ea85306568a94ef20e8c30a1fd8877e153b7d8f",
            "0x8e6f62ce2ab10590dc81f2c38828388d2789e585765358511c87821916a8392c",
            "0x5e8d20c87f68d2f160342872c805f0d82d35c99f16c94c9ea86cd66a30cdb976",
            "0xc59c4870f980700bf1154c0e8321bae54446bb09dd64b7907f49b6da4a281473",
            "0xb473fc27259ce5c314d31483347c7b7dbcdff2bf5ede442353b20f1f64ce73b9",
        ],
    }
    who = "0x00069a4bF1b2a8D5edeD8e91347dbAA70796fF54"
    assert claim_is_valid(root, who, claim)
    assert not claim_is_valid(root, who, claim | {"amount": "0x01"})
    assert not claim_is_valid(root, who, claim | {"index": 1})


# The types that the mutation touches, from opencollective-frontend lib/graphql/schemaV2.graphql and, for the draft,
# opencollective-api ExpenseInviteDraftInput.ts, ExpenseLockableFields.ts.
SCHEMA = """
scalar JSON
enum ExpenseType { INVOICE RECEIPT FUNDING_REQUEST GRANT UNCLASSIFIED }
enum Currency { USD EUR JPY }
enum ExpenseLockableFields { AMOUNT PAYEE DESCRIPTION TYPE }
input AccountReferenceInput { id: String legacyId: Int slug: String }
input ExpenseInvitee { id: Int legacyId: Int slug: String name: String email: String isInvite: Boolean }
input ExpenseInviteDraftInput {
  description: String longDescription: String currency: Currency tags: [String] type: ExpenseType!
  privateMessage: String invoiceInfo: String recipientNote: String payee: ExpenseInvitee! items: [JSON]
}
input ExpenseItemCreateInput { amount: Int! description: String! incurredAt: String }
type Expense { id: String! legacyId: Int! status: String }
type Mutation {
  draftExpenseAndInviteUser(
    expense: ExpenseInviteDraftInput! account: AccountReferenceInput! skipInvite: Boolean
    lockedFields: [ExpenseLockableFields]
  ): Expense!
}
type Query { items(items: [ExpenseItemCreateInput!]!): Int }
"""


def test_open_collective_schema() -> None:
    graphql = pytest.importorskip("graphql", reason="graphql-core comes with the extra ui")
    schema = graphql.build_schema(SCHEMA)
    people = [
        payee("a", 12_34, "Ada", open_collective="babel"),
        payee("b", 5, '=1+1 "B"\n', open_collective="b@example.org"),
    ]
    bodies = lines(export("open_collective", paid(*people)).files["open_collective.jsonl"])
    document = graphql.parse(MUTATION)
    assert not graphql.validate(schema, document)
    variables = document.definitions[0].variable_definitions
    for body in bodies:
        assert body["query"] == MUTATION
        coerced = graphql.execution.values.get_variable_values(schema, variables, body["variables"])
        assert not isinstance(coerced, list), coerced
        # get_variable_values answers a list of errors, or what it read; items are JSON there, but an Int! in the end
        ask = graphql.parse("query($items: [ExpenseItemCreateInput!]!) { items(items: $items) }")
        given = {"items": body["variables"]["expense"]["items"]}
        asked = graphql.execution.values.get_variable_values(schema, ask.definitions[0].variable_definitions, given)
        assert not isinstance(asked, list), asked


def test_open_collective_published_request() -> None:
    # ecosyste.ms funds, app/models/project_allocation.rb: requests that it sends for a collective and for a person.
    people = [payee("a", 12_34, "Ada", open_collective="babel"), payee("b", 5, "Bo", open_collective="b@example.org")]
    one, two = lines(export("open_collective", paid(*people)).files["open_collective.jsonl"])
    expense = one["variables"]["expense"]
    assert one["variables"]["account"] == {"slug": "research-pool"}
    assert (expense["type"], expense["currency"]) == ("INVOICE", "USD")
    assert expense["payee"] == {"slug": "babel", "isInvite": True}
    assert [item["amount"] for item in expense["items"]] == [1234]
    assert two["variables"]["expense"]["payee"] == {"name": "Bo", "email": "b@example.org"}
