import contextlib
import threading

from worker.bulk.gate import Gate

WAIT_S = 60


def test_many_are_inside_together() -> None:
    gate, both_inside = Gate(), threading.Barrier(2, timeout=WAIT_S)

    def enter() -> None:
        with gate.together():
            both_inside.wait()

    threads = [threading.Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert not both_inside.broken


def test_who_is_alone_waits_for_the_others_and_keeps_them_out() -> None:
    gate = Gate()
    order: list[str] = []
    first_inside, first_may_leave, alone_inside, alone_may_leave = (threading.Event() for _ in range(4))

    def first() -> None:
        with gate.together():
            first_inside.set()
            first_may_leave.wait(WAIT_S)
            order.append("first leaves")

    def alone() -> None:
        with gate.alone():
            order.append("alone")
            alone_inside.set()
            alone_may_leave.wait(WAIT_S)
            order.append("alone leaves")

    def late() -> None:
        with gate.together():
            order.append("late")

    threads = [threading.Thread(target=first), threading.Thread(target=alone), threading.Thread(target=late)]
    threads[0].start()
    assert first_inside.wait(WAIT_S)
    threads[1].start()
    first_may_leave.set()
    assert alone_inside.wait(WAIT_S)
    threads[2].start()
    alone_may_leave.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert order == ["first leaves", "alone", "alone leaves", "late"]


def test_the_gate_opens_again_after_an_error() -> None:
    gate = Gate()
    entered: list[str] = []
    for enter in (gate.alone, gate.together):
        with contextlib.suppress(ValueError), enter():
            raise ValueError

    def enter_alone() -> None:
        with gate.alone():
            entered.append("alone")

    # In a thread, so that a gate that stays shut fails this test instead of hanging it.
    thread = threading.Thread(target=enter_alone, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    assert entered == ["alone"]
