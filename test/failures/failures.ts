/** A test that shows what the table says, by its file and (the beginning of) its name. */
export interface ShownBy {
  readonly file: string;
  readonly test: string;
}

/** Something that goes wrong on a node or around it, and what comes of it. */
export interface Failure {
  readonly failure: string;
  /** What those see who use the service. */
  readonly seen: string;
  /** Until it is seen, or is over. */
  readonly takes: string;
  readonly shownBy: readonly ShownBy[];
}

const e2e = (file: string, test: string): ShownBy => ({ file: `test/e2e/${file}.e2e.ts`, test });
const long = (file: string, test: string): ShownBy => ({ file: `test/long/${file}.e2e.ts`, test });

/** The hardest failures of a mount service, in the order of the documentation. */
export const FAILURES: readonly Failure[] = [
  {
    failure: 'A mount ends after its caller was told that the time is up',
    seen: '504 `TIMEOUT`, which says that the outcome is unknown. The operation stays `executing`, then ends as it truly ended; asked again, the job joins the mount. A claim that nobody asks for again is given back.',
    takes: 'the answer: `DMS_REQUEST_TIMEOUT`; the truth: at the next look, every 5 s',
    shownBy: [e2e('faults-broker', '3: a reply after the time-out')],
  },
  {
    failure: 'A command comes late, or twice, or from a process that was deposed',
    seen: 'Nothing: the node obeys an epoch once, and answers `STALE_EPOCH`, which is settled between the services.',
    takes: 'nothing',
    shownBy: [
      {
        file: 'apps/dms-server/src/mounts/target-commands.spec.ts',
        test: 'executes an operation once and answers its repeat with the same outcome',
      },
      e2e('node-broker', 'does not repeat it when it was killed'),
    ],
  },
  {
    failure: 'A job asks for a mount while the last unmount is under way',
    seen: 'It waits for the unmount and is given a new mount, or the one that stands if it is in use and could not go.',
    takes: 'as long as the unmount takes',
    shownBy: [
      e2e('sharing', 'loses no mount when one job unmounts while another mounts, over and over'),
      e2e('sharing', 'gives a job that comes while the mount is busy the mount that stands'),
    ],
  },
  {
    failure: 'Two first requests for a target at once',
    seen: 'One mount, two holders.',
    takes: 'as long as one mount takes',
    shownBy: [e2e('sharing', 'has one mount for many first requests at once, from two clients')],
  },
  {
    failure: 'A job asks twice, or unmounts twice',
    seen: 'One hold; the second unmount is a success that says that nothing was held. The count is counted, never stored.',
    takes: 'nothing',
    shownBy: [
      e2e('main-job', 'lets a second job share the mount, and the first one ask twice'),
      e2e('main-job', 'answers an unmount of what is not held with success'),
    ],
  },
  {
    failure: 'A job dies without its unmount',
    seen: 'A hold with a lease (`lease_s`, `dms run`) expires; it is released, an operation says why, and the mount goes if nobody uses it. Without a lease `dms cleanup --held` finds it.',
    takes: '`lease_s` and `DMS_LEASE_GRACE`',
    shownBy: [e2e('binding-leases', 'that nobody renews end, the mount goes, and an operation says why')],
  },
  {
    failure: 'A node is rebooted, or gone for good',
    seen: 'After a reboot its holders are `lost`, and a new request gets a new mount. Of a node that is silent nothing is taken for granted: an operator says that it is off (`dms nodes HOST --forget --fenced`).',
    takes: 'reboot: at its first hello; silence: 6 s',
    shownBy: [
      e2e('faults', '4: a rebooted node'),
      e2e('administration', 'forgets a node only with the word that it is off'),
    ],
  },
  {
    failure: 'dms-client or dms-server starts anew, and does not know yet what is wanted',
    seen: 'Nothing: what stands stays, and is found again by PID, start time and command. Nothing is taken away before a fence has been answered.',
    takes: 'nothing',
    shownBy: [
      e2e('server-restart', 'stay without one failed operation'),
      e2e('reconcile', 'notices a node that has lost its memory, and keeps the mounts that it still has'),
    ],
  },
  {
    failure: 'dms-server is stopped, killed or upgraded under running I/O',
    seen: 'Not one failed read or write. FUSE daemons have a session of their own, under systemd a scope of their own.',
    takes: 'nothing',
    shownBy: [
      e2e('server-restart', 'stay without one failed operation'),
      e2e('server-restart', 'stay under systemd, whose unit ends all that belongs to it'),
    ],
  },
  {
    failure: 'A FUSE daemon crashes, or is killed for want of memory',
    seen: 'Jobs get errors from their reads and writes; event `broken`, holders `lost`; the dead layer is taken out, and a new request gets a clean mount.',
    takes: 'told within 2 s, measured: 0.15 s',
    shownBy: [e2e('fuse-lifecycle', 'that is killed gives errors to running jobs, is told at once')],
  },
  {
    failure: 'A FUSE daemon hangs',
    seen: 'As above, but who waits goes on waiting, unless `DMS_FUSE_ABORT` lets its connection be cut: then they get errors.',
    takes: 'told within 15 s',
    shownBy: [
      e2e('fuse-lifecycle', 'that hangs is told, and nothing is cut where nobody said so'),
      e2e('fuse-lifecycle', 'that hangs is cut off where the node is told so'),
    ],
  },
  {
    failure: 'An NFS server hangs, or is dead, when it is to be mounted',
    seen: '502 `MOUNT_FAILED` in the words of mount.nfs, or that the server has not answered. Nothing is left. Further exports of that server fail at once for a while; other servers are not concerned.',
    takes: '`DMS_MOUNT_TIMEOUT` at most',
    shownBy: [
      e2e('nfs-deadlines', 'holds at most four children with many exports'),
      long('nfs-neighbours', 'are mounted and unmounted as ever'),
    ],
  },
  {
    failure: 'An NFS server hangs under mounts that are held',
    seen: 'The mounts are `UNCERTAIN`; no job loses its hold; who asks for one of them is told `BUSY`. They are `MOUNTED` again when the server is back.',
    takes: 'seen within seconds; over when the server is back',
    shownBy: [
      e2e('nfs-deadlines', 'has its mounts in doubt within seconds'),
      long('nfs-silence', 'costs no job its hold when it %s for 90 s'),
    ],
  },
  {
    failure: 'An NFS server hangs when it is to be unmounted',
    seen: 'The job is released and answered in time; the mount is `STUCK` with one process at most, and goes when the server is back.',
    takes: 'the answer: `DMS_UNMOUNT_TIMEOUT`',
    shownBy: [
      e2e(
        'nfs-deadlines',
        'has an unmount answered in time, and the mount gone when it is back at the latest',
      ),
      e2e('nfs-deadlines', 'makes an unmount STUCK that cannot write what is left'),
    ],
  },
  {
    failure: 'An export is removed under its mounts (ESTALE)',
    seen: 'The mount is `BROKEN`, its holders `lost`; a new one waits until the last user of the old layer has gone (`BUSY` with PIDs).',
    takes: 'seen within seconds',
    shownBy: [long('nfs-outages', 'makes a mount BROKEN whose export was removed')],
  },
  {
    failure: 'A mount is in use when its last job unmounts',
    seen: 'The job is released: 200 with `physically_mounted: true`, `BUSY`, and who keeps it (PID, command, file). It is tried again until it is gone. Nothing is forced.',
    takes: 'the answer: `DMS_BUSY_TIMEOUT`',
    shownBy: [
      e2e(
        'trusted-unmount',
        'names who keeps it busy, with the file, forces nothing, and is done later by itself',
      ),
      e2e('s3-provider', 'stays busy while a file is open, loses nothing, and goes afterwards'),
    ],
  },
  {
    failure: 'Somebody would like a lazy unmount',
    seen: 'There is none unless `DMS_UNMOUNT_POLICY` allows it: a mount that is out of sight and alive is a mount that nobody can vouch for.',
    takes: 'nothing',
    shownBy: [e2e('faults', '9: a busy unmount: no lazy unmount, the writer goes on and its data arrives')],
  },
  {
    failure: 'umount returns before the daemon has uploaded',
    seen: 'The answer waits for the daemon to end. It ended badly, or nobody saw its end: `UNMOUNTED_DIRTY` in a 200.',
    takes: 'as long as the daemon flushes; `DMS_UNMOUNT_TIMEOUT` at most',
    shownBy: [
      e2e('trusted-unmount', 'waits for a daemon that still flushes, and does not end it'),
      e2e('trusted-unmount', 'is never clean where nobody saw the end of the daemon'),
    ],
  },
  {
    failure: 'Several layers at one path',
    seen: 'No mount is made over a layer. Where a stranger has put one over ours, holders are `lost`, and `dms reconcile` tells it. Only what is ours is taken away.',
    takes: 'seen at once',
    shownBy: [
      e2e('differences', "a stranger's mount over ours"),
      e2e('trusted-unmount', 'touches no layer of a stranger, under or over ours'),
    ],
  },
  {
    failure: 'A job writes into the bare directory',
    seen: 'It cannot, not even as root: the directory refuses writes, holds `.dms-not-mounted`, and goes after a while. The device in the answer lets a job check that it writes into the target.',
    takes: 'nothing',
    shownBy: [
      e2e('bare-directory', 'is marked, refuses root, and goes after its grace time'),
      e2e('bare-directory', 'is told from the target by the device in the answer'),
    ],
  },
  {
    failure: 'Something else is mounted at the path',
    seen: '`CONFLICT`; it is never counted as success and never unmounted.',
    takes: 'nothing',
    shownBy: [
      e2e('sharing', 'is a CONFLICT where another target has the path'),
      e2e('reconcile', "reports a stranger's mount below the base and does not touch it"),
    ],
  },
  {
    failure: 'Somebody reads arguments, environment, logs, ledger or queues for secrets',
    seen: 'The FUSE process alone has the keys. Tokens go sealed to nodes that have published a key, and to queues only where a node listens.',
    takes: 'nothing',
    shownBy: [
      e2e('s3-provider', 'shows the keys to the FUSE process alone'),
      e2e('sealed-tokens', 'is in nobody’s sight while its request waits for a node that stands still'),
      e2e('faults-broker', '6: server away'),
    ],
  },
  {
    failure: 'A token has expired, or may not read the secret',
    seen: '401 `AUTH_EXPIRED` or 403 `FORBIDDEN`, not "mount failed"; those who asked with other tokens at the same time are not concerned.',
    takes: 'the key manager’s answer',
    shownBy: [
      e2e('barbican', 'lets a token of another project read nothing, and says so'),
      e2e('barbican', 'tells a revoked and an expired token from one that may not'),
      e2e('access', 'gives first requests of two projects that meet no share in each other'),
    ],
  },
  {
    failure: 'Barbican is away, slow, or answers with something else',
    seen: '502 `SECRET_UNAVAILABLE`, which says what was wrong; other targets go on as ever, and nothing is left behind.',
    takes: "three quarters of `DMS_MOUNT_TIMEOUT` and of the request's own time at most; 30 s for one answer",
    shownBy: [
      e2e('barbican', 'costs no more than its own target, in time, whatever it answers'),
      e2e('barbican', 'is asked again when it is back'),
    ],
  },
  {
    failure: 'Another mount namespace holds the mount',
    seen: '`BUSY`, with PID and program.',
    takes: 'nothing',
    shownBy: [
      e2e('trusted-unmount', 'is not done while another mount namespace has the mount, and says who'),
    ],
  },
  {
    failure: 'Other programs mount and unmount on the same machine all the time',
    seen: 'Nothing: a mount that got the device number of one of ours is not taken for it.',
    takes: 'nothing',
    shownBy: [
      e2e('trusted-unmount', 'an unmount after which all is stored is told to be clean'),
      e2e(
        'trusted-unmount',
        'an unmount whose daemon still flushes is not told to live on in another namespace',
      ),
    ],
  },
  {
    failure: 'A dms-client is started with another database',
    seen: 'Nothing for the jobs: nodes that have mounts of the right one refuse it. Its own requests are answered `CONFLICT`, which names `DMS_DB_URL`; `dms nodes` and `dms reconcile` tell it, too.',
    takes: 'nothing',
    shownBy: [e2e('two-ledgers', 'leaves what the first one holds as it is, whatever the second one tries')],
  },
  {
    failure: 'The database becomes read-only, leaves its cluster, is full, hangs or refuses connections',
    seen: '503 `LEDGER_UNAVAILABLE` with `Retry-After`; `/health/ready` is 503 and says why. dms-client uses the next host of `DMS_DB_URL`, or recovers when the server does.',
    takes: 'noticed within 10 s; the next host within 10 s',
    shownBy: [
      e2e('database-failures', 'While the database $name, callers get 503'),
      long('database-hosts', 'dms-client uses the next server when its server $name'),
    ],
  },
  {
    failure: 'The broker of a cluster that hosts `dms.<host>` goes down',
    seen: 'Programs connect to another broker; dms-client commands the node by the queue of its own. Python programs do not reach the node until that broker is back; readiness, `dms nodes`, the alert `DmsLegacyQueueLost` and the log tell it, with the policy that helps.',
    takes: 'seconds',
    shownBy: [long('broker-cluster', 'A node serves on while the broker that hosts dms.<host> is down')],
  },
  {
    failure: 'The log cannot be written: the disk is full, or nobody reads the pipe',
    seen: 'Lines are lost, and nothing else. `/health/ready` says how many and why (`log`), `dms_log_lines_lost_total` counts them, and so does the log when it can be written again.',
    takes: '1 MiB of lines waits for a reader; at the end of a program, 1 s',
    shownBy: [
      e2e('log-loss', 'because its disk is full costs lines alone'),
      e2e('log-loss', 'because nobody reads its pipe holds up nothing'),
    ],
  },
  {
    failure: 'Two dms-clients decide at once; the database or the broker is away',
    seen: 'Row locks decide. Without the database 503 `LEDGER_UNAVAILABLE` (504 where a commit was on its way), without the broker 503 `BROKER_UNAVAILABLE`; mounts stay, and all comes back by itself.',
    takes: 'back within seconds',
    shownBy: [
      e2e('faults', '1: A unmounts while B mounts, from two clients'),
      e2e('broker-alarm', 'refuses mounts while its'),
      e2e('broker-alarm', 'carries out no command later that was published during the alarm'),
      e2e('faults-broker', '11: a broker that is restarted, or killed'),
      e2e('faults-broker', 'the broker away: nobody joins a mount that cannot be asked for'),
      { file: 'test/e2e/chaos.e2e.ts', test: 'chaos' },
    ],
  },
  {
    failure: 'A node runs out of disk space, inodes, open files or processes, or may not write',
    seen: '503 `NODE_FULL`, which says what is missing; nothing is mounted or held for the request. Mounts that stand go on, dms-server does not end, and its readiness is 503.',
    takes: 'the answer; over as soon as the node has what it lacks',
    shownBy: [
      e2e('node-shortage', 'whose %s says so, keeps its mounts, is not ready, and mounts again afterwards'),
    ],
  },
];
