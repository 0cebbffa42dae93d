"""Decides what is measured when, from timetable, calendar and cycles. Pure."""
