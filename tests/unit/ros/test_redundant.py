"""Further voters, the operator's own commands and the list of objects: which topic feeds which mailbox, and how."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.adapters.ros import codec
from safetykit.adapters.ros.binding import bind
from safetykit.adapters.ros.diagnostics import objects_status, sender_status
from safetykit.adapters.ros.feeds import CommandFeed
from safetykit.adapters.ros.interventions import LEVEL_ERROR, LEVEL_OK, LEVEL_WARN
from safetykit.adapters.ros.mapping import MappingProblems, parse_mapping, resolved
from safetykit.adapters.ros.message_types import resolve_identity
from safetykit.adapters.ros.object_feed import ObjectsFeed
from safetykit.adapters.ros.schema import OBJECT_NUMBERS
from safetykit.core.bounds import OBJECT_COLS, OBJECTS_MAX
from safetykit.core.columns import objects as at
from safetykit.policy import Policy, load_policy, parse_policy
from safetykit.runtime import mailbox
from safetykit.runtime.object_list import WORDS, ObjectsWriter
from tests.unit.policy.edits import edited
from tests.unit.ros.fake_messages import message
from tests.unit.ros.test_feeds import MS, OFFSET, SECOND, Box, clocks, info, stamped

Document = dict[str, Any]
LIST = {
    "age_ms": 200,
    "future_ms": 5,
    "needed": True,
    "count_max": 32,
    "frame": "road",
    "ranges": {"distance_m_max": 100, "speed_mps_max": 20},
}
SENDERS: Document = {
    "commands": {"voters": ["planner", "twin", "spare"], "needed": 2, "align_ms": 40, "disagree_ms": 200},
    "channels.linear_mps.vote_tolerance": 0.1,
    "channels.angular_radps.vote_tolerance": 0.1,
    "sources.operator.inputs.take": {"unit": "flag", "min": 0, "max": 1},
    "manual": {"take": {"input": "take", "min": 0.5}, "late_ms": 100, "stale_ms": 300},
    "objects": LIST,
}
MAPPED: Document = {
    "voters": {"twin": "cmd_twin", "spare": ["cmd_spare"]},
    "manual": "cmd_manual",
    "objects": {
        "topic": "objects",
        "type": "derived_object_msgs/msg/ObjectArray",
        "items": "objects",
        "fields": {
            "x_m": "pose.position.x",
            "y_m": {"path": "pose.position.y", "scale": -1.0},
            "vx_mps": "twist.linear.x",
            "vy_mps": "twist.linear.y",
            "length_m": "shape.dimensions[0]",
            "width_m": "shape.dimensions[1]",
        },
        "constants": {"z_m": 0.0, "vz_mps": 0.0, "height_m": 1.5},
        "id": "id",
    },
}


@pytest.fixture(scope="module")
def redundant() -> Policy:
    return parse_policy(edited("rover", SENDERS))


@pytest.fixture
def mapped(document: Document) -> Document:
    document["inputs"][1] = {
        "source": "operator",
        "topic": "joy",
        "type": "sensor_msgs/msg/Joy",
        "fields": {"engage": "buttons[0]", "take": "buttons[1]"},
    }
    return parse_mapping({**document, **MAPPED}).model_dump()


def problems_of(document: Any, policy: Policy) -> tuple[str, ...]:
    try:
        bind(parse_mapping(document, "m.yaml"), policy, "m.yaml")
    except MappingProblems as error:
        return tuple(str(error).splitlines()[1:])
    return ()


# ---------------------------------------------------------------------- the mapping
def test_every_further_sender_reads_its_own_topic_like_the_main_command(mapped: Document, redundant: Policy) -> None:
    binding = bind(parse_mapping(mapped), redundant)
    assert list(binding.others) == ["twin", "spare", "manual"]
    (first,), (twin,), (manual,) = binding.commands, binding.others["twin"], binding.others["manual"]
    assert (twin.topic, manual.topic) == ("cmd_twin", "cmd_manual")
    assert (twin.reads, twin.numbers, twin.stamp) == (first.reads, first.numbers, first.stamp)
    assert (manual.type_name, manual.qos) == (first.type_name, first.qos)


def change(**parts: Any) -> Callable[[Document], None]:
    return lambda document: document.update(parts)


def objects(**parts: Any) -> Callable[[Document], None]:
    return lambda document: document["objects"].update(parts)


THINGS = {"type": "demo_msgs/msg/Things", "items": "things", "fields": {**dict.fromkeys(OBJECT_NUMBERS[:1], "x")}}
BAD: dict[str, tuple[Callable[[Document], Any], str]] = {
    "voter missing": (change(voters={"twin": "cmd_twin"}), "voters: voter 'spare' of the policy is not mapped"),
    "voter unknown": (lambda d: d["voters"].update(twni="x"), "no voter 'twni'; did you mean 'twin'?"),
    "first voter": (lambda d: d["voters"].update(planner="x"), "voters.planner: is the first voter"),
    "voter named manual": (lambda d: d["voters"].update(manual="x"), "the policy has no voter 'manual'"),
    "voter with two topics": (lambda d: d["voters"].update(twin=["a", "b"]), "one topic for each of commands"),
    "voter without a topic": (lambda d: d["voters"].update(twin=[]), "voters.twin = []: List should have at least 1"),
    "voter with a bad topic": (lambda d: d["voters"].update(twin="a b"), "voters.twin[0]"),
    "voter on the main topic": (lambda d: d["voters"].update(twin="cmd"), "is also read by commands[0]"),
    "two voters on one topic": (lambda d: d["voters"].update(twin="cmd_spare"), "is also read by voters.twin"),
    "operator on a voter's topic": (change(manual="cmd_twin"), "is also read by voters.twin"),
    "output feeds a voter": (lambda d: d["outputs"][0].update(topic="cmd_twin"), "the guard would listen to itself"),
    "output feeds the operator": (lambda d: d["outputs"][0].update(topic="cmd_manual"), "read by manual"),
    "operator missing": (change(manual=None), "manual: is missing: the policy lets the operator drive"),
    "operator with two topics": (change(manual=["a", "b"]), "manual = ['a', 'b']"),
    "objects missing": (change(objects=None), "objects: is missing: the policy has a list of objects"),
    "objects without a list": (lambda d: d["objects"].pop("items"), "objects.items: is missing"),
    "unknown type of objects": (objects(type="vision_msgs/msg/Detections"), "did you mean 'Detection3D"),
    "unknown list": (objects(items="objekts"), "did you mean 'objects'"),
    "no list": (objects(items="header"), "a list of messages is needed"),
    "a list of numbers": (objects(**{**THINGS, "type": "sensor_msgs/msg/Joy", "items": "axes"}), "of messages is"),
    "a list in a list": (objects(**{**THINGS, "items": "layers[0].things"}), "which may be missing"),
    "unknown field of an object": (lambda d: d["objects"]["fields"].update(x_m="pose.x"), "no field 'x'"),
    "no number": (lambda d: d["objects"]["fields"].update(x_m="pose"), "objects.fields.x_m"),
    "unknown number": (
        lambda d: d["objects"]["fields"].update(speed_mps="pose.position.x"),
        "objects.fields.speed_mps",
    ),
    "number missing": (
        lambda d: d["objects"]["constants"].pop("height_m"),
        "number 'height_m' of an object is neither",
    ),
    "number twice": (lambda d: d["objects"]["constants"].update(x_m=1.0), "already mapped by objects.fields"),
    "same field twice": (lambda d: d["objects"]["fields"].update(x_m="pose.position.y"), "also read by"),
    "constant not finite": (lambda d: d["objects"]["constants"].update(z_m=math.nan), "objects.constants.z_m"),
    "identity is a float": (objects(id="twist.linear.x"), "an integer, a string or a list of uint8 is needed"),
    "identity unknown": (objects(id="ident"), "objects.id"),
    "stamp unknown": (objects(stamp="header.time"), "objects.stamp"),
}


def test_the_good_mapping_binds(mapped: Document, redundant: Policy) -> None:
    assert problems_of(mapped, redundant) == ()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_mapping_is_one_clear_problem(name: str, mapped: Document, redundant: Policy) -> None:
    edit, expected = BAD[name]
    edit(mapped)
    found = problems_of(mapped, redundant)
    assert any(expected in problem for problem in found), found


def test_what_the_policy_does_not_have_is_a_problem_and_all_come_at_once(mapped: Document) -> None:
    del mapped["inputs"][1]["fields"]["take"]
    found = "\n".join(problems_of(mapped, load_policy("rover")))
    for part in ("no voter 'twin'", "no voter 'spare'", "no section manual", "policy has no section objects"):
        assert part in found
    assert found.count("\n") == 3


def test_a_senders_topics_stand_for_those_of_commands_in_order(mapped: Document, redundant: Policy) -> None:
    first = mapped["commands"][0]
    second = {**first, "topic": "steer", "fields": {"angular_radps": first["fields"].pop("angular_radps")}}
    mapped["commands"].append(second)
    mapped["voters"] = {"twin": ["cmd_twin", "steer_twin"], "spare": ["cmd_spare", "steer_spare"]}
    mapped["manual"] = ["cmd_manual", "steer_manual"]
    speed, steer = bind(parse_mapping(mapped), redundant).others["twin"]
    assert (speed.topic, speed.numbers, steer.topic, steer.numbers) == ("cmd_twin", (0,), "steer_twin", (1,))


def test_remaps_reach_every_sender(mapped: Document, redundant: Policy) -> None:
    full = resolved(parse_mapping(mapped), lambda topic: f"/robot/{topic}")
    assert (full.voters["twin"], full.manual) == (["/robot/cmd_twin"], ["/robot/cmd_manual"])
    assert (full.commands[0].topic, full.outputs[0].topic) == ("/robot/cmd", "/robot/out")
    looped = resolved(parse_mapping(mapped), lambda topic: "same" if topic in ("cmd_twin", "out") else topic)
    with pytest.raises(MappingProblems, match="listen to itself"):
        bind(looped, redundant)


# ---------------------------------------------------------------------- commands
def test_a_voter_has_a_count_and_an_owner_of_its_own(mapped: Document, redundant: Policy) -> None:
    binding = bind(parse_mapping(mapped), redundant)
    feeds = {name: CommandFeed(readers, 2, SECOND) for name, readers in binding.others.items()}
    boxes = {name: Box() for name in feeds}
    for name, feed in feeds.items():
        feed.writer = boxes[name]
    made = stamped("demo_msgs/Command", OFFSET + 90 * MS, x=0.5)
    feeds["twin"].take(0, made, info(b"a"), *clocks(100 * MS))
    feeds["twin"].take(0, made, info(b"intruder"), *clocks(101 * MS))
    feeds["manual"].take(0, made, info(b"operator"), *clocks(102 * MS))
    assert boxes["twin"].sent == [{"values": [0.5, 0.0], "stamp_ns": 90 * MS, "seq": 1, "bits": 3}]
    assert [boxes[name].second_senders for name in ("twin", "spare", "manual")] == [1, 0, 0]
    assert (len(boxes["manual"].sent), boxes["spare"].sent) == (1, [])
    twin = sender_status("command-twin", feeds["twin"], 200 * MS, SECOND)
    assert (twin.level, twin.values["second_publisher_dropped"]) == (LEVEL_ERROR, "1")
    assert "cmd_twin is silent" in twin.message
    manual = sender_status("command-manual", feeds["manual"], 200 * MS, SECOND)
    assert (manual.level, manual.message) == (LEVEL_WARN, "cmd_manual is silent")  # an operator may be
    assert sender_status("command-spare", feeds["spare"], 200 * MS, SECOND).message == "nothing received on cmd_spare"


# ---------------------------------------------------------------------- objects
class ListBox:
    """Stands for the mailbox of objects."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, int | None]] = []

    def publish(self, objects: Any, *, stamp_ns: int | None = None) -> int:
        self.sent.append((np.array(objects), stamp_ns))
        return len(self.sent)


