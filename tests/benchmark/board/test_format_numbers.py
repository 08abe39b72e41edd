import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.numbers import Interval
from benchmark.board.format_numbers import count, decimals_for, number, p_value, percent, with_interval


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [(0.745, 0.787, 3), (0.2, 0.6, 2), (1.0, 9.0, 1), (0.76601, 0.76602, 4), (None, None, 3), (0.5, 0.5, 3)],
)
def test_no_more_digits_than_the_interval_supports(low, high, decimals):
    assert decimals_for(low, high) == decimals


def test_an_interval_in_words():
    assert with_interval(Interval(0.7663, 0.7451, 0.7869, "bca", 80)) == "0.766 (0.745 to 0.787)"
    assert with_interval(Interval(-0.024, -0.05, 0.002, "bca", 80), sign=True) == "−0.024 (−0.050 to +0.002)"
    assert with_interval(Interval(0.5, None, None, "none", 1)) == "0.500"
    assert with_interval(None) == "–"


def test_special_numbers():
    assert number(None) == number(float("nan")) == "–"
    assert number(-0.0001, 3) == "0.000"
    assert number(-0.0001, 3, sign=True) == "0.000"
    assert [p_value(p) for p in (0.0001, 0.032, 0.9999, 1.0, None)] == ["< .001", ".032", "1", "1", "–"]
    assert [percent(s) for s in (0.0, 0.004, 0.056, 0.9961, 1.0)] == ["0 %", "< 1 %", "6 %", "> 99 %", "100 %"]


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_written_number_is_within_rounding(value, decimals):
    written = float(number(value, decimals).replace("−", "-"))
    assert abs(written - value) <= 0.5 * 10**-decimals + 1e-9 * abs(value)


def test_users_are_counted():
    assert [count(users) for users in (0, 1, 2, 12_345)] == ["0 users", "1 user", "2 users", "12,345 users"]
