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
FACTS = {"label": "Ambiance, mur nord", "model": "AM307", "position": "mur nord, 1,5 m"}
STAY = {"room": "loire", "start": "2026-01-05T08:00:00Z", "end": None}
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
ERROR = {"code": "not_found", "message": "There is no such room."}

# name or title of a schema → an example of it
EXAMPLES: dict[str, Any] = {
    "ApiArm": ARM,
    "ApiCause": CAUSE,
    "ApiDay": {"day": DAY, "outcome": "co2_occupied", "value": 612.5, "coverage": 0.97},
    "ApiDecision": DECISION,
    "ApiDevice": DEVICE,
    "ApiDeviceWhole": DEVICE | FACTS | {"continues": None, "stays": [STAY], "version": "9f86d081884c7d65"},
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
    "ApiReading": READING,
    "ApiReplay": REPLAY,
    "ApiRoom": {
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
    },
    "ApiSeason": {
        "first": "2025-12-01",
        "means": {"time_utilisation": 31.5, "co2_occupied": 702.0},
        "days": {"time_utilisation": 58, "co2_occupied": 55},
        "coverage": 0.96,
        "comfort": {"co2": [9120, 2410, 300, 0]},
    },
    "ApiStay": STAY,
    "ApiTaken": {"items": 2, "readings": 5, "refused": []},
    "ApiTried": {"topic": "usine/four-1/etat", "readings": [READING], "reason": None},
    "ApiVoices": {"first": "2026-02-01", "answers": 14, "satisfied": 0.79},
    "DeviceFacts": FACTS,
    "DropReason": {"reason": "Essais de l’installateur"},
    "ErrorBody": ERROR,
    "ErrorEnvelope": {"error": ERROR},
    "Hidden": HIDDEN,
    "Panel": f"room,day,outcome,value,n\nloire,{DAY},co2_occupied,612.5,\n",
    "Protocol": PROTOCOL,
    "Refused": {"item": 1, "device": "loire-1", "code": "out_of_range", "reason": "co2: 65535 ppm"},
    "Result": LOCKED,
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
}