def feed_of(mapped: Document, policy: Policy) -> tuple[ObjectsFeed, ListBox]:
    found = bind(parse_mapping(mapped), policy).objects
    assert found is not None
    feed = ObjectsFeed(found, SECOND)
    box = feed.writer = ListBox()
    return feed, box


def car(x_m: float, identity: int, *dimensions: float) -> Any:
    made = message("derived_object_msgs/Object")()
    made.pose.position.x, made.pose.position.y, made.twist.linear.x, made.id = x_m, 2.0, 3.0, identity
    made.shape.dimensions.extend(dimensions)
    return made


def cars(*members: Any, stamp_ns: int = OFFSET + 90 * MS) -> Any:
    made = stamped("derived_object_msgs/ObjectArray", stamp_ns)
    made.objects.extend(members)
    return made


def test_objects_keep_their_order_their_numbers_and_the_stamp(mapped: Document, redundant: Policy) -> None:
    feed, box = feed_of(mapped, redundant)
    feed.take(cars(car(10.0, 7, 4.0, 2.0), car(math.nan, 8, 4.0)), info(), *clocks(100 * MS))
    ((rows, stamp_ns),) = box.sent
    assert stamp_ns == 90 * MS
    assert rows[0].tolist() == [10.0, -2.0, 0.0, 3.0, 0.0, 0.0, 4.0, 2.0, 1.5, 7.0]
    assert math.isnan(rows[1][at.OBJ_X])  # the guard's business
    assert math.isnan(rows[1][at.OBJ_WIDTH])  # a dimension that is not there
    assert rows[1][at.OBJ_ID] == 8.0


