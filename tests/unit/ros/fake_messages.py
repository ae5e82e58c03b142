"""Message classes that look like generated ones, so that mappings are tested where no ROS 2 is installed."""

from __future__ import annotations

import sys
from array import array
from types import ModuleType
from typing import Any

PLAIN: dict[str, Any] = {"double": 0.0, "float": 0.0, "boolean": False, "string": "", "int32": 0, "uint8": 0,
                         "uint16": 0, "uint32": 0, "uint64": 0, "int64": 0}  # fmt: skip

TYPES: dict[str, dict[str, str]] = {
    "builtin_interfaces/Time": {"sec": "int32", "nanosec": "uint32"},
    "std_msgs/Header": {"stamp": "builtin_interfaces/Time", "frame_id": "string"},
    "std_msgs/Bool": {"data": "boolean"},
    "std_msgs/String": {"data": "string"},
    "demo_msgs/Vector": {"x": "double", "y": "double", "z": "double"},
    "demo_msgs/Command": {
        "header": "std_msgs/Header",
        "vector": "demo_msgs/Vector",
        "speed": "float",
        "gear": "uint8",
        "active": "boolean",
        "mode": "string",
        "data": "sequence<double>",
        "fixed": "double[3]",
        "few": "sequence<float, 2>",
        "points": "sequence<demo_msgs/Vector>",
        "names": "sequence<string>",
        "timestamp": "uint64",
    },
    "demo_msgs/Bare": {"linear": "double", "angular": "double", "command": "uint32"},
    "std_msgs/Float64MultiArray": {"data": "sequence<double>"},
    "geometry_msgs/Vector3": {"x": "double", "y": "double", "z": "double"},
    "geometry_msgs/Point": {"x": "double", "y": "double", "z": "double"},
    "geometry_msgs/Twist": {"linear": "geometry_msgs/Vector3", "angular": "geometry_msgs/Vector3"},
    "geometry_msgs/TwistStamped": {"header": "std_msgs/Header", "twist": "geometry_msgs/Twist"},
    "geometry_msgs/TwistWithCovariance": {"twist": "geometry_msgs/Twist"},
    "geometry_msgs/Pose": {"position": "geometry_msgs/Point"},
    "geometry_msgs/PoseStamped": {"header": "std_msgs/Header", "pose": "geometry_msgs/Pose"},
    "geometry_msgs/PoseWithCovariance": {"pose": "geometry_msgs/Pose"},
    "geometry_msgs/Accel": {"linear": "geometry_msgs/Vector3"},
    "geometry_msgs/AccelStamped": {"header": "std_msgs/Header", "accel": "geometry_msgs/Accel"},
    "geometry_msgs/AccelWithCovariance": {"accel": "geometry_msgs/Accel"},
    "geometry_msgs/AccelWithCovarianceStamped": {
        "header": "std_msgs/Header",
        "accel": "geometry_msgs/AccelWithCovariance",
    },
    "nav_msgs/Odometry": {
        "header": "std_msgs/Header",
        "pose": "geometry_msgs/PoseWithCovariance",
        "twist": "geometry_msgs/TwistWithCovariance",
    },
    "sensor_msgs/Joy": {"header": "std_msgs/Header", "axes": "sequence<float>", "buttons": "sequence<int32>"},
    "sensor_msgs/JointState": {
        "header": "std_msgs/Header",
        "name": "sequence<string>",
        "position": "sequence<double>",
        "velocity": "sequence<double>",
        "effort": "sequence<double>",
    },
    "px4_msgs/VehicleLocalPosition": {
        "timestamp": "uint64",
        **dict.fromkeys(("x", "y", "z", "vx", "vy", "vz"), "float"),
    },
    "px4_msgs/TrajectorySetpoint": {
        "timestamp": "uint64",
        **dict.fromkeys(("position", "velocity", "acceleration", "jerk"), "float[3]"),
        "yaw": "float",
        "yawspeed": "float",
    },
    "px4_msgs/OffboardControlMode": {"timestamp": "uint64", "position": "boolean", "velocity": "boolean"},
    "ackermann_msgs/AckermannDrive": {"steering_angle": "float", "speed": "float", "acceleration": "float"},
    "ackermann_msgs/AckermannDriveStamped": {"header": "std_msgs/Header", "drive": "ackermann_msgs/AckermannDrive"},
    "autoware_control_msgs/Lateral": {"stamp": "builtin_interfaces/Time", "steering_tire_angle": "float"},
    "autoware_control_msgs/Longitudinal": {
        "velocity": "float",
        "acceleration": "float",
        "is_defined_acceleration": "boolean",
    },
    "autoware_control_msgs/Control": {
        "stamp": "builtin_interfaces/Time",
        "lateral": "autoware_control_msgs/Lateral",
        "longitudinal": "autoware_control_msgs/Longitudinal",
    },
    "autoware_vehicle_msgs/VelocityReport": {"header": "std_msgs/Header", "longitudinal_velocity": "float"},
    "autoware_vehicle_msgs/SteeringReport": {"stamp": "builtin_interfaces/Time", "steering_tire_angle": "float"},
    "geometry_msgs/PoseArray": {"header": "std_msgs/Header", "poses": "sequence<geometry_msgs/Pose>"},
    "shape_msgs/SolidPrimitive": {"type": "uint8", "dimensions": "sequence<double, 3>"},
    "derived_object_msgs/Object": {
        "header": "std_msgs/Header",
        "id": "uint32",
        "pose": "geometry_msgs/Pose",
        "twist": "geometry_msgs/Twist",
        "shape": "shape_msgs/SolidPrimitive",
    },
    "derived_object_msgs/ObjectArray": {
        "header": "std_msgs/Header",
        "objects": "sequence<derived_object_msgs/Object>",
    },
    "vision_msgs/BoundingBox3D": {"center": "geometry_msgs/Pose", "size": "geometry_msgs/Vector3"},
    "vision_msgs/Detection3D": {"header": "std_msgs/Header", "bbox": "vision_msgs/BoundingBox3D", "id": "string"},
    "vision_msgs/Detection3DArray": {
        "header": "std_msgs/Header",
        "detections": "sequence<vision_msgs/Detection3D>",
    },
    "unique_identifier_msgs/UUID": {"uuid": "uint8[16]"},
    "demo_msgs/Thing": {
        "uuid": "unique_identifier_msgs/UUID",
        "number": "int64",
        "tags": "sequence<int64>",
        "x": "double",
        "parts": "sequence<demo_msgs/Vector>",
    },
    "demo_msgs/Things": {"things": "sequence<demo_msgs/Thing>", "layers": "sequence<demo_msgs/Things>"},
    "demo_msgs/State": {"header": "std_msgs/Header", "speed": "double", "yaw_rate": "double", "more": "double"},
}


