"""The examples, each run in a stub of its host, against the service."""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kobert_client import AsyncClient
from tests.support.doors import BAD, CLEAN, KEY
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EXAMPLES = ROOT / "examples"
CLASS = EXAMPLES / "rhymix" / "addons" / "kobert" / "kobert.class.php"

# What Rhymix gives an add-on: its settings, event handlers, and an object that refuses.
RHYMIX = """<?php
define('RX_VERSION', '2.1.0');
class BaseObject { public $error; public $message;
    function __construct($error, $message) { $this->error = $error; $this->message = $message; } }
class ModuleController { public static $handlers = [];
    static function getInstance() { return new self; }
    function addTriggerFunction($name, $position, $function) { self::$handlers["$name $position"][] = $function; } }
[$_, $addon, $url, $key, $texts] = $argv;
$called_position = 'before_module_init';
$addon_info = (object) ['kobert_url' => $url, 'kobert_api_key' => $key, 'kobert_policy' => ''];
include $addon;
$said = [];
foreach (ModuleController::$handlers as $event => $functions)
    foreach (json_decode($texts) as $text)
        $said[$event][] = $functions[0]((object) ['content' => "<p>$text</p>"])->message ?? null;
echo json_encode($said);
"""
# What Gnuboard gives its extensions: events, and alert(), which ends the request.
GNUBOARD = """<?php
define('_GNUBOARD_', true);
function alert($message) { echo json_encode($message); exit; }
function add_event($name, $function) { $GLOBALS['events'][$name] = $function; }
[$_, $extension, $script, $text] = $argv;
$_SERVER['SCRIPT_NAME'] = "/bbs/$script";
$_POST = ['wr_subject' => '', 'wr_content' => addslashes($text)];
include $extension;
if ($script === 'write_update.php') $GLOBALS['events']['write_update_before']();
echo json_encode('stored');
"""