def test_the_names_of_the_mapping_are_the_columns_of_the_core() -> None:
    names = [f"OBJ_{name.split('_')[0].upper()}" for name in OBJECT_NUMBERS]
    assert [getattr(at, name) for name in names] == list(range(OBJECT_COLS - 1))


def test_an_empty_list_says_that_nothing_is_there(mapped: Document, redundant: Policy) -> None:
    feed, box = feed_of(mapped, redundant)
    feed.take(cars(), info(), *clocks(100 * MS))
    assert box.sent[0][0].shape == (0, OBJECT_COLS)


def test_a_list_that_does_not_fit_tells_its_length(mapped: Document, redundant: Policy, tmp_path: Path) -> None:
    feed, _ = feed_of(mapped, redundant)
    mailbox.create_mailbox(tmp_path / "objects", WORDS)
    feed.writer = writer = ObjectsWriter(tmp_path / "objects")
    members = [car(float(x_m), x_m + 1, 4.0, 2.0) for x_m in range(OBJECTS_MAX + 6)]
    feed.take(cars(*members), info(), *clocks(100 * MS))
    words = np.fromfile(tmp_path / "objects", np.int64)
    assert (words[mailbox.COUNT], words[mailbox.STAMP_NS]) == (OBJECTS_MAX + 6, 90 * MS)
    kept = words[mailbox.PAYLOAD : WORDS].view(np.float64).reshape(OBJECTS_MAX, OBJECT_COLS)
    assert kept[:, at.OBJ_X].tolist() == [float(x_m) for x_m in range(OBJECTS_MAX)]
    status = objects_status(feed, 200 * MS, 32, 100 * MS)
    assert (status.level, status.message) == (LEVEL_ERROR, "70 objects, the policy allows 32")
    writer.close()


