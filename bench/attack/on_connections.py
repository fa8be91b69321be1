"""Attacks with connections, heads and bodies that are large, slow, many or never whole."""

from functools import partial

from bench.attack.target import Target, get, head

MIB = 1 << 20
PREDICT = "/predict"
ALMOST = 8 * MIB - 1


def large_headers(target: Target) -> None:
    """F3: three headers of 100 MB at a time."""
    start = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX: "
    target.repeat(lambda: target.send([start, *([b"a" * MIB] * 100)]), threads=3)


def many_headers(target: Target) -> None:
    """F3: 20 MB of headers of four bytes."""
    start = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    target.repeat(lambda: target.send([start, *([b"a:\r\n" * (MIB // 4)] * 20)]), threads=2)


def unfinished_bodies(target: Target) -> None:
    """F4: 150 connections with 8 MB less a byte."""
    target.hold(150, head(PREDICT, 8 * MIB) + b'{"text": "' + b"a" * (ALMOST - 10))


def trickling_bodies(target: Target) -> None:
    """F4: 1,000 bodies at a byte a second."""
    target.hold(1_000, head(PREDICT, 8 * MIB), b" ")


def tiny_chunks(target: Target) -> None:
    """Bodies in chunks of one byte, from eight clients."""
    start = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    start += b"Transfer-Encoding: chunked\r\n\r\n"
    target.repeat(lambda: target.send([start, *([b"1\r\n \r\n" * (MIB // 16)] * 120)]), threads=8)


def half_headers(target: Target) -> None:
    """F4: 3,000 connections that never complete their headers, at a byte a second."""
    target.hold(3_000, b"GET /health HTTP/1.1\r\nX: ", b"a")


def idle_connections(target: Target) -> None:
    """F4: as many idle connections as can be had."""
    target.hold(6_000, b"")


def unread_answers(target: Target) -> None:
    """F4: 200 clients that ask for the OpenAPI a hundred times each and read nothing."""
    target.hold(200, get("/openapi.json") * 100)


def pipelined_requests(target: Target) -> None:
    """10,000 requests at once on one connection, behind one that takes long; 20 times."""
    target.hold(20, get("/ready") * 10_000, get("/ready") * 100)


def gzip_bombs(target: Target) -> None:
    """Bodies of 8 kB that unpack to 8 MB and more."""
    import gzip  # noqa: PLC0415  built by the attacker alone

    packed = gzip.compress(b" " * (64 * MIB))
    target.repeat(lambda: target.post(PREDICT, packed, "application/json", "Content-Encoding: gzip"), threads=8)


def json_of_many_values(target: Target) -> None:
    """8 MB of JSON that are millions of empty arrays, or of texts of two letters."""
    arrays = b'{"texts": [' + b"[]," * (ALMOST // 3 - 10) + b"[]]}"
    texts = b'{"texts": [' + b'"ab",' * (ALMOST // 5 - 10) + b'"ab"]}'
    objects = b'{"x": [' + b"{}," * (ALMOST // 3 - 10) + b"{}]}"
    for body in (arrays, texts, objects):
        target._replace(until=target.until).repeat(partial(target.post, PREDICT, body), threads=2)


def json_in_depth(target: Target) -> None:
    """8 MB of opening brackets."""
    target.repeat(lambda: target.post(PREDICT, b'{"text": ' + b"[" * (ALMOST - 20)), threads=2)


def requests_with_odd_input(target: Target) -> None:
    """F10: inputs that were answered with 500, as fast as they go."""
    bodies = [b'{"text": "\\ud800"}', b'{"texts": [' + b"9" * 5_000 + b"]}", b"[" * 3_000]
    bodies.append(b'{"\\ud83d": 1, "text": "a"}')

    def send_all() -> None:
        statuses = [target.post(PREDICT, body) for body in bodies]
        statuses += [
            target.send([get(f"/jobs/{path}", "Connection: close")]) for path in ("ID:results", "%00", "a" * 999)
        ]
        if any(status in {500, 502} for status in statuses):
            raise SystemExit(f"a 500: {statuses}")

    target.repeat(send_all, threads=2)


ATTACKS = (
    large_headers,
    many_headers,
    unfinished_bodies,
    trickling_bodies,
    tiny_chunks,
    half_headers,
    idle_connections,
    unread_answers,
    pipelined_requests,
    gzip_bombs,
    json_of_many_values,
    json_in_depth,
    requests_with_odd_input,
)
