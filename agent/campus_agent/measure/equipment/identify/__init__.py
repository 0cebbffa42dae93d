"""Finds the profile of an unknown device from its answers, from a walk, or from a capture, and drafts a new one."""
