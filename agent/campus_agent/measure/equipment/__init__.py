"""Equipment of recording rooms: what to ask it (profiles), how (SNMP, RTSP, HTTP, TCP), and what its answers mean.

All of it runs in a worker process: the resident agent loads none of these modules.
"""
