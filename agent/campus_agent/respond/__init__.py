"""The classroom's end of a test: our engine on one port, stock iperf3 on another."""
