"""The relay: queues what is heard for other rooms, delivers it, and words the bridge's own notices."""
