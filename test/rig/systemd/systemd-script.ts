/**
 * Becomes the parent of a systemd in namespaces of its own: CGROUP (an empty one) UNITS (a directory).
 *
 * Its units are those of the directory alone, and it has no generators: nothing of the machine is set up by it. The
 * kernel's settings are read-only for it, and /run is its own.
 */
export const SYSTEMD_SCRIPT = String.raw`
echo $$ >"$1/cgroup.procs" || exit
exec unshare --pid --mount --uts --ipc --cgroup --fork --kill-child=KILL --mount-proc --propagation private \
  /bin/sh -ec '
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/systemd/system
  mount --bind /proc/sys /proc/sys
  mount -o remount,bind,ro /proc/sys
  umount -R -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH="$1" \
    SYSTEMD_GENERATOR_PATH=/nonexistent SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent \
    /lib/systemd/systemd --system --unit=lab.target --show-status=no --log-target=console --log-level=info
  ' sh "$2"
`;
