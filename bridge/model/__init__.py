"""The data model: events, people, and what is to be delivered. Imports nothing of ours but `bridge.lib`."""
