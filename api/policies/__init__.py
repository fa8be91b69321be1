"""Policies in the API: changed by people, looked up by name for every request that names one."""
