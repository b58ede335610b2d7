"""An example of each thing the API speaks of, beside its schema in the OpenAPI document."""

from __future__ import annotations

from typing import Any

MOMENT, DAY, SHA = "2026-03-02T09:15:00Z", "2026-03-02", "9f86d081884c7d659a2feaa0c55ad015" * 2
DEVICE = {
    "key": "annexe/am307-0412",
    "gateway": "annexe",
    "label": "Ambiance, mur nord",
    "room": "loire",
    "heartbeat_minutes": 10,
    "first_seen": "2026-01-05T08:00:00Z",
    "last_seen": MOMENT,
    "silent": False,
}
FACTS = {
    "label": "Ambiance, mur nord",
    "model": "AM307",
    "position": "mur nord, 1,5 m",
    "heartbeat_minutes": 10,
    "continues": None,
}
WHOLE_DEVICE = (
    DEVICE | FACTS | {"measures": ["co2", "temperature"], "photo": False, "version": "9f86d081884c7d65"}
)
STAY = {"id": 7, "room": "loire", "start": "2026-01-05T08:00:00Z", "end": None}
ARM = {"room": "loire", "switch": "2026-04-01"}
MEASURE = {
    "outcome": "co2_occupied",
    "role": "primary",
    "better": "lower",
    "useful": 100.0,
    "margin": None,
}
EXPERIMENT = {
    "slug": "tables",
    "title": "Tables modulaires",
    "status": "running",
    "starts": DAY,
    "ends": "2026-05-29",
    "arms": [ARM, {"room": "erdre", "switch": None}],
    "measures": [MEASURE],
    "protocol_sha256": SHA,
    "decision": None,
}
DEVIATION = {"day": "2026-04-09", "what": "Dégât des eaux, salle fermée deux jours", "entered_by": "Camille"}
DECISION = {
    "choice": "extend",
    "body": "Comité des espaces",
    "decided_on": "2026-06-10",
    "reason": "Effet utile, garde-fous tenus.",
    "lessons": "Prévoir une multiprise par table.",
}
HIDDEN = {"experiment": "tables", "since": "2026-04-01", "until": "2026-05-29"}
CAUSE = {
    "id": 3,
    "code": "unknown_format",
    "gateway": "usine",
    "shape": "usine/+/etat {v.t1,v.h}",
    "waiting": 1412,
    "first_at": "2026-02-27T07:30:00Z",
    "last_at": MOMENT,
}
REPLAY = {
    "id": 5,
    "total": 1412,
    "done": 1412,
    "stored": 1410,
    "readings": 2820,
    "removed": 0,
    "waiting": 2,
    "ended": True,
}
DOCUMENT = {
    "topic": "usine/+/etat",
    "fields": [{"pointer": "/v/t1", "metric": "temperature", "unit": "°C", "scale": 0.1}],
    "device_from": "topic",
    "time_from": "reception",
}
MAPPING = {
    "number": 2,
    "version": 1,
    "topic": "usine/+/etat",
    "made_at": MOMENT,
    "made_by": "Camille",
    "mapping": DOCUMENT,
}
READING = {"device": "usine/four-1", "metric": "temperature", "value": 21.4, "unit": "°C", "time": MOMENT}
LOCKED = {
    "status": "running",
    "verdict": None,
    "grade": "decision",
    "reasons": [{"code": "locked", "numbers": {}}],
    "primary": None,
    "secondaries": [],
    "guardrails": [],
    "quality": [{"room": "loire", "treated": True, "days_before": 28, "days_after": 14}],
}
PROTOCOL = {
    "slug": "tables",
    "title": "Tables modulaires",
    "starts": DAY,
    "ends": "2026-05-29",
    "alpha": 0.05,
    "design": {
        "switch": {"loire": "2026-04-01"},
        "baseline": ["erdre"],
        "assignment": "lot",
        "washout": 5,
        "min_days": 10,
    },
    "measures": [MEASURE | {"unit": "ppm", "version": 1}],
}
ROOM = {
    "slug": "loire",
    "name": "Loire",
    "site": "hotel-de-ville",
    "site_name": "Hôtel de ville",
    "floor": "2",
    "capacity": 10,
    "area_m2": 28.0,
    "volume_m3": 70.0,
    "opens": "08:00:00",
    "closes": "19:00:00",
    "weekdays": "12345",
    "hidden": HIDDEN,
}
ROOM_FACTS = {"name": "Loire", "floor": "2", "capacity": 10, "area_m2": 28.0, "volume_m3": 70.0}
SITE_FACTS = {"name": "Hôtel de ville", "opens": "08:00:00", "closes": "19:00:00", "weekdays": "12345"}
SITE = {"slug": "hotel-de-ville", **SITE_FACTS, "rooms": ["loire", "erdre"]}
NOTICE = {
    "metrics": ["people", "co2"],
    "devices": 1,
    "raw_days": 30,
    "readings_days": 0,
    "answer_months": 13,
    "remark_months": 6,
    "k": 5,
    "alone": False,
}
THERE = {
    "device": DEVICE["key"],
    "label": DEVICE["label"],
    "start": "2026-01-05T08:00:00Z",
    "end": None,
    "last_seen": MOMENT,
    "silent": False,
}
WEEK = {
    "first": "2026-02-23",
    "means": {"time_utilisation": 31.5, "co2_occupied": 702.0},
    "days": {"time_utilisation": 5, "co2_occupied": 5},
    "coverage": 0.96,
}
LINE = {
    "slug": "tables",
    "title": "Tables modulaires",
    "status": "running",
    "n_treated": 3,
    "n_baseline": 5,
    "starts": DAY,
    "switch": "2026-04-01",
    "ends": "2026-05-29",
    "verdict": None,
    "decision": None,
    "outcome": None,
    "effect": None,
    "ci_low": None,
    "ci_high": None,
    "better": "higher",
    "free": False,
    "week": 5,
    "weeks": 13,
    "owner": "Camille Robert",
    "mine": True,
    "answers": 143,
}
LOOK_AT = {
    "kind": "unplanned",
    "slug": "tables",
    "title": "Tables modulaires",
    "day": "2026-04-09",
    "what": "Dégât des eaux",
}
DEADLINE = {
    "kind": "experiment",
    "day": "2026-05-29",
    "name": "Tables modulaires",
    "slug": "tables",
    "past": False,
}
LEARNED = {
    "slug": "ecrans",
    "title": "Écrans mobiles",
    "choice": "extend",
    "on": "2026-02-10",
    "lessons": "Prévoir une multiprise par table.",
}
SILENT = {"device": DEVICE["key"], "room": "loire", "last_seen": DAY, "experiment": "tables"}
STANDSTILL = {"kind": "broker", "since": MOMENT, "waiting": 12}
TODAY = {
    "today": "2026-04-10",
    "to_decide": [],
    "look_at": [LOOK_AT],
    "silent": [SILENT],
    "silent_elsewhere": 1,
    "growth": {"today": 140, "usual": 3},
    "standstill": None,
    "deadlines": [DEADLINE],
    "running": [LINE],
    "next_up": [],
    "learned": [LEARNED],
    "decided": 4,
    "rooms": 16,
    "devices": 21,
    "quarantined": 152,
    "answers_week": 37,
}
IMPORT = {
    "id": 4,
    "name": "histoire.csv",
    "status": "draft",
    "added_at": MOMENT,
    "added_by": "Camille",
    "total": 0,
    "done": 0,
    "map": {
        "device": ["capteur"],
        "time": {"column": "date"},
        "columns": {"co2": {"metric": "co2", "unit": "ppm"}},
    },
    "report": None,
    "trouble": None,
    "may_undo": False,
}
COLUMN = {"name": "co2", "samples": ["612", "640"]}
SHARE = {
    "id": 2,
    "made": MOMENT,
    "by": "Camille",
    "until": "2026-04-01T09:15:00Z",
    "last_used": None,
    "state": "open",
}
HOLDER = {"id": 3, "name": "Camille Robert"}
PERSON = {
    "id": 3,
    "name": "Camille Robert",
    "email": "camille@ville.example",
    "role": "facilities",
    "active": True,
    "last_seen": MOMENT,
}
SESSION = {
    "handle": "9f86d081884c7d65",
    "name": "tableau de bord",
    "scope": "read",
    "opened": MOMENT,
    "last_seen": None,
    "expires": "2026-05-31T09:15:00Z",
}
CHANGE = {
    "id": 1412,
    "at": MOMENT,
    "who": "Camille Robert <camille@ville.example>",
    "action": "changed",
    "kind": "rooms",
    "row": "4",
    "called": "Loire",
    "before": {"capacity": 8},
    "after": {"capacity": 10},
    "previous": "0" * 64,
    "hash": SHA,
}
DAY_SHOWN = {"day": DAY, "share": 0.97, "state": "counted"}
STRIP = {"room": "loire", "treated": True, "days": [DAY_SHOWN]}
SILENCE = {"device": DEVICE["key"], "label": DEVICE["label"], "seconds": 14_400}
LOST = {"room": "loire", "day": DAY, "share": 0.4, "silences": [SILENCE]}
SPLIT = {
    "question": "temperature",
    "options": ["cooler", "same", "warmer"],
    "before": [6, 9, 1],
    "after": [2, 14, 1],
}
COST = {"label": "Tables", "euros": 900.0, "hours": 6.0}
COSTS = {"kind": "planned", "lines": [COST], "rooms": 3, "seats": 28}
ITEM = {"kind": "counter", "there": ["loire"], "missing": ["erdre"], "euros": [250, 700]}
FAULT = {
    "id": "silent:annexe/am307-0412",
    "kind": "silent",
    "device": DEVICE["key"],
    "label": DEVICE["label"],
    "since": MOMENT,
    "room": "loire",
    "experiment": "tables",
    "metrics": [],
    "battery": None,
    "usual_minutes": 45.0,
}
TABLE_COLUMN = {
    "name": "value",
    "unit": "the outcome's",
    "meaning": "empty: not defined on that day, or sealed",
}
PLAN = {
    "n_treated": 3,
    "n_baseline": 5,
    "assignment": "lot",
    "alpha": 0.05,
    "p_floor": 0.0179,
    "grade": "decision",
    "sd": 8.0,
    "mde80": 19.6,
    "mde80_low": None,
    "mde80_high": None,
    "mde80_generalise": 24.1,
    "useful": 15.0,
    "p_generalise_useful": 0.41,
    "p_stop_none": 0.38,
    "p_guardrails_held": None,
    "alternatives": [
        {"n_treated": 4, "n_baseline": 5, "p_floor": 0.0079, "grade": "decision", "mde80": 17.2, "days": 12}
    ],
    "trade_offs": [{"n_treated": 3, "n_baseline": 5, "days_before": 20, "days_after": 20, "mde80": 23.0}],
    "reasons": [],
}
ERROR = {"code": "not_found", "message": "There is no such room."}