def _default(text: str) -> Any:
    if text.startswith("sequence<"):
        item = text[9:-1].split(",")[0]
        codes = {"double": "d", "float": "f", "int32": "i", "int64": "q"}
        return array(codes[item]) if item in codes else []
    if text.endswith("[3]"):
        return [0.0, 0.0, 0.0]
    if text == "uint8[16]":
        return array("B", bytes(16))
    if "/" in text:
        return message(text)()
    return PLAIN[text]


def message(name: str) -> Any:
    """Class of ``package/Type``."""
    package, type_name = name.split("/")
    return getattr(sys.modules[f"{package}.msg"], type_name)


def _make(name: str, fields: dict[str, str]) -> Any:
    def init(self: Any) -> None:
        for key, text in fields.items():
            setattr(self, key, _default(text))

    return type(name, (), {"__init__": init, "get_fields_and_field_types": classmethod(lambda cls: dict(fields))})


def modules() -> dict[str, ModuleType]:
    """Modules to put into ``sys.modules``, by name."""
    found: dict[str, ModuleType] = {}
    for full, fields in TYPES.items():
        package, name = full.split("/")
        found.setdefault(package, ModuleType(package))
        module = found.setdefault(f"{package}.msg", ModuleType(f"{package}.msg"))
        setattr(module, name, _make(name, fields))
    return found
