"""Which period a timetable has: the rule at the top of ``domain.periods``, row by row."""

from __future__ import annotations

import pytest

from taskops_provider.domain.periods import Period, cron_period, delta_period, period_of

DAY = 86400


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("* * * * *", "minute"),
        ("*/5 * * * *", "minute"),
        ("10-20 3 * * *", "minute"),
        ("0-30/10 * * * 1", "minute"),
        ("*/5 * * * * 30", "minute"),
        ("0 3 * * * */10", "minute"),
        ("0 * * * *", "hour"),
        ("15,45 * * * *", "hour"),
        ("0 */6 * * *", "hour"),
        ("0 8-17 * * 1-5", "hour"),
        ("0 22-2 * * *", "hour"),
        ("*/60 * * * *", "hour"),
        ("0 3 * * *", "day"),
        ("0 3 * * * 0", "day"),
        ("0 3,15 * * *", "day"),
        ("0 3 ? * ?", "day"),
        ("0 3 * 1 *", "day"),
        ("0 3 * * 1-5", "day"),
        ("0 3 * * MON-FRI", "day"),
        ("0 3 * * fri-mon", "day"),
        ("0 3 * * 0-7", "day"),
        ("0 3 * * 0,1,2,3,4,5,6", "day"),
        ("0 3 */2 * *", "day"),
        ("0 3 1-7 * *", "day"),
        ("0 3 1-31 * *", "day"),
        ("0 3 * * 1", "week"),
        ("0 3 * * 7", "week"),
        ("0 3 * * 1,4", "week"),
        ("0 3 * 6 1", "week"),
        ("0 3 1 * 1", "week"),
        ("0 3 1 * *", "month"),
        ("0 3 1,15 * *", "month"),
        ("0 3 L * *", "month"),
        ("0 3 * * 5#2", "month"),
        ("0 3 * * L5", "month"),
        ("0 0 1 */3 *", "month"),
        ("0 0 1 JAN-MAR *", "month"),
        ("0 3 1 1 *", "year"),
        ("0 3 1 1,7 *", "year"),
        ("0 3 24 dec *", "year"),
        ("0 3 * 12 5#1", "year"),
        ("@hourly", "hour"),
        ("@daily", "day"),
        ("@midnight", "day"),
        ("@weekly", "week"),
        ("@monthly", "month"),
        ("@quarterly", "month"),
        ("@yearly", "year"),
        ("@Annually", "year"),
        ("", "custom"),
        ("0 3 * *", "custom"),
        ("0 3 * * * * * *", "custom"),
        ("61 * * * *", "custom"),
        ("*/0 * * * *", "custom"),
        ("nonsense here is no cron", "custom"),
        (None, "custom"),
    ],
)
def test_cron(expression, period):
    assert cron_period(expression) == period


@pytest.mark.parametrize(
    ("delta", "period"),
    [
        (30.0, "minute"),
        (90 * 60, "hour"),
        (3599, "minute"),
        (3600.0, "hour"),
        (DAY, "day"),
        (1.5 * DAY, "day"),
        (7 * DAY, "week"),
        (14 * DAY, "week"),
        (30 * DAY, "month"),
        (90 * DAY, "month"),
        (365 * DAY, "year"),
        ({"months": 1}, "month"),
        ({"months": 3}, "month"),
        ({"years": 1}, "year"),
        ({"days": 1, "hours": 6}, "day"),
        ({"months": 1, "days": -1}, "month"),
        ({"minutes": 5}, "minute"),
        ({"day": 1}, "custom"),
        ({"weekday": [0]}, "custom"),
        (0, "custom"),
        (-5, "custom"),
        (None, "custom"),
    ],
)
def test_delta(delta, period):
    assert delta_period(delta) == period


@pytest.mark.parametrize(
    ("kind", "parameters", "period"),
    [
        ("NullTimetable", {}, "manual"),
        ("PartitionedAtRuntime", {}, "manual"),
        ("OnceTimetable", {}, "once"),
        ("ContinuousTimetable", {}, "continuous"),
        ("AssetTriggeredTimetable", {"asset_condition": {}}, "event"),
        ("PartitionedAssetTimetable", {"asset_condition": {}}, "event"),
        ("AssetOrTimeSchedule", {"timetable": {}}, "event"),
        ("CronDataIntervalTimetable", {"expression": "0 3 * * *"}, "day"),
        ("CronTriggerTimetable", {"expression": "@weekly"}, "week"),
        ("CronPartitionTimetable", {"expression": "0 * * * *"}, "hour"),
        ("MultipleCronTriggerTimetable", {"expressions": ["0 3 1 * *", "0 3 * * 1"]}, "week"),
        ("DeltaDataIntervalTimetable", {"delta": 3600.0}, "hour"),
        ("DeltaTriggerTimetable", {"delta": {"months": 1}}, "month"),
        ("EventsTimetable", {"event_dates": []}, "custom"),
        ("WorkdaysAfterClosing", {"expression": "0 3 * * *"}, "custom"),
        ("CronTriggerTimetable", {}, "custom"),
    ],
)
def test_timetable(kind, parameters, period):
    assert period_of(kind, parameters) is Period(period)