def test_a_huge_list_is_not_read_to_its_end(mapped: Document, redundant: Policy) -> None:
    feed, box = feed_of(mapped, redundant)
    made = cars()
    made.objects = [car(1.0, 1, 4.0, 2.0)] * 1_000_000
    began_s = time.monotonic()
    feed.take(made, info(), *clocks(100 * MS))
    assert len(box.sent[0][0]) == 1_000_000
    assert time.monotonic() - began_s < 2.0  # copying it in the test's box is most of that


def test_a_second_publisher_of_objects_is_dropped(mapped: Document, redundant: Policy) -> None:
    feed, box = feed_of(mapped, redundant)
    feed.take(cars(car(10.0, 7, 4.0, 2.0)), info(b"a"), *clocks(0))
    feed.take(cars(), info(b"b"), *clocks(10 * MS))  # would hide what the first one sees
    assert (len(box.sent), feed.ownership.dropped) == (1, 1)
    assert objects_status(feed, 200 * MS, 32, 20 * MS).level == LEVEL_ERROR


def test_objects_without_a_guard_are_counted_only(mapped: Document, redundant: Policy) -> None:
    feed, _ = feed_of(mapped, redundant)
    assert objects_status(feed, 200 * MS, 32, 0).message == "nothing received on objects"
    feed.writer = None
    feed.take(cars(stamp_ns=0), info(), *clocks(100 * MS))
    assert (feed.received, feed.clock.zeros) == (1, 1)
    assert objects_status(feed, 200 * MS, 32, 100 * MS).message == "objects has messages without a stamp"
    assert objects_status(feed, 200 * MS, 32, SECOND).message.startswith("objects is silent")


