/** The guest's name for the machine that it runs on: what listens there on 127.0.0.1 is found here. */
export const HOST_ADDRESS = '10.0.2.2';

/** What a guest prints on its console once it takes commands. */
export const READY_LINE = 'guest is ready';

/**
 * The first process of a guest. `SHARE` and `NODE` are variables of the kernel's command line.
 *
 * The root is the machine's own and read-only. What a guest may write to is its memory at /run, lost with its power,
 * and the directory `SHARE`, in which the machine sees at once what the guest writes. A line `NAME` on the console runs
 * `SHARE/NAME.sh`; its output goes to `NAME.out`, and its status, once it has ended, to `NAME.status`.
 *
 * Registers of AVX-512 are not restored after a signal handler by this kernel: the C library, Node.js and OpenSSL are
 * kept from using them.
 */
export const GUEST_INIT = `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW
export SIMDUTF_FORCE_IMPLEMENTATION=haswell OPENSSL_ia32cap=:~0xd0230000

mount -n -t proc proc /proc
mount -n -t sysfs sysfs /sys
mount -n -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/home /run/tmp /run/kernel/lib
mkdir -p /dev/shm
mount -n -t tmpfs tmpfs /dev/shm
mount -n -t hostfs -o "$SHARE" none "$SHARE"

ln -s /usr/lib/uml/modules /run/kernel/lib/modules
for module in nfsv4 fuse; do modprobe -d /run/kernel "$module"; done

# By its name an NFS server tells one client from another.
hostname "$NODE"
ip link set lo up
# Nothing but the machine itself can be reached.
ip address add 10.0.2.15 peer ${HOST_ADDRESS} dev eth0
ip link set eth0 up

(
  while read -r name; do
    (
      setsid sh "$SHARE/$name.sh" >"$SHARE/$name.out" 2>&1 </dev/null
      echo $? >"$SHARE/$name.status.new"
      mv "$SHARE/$name.status.new" "$SHARE/$name.status"
    ) &
  done
) </dev/console &
echo "${READY_LINE}"
# Takes in whatever processes are left by others, too.
while :; do wait; sleep 1; done
`;

/** Becomes the kernel, with a console on a pipe whose both ends are open, so that it never reads an end. */
export const RUN_KERNEL = 'exec "$@" 0<>"$0"';

/**
 * Becomes the process that carries the guest's network, in a session of its own: the kernel's group is killed with the
 * kernel, and a guest that loses its power has no time to close its connections.
 */
export const RUN_NETWORK = `#!/bin/sh
echo $$ >"$(dirname "$0")/network.pid"
exec setsid /usr/bin/slirp-fullbolt "$@"
`;
