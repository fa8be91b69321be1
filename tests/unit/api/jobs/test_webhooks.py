import base64
import hashlib
import hmac

import pytest
from fakeredis import FakeRedis

from api.access.keyring import Keyring
from api.jobs.options import OptionsCheck
from api.jobs.webhook_signature import WebhookSecrets, signed_headers
from api.jobs.webhook_target import resolve_webhook
from shared.access.records import KeyRecord
from shared.errors import MalformedRequestError, SettingsError
from shared.settings import Settings, load_settings
from tests.support.job_parts import rules_of_any_model

PRIVATE_TOO = Settings(webhook_secret="s", webhook_allow_private=True)
PUBLIC = Settings(webhook_secret="s")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
     "100.100.100.200", "224.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.0.192", "192.0.0.8", "192.88.99.1",
     "[::1]", "[::]", "[fe80::1]",
     "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:168.63.129.16]",
     "[::7f00:1]", "[::ffff:0:7f00:1]", "[2002:7f00:1::]", "[2002:a83f:8110::1]", "[64:ff9b::7f00:1]",
     "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::808:808]", "[2001:0:7f00:1::]", "[2001:db8::1]", "[100::1]",
     "[5f00::1]", "[4000::1]", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"],
)  # fmt: skip
def test_a_private_address_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(MalformedRequestError, match="private network"):
        resolve_webhook(f"http://{host}/hook", PUBLIC)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "[2606:4700::1111]", "[64:ff9b::808:808]", "[::ffff:8.8.8.8]", "[2002:808:808::1]"]
)
def test_a_public_address_is_taken_in_every_spelling(host: str) -> None:
    assert resolve_webhook(f"https://{host}/hook", PUBLIC).port == 443


def test_a_private_name_and_one_that_nobody_knows_are_refused_with_the_same_words() -> None:
    def refusal(host: str) -> str:
        with pytest.raises(MalformedRequestError) as caught:
            resolve_webhook(f"http://{host}/hook", PUBLIC)
        return caught.value.message.replace(host, "HOST")

    assert refusal("localhost") == refusal("no-such-host.invalid") == refusal("a..b") == refusal("127.0.0.1")


@pytest.mark.parametrize(
    "url",
    ["ftp://8.8.8.8/", "ftp://8.8.8.8:21/", "file:///etc/passwd", "gopher://8.8.8.8:80/", "//host", "http://",
     "http://a:b@8.8.8.8/", "http://a@8.8.8.8/", "http://8.8.8.8:x/", "http://8.8.8.8:0/", "http://8.8.8.8:99999/", "x",
     "http://8.8.8.8/a b", "http://8.8.8.8/\r\nX: y", "http://8.8.8.8\\@localhost/", "http://8.8.8.8/" + "a" * 2_000],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(MalformedRequestError):
        resolve_webhook(url, PRIVATE_TOO)


@pytest.mark.parametrize("host", ["a..b", "..", ".", "x" * 64, "\u3002", "\u00ad", "한" * 64 + ".kr", "\ud83d"])
def test_a_host_that_can_be_no_name_is_refused(host: str) -> None:
    with pytest.raises(MalformedRequestError):
        resolve_webhook(f"http://{host}/hook", PRIVATE_TOO)


@pytest.mark.parametrize("port", [22, 25, 6379, 9200, 8000, 65535])
def test_a_port_that_is_no_web_servers_is_refused_unless_the_settings_allow_it(port: int) -> None:
    url = f"https://8.8.8.8:{port}/"

    with pytest.raises(MalformedRequestError, match="80, 443, 8080, 8443"):
        resolve_webhook(url, PUBLIC)
    assert resolve_webhook(url, load_settings(webhook_ports=f"443,{port}")).port == port
    assert resolve_webhook(url, load_settings(webhook_ports="any")).port == port
    assert resolve_webhook(url, PRIVATE_TOO).port == port
    with pytest.raises(MalformedRequestError, match="WEBHOOK_PORTS"):
        resolve_webhook(url, load_settings(webhook_ports="443", webhook_allow_private=True))


def test_a_scheme_can_be_forbidden() -> None:
    secure = load_settings(webhook_schemes="HTTPS")
    assert resolve_webhook("HTTPS://8.8.8.8/", secure).port == 443
    with pytest.raises(MalformedRequestError, match="begin with https://"):
        resolve_webhook("http://8.8.8.8/", secure)


@pytest.mark.parametrize(
    "setting", [{"webhook_ports": "0"}, {"webhook_ports": "http"}, {"webhook_ports": "9" * 5_000},
                {"webhook_schemes": "ftp"}, {"webhook_schemes": ","}]
)  # fmt: skip
def test_a_list_that_cannot_work_stops_the_start(setting: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_"):
        load_settings(**setting)


def test_a_public_address_keeps_its_path_and_query_and_korean_is_escaped() -> None:
    target = resolve_webhook("https://8.8.8.8:8443/hook?a=b#c", PUBLIC)
    assert (target.ip, target.port, target.path, target.scheme) == ("8.8.8.8", 8443, "/hook?a=b", "https")
    assert resolve_webhook("https://8.8.8.8/글?a=%EA%B8%80", PUBLIC).path == "/%EA%B8%80?a=%EA%B8%80"


def key_of(name: str, secret: str | None = None, revoked_at: int | None = None) -> KeyRecord:
    return KeyRecord(
        id=name, name=name, scopes=("jobs",), secrets=(), created_at=1, webhook_secret=secret, revoked_at=revoked_at
    )


def test_without_a_secret_webhooks_are_off_except_for_a_key_that_has_its_own() -> None:
    keyring = Keyring()
    keyring.load((key_of("signs", "own"), key_of("plain"), key_of("revoked", revoked_at=1)))
    without, common = WebhookSecrets(Settings(), keyring), WebhookSecrets(PUBLIC, keyring)
    check = OptionsCheck(Settings(), rules_of_any_model(FakeRedis()), without)

    with pytest.raises(MalformedRequestError, match="WEBHOOK_SECRET"):
        check.check("plain", {"webhook_url": "https://8.8.8.8/"})
    assert check.check("signs", {"webhook_url": "https://8.8.8.8/"}).webhook_url == "https://8.8.8.8/"
    assert [without.of_owner(owner) for owner in ("signs", "plain", "everybody")] == ["own", None, None]
    assert [common.of_owner(owner) for owner in ("signs", "plain", "everybody")] == ["own", "s", "s"]
    assert common.of_owner("revoked") is None


@pytest.mark.parametrize("secret", ["plain text", "whsec_" + base64.b64encode(b"0123456789abcdef").decode()])
def test_a_delivery_is_signed_as_standard_webhooks_says(secret: str) -> None:
    headers = signed_headers(secret, "job_1", b'{"a":1}', 1_700_000_000)
    key = b"0123456789abcdef" if secret.startswith("whsec_") else secret.encode()
    expected = base64.b64encode(hmac.new(key, b'job_1.1700000000.{"a":1}', hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("job_1", "1700000000")
