"""Attacks on what else keeps or reads much: previews, batches, review queues, policies, lists in heads."""

import base64
import itertools
import json
import threading
import time
from random import Random

from bench.attack.target import Target, get, head, request

MIB = 1 << 20
FORM = "multipart/form-data; boundary=b"
_ROW = {"method": "POST", "url": "/v1/moderations"}


def previews(target: Target) -> None:
    """Previews of 8 MB of csv, of jsonl and of one JSON text, from 64 clients."""
    bodies = [
        (b"text,number\n" + b"a,1\n" * (2 * MIB - 100), "text/csv"),
        (b'{"text":"a"}\n' * (8 * MIB // 13 - 10), "application/jsonl"),
        (b'{"texts": ["' + b"a" * (8 * MIB - 100) + b'"]}', "application/json"),
    ]
    target.repeat(lambda: [target.post("/jobs/preview", *body) for body in bodies], threads=64)


def batches_of_one_file(target: Target) -> None:
    """An input file of 8 MB with a fault in its last line, of which 64 clients make batches."""
    lines = [{**_ROW, "custom_id": str(n), "body": {"input": "a" * 60}} for n in range(49_000)]
    content = "\n".join([*map(json.dumps, lines), "x"]).encode()
    parts = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n'
    parts += b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + content + b"\r\n--b--\r\n"
    file = target.ask(request("/v1/files", parts, FORM))["id"]
    batch = json.dumps({"input_file_id": file, "endpoint": "/v1/moderations", "completion_window": "24h"}).encode()
    target.repeat(lambda: target.post("/v1/batches", batch), threads=64)


def contents_of_one_file(target: Target) -> None:
    """An input file of 8 MB that packs badly, put by four clients and asked for by 64 who read nothing."""
    content = base64.b64encode(Random(1).randbytes(6 * MIB - 1_000))
    parts = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n'
    parts += b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + content + b"\r\n--b--\r\n"
    file = target.ask(request("/v1/files", parts, FORM))["id"]
    ask = get(f"/v1/files/{file}/content")
    putting = threading.Thread(target=target.repeat, args=(lambda: target.post("/v1/files", parts, FORM), 4))
    putting.start()
    target.hold(64, ask)
    putting.join()


def metadata_of_batches(target: Target) -> None:
    """Failed batches with 6 MB of metadata each, from four clients, and lists of a hundred of them."""
    parts = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n'
    parts += b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nno JSON\r\n--b--\r\n'
    asked = {"input_file_id": target.ask(request("/v1/files", parts, FORM))["id"], "endpoint": "/v1/moderations"}
    batch = json.dumps({**asked, "completion_window": "24h", "metadata": {"a": "b" * (6 * MIB)}}).encode()

    def make_and_list() -> None:
        target.post("/v1/batches", batch)
        target.send([get("/v1/batches?limit=100", "Connection: close")])

    target.repeat(make_and_list, threads=4)


def queues_of_a_large_job(target: Target) -> None:
    """Review queues of a job of 8,000 rows of 9,000 characters, from 32 clients."""
    text = "배송이 정말 빨랐어요 " * 750
    body = b"text\n" + b"".join(f"{text}{n}\n".encode() for n in range(1_000))
    job = target.start_job_of(body)
    time.sleep(2)
    ask = json.dumps({"job_id": job}).encode()
    target.ask(request(f"/jobs/{job}/cancel", b""))
    target.repeat(lambda: target.post("/reviews", ask), threads=32)
    target.delete_job(job)


def sizes_of_output_files(target: Target) -> None:
    """What is known of a batch's output file of 20,000 lines, which has to be made to be known, from 64 clients."""
    job = target.start_job(20_000)
    target.ask(request(f"/jobs/{job}/cancel", b""))
    ask = get(f"/v1/files/file-output-{job.removeprefix('job_')}", "Connection: close")
    target.repeat(lambda: target.send([ask]), threads=64)
    target.delete_job(job)


def policies_of_many_names(target: Target) -> None:
    """Policies of 1.8 MB that are made, tried out and deleted, each under another name."""
    numbers = itertools.count()

    def make() -> None:
        number = next(numbers)
        deny = [f"{number}{'가' * 80}{entry}" for entry in range(7_000)]
        rules = json.dumps({"deny": deny}, ensure_ascii=False).encode()
        put = head(f"/policies/p{number}", len(rules), "application/json", "Connection: close")
        target.send([put.replace(b"POST", b"PUT", 1), rules])
        target.send([get(f"/policies/p{number}", "Connection: close").replace(b"GET", b"DELETE", 1)])
        trial = json.dumps({"rules": {"deny": deny[1:]}, "texts": ["가"]}, ensure_ascii=False).encode()
        target.post("/policies/none/try", trial)

    target.repeat(make, threads=4)


def policies_of_random_terms(target: Target) -> None:
    """Policies of 7,000 long terms that have nothing in common, each of which a worker has to make ready."""
    syllables = Random(1)

    def make() -> None:
        deny = ["".join(chr(syllables.randrange(0xAC00, 0xD7A4)) for _ in range(82)) for _ in range(7_000)]
        trial = json.dumps({"rules": {"deny": deny}, "texts": ["가"]}, ensure_ascii=False).encode()
        target.post("/policies/none/try", trial)

    target.repeat(make, threads=2)


def nested_terms(target: Target) -> None:
    """A policy of terms that end in one another, and texts of nothing else."""
    rules = json.dumps({"deny": ["가" * count for count in range(89, 101)]}).encode()
    put = head("/policies/nested", len(rules), "application/json", "Connection: close")
    target.send([put.replace(b"POST", b"PUT", 1), rules])
    body = json.dumps({"texts": ["가" * 9_990 + str(n) for n in range(100)], "policy": "nested"}).encode()
    target.repeat(lambda: target.post("/predict", body), threads=4)


def long_lists_in_heads(target: Target) -> None:
    """Requests whose 32 kB of head are a list: of proxies, of parameters, of languages."""
    asked = [
        get("/jobs", "Connection: close", "X-Forwarded-For: " + "1," * 15_000),
        get("/feed?" + "&".join(f"{n:x}" for n in range(6_000)), "Connection: close"),
        get("/", "Connection: close", "Accept-Language: " + "a," * 15_000, "Accept: " + "a/b;q=0," * 1_500),
        get("/jobs", "Connection: close", "Cookie: " + "a=1;" * 7_500, "Range: bytes=" + "0-," * 500),
    ]
    target.repeat(lambda: [target.send([one]) for one in asked], threads=8)


ATTACKS = (
    previews,
    batches_of_one_file,
    contents_of_one_file,
    metadata_of_batches,
    queues_of_a_large_job,
    sizes_of_output_files,
    policies_of_many_names,
    policies_of_random_terms,
    nested_terms,
    long_lists_in_heads,
)
