"""The composition root: ROS 2, command line and other plumbing. Nothing imports this package."""
