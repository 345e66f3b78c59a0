/** Where the engine keeps what is for this run of the host alone; it takes no path of more than 50 characters. */
export const RUN_ROOT = '/mnt';

/**
 * Becomes the first process of a host for containers: DIRECTORY is on a shared mount there, as everything is where
 * systemd runs. cgroup2 alone is mounted, for crun(1) knows no mixture. It reaps what ends, and what is started or
 * mounted in its namespaces ends with it.
 */
export const HOST_SCRIPT = `
exec unshare --pid --mount --fork --kill-child=KILL --mount-proc --propagation private /bin/sh -ec '
  umount -R -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t tmpfs -o mode=700 tmpfs ${RUN_ROOT}
  mount --bind "$1" "$1"
  mount --make-rshared "$1"
  echo ready >"$1/host-is-ready"
  while :; do sleep 3600 & wait $!; done
' dms-container-host "$1"
`;
