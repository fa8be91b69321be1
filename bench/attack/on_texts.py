"""Attacks with texts that are costly to read, or many."""

import asyncio
import json
import time

from bench.attack.target import ATTACKER, Target, request

PREDICT = "/predict"


def _body(texts: list[str]) -> bytes:
    return json.dumps({"texts": texts}, ensure_ascii=False).encode()


def repeated_syllables(target: Target) -> None:
    """F1: 270 texts of 10,000 times the same syllable, which a pattern tried again at every start."""
    target.repeat(lambda: target.post(PREDICT, _body(["조" * 9_990 + str(n) for n in range(270)])), threads=2)


def combining_marks(target: Target) -> None:
    """F1: texts of 10,000 combining marks in an order that composing has to sort."""
    marks = "\u0316\u0301" * 4_990
    target.repeat(lambda: target.post(PREDICT, _body([f"가{marks}{n}" for n in range(100)])), threads=2)


def signs_between_letters(target: Target) -> None:
    """F1: texts of jamo, signs and spaces, which patterns of disguised words walk through."""
    texts = [("ㅅ ㅣ.ㅂ*ㅏ_ㄹ1" * 1_110)[:9_990] + str(n) for n in range(200)]
    target.repeat(lambda: target.post(PREDICT, _body(texts)), threads=2)


def long_texts(target: Target) -> None:
    """F2: 1,000 texts of 2,500 characters in one request, from four clients."""
    text = "이 영화는 처음부터 끝까지 지루할 틈이 없었고 배우들의 연기도 정말 좋았습니다. " * 60
    target.repeat(lambda: target.post(PREDICT, _body([text[:2_490] + str(n) for n in range(1_000)])), threads=4)


def empty_texts(target: Target) -> None:
    """Requests of 1,000 empty texts, from six clients: each text has an error of its own."""
    target.repeat(lambda: target.post(PREDICT, _body([""] * 1_000)), threads=6)


def longest_texts(target: Target) -> None:
    """F2: single texts of 10,000 characters, from 64 clients."""
    text = "오늘 저녁에 뭐 먹을지 아직 못 정했는데 혹시 추천해 줄 만한 곳이 있을까요? " * 250
    target.repeat(lambda: target.post(PREDICT, _body([text[:9_990]])), threads=64)


def flood(target: Target) -> None:
    """F9: requests in open arrivals, as many a second as this machine can send (up to 4,000)."""
    asyncio.run(_flood(target, 4_000))


def callers_who_leave(target: Target) -> None:
    """F9: requests of 100 texts whose callers hang up at once."""
    body = request(PREDICT, _body([f"배송이 정말 빨랐어요 {n}" for n in range(100)]))

    def send_and_leave() -> None:
        with target.connect() as connection:
            connection.sendall(body)

    target.repeat(send_and_leave, threads=8)


async def _flood(target: Target, per_s: int) -> None:
    tasks: set[asyncio.Task[None]] = set()
    sent, began = 0, time.monotonic()
    while target.is_on:
        while sent < (time.monotonic() - began) * per_s and len(tasks) < 2_000:
            task = asyncio.create_task(_ask(target, sent))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.002)


async def _ask(target: Target, number: int) -> None:
    try:
        reader, writer = await asyncio.open_connection(target.host, target.port, local_addr=(ATTACKER, 0))
        writer.write(request(PREDICT, json.dumps({"text": f"comment {number}"}).encode()))
        await reader.read()
        writer.close()
    except OSError:
        return


ATTACKS = (
    repeated_syllables,
    combining_marks,
    signs_between_letters,
    long_texts,
    empty_texts,
    longest_texts,
    flood,
    callers_who_leave,
)
