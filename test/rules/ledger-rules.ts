import { among, type Chapter, model, scenario, test } from './rule';

const OPERATIONS = 'apps/dms-client/src/operations/late-grants.spec.ts';

/** What the ledger and its clients keep to. */
export const LEDGER_CHAPTERS: readonly Chapter[] = [
  {
    title: 'Row and transaction',
    rules: [
      {
        rule: 'No transaction waits for anything but the database, and none is held while a node is waited for.',
        without: 'One slow node keeps the row, and with it every request of the target.',
        shownBy: [among('histories', 'slowTransaction'), among('deaths', 'slowTransaction')],
      },
      {
        rule: 'Who decides about a target holds the lock of its row, and counts bindings under it.',
        without: 'A job is granted a mount that another process has just decided to take away.',
        shownBy: [
          test(
            'test/e2e/sharing.e2e.ts',
            'loses no mount when one job unmounts while another mounts, over and over',
          ),
          test('test/e2e/faults.e2e.ts', '1: A unmounts while B mounts, from two clients'),
        ],
      },
    ],
  },
  {
    title: 'Writers of a database cluster',
    rules: [
      {
        rule: 'A transaction that decides about a target writes its row first, whatever it decides.',
        without:
          'The nodes of a Galera cluster do not see each other’s row locks: one takes the mount away that the other has just granted.',
        shownBy: [
          scenario(
            'a job mounts through one writer while the last one unmounts through the other',
            'rowUnwritten',
          ),
          test(
            'test/long/two-writers.e2e.ts',
            'A mount that a job was granted stands, whatever two clients on two database nodes decide at once.',
          ),
        ],
      },
      {
        rule: 'A transaction that the database rolls back runs again, also if COMMIT says so.',
        without:
          'A request that met another one is answered with an unknown outcome, although nothing failed.',
        shownBy: [among('histories', 'rollbackUnknown')],
      },
      {
        rule: 'Nothing is decided by the clock of the database: a lease is stale when it was not renewed for its whole duration, by the clock of the process that observes it.',
        without: 'A clock that jumps ends living leases, or keeps dead ones for hours.',
        shownBy: [among('histories', 'leaseByClock'), model('leaseObserved')],
      },
    ],
  },
  {
    title: 'Lease',
    rules: [
      {
        rule: 'A lease is held from the decision to the end of the command; another process waits for it.',
        without: 'Two processes send commands for one target at a time.',
        shownBy: [among('orders', 'leaseIgnored'), among('histories', 'leaseIgnored')],
      },
      {
        rule: 'It is renewed while the command runs.',
        without: 'A mount that takes longer than a lease is joined by a second command.',
        shownBy: [
          scenario('a command takes longer than a lease', 'renewalMissing'),
          among('histories', 'renewalMissing'),
        ],
      },
      {
        rule: 'What a command came to is written only under its own lease, epoch and operation; else it is decided anew.',
        without: 'A process that slept writes MOUNTED over what happened since.',
        shownBy: [
          scenario(
            'the answer to a mount is read after another process has settled the target, and the node rebooted',
            'writesUnchecked',
          ),
          model('tokenChecked'),
          model('epochChecked'),
        ],
      },
      {
        rule: 'The lock file of the Python system is an option, and off.',
        without: 'All targets of a host wait for one another.',
        shownBy: [
          test(
            'test/e2e/host-lock.e2e.ts',
            'is waited for while a Python client holds it, and given back afterwards',
          ),
        ],
      },
    ],
  },
  {
    title: 'Claims and requests',
    rules: [
      {
        rule: 'A mount writes its claim and its operation before it waits for anything; an unmount takes the claim back.',
        without: 'An unmount that overtakes its own mount ends nothing, and the mount is held for nobody.',
        shownBy: [
          among('orders', 'claimUnwritten'),
          among('histories', 'claimUnwritten'),
          model('claimFirst'),
        ],
      },
      {
        rule: 'A waiter looks at its claim again before it goes on.',
        without: 'As above: what was taken back is mounted all the same.',
        shownBy: [among('orders', 'claimUnseen'), among('histories', 'claimUnseen'), model('secondLook')],
      },
      {
        rule: 'A request whose caller has hung up is not begun.',
        without: 'A mount is held for a job that has gone.',
        shownBy: [
          scenario(
            'a caller hangs up before its mount is begun, and asks for nothing more',
            'hangUpUnnoticed',
          ),
          model('hungUpDropped'),
        ],
      },
      {
        rule: 'A request is refused if its job has asked for the opposite since it came in, whichever is taken in first.',
        without:
          'A mount that was cut off claims after its unmount; an unmount that was cut off ends a newer hold.',
        shownBy: [
          scenario(
            'a mount is cut off before its first transaction, and its job unmounts elsewhere',
            'overtakingUnseen',
          ),
          scenario(
            'an unmount is cut off before its first transaction, and its job mounts again elsewhere',
            'overtakingUnseen',
          ),
        ],
      },
      {
        rule: 'A claim without an answer is kept for its whole time from the end of its operation.',
        without: 'An operation says success, and what it granted was taken back in the same moment.',
        shownBy: [
          test('test/rules/scenarios.ts', 'what a mount came to is found out when its claim is old already'),
        ],
      },
      {
        rule: 'An unmount that names a hold ends that one only.',
        without: 'One of several users of a job takes the mount from the others.',
        shownBy: [test('test/e2e/sharing.e2e.ts', 'counts several holds of one job')],
      },
    ],
  },
  {
    title: 'Joining a mount',
    rules: [
      {
        rule: 'A mount is joined without a command only if it was made for the memory that the node has now.',
        without: 'After a reboot jobs are told success, and write beside the mount.',
        shownBy: [
          scenario(
            'a node reboots, its new hello is heard, and a job asks for the mount that was',
            'memoryUnchecked',
          ),
        ],
      },
      {
        rule: 'And only on a node whose hello is not overdue; else it is probed first.',
        without: 'What broke on a silent node is granted to the next job.',
        shownBy: [
          scenario(
            'a daemon dies on a node that has gone silent, and a job asks for the mount',
            'silenceBelieved',
          ),
        ],
      },
      {
        rule: 'A mount is not joined that its node reported vanished or broken, also if the ledger came to know the mount after the report.',
        without: 'What broke while its success was being written is granted to all jobs that come.',
        shownBy: [
          test(
            'test/e2e/fuse-deaths.e2e.ts',
            'while the success of its mount is being written leaves no job with a mount that it believes in',
          ),
          test(
            'test/e2e/fuse-deaths.e2e.ts',
            'is known to all clients at once: no job that comes after that joins the dead mount',
          ),
          test(
            'apps/dms-client/src/events/node-events.spec.ts',
            'are not lost while the database is away: the next hello repeats them',
          ),
        ],
      },
      {
        rule: 'Requests that meet share one command, and a bad one among them fails alone.',
        without: 'A crowd of jobs is a crowd of commands.',
        shownBy: [
          test('test/e2e/sharing.e2e.ts', 'has one mount for many first requests at once, from two clients'),
          test(
            'test/e2e/lease-order.e2e.ts',
            'lets a process that has much to do go on only after those that wait',
          ),
        ],
      },
      {
        rule: 'Success is answered only while the binding is held, looked at after the commit; else 504.',
        without: 'A mount that was lost before the answer is hidden behind a success.',
        shownBy: [
          scenario('a mount is lost between the commit that grants it and the answer', 'answerUnchecked'),
          model('answerChecked'),
        ],
      },
      {
        rule: 'Path, source, type and mode must be those of the mount that stands.',
        without: 'A job reads another bucket than it asked for.',
        shownBy: [
          test('test/e2e/sharing.e2e.ts', 'is a CONFLICT with read-only where it is mounted for writing'),
          test('test/e2e/sharing.e2e.ts', 'is a CONFLICT where another target has the path'),
        ],
      },
    ],
  },
  {
    title: 'Outcomes',
    rules: [
      {
        rule: 'Only a refusal, an undelivered command and "failed, nothing mounted, no child left" are final; else UNCERTAIN and 504.',
        without: 'A mount appears whose operation was ended as failed.',
        shownBy: [among('histories', 'unknownIsFinal')],
      },
      {
        rule: 'What is uncertain is settled by a fence through the target’s queue, never by a look beside it.',
        without: 'A command that was on its way acts after the outcome was told.',
        shownBy: [among('histories', 'looksInsteadOfFences'), model('fenceForUncertain')],
      },
      {
        rule: 'While nothing can be said of a target, for a child of a command hangs in the kernel, say, its mounts are refused.',
        without: 'Jobs wait until the node is rebooted.',
        shownBy: [
          model('doubtRefused'),
          test(
            'apps/dms-client/src/mounts/settlement.spec.ts',
            'refuses the mounts that wait where nothing can be said',
          ),
        ],
      },
      {
        rule: 'What a fence finds gone or broken makes its held bindings lost.',
        without: 'A job goes on believing in a mount that is not there.',
        shownBy: [among('histories', 'lossUntold'), model('loseOnFence')],
      },
      {
        rule: 'So does another mount in its place, told apart by boot, mount id and device: ids come again after a reboot.',
        without: 'A running job drifts unnoticed onto another mount.',
        shownBy: [
          model('mountIdCompared'),
          scenario(
            'a node reboots, somebody mounts the target by hand, and a job asks for it',
            'bootUnchecked',
          ),
          test(
            'test/e2e/reconcile.e2e.ts',
            'makes the binding lost where another mount stands in the place of the one that was given',
          ),
        ],
      },
      {
        rule: 'UNMOUNTING is committed, with nobody holding, before the unmount is sent.',
        without: 'A job joins a mount that is being taken away.',
        shownBy: [
          among('orders', 'unmountingUnwritten'),
          among('histories', 'unmountingUnwritten'),
          model('unmountingFirst'),
        ],
      },
      {
        rule: 'After BUSY the row follows what the node sees: a broken mount stays BROKEN.',
        without: 'The next job is granted a dead mount.',
        shownBy: [
          scenario(
            'a broken mount is in use when its last job unmounts, and another job comes',
            'busyIsGood',
          ),
          model('busyFollowsLook'),
        ],
      },
      {
        rule: 'A mount that the node knew in another memory is fenced before it is taken away.',
        without:
          'The node takes it for a mount of somebody else, and leaves it alone after the last job was answered.',
        shownBy: [
          test(
            'test/rules/scenarios.ts',
            'a node loses its memory, its new hello is heard, and the last job unmounts',
          ),
        ],
      },
      {
        rule: 'An unmount that was not delivered leaves UNCERTAIN.',
        without: 'As above: nobody has looked at what stands.',
        shownBy: [
          scenario(
            'a daemon dies, the node cannot be reached for the unmount, and another job comes',
            'undeliveredIsGood',
          ),
          model('unroutableUnmountUncertain'),
        ],
      },
      {
        rule: 'A busy mount is joined by a job that waits for it; else taking it away is tried again.',
        without: 'A mount that nobody holds stays for ever, or a new job waits for nothing.',
        shownBy: [
          test(
            'test/e2e/sharing.e2e.ts',
            'gives a job that comes while the mount is busy the mount that stands',
          ),
          test(
            'test/e2e/sharing.e2e.ts',
            'releases a job at once while its mount is busy, says who keeps it, and goes on until it is gone',
          ),
        ],
      },
      {
        rule: 'Nothing is mounted over a broken layer.',
        without: 'A job with open files sees another file system than the one it opened.',
        shownBy: [
          test(
            'apps/dms-server/src/mounts/mounts.spec.ts',
            'refuses a broken layer of its own, and stacked ones by their number',
          ),
          test(
            'test/e2e/reconcile.e2e.ts',
            'makes the binding lost whose FUSE process died, and takes the broken layer out',
          ),
        ],
      },
      {
        rule: 'Operations that no living process renews are ended from the row, once that is settled.',
        without: 'A 504 stays executing for ever.',
        shownBy: [
          among('deaths', 'leftoversUnended'),
          among('histories', 'leftoversUnended'),
          model('leftoversEnded'),
        ],
      },
      {
        rule: 'A claim whose answer was lost becomes held when its job asks again or reads its operation; else it runs out.',
        without: 'A job that learned of its success late loses the mount, or a mount stays for nobody.',
        shownBy: [
          test(OPERATIONS, 'makes the claim of a mount held that succeeded after its answer was lost'),
          test(OPERATIONS, 'does not tell of a success while the mount does not stand'),
        ],
      },
    ],
  },
];
