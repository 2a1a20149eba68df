import itertools

from wukong_kvs_node.attendance import START, Action, Attendance, Step


def test_a_node_registers_first_and_at_once() -> None:
    assert Step(Action.REGISTER, 0.0) == START


def test_a_registered_node_beats_as_often_as_the_proxy_wants() -> None:
    attendance = Attendance()
    assert attendance.registered(3.0) == Step(Action.HEARTBEAT, 3.0)
    assert attendance.beaten(known=True) == Step(Action.HEARTBEAT, 3.0)


def test_pauses_between_registrations_double_up_to_two_seconds() -> None:
    attendance = Attendance()
    pauses = [attendance.not_registered().pause for _ in range(2000)]
    assert pauses[:6] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]
    assert set(pauses[6:]) == {2.0}
    assert all(a <= b for a, b in itertools.pairwise(pauses))


def test_pauses_start_anew_after_a_success() -> None:
    attendance = Attendance()
    attendance.not_registered()
    attendance.not_registered()
    attendance.registered(3.0)
    assert attendance.not_registered() == Step(Action.REGISTER, 0.05)


def test_a_proxy_that_does_not_know_the_node_is_told_at_once() -> None:
    attendance = Attendance()
    attendance.registered(3.0)
    assert attendance.beaten(known=False) == Step(Action.REGISTER, 0.0)


def test_a_proxy_that_does_not_answer_gets_the_next_heartbeat_as_usual() -> None:
    attendance = Attendance()
    attendance.registered(3.0)
    assert attendance.not_beaten() == Step(Action.HEARTBEAT, 3.0)
