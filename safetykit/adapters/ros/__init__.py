"""ROS 2: topics on one side, the guard's mailboxes on the other. Moves data, decides nothing.

`mapping` says which field is which channel, `message_types` proves it against the message classes, `codec` compiles it,
`feeds` and `object_feed` carry messages into mailboxes, `node` is the only module that imports rclpy.
"""
