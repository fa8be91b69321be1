"""Every Redis key and queue name. All expire, except the queues and what people keep: keys, policies, corrections."""

PREFIX = "kobert:"

# Prefix of Celery's own keys, so that other services can use the same Redis.
CELERY_PREFIX = PREFIX + "celery:"

# Where kombu keeps the messages that a worker has and has not acknowledged: by tag, and by when they were delivered.
UNACKED = CELERY_PREFIX + "unacked"
UNACKED_INDEX = CELERY_PREFIX + "unacked_index"

INTERACTIVE_QUEUE = "predict"
BULK_QUEUE = "jobs"

# A sorted set of worker ids, and one string per worker with its last heartbeat.
WORKERS = PREFIX + "workers"
WORKER = PREFIX + "worker:"

# Bulk jobs. Each job is a hash of this name plus its id; its parts have a suffix after the id (`shared/jobs/lua`).
JOB = PREFIX + "job:"
# Sorted sets of job ids: by whose turn it is, by when they were accepted (not ended yet), by when a webhook is due.
JOB_TURNS = PREFIX + "jobs:turns"
JOB_TURN_COUNTER = PREFIX + "jobs:turn-counter"
JOBS_OPEN = PREFIX + "jobs:open"
JOB_WEBHOOKS = PREFIX + "jobs:webhooks"
# A sorted set of the jobs whose upload goes on, by when its last rows came.
JOB_UPLOADS = PREFIX + "jobs:uploads"

# What each owner takes in the store, by owner: a hash of bytes by key, a sorted set of these keys by when they expire.
USAGE = PREFIX + "usage:"
USAGE_ENDS = PREFIX + "usage-ends:"

# Policies, which do not expire: a hash of their heads by name, and a counter that is the version of the last change.
# Each has two hashes with its older versions (`policy_versions`), which expire once it is deleted.
POLICIES = PREFIX + "policies"
POLICIES_VERSION = PREFIX + "policies:version"
# Names of policies whose versions are kept though they were deleted, by when they were (Unix seconds).
POLICIES_DELETED = PREFIX + "policies:deleted"
# What each policy takes, and the id of the key that set it last.
POLICIES_SIZES = PREFIX + "policies:sizes"
# Keys of rules that are kept for a while only, replaced, deleted or tried ones, by when they end.
POLICIES_PASSING = PREFIX + "policies:passing"
# The id of the key whose change left each of them.
POLICIES_PASSING_OF = PREFIX + "policies:passing-of"

# Corrections, which do not expire: hashes of records by id and of ids by text, a sorted set of ids by the version of
# their last change, a hash with that version, and a sorted set of withdrawn ids (`shared/corrections`).
CORRECTIONS = PREFIX + "corrections"
CORRECTIONS_BY_TEXT = CORRECTIONS + ":by-text"
CORRECTIONS_VERSIONS = CORRECTIONS + ":versions"
CORRECTIONS_STATE = CORRECTIONS + ":state"
CORRECTIONS_WITHDRAWN = CORRECTIONS + ":withdrawn"
# How many corrections of each key there are, and their bytes, by the key's id.
CORRECTIONS_OF = CORRECTIONS + ":of"

# API keys: a hash of JSON records by id, and a number that every change raises. What was done with keys: a stream.
ACCESS_KEYS = PREFIX + "access:keys"
ACCESS_GENERATION = PREFIX + "access:generation"
ACCESS_AUDIT = PREFIX + "access:audit"

# Texts that end the process that reads them (`worker/quarantine/known.py`): a sorted set of keyed hashes by when they
# were found, each with how the process ended; and the key.
DEADLY_TEXTS = PREFIX + "deadly-texts"
DEADLY_SECRET = DEADLY_TEXTS + ":key"

# Why the embedded store does not write to its disk for now; absent as long as it does.
STORE_PAUSED = PREFIX + "store:paused"


def queue(name: str) -> str:
    """The list in which Celery keeps the waiting messages of a queue."""
    return CELERY_PREFIX + name


def worker(worker_id: str) -> str:
    """The heartbeat of one worker, as JSON; it expires unless the worker renews it."""
    return WORKER + worker_id


def replies(process_id: str) -> str:
    """The stream from which one API process reads its answers."""
    return f"{PREFIX}replies:{process_id}"


def job_part(job_id: str, part: str) -> str:
    """One of a job's keys: `part` is empty or one of the suffixes in `shared/jobs/lua/common.lua`."""
    return JOB + job_id + part


def jobs_of(owner: str) -> str:
    """The sorted set of one owner's job ids by creation time."""
    return f"{PREFIX}jobs:of:{owner}"


def owned_record(kind: str, owner: str, record_id: str) -> str:
    """One record of an owner, a hash of its head and its body (`api/jobs/owned_records.py`)."""
    return f"{PREFIX}{kind}:{owner}:{record_id}"


def owned_index(kind: str, owner: str) -> str:
    """The sorted set of the ids of an owner's records, by their numbers."""
    return f"{PREFIX}{kind}:of:{owner}"


def owned_sizes(kind: str, owner: str) -> str:
    """The hash of how many bytes each of an owner's records has."""
    return f"{PREFIX}{kind}:sizes:{owner}"


def owned_counter(kind: str, owner: str) -> str:
    """The number of the owner's last record."""
    return f"{PREFIX}{kind}:counter:{owner}"


def quota(key_id: str, rate: str) -> str:
    """When the token bucket of one rate of an API key is full again."""
    return f"{PREFIX}access:quota:{key_id}:{rate}"


def idempotency(owner: str, digest: str) -> str:
    """The id of the job made with one Idempotency-Key, whose sha256 is `digest`."""
    return f"{PREFIX}jobs:idempotency:{owner}:{digest}"


def policy_rules(name: str, digest: str = "") -> str:
    """The rules of one version of a policy; the prefix of all its versions where no digest is given."""
    return f"{PREFIX}policy:{name}:{digest}"


def policy_versions(name: str, part: str = "") -> str:
    """The versions of a policy that can be restored: a hash of their heads, and with `:rules` one of their rules."""
    return f"{PREFIX}policy-versions:{name}{part}"


def reviews_of(owner: str) -> str:
    """The sorted set of one owner's review queues by creation time."""
    return f"{PREFIX}reviews:of:{owner}"


def review_part(owner: str, review_id: str, part: str) -> str:
    """One of the keys of a review queue: its head where `part` is empty."""
    return f"{PREFIX}review:{owner}:{review_id}:{part}"


def feed_of(owner: str) -> str:
    """The sorted set of the numbers of an owner's texts in the live feed."""
    return f"{PREFIX}feed:of:{owner}"


def feed_sizes(owner: str) -> str:
    """The hash of how many bytes each text of an owner's live feed takes, by its number."""
    return f"{PREFIX}feed:sizes:{owner}"


def feed_text(owner: str, number: str = "") -> str:
    """One text of the live feed, which expires by itself; the prefix of all where no number is given."""
    return f"{PREFIX}feed:text:{owner}:{number}"


def policy_hits(name: str) -> str:
    """How often each entry of a policy fired, by entry; expires a month after the last."""
    return f"{PREFIX}policy-hits:{name}"