# name or title of a schema → an example of it
EXAMPLES: dict[str, Any] = {
    "ApiAccount": {
        "name": "Camille Robert",
        "email": "camille@ville.example",
        "role": "facilities",
        "sessions": [SESSION],
    },
    "ApiArm": ARM,
    "ApiCause": CAUSE,
    "ApiChange": CHANGE,
    "ApiClosure": {"day": "2026-05-01", "reason": "Fête du Travail"},
    "ApiCosts": COSTS,
    "ApiDay": {"day": DAY, "outcome": "co2_occupied", "value": 612.5, "coverage": 0.97},
    "ApiDayLost": LOST,
    "ApiDecision": DECISION,
    "ApiDevice": DEVICE,
    "ApiDeviceWhole": WHOLE_DEVICE | {"stays": [STAY]},
    "ApiDeviation": DEVIATION,
    "ApiDropped": {"dropped": 1412},
    "ApiExperiment": EXPERIMENT,
    "ApiExperimentWhole": EXPERIMENT
    | {
        "sheet": {"idea": "Des tables que l’on déplace"},
        "owner": "Camille Robert",
        "expires": "2026-09-01",
        "deviations": [DEVIATION],
        "decided": None,
    },
    "ApiFault": FAULT,
    "ApiFile": {
        "locked_at": MOMENT,
        "locked_by": "Camille",
        "frozen_at": None,
        "panel_sha256": None,
        "costs": COSTS,
        "equipment": [ITEM],
    },
    "ApiFileColumn": COLUMN,
    "ApiHolder": HOLDER,
    "ApiImport": IMPORT,
    "ApiImportWhole": IMPORT | {"columns": [COLUMN]},
    "ApiKept": {"mapping": MAPPING, "replay": REPLAY},
    "ApiMapping": MAPPING,
    "ApiMeasure": MEASURE,
    "ApiMessage": {
        "id": 91,
        "received_at": MOMENT,
        "topic": "usine/four-1/etat",
        "reason": "no format knows this payload",
        "payload": '{"v": {"t1": 214}}',
    },
    "ApiMoved": {"device": WHOLE_DEVICE | {"stays": [STAY]}, "noted": ["Tables modulaires"]},
    "ApiOwner": {"owner": HOLDER, "able": [HOLDER], "version": "3"},
    "ApiPerson": PERSON,
    "ApiPersonWhole": PERSON
    | {"has_password": True, "by_provider": False, "sessions": [SESSION], "version": "9f86d081884c7d65"},
    "ApiPoint": {"at": MOMENT, "value": 612.5},
    "ApiPreview": {"readings": [READING], "faults": []},
    "ApiProfile": {
        "icone": 2,
        "air_days": 31,
        "air_changes": 1.4,
        "fresh_air": 27.2,
        "fall_days": 9,
        "largest": 7,
        "spare": 3,
        "group_days": 31,
    },
    "ApiProgress": {
        "week": 5,
        "weeks": 13,
        "answers": 143,
        "result_on": "2026-05-30",
        "counted": 210,
        "expected": 224,
        "coverage": [STRIP],
        "lost": [LOST],
    },
    "ApiReading": READING,
    "ApiReplay": REPLAY,
    "ApiRoom": ROOM,
    "ApiRoomWeeks": {"room": "loire", "devices": 2, "silent": 0, "hidden_by": None, "weeks": [WEEK]},
    "ApiRoomWhole": ROOM
    | {
        "devices": [THERE],
        "experiments": ["tables"],
        "form": "https://temoin.ville.example/r/loire?k=1.3f5c",
        "notice": NOTICE,
        "version": "9f86d081884c7d65",
    },
    "ApiSeason": {
        "first": "2025-12-01",
        "means": {"time_utilisation": 31.5, "co2_occupied": 702.0},
        "days": {"time_utilisation": 58, "co2_occupied": 55},
        "coverage": 0.96,
        "comfort": {"co2": [9120, 2410, 300, 0]},
    },
    "ApiSeries": {"metric": "co2", "points": [{"at": MOMENT, "value": 612.5}]},
    "ApiSession": SESSION,
    "ApiShare": SHARE,
    "ApiShareMade": {"link": "https://temoin.ville.example/s/Zm9y…", "until": "2026-04-01T09:15:00Z"},
    "ApiSilence": SILENCE,
    "ApiSilent": SILENT,
    "ApiSite": SITE,
    "ApiSiteWhole": SITE
    | {"closures": [{"day": "2026-05-01", "reason": "Fête du Travail"}], "version": "9f86d081884c7d65"},
    "ApiStandstill": STANDSTILL,
    "ApiStay": STAY,
    "ApiStrip": STRIP,
    "ApiTable": {"name": "outcomes", "columns": [TABLE_COLUMN]},
    "ApiTaken": {"items": 2, "readings": 5, "refused": []},
    "ApiTheme": {"theme": "furniture", "remarks": 6},
    "ApiThere": THERE,
    "ApiToday": TODAY,
    "ApiTrialVoices": {
        "answers": 41,
        "fewest": 5,
        "splits": [SPLIT],
        "remarks": ["Bien plus simple pour un atelier."],
        "remarks_total": 18,
        "themes": [{"theme": "furniture", "remarks": 6}],
    },
    "ApiTried": {"topic": "usine/four-1/etat", "readings": [READING], "reason": None},
    "ApiVoices": {"first": "2026-02-01", "answers": 14, "satisfied": 0.79},
    "ApiWeek": WEEK,
    "ClosureReason": {"reason": "Travaux"},
    "CostLine": COST,
    "CoverageDay": DAY_SHOWN,
    "Deadline": DEADLINE,
    "DeviceFacts": FACTS,
    "DropReason": {"reason": "Essais de l’installateur"},
    "ErrorBody": ERROR,
    "ErrorEnvelope": {"error": ERROR},
    "ExperimentLine": LINE,
    "ExportColumn": TABLE_COLUMN,
    "ExportCsv": f"room,day,outcome,version,value,coverage,sealed\nloire,{DAY},co2_occupied,1,612.5,0.97,0\n",
    "ExportParquet": "PAR1…",
    "Growth": {"today": 140, "usual": 3},
    "Hidden": HIDDEN,
    "Item": ITEM,
    "Learned": LEARNED,
    "NewOwner": {"person": 3},
    "NewPerson": {"email": "camille@ville.example", "name": "Camille Robert", "role": "facilities"},
    "NewPlacement": {"device": DEVICE["key"], "room": "loire", "since": MOMENT},
    "NewRoom": ROOM_FACTS,
    "NewShare": {"days": 30},
    "NewSite": SITE_FACTS,
    "Notice": NOTICE,
    "Panel": f"room,day,outcome,value,n\nloire,{DAY},co2_occupied,612.5,\n",
    "PersonFacts": {"name": "Camille Robert", "role": "analyst", "active": True},
    "Photo": "JFIF…",
    "Plan": PLAN,
    "Protocol": PROTOCOL,
    "Refused": {"item": 1, "device": "loire-1", "code": "out_of_range", "reason": "co2: 65535 ppm"},
    "Result": LOCKED,
    "RoomFacts": ROOM_FACTS,
    "SiteFacts": SITE_FACTS,
    "Source": {
        "name": "annexe",
        "added": True,
        "last_message": MOMENT,
        "silent": False,
        "messages": [["2026-03-01", 1412], [DAY, None]],
        "unpromised": 0.0,
        "refused": 0.0004,
        "devices": 21,
        "token": "good",
        "token_until": "2027-01-05T08:00:00Z",
    },
    "Split": SPLIT,
    "StayFacts": {"start": "2026-01-05T08:00:00Z", "end": None},
    "ToLookAt": LOOK_AT,
}
