"""Decide what is measured when: timetable, cycles, plan."""
