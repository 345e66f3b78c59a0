#!/bin/sh
# Starts Node.js (DMS_TEST_NODE) in a mount namespace of its own, with all arguments.
exec unshare --mount --propagation private -- "$DMS_TEST_NODE" "$@"
