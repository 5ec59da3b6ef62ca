"""The daemon: its loop, its minutes, the entries in force, requests, shutdown, simulation."""