def test_fresh_objects_are_ok(mapped: Document, redundant: Policy) -> None:
    feed, _ = feed_of(mapped, redundant)
    feed.take(cars(), info(), *clocks(100 * MS))
    assert objects_status(feed, 200 * MS, 32, 110 * MS).level == LEVEL_OK


def test_poses_alone_become_objects_of_a_fixed_size(mapped: Document, redundant: Policy) -> None:
    constants = {"vx_mps": 0.0, "vy_mps": 0.0, "vz_mps": 0.0, "length_m": 1.0, "width_m": 1.0, "height_m": 2.0}
    fields = {f"{axis}_m": f"position.{axis}" for axis in "xyz"}
    mapped["objects"] |= {"type": "geometry_msgs/msg/PoseArray", "items": "poses", "fields": fields, "id": None}
    mapped["objects"]["constants"] = constants
    feed, box = feed_of(mapped, redundant)
    made = stamped("geometry_msgs/PoseArray", OFFSET + 90 * MS)
    made.poses.append(message("geometry_msgs/Pose")())
    made.poses[0].position.z = 4.0
    feed.take(made, info(), *clocks(100 * MS))
    assert box.sent[0][0].tolist() == [[0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 0.0]]


def identity(name: str, path: str, made: Any) -> float:
    return codec.identity_getter(resolve_identity(message(name), path))(made)


def test_a_name_becomes_the_same_whole_number_again() -> None:
    def of(text: str) -> float:
        made = message("vision_msgs/Detection3D")()
        made.id = text
        return identity("vision_msgs/Detection3D", "id", made)

    assert [of("17"), of(""), of("0")] == [17.0, 0.0, 0.0]
    others = ["car-1", "car-2", "017", "9" * 16, "9" * 17, "²", "-4", "\ud800"]
    found = [of(text) for text in others]
    assert found == [of(text) for text in others]
    assert len(set(found)) == len(others)
    assert all(0 < number <= at.ID_MAX and number == int(number) for number in found)


def test_identities_of_other_kinds() -> None:
    def of(path: str, **values: Any) -> float:
        made = message("demo_msgs/Thing")()
        for key, value in values.items():
            setattr(made, key, value)
        return identity("demo_msgs/Thing", path, made)

    assert [of("number", number=number) for number in (5, 0, -1, at.ID_MAX)] == [5.0, 0.0, 0.0, float(at.ID_MAX)]
    assert 0 < of("number", number=at.ID_MAX + 1) <= at.ID_MAX
    assert of("tags[1]") == 0.0  # not there
    made = message("demo_msgs/Thing")()
    assert identity("demo_msgs/Thing", "uuid.uuid", made) == 0.0  # all zero
    made.uuid.uuid[3] = 9
    assert 0 < identity("demo_msgs/Thing", "uuid.uuid", made) <= at.ID_MAX
