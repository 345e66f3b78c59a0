/** Commands that cannot be run on the tests' fleet, each with its reason. One that matches nothing any more fails a test. */
export const NOT_RUN: readonly { readonly command: RegExp; readonly why: string }[] = [
  {
    command: /^npm ci && npm run build && npm link/,
    why: 'installs into the machine; the tests themselves were built so',
  },
  {
    command: /^systemctl status /,
    why: 'there is no systemd on the machine of the tests; e2e/systemd-units starts one',
  },
  {
    command: /^(npm ci && npm run build +#|sudo scripts\/install\.sh )/,
    why: 'installs into the machine; long/install does it on a Debian of its own',
  },
  {
    command: /^set -a; \. \/etc\/trilio-dms\/server\.env/,
    why: 'reads the file of an installed node; long/install does it on a Debian of its own',
  },
  {
    command: /^(findmnt -rno|sudo (chattr|rm)) /,
    why: 'takes the mounts of a node away for good; long/install does it on a Debian of its own',
  },
  {
    command: /^sudo (docker\/make-secrets\.sh|DMS_NODE_ID=)/,
    why: 'needs an engine for containers; long/containers has one',
  },
  { command: /^kubectl /, why: 'needs a cluster; e2e/manifests renders the manifests and checks them' },
  { command: /^journalctl -k /, why: 'the kernel’s log is the machine’s' },
  {
    command: /^(\(umask 077; )?openstack /,
    why: 'OpenStack’s own client; tokens and secrets come from the rig’s Keystone and Barbican',
  },
  {
    command: /^(npm run package|npm i |npx tsc |node out\/)/,
    why: 'are for a project of its own; e2e/client-package installs, compiles and runs the examples in two',
  },
  {
    command: /^(rpcinfo|showmount) /,
    why: 'needs an NFS server with its port mapper; e2e/nfs-* have servers without',
  },
];

/** Commands that may end with another status than 0, and why that is their answer. */
export const OTHER_STATUS: readonly {
  readonly command: RegExp;
  readonly status: number;
  readonly why: string;
}[] = [
  {
    command: /^journalctl .*\| grep /,
    status: 1,
    why: 'grep: what is looked for has not happened; that the program can say it is looked for in its source',
  },
  { command: /^(timeout 10 )?fuser /, status: 1, why: 'nobody uses the mount' },
  { command: /^lslocks .*\| grep /, status: 1, why: 'nobody holds the lock of the Python system' },
  { command: /^curl .*--max-time/, status: 28, why: 'a stream of events does not end by itself' },
];
