"""Rows of several fits: values within each fit, and what users' values are made of."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.analysis.inputs import Rows, lifts_of, mean_of_known
from benchmark.stats.groups import Groups
from benchmark.stats.personalisation import personal_lift
from rebeca.interfaces import ScorerCard
from tests.builders import within_groups

USERS, FITS, PER_FIT = 5, 3, 2


def rows(fits=FITS, failed=(), higher=True, seed=0):
    """A generator whose images have random scores by every user; ``failed`` names (user, image) pairs."""
    rng = np.random.default_rng(seed)
    images = FITS * PER_FIT
    opinions = rng.random((USERS, USERS, images))
    lost = np.zeros((USERS, images), bool)
    for user, image in failed:
        lost[user, image] = True
    opinions[:, lost] = np.nan
    own = opinions[np.arange(USERS), np.arange(USERS)]
    pairs = np.stack([mean_of_known(opinions[:, :, fit::fits], axis=2) for fit in range(fits)])
    return Rows(
        "a", True, np.full((USERS, images), "d"), np.full((USERS, images), -1), lost, {"ncf": own},
        {"ncf": np.full(USERS, 0.1), "diversity": np.zeros(USERS)},
        {"ncf": ScorerCard("Verifier", "score", higher, "")}, {},
        {"diversity": rng.random((fits, USERS))}, {"ncf": pairs}, "somebody", fits, tuple("abc"[:fits]),
    ), opinions  # fmt: skip


def test_a_value_of_a_fit_is_that_of_its_images():
    row, _ = rows()
    by_fit = row.by_fit("ncf", "exclude")
    for fit in range(FITS):
        assert by_fit[fit] == pytest.approx(row.scores["ncf"][:, [fit, fit + FITS]].mean(axis=1))
    assert row.values("exclude")["ncf"] == pytest.approx(row.scores["ncf"].mean(axis=1))
    assert row.by_fit("diversity", "exclude") is row.sets["diversity"]
    assert row.values("exclude")["diversity"] == pytest.approx(row.sets["diversity"].mean(axis=0))


@pytest.mark.parametrize("higher", [True, False])
def test_a_users_lift_is_the_mean_over_fits_of_the_lift_within_a_fit(higher):
    row, opinions = rows(higher=higher)
    sign = 1 if higher else -1
    within = [personal_lift(sign * opinions[:, :, fit::FITS].mean(axis=2)) for fit in range(FITS)]
    assert row.by_fit("lift:ncf", "exclude") == pytest.approx(np.stack(within))
    lifts, (stratum,) = lifts_of(row, "ncf", "exclude")
    assert lifts == pytest.approx(np.mean(within, axis=0))
    assert lifts == pytest.approx(personal_lift(sign * opinions.mean(axis=2)))  # equal shares of all images
    assert stratum.scores == pytest.approx(sign * opinions.mean(axis=2))


def test_failures_as_worst_count_in_their_fit():
    row, opinions = rows(failed=[(2, 4)])
    assert row.images_by_fit[:, 2].tolist() == [2, 1, 2]
    fit = opinions[:, :, 1::FITS]  # the failure is an image of average sets for all others
    others = [np.nanmean([np.nanmean(fit[u, v]) for v in range(USERS) if v != u]) for u in range(USERS)]
    read = opinions.copy()
    read[:, 2, 4] = others
    read[2, 2, 4] = 0.1
    expected = [personal_lift(read[:, :, fit::FITS].mean(axis=2)) for fit in range(FITS)]
    assert row.by_fit("lift:ncf", "worst") == pytest.approx(np.stack(expected))
    by_fit = row.by_fit("ncf", "worst")
    assert by_fit[1, 2] == pytest.approx((row.scores["ncf"][2, 1] + 0.1) / 2)
    assert row.values("worst")["ncf"] == pytest.approx(by_fit.mean(axis=0))


def test_users_with_other_numbers_of_images_in_a_fit_are_another_stratum():
    """User 2 has lost an image of fit 1: alone in a stratum, so no lift can be estimated."""
    row, opinions = rows(failed=[(2, 4)])
    lifts, (stratum,) = lifts_of(row, "ncf", "exclude")
    others = [0, 1, 3, 4]
    assert stratum.users.tolist() == others and np.isnan(lifts[2])
    assert lifts[others] == pytest.approx(personal_lift(np.nanmean(opinions, axis=2)[np.ix_(others, others)]))
    assert np.isnan(row.by_fit("lift:ncf", "exclude")[:, 2]).all()


def test_a_fit_without_images_has_no_value():
    row, _ = rows(failed=[(0, 1), (0, 4)])
    by_fit = row.by_fit("ncf", "exclude")
    assert np.isnan(by_fit[:, 0]).tolist() == [False, True, False]
    assert row.values("exclude")["ncf"][0] == pytest.approx(row.scores["ncf"][0, [0, 2, 3, 5]].mean())
    assert np.isnan(lifts_of(row, "ncf", "exclude")[0][0])
    assert np.isfinite(row.mean_pairs("ncf")).all()


def test_one_fit_holds_all_images():
    row, opinions = rows(fits=1)
    assert row.by_fit("ncf", "exclude")[0] == pytest.approx(row.scores["ncf"].mean(axis=1))
    assert (lifts_of(row, "ncf", "exclude")[0] == personal_lift(opinions.mean(axis=2))).all()


@pytest.mark.parametrize("change", [{"fits": 4}, {"fits": 2}, {"fit_keys": ("a", "b")}, {"sets": {"x": np.zeros(5)}}])
def test_shapes_are_those_of_the_fits(change):
    with pytest.raises(ValueError, match="are not those of"):
        replace(rows()[0], **change)


def test_in_groups_lifts_are_those_within_each_group():
    """As if each group were a task of its own; failures too."""
    group = np.array([1, 0, 1, 0, 1])
    whole, _ = rows(failed=[(2, 4)])
    groups = Groups.of(group)
    row = replace(whole, pairs={"ncf": within_groups(groups, whole.pairs["ncf"])}, group=group)
    for reading in ("exclude", "worst"):
        lifts, strata = lifts_of(row, "ncf", reading)
        for users in groups.each():
            part = replace(
                whole,
                **{name: getattr(whole, name)[users] for name in ("digest", "item", "failed")},
                scores={"ncf": whole.scores["ncf"][users]},
                lowest={name: values[users] for name, values in whole.lowest.items()},
                sets={"diversity": whole.sets["diversity"][:, users]},
                pairs={"ncf": whole.pairs["ncf"][np.ix_(range(FITS), users, users)]},
            )
            alone, own = lifts_of(part, "ncf", reading)
            assert lifts[users] == pytest.approx(alone, nan_ok=True)
            known = [stratum for stratum in strata if np.isin(stratum.users, users).all()]
            assert [users[stratum.users].tolist() for stratum in own] == [s.users.tolist() for s in known]
    assert row.mean_pairs("ncf").shape == (5, 3)


def test_pairs_are_as_wide_as_the_largest_group():
    row, _ = rows()
    with pytest.raises(ValueError, match="are not those of"):
        replace(row, group=np.array([0, 0, 1, 1, 1]))
