/**
 * The Python program that runs Swift's four servers in one process.
 *
 * Swift's own start scripts fork one process for each server, and each loads the same libraries again: on a small
 * machine that is four times the start-up work and memory. The servers are cooperative (eventlet), and Swift's own
 * functional tests run them side by side in one process too. The inner servers get whatever ports the kernel has; the
 * rings, which say where they are, are therefore made at each start.
 *
 * Usage: swift_servers.py <directory of the configuration> <port of the proxy>
 */
export const SWIFT_SERVERS = `
import logging
import os
import signal
import sys

directory, proxy_port = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, directory)

from swift.common import utils

# Swift reads /etc/swift/swift.conf while its modules load; a Swift that runs on this machine keeps that to itself.
utils.SWIFT_CONF_FILE = os.path.join(directory, 'swift.conf')
utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b''
utils.validate_configuration()
# No syslog: what goes wrong shall stand in the log file of this run.
utils.ThreadSafeSysLogHandler = lambda *args, **settings: logging.StreamHandler(sys.stderr)
utils.eventlet_monkey_patch()

from swift.common import constraints, storage_policy

storage_policy.reload_storage_policies()
constraints.reload_constraints()

import eventlet
import eventlet.wsgi
from swift.common.ring import RingBuilder
from swift.common.wsgi import SwiftHttpProtocol, get_hub, loadapp

# Swift's own run_server does this for each server; a second time would throw the first one's event loop away.
eventlet.hubs.use_hub(get_hub())

# Every write is on disk before it is answered, so there is nothing to finish.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def write_ring(name, port):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({
        'region': 1, 'zone': 1, 'device': 'disk', 'weight': 1.0, 'meta': '',
        'ip': '127.0.0.1', 'port': port, 'replication_ip': '127.0.0.1', 'replication_port': port,
    })
    builder.rebalance()
    builder.get_ring().save(os.path.join(directory, name + '.ring.gz'))


def serve(name, listener):
    app = loadapp(os.path.join(directory, name + '.conf'), global_conf={'log_name': name})
    server = eventlet.spawn(
        eventlet.wsgi.server, listener, app, utils.NullLogger(), protocol=SwiftHttpProtocol, socket_timeout=60,
        # Clients look for ETag; eventlet would write Etag.
        capitalize_response_headers=False)
    # A server that ends, ends all: half a Swift would only answer errors.
    server.link(lambda thread: os._exit(1))


# The outer port first: if it was lost to somebody else, that shows at once.
proxy = eventlet.listen(('127.0.0.1', proxy_port), backlog=512)
inner = {name: eventlet.listen(('127.0.0.1', 0), backlog=512) for name in ('account', 'container', 'object')}
for name, listener in inner.items():
    write_ring(name, listener.getsockname()[1])
for name, listener in inner.items():
    serve(name, listener)
serve('proxy', proxy)
print('swift is ready', file=sys.stderr, flush=True)
eventlet.event.Event().wait()
`;

/**
 * A cache for the proxy, which insists on one, in the process itself instead of a memcached beside it: there is only
 * one process to share it. Values go through JSON, as they do on their way to memcached, so that no two requests ever
 * hold the same object.
 */
export const SWIFT_CACHE = `
import json
import time


class Cache(object):
    def __init__(self):
        self.values = {}

    def get(self, key, raise_on_error=False):
        text, end = self.values.get(key, (None, 0))
        if text is None or (end and end < time.time()):
            return None
        return json.loads(text)

    def set(self, key, value, serialize=True, time=0, min_compress_len=0, raise_on_error=False):
        self.values[key] = (json.dumps(value), end_of(time))

    def delete(self, key, server_key=None):
        self.values.pop(key, None)

    def incr(self, key, delta=1, time=0):
        value = max(0, int(self.get(key) or 0) + int(delta))
        self.set(key, value, time=time)
        return value

    def decr(self, key, delta=1, time=0):
        return self.incr(key, -int(delta), time)

    def set_multi(self, mapping, server_key, serialize=True, time=0, min_compress_len=0):
        for key, value in mapping.items():
            self.set(key, value, time=time)

    def get_multi(self, keys, server_key):
        return [self.get(key) for key in keys]


def end_of(seconds):
    return time.time() + seconds if seconds else 0


def filter_factory(global_conf, **local_conf):
    cache = Cache()

    def make(app):
        def cached(environ, start_response):
            environ['swift.cache'] = cache
            return app(environ, start_response)
        return cached
    return make
`;
