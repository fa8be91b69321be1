"""Names of repositories on the Hub, told from paths."""

import pytest

from bundles.hub.repository import HubRepo

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("source", "name", "revision"),
    [
        ("hiddenFront/TextClassifier", "hiddenFront/TextClassifier", None),
        ("me/ko.bert-1@main", "me/ko.bert-1", "main"),
        ("me/model@refs/pr/3", "me/model", "refs/pr/3"),
        (f"me/model@{COMMIT}", "me/model", COMMIT),
    ],
)
def test_a_repository_is_owner_and_name_and_perhaps_a_revision(source: str, name: str, revision: str | None) -> None:
    repo = HubRepo.parse(source)
    assert repo == HubRepo(name, revision)
    assert str(repo) == source


@pytest.mark.parametrize(
    "source", ["model", "./me/model", "/me/model", "a/../c", "a/b/../c", "me/", "~/model", "", "me/mo del", "../a"]
)
def test_a_path_is_no_repository(source: str) -> None:
    assert HubRepo.parse(source) is None


def test_only_a_full_commit_is_pinned() -> None:
    assert HubRepo("me/model", COMMIT).is_pinned
    assert not HubRepo("me/model", "main").is_pinned
    assert not HubRepo("me/model", COMMIT[:12]).is_pinned
    assert not HubRepo("me/model").is_pinned
