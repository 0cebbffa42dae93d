"""What is on the school's own network? ARP, WS-Discovery, LLDP, DHCP offers: on the local links only, in a process that ends."""
