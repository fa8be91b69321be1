#!/bin/sh
# Puts the password into a file of this container's /tmp rather than on the command line, where every process list shows it.
set -eu
umask 077
{
  cat /etc/kobert/redis.conf
  printf 'requirepass %s\n' "${REDIS_PASSWORD:?set REDIS_PASSWORD}"
  printf 'maxmemory %s\n' "${REDIS_MAX_MEMORY:-256mb}"
} > /tmp/redis.conf
exec redis-server /tmp/redis.conf