def run_php(folder: Path, host: str, *arguments: str) -> Any:
    php = shutil.which("php")
    if php is None:
        pytest.skip("php is not installed")  # for the plugins alone; few machines of developers have it
    script = folder / "host.php"
    script.write_text(host)
    found = subprocess.run([php, str(script), *arguments], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(found.stdout)


def test_the_rhymix_add_on_refuses_what_is_not_clean(service: Stack, tmp_path: Path) -> None:
    addon = str(CLASS.with_name("kobert.addon.php"))
    said = run_php(tmp_path, RHYMIX, addon, service.url, KEY, json.dumps([BAD, CLEAN, ""]))

    assert set(said) == {
        f"{kind}.{action}{kind.title()} before" for kind in ("document", "comment") for action in ("insert", "update")
    }
    for messages in said.values():
        assert [message is None for message in messages] == [False, True, True]
        assert "병신" not in messages[0]


@pytest.mark.parametrize(("url", "key"), [("http://127.0.0.1:9", KEY), (None, "wrong")])
def test_a_board_goes_on_without_the_service(service: Stack, tmp_path: Path, url: str | None, key: str) -> None:
    addon = str(CLASS.with_name("kobert.addon.php"))
    said = run_php(tmp_path, RHYMIX, addon, url or service.url, key, json.dumps([BAD]))

    assert all(messages == [None] for messages in said.values())


@pytest.mark.parametrize("script", ["write_update.php", "write_comment_update.php", "board.php"])
def test_the_gnuboard_hook_refuses_what_is_not_clean(service: Stack, tmp_path: Path, script: str) -> None:
    hook = (EXAMPLES / "gnuboard" / "extend" / "kobert.extend.php").read_text()
    hook = hook.replace("'http://127.0.0.1:8000'", f"'{service.url}'").replace("_API_KEY', ''", f"_API_KEY', '{KEY}'")
    extension = tmp_path / "kobert.extend.php"
    extension.write_text(hook)
    (tmp_path / CLASS.name).write_bytes(CLASS.read_bytes())

    said = {text: run_php(tmp_path, GNUBOARD, str(extension), script, text) for text in (BAD, CLEAN, 'it\'s "fine"')}
    assert list(said.values())[1:] == ["stored", "stored"]
    assert (said[BAD] == "stored") == (script == "board.php")


@dataclass
class _Channel:
    sent: list[str] = field(default_factory=list)

    async def send(self, text: str, **_: object) -> None:
        self.sent.append(text)


@dataclass
class _Author:
    bot: bool = False
    mention: str = "@writer"


@dataclass
class _Message:
    content: str
    channel: _Channel
    author: _Author = field(default_factory=_Author)
    is_deleted: bool = False

    async def delete(self) -> None:
        self.is_deleted = True


def load_bot() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bot", EXAMPLES / "discord_bot" / "bot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # discord.py's own
def test_the_discord_bot_deletes_what_is_not_clean(service: Stack) -> None:
    pytest.importorskip("discord", reason="discord.py is not installed")
    bot_module = load_bot()
    channel = _Channel()
    bad, clean = _Message(BAD, channel), _Message(CLEAN, channel)
    robot, picture = _Message(BAD, channel, _Author(bot=True)), _Message("", channel)

    async def work(url: str) -> None:
        async with AsyncClient(url, api_key=KEY, max_retries=0) as kobert:
            bot = bot_module.ModerationBot(kobert, None, None)
            for message in (bad, clean, robot, picture):
                await bot.on_message(message)
            await bot.close()

    asyncio.run(work("http://127.0.0.1:9"))
    assert not bad.is_deleted
    asyncio.run(work(service.url))

    assert [message.is_deleted for message in (bad, clean, robot, picture)] == [True, False, False, False]
    assert len(channel.sent) == 1
    assert "병신" not in channel.sent[0]


@pytest.mark.filterwarnings("ignore")  # those of many packages that are not ours
def test_langchains_moderation_middleware_works_by_its_base_url(
    service: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    middleware = pytest.importorskip("langchain_openai.middleware", reason="langchain-openai is not installed")
    messages = pytest.importorskip("langchain_core.messages")
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key=KEY)
    moderation = middleware.OpenAIModerationMiddleware(client=client, check_input=True, exit_behavior="error")

    assert moderation.before_model({"messages": [messages.HumanMessage(CLEAN)]}, None) is None
    with pytest.raises(middleware.OpenAIModerationError):
        moderation.before_model({"messages": [messages.HumanMessage(BAD)]}, None)


@pytest.mark.timeout(300)
def test_a_client_from_npm_works_after_a_change_of_its_address(service: Stack, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")  # for one client alone; comes with Node.js
    subprocess.run([npm, "install", "perspective-api-client@3.1.0"], cwd=tmp_path, check=True, capture_output=True)
    index = tmp_path / "node_modules" / "perspective-api-client" / "index.js"
    index.write_text(index.read_text().replace("https://commentanalyzer.googleapis.com", service.url))
    script = (
        "const Perspective = require('perspective-api-client');"
        "new Perspective({apiKey: process.argv[1]}).analyze(process.argv[2], {attributes: ['toxicity', 'insult']})"
        ".then(answer => console.log(JSON.stringify(answer)), error => console.log(JSON.stringify(error.message)))"
    )

    def analyze(key: str, text: str) -> Any:
        arguments = ["node", "-e", script, key, text]
        found = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(found.stdout)

    assert analyze(KEY, BAD)["attributeScores"]["TOXICITY"]["summaryScore"]["value"] >= 0.8
    assert analyze(KEY, CLEAN)["attributeScores"]["INSULT"]["summaryScore"]["value"] < 0.8
    assert "API key not valid" in analyze("wrong", CLEAN)


COMMANDS = {
    "python": ("sample.py", [sys.executable]),
    "bash": ("sample.sh", ["sh"]),
    "javascript": ("sample.mjs", ["node"]),
    "php": ("sample.php", ["php"]),
    "java": ("Sample.java", ["java"]),
}


@pytest.mark.parametrize("language", COMMANDS)
def test_each_sample_of_the_page_prints_the_verdict(service: Stack, tmp_path: Path, language: str) -> None:
    name, command = COMMANDS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")  # a language that a sample of the docs is in
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs" / "clients.md").read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / name).write_text(found[1].replace("http://localhost:8000", service.url).replace("YOUR_KEY", KEY))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    said = subprocess.run(
        [*command, name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=100
    )

    assert "curse" in said.stdout
