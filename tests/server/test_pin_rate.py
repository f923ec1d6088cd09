"""The rate of pins: a burst, then one after each pause, and each Service by itself."""

from webhook.server.pin_rate import PinRate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_service_gets_a_burst_and_then_one_pin_in_each_pause() -> None:
    clock = Clock()
    rate = PinRate(clock, burst=3, seconds_each=6.0)
    assert [rate.take("n", "a") for _ in range(4)] == [True, True, True, False]
    assert rate.take("n", "b")
    assert rate.take("other", "a")
    clock.now += 6
    assert [rate.take("n", "a") for _ in range(2)] == [True, False]
    clock.now += 60
    assert [rate.take("n", "a") for _ in range(4)] == [True, True, True, False]


def test_a_refusal_costs_nothing() -> None:
    clock = Clock()
    rate = PinRate(clock, burst=1, seconds_each=6.0)
    assert rate.take("n", "a")
    for _ in range(100):
        assert not rate.take("n", "a")
    clock.now += 6
    assert rate.take("n", "a")


def test_services_that_may_have_a_burst_again_are_forgotten() -> None:
    clock = Clock()
    rate = PinRate(clock)
    for number in range(10_000):
        assert rate.take("n", str(number))
        clock.now += 1
    assert rate.remembered <= 1024
