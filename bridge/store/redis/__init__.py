"""The store on Redis 7 or Valkey: for several daemons that share the work. Needs the extra `redis`."""

from bridge.store.redis.store import RedisStore

__all__ = ["RedisStore"]
