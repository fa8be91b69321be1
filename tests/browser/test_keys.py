"""The console before a service that wants a key."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.echo import write_echo_bundle
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.browser

KEY = "a-key-of-the-tests"


@pytest.fixture(scope="module")
def closed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    bundle = write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo")
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, api_keys=KEY) as stack,
    ):
        yield stack


def test_a_key_is_asked_for_once_and_forgotten_with_the_tab(
    open_page: Callable[..., Page], closed_stack: Stack
) -> None:
    page = open_page("#files", url=closed_stack.url)
    field = page.get_by_role("textbox", name="API 키")
    field.fill("wrong")
    page.get_by_role("button", name="들어가기").click()
    expect(page.get_by_text("이 키로는 들어갈 수 없습니다")).to_be_visible()
    field.fill(KEY)
    page.get_by_role("button", name="들어가기").click()

    expect(page.get_by_text("아직 올린 파일이 없습니다")).to_be_visible()
    page.reload()
    expect(page.get_by_text("아직 올린 파일이 없습니다")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    other = page.context.new_page()
    other.goto(f"{closed_stack.url}/#files")
    expect(other.get_by_role("textbox", name="API 키")).to_be_visible()
