"""Throughput by TCP with iperf3, as an auditor would measure it: `engine` in the resident program, `worker` in a process that ends."""
