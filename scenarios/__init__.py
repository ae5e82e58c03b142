"""Scenarios as data: triggering conditions, acceptance criteria and the runner that judges them.

Nothing here yet: the suites, the runner and the search for failures come after the simulator has sensors and traffic.
"""
