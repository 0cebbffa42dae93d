"""Trains the dictionaries that results are packed with (collector/campus_collector/store/packing.py), from a simulated county. Run by hand."""
