"""Which sensors an experiment needs, and which of them are there."""

import pytest

from experiments.equipment import KINDS, SERVES, kinds_for, shopping_list
from experiments.outcomes import OUTCOMES
from sensors.metrics import METRICS


@pytest.mark.parametrize(
    ("outcomes", "kinds"),
    [
        (["occupied_minutes"], ("presence",)),
        (["meetings", "seat_fill"], ("counter",)),
        (["co2_occupied"], ("presence", "climate")),  # « while occupied »: somebody has to know
        (["sound_background", "satisfaction"], ("presence", "sound", "form")),
        (["satisfaction", "discomfort"], ("form",)),
        ([], ()),
    ],
)
def test_outcomes_say_which_sensors_they_rest_on(outcomes, kinds):
    assert kinds_for(outcomes) == kinds


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_needs_something(outcome):
    assert kinds_for([outcome])


def test_every_kind_is_served_by_metrics_that_exist():
    assert set().union(*SERVES.values()) <= METRICS.keys()
    assert set(SERVES) == set(KINDS)


def test_what_is_there_is_not_bought_again():
    rooms = {"loire": {"people", "co2", "battery"}, "erdre": {"motion"}, "sevre": set()}
    counter, climate = shopping_list(["seat_fill", "co2_high"], rooms)
    assert (counter.kind, counter.there, counter.missing) == ("counter", ("loire",), ("erdre", "sevre"))
    assert counter.euros == (500, 1400)
    assert (climate.kind, climate.missing) == ("climate", ("erdre", "sevre"))
    (presence,) = shopping_list(["occupied_minutes"], rooms)
    assert presence.missing == ("sevre",)  # a counter says as well that somebody is there


def test_a_paper_form_is_a_start_by_itself():
    (form,) = shopping_list(["satisfaction"], {"loire": (), "erdre": ()})
    assert (form.missing, form.euros) == ((), (0, 0))
