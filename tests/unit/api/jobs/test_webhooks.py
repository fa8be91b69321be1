import base64
import hashlib
import hmac

import pytest

from api.jobs.webhook_target import check_webhook_url, resolve_webhook
from api.jobs.webhooks import signed_headers
from shared.errors import MalformedRequestError
from shared.settings import Settings


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "[::1]",
     "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]", "[2002:7f00:1::]", "224.0.0.1", "localhost", "2130706433",
     "0x7f.1"],
)  # fmt: skip
def test_a_private_address_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(MalformedRequestError, match="private network"):
        resolve_webhook(f"http://{host}/hook", allow_private=False)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "//host", "http://", "http://a:b@8.8.8.8/", "http://8.8.8.8:x/", "x"],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(MalformedRequestError):
        resolve_webhook(url, allow_private=True)


def test_a_public_address_keeps_its_path_and_query() -> None:
    target = resolve_webhook("https://8.8.8.8:8443/hook?a=b#c", allow_private=False)
    assert (target.ip, target.port, target.path, target.scheme) == ("8.8.8.8", 8443, "/hook?a=b", "https")


def test_without_a_secret_webhooks_are_off() -> None:
    with pytest.raises(MalformedRequestError, match="WEBHOOK_SECRET"):
        check_webhook_url("https://8.8.8.8/", Settings())
    check_webhook_url("https://8.8.8.8/", Settings(webhook_secret="s"))
    check_webhook_url("https://no-such-host.invalid/", Settings(webhook_secret="s"))


@pytest.mark.parametrize("secret", ["plain text", "whsec_" + base64.b64encode(b"0123456789abcdef").decode()])
def test_a_delivery_is_signed_as_standard_webhooks_says(secret: str) -> None:
    headers = signed_headers(secret, "job_1", b'{"a":1}', 1_700_000_000)
    key = b"0123456789abcdef" if secret.startswith("whsec_") else secret.encode()
    expected = base64.b64encode(hmac.new(key, b'job_1.1700000000.{"a":1}', hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("job_1", "1700000000")


@pytest.mark.parametrize("host", ["a..b", "..", ".", "x" * 64, "\u3002", "\u00ad", "한" * 64 + ".kr", "\ud83d"])
def test_a_host_that_can_be_no_name_is_refused(host: str) -> None:
    with pytest.raises(MalformedRequestError):
        resolve_webhook(f"http://{host}/hook", allow_private=True)
