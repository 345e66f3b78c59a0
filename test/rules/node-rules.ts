import { among, type Chapter, model, scenario, test } from './rule';

const COMMANDS = 'apps/dms-server/src/mounts/target-commands.spec.ts';
const MEMORY = 'apps/dms-server/src/fence/fence-memory.spec.ts';
const SETTLEMENT = 'apps/dms-client/src/mounts/settlement.spec.ts';
const UNMOUNTS = 'apps/dms-server/src/mounts/unmounts.spec.ts';
const PYTHON_FLEET = 'test/e2e/python-fleet.e2e.ts';
const REPLIES = 'apps/dms-client/src/nodes/node-commands.spec.ts';
const LEASES = 'test/e2e/binding-leases.e2e.ts';
const CLEANUP = 'apps/dms-client/src/cleanup/cleanup.service.spec.ts';
const LEDGERS = 'apps/dms-server/src/mounts/other-ledger.spec.ts';
const TWO_LEDGERS = 'test/e2e/two-ledgers.e2e.ts';
const RECONCILE = 'test/e2e/reconcile.e2e.ts';
const NODE = 'test/e2e/node-broker.e2e.ts';

/** What the nodes keep to, and what is kept to about them. */
export const NODE_CHAPTERS: readonly Chapter[] = [
  {
    title: 'Fence',
    rules: [
      {
        rule: 'An epoch authorises one operation once; lower ones, and other operations of the same, are STALE_EPOCH.',
        without: 'A command that comes late or twice takes a mount from its job.',
        shownBy: [
          among('histories', 'fenceOpen'),
          model('epochOnce'),
          model('lowerEpochStale'),
          test(MEMORY, 'lets an epoch through once, for one operation'),
        ],
      },
      {
        rule: 'The epoch is remembered when the command is received, before it is queued.',
        without: 'A server that was restarted carries the same command out again.',
        shownBy: [
          test(MEMORY, 'remembers an epoch on receipt'),
          test(COMMANDS, 'does not act on a repeat whose outcome it lost, and calls it uncertain'),
        ],
      },
      {
        rule: 'A node with an empty memory has another incarnation, and refuses commands that were meant for the former one.',
        without: 'A command from before a reboot acts after it.',
        shownBy: [
          model('incarnationChecked'),
          test(MEMORY, 'takes a command of another or of no incarnation for stale, and epoch 0 too'),
          test(COMMANDS, 'begins anew after a reboot'),
        ],
      },
      {
        rule: 'The incarnation of a command is that of the commit that took its epoch.',
        without: 'A command that was overtaken long ago is taken for a new one by a memory that is empty.',
        shownBy: [
          scenario(
            'a mount is sent after its node has rebooted and the target was settled',
            'incarnationAtSending',
          ),
          model('incarnationAtCommit'),
        ],
      },
      {
        rule: 'A repeat is answered behind what stands in the queue, by the recorded outcome if that is still true.',
        without: 'A repeat tells of a state that the command before it is about to change.',
        shownBy: [
          model('repeatQueued'),
          test(COMMANDS, 'queues a repeat behind the operation itself'),
          test(COMMANDS, 'does not repeat an outcome that is no longer true'),
        ],
      },
      {
        rule: 'Without a recorded outcome a repeat is looked at only: that settles a fence, never a mount or an unmount.',
        without: 'What another command did is taken for the outcome of this one.',
        shownBy: [
          model('lookSettlesFenceOnly'),
          test(COMMANDS, 'does not act on a repeat whose outcome it lost, and calls it uncertain'),
        ],
      },
      {
        rule: 'A command that the node has no room for uses its epoch up, and of a repeat nothing is said; where the node could not remember a refusal, the mount is fenced.',
        without: 'A mount that was refused for good is made when it is delivered again, for nobody.',
        shownBy: [
          scenario(
            'a node has no room for a mount, which is delivered again when it has',
            'refusalForgotten',
          ),
          model('refusalRemembered'),
          model('repeatNotRefused'),
          test(COMMANDS, 'says the same of a mount that there was no room for when it is delivered again'),
          test(
            COMMANDS,
            'does not refuse a repeat that there is no room for: what it repeats may be under way',
          ),
          test(SETTLEMENT, 'is to be fenced where the node could not remember it'),
        ],
      },
      {
        rule: 'Where the memory cannot be written, commands are refused.',
        without: 'What was carried out is not known to have been.',
        shownBy: [test(COMMANDS, 'refuses commands where it cannot remember them')],
      },
      {
        rule: 'After STALE_EPOCH the side that is behind looks again; a ledger from a backup goes on above the node’s epoch.',
        without: 'A restored ledger is refused for ever.',
        shownBy: [
          scenario('the ledger is restored from a backup, and a job mounts', 'staleUnsettled'),
          test(RECONCILE, 'follows a ledger that was restored from a backup'),
          test(
            RECONCILE,
            'leaves a mount alone that a restored ledger does not know, until a person reconciles',
          ),
        ],
      },
      {
        rule: 'A command is sent once: what was not confirmed is uncertain, and is not sent again on reconnect.',
        without: 'A mount of yesterday is delivered to a broker that has come back.',
        shownBy: [
          test(
            'test/e2e/faults-broker.e2e.ts',
            '6: server away: refused at once, nothing waits in the queue',
          ),
          test(NODE, 'does not repeat it when it was killed'),
        ],
      },
      {
        rule: 'Nothing of a target is begun or told as settled while a child of an earlier command may live.',
        without: 'A child that hung acts after its command was undone.',
        shownBy: [
          model('childAwaited'),
          test(COMMANDS, 'settles nothing while a child of an earlier command may live'),
        ],
      },
      {
        rule: 'A server that was restarted finds those children again.',
        without: 'As above, after a crash.',
        shownBy: [
          model('childFoundAgain'),
          test(
            'apps/dms-server/src/processes/child-runner.adapter.spec.ts',
            'counts them for their target, ends them, and forgets them',
          ),
          test('test/e2e/faults.e2e.ts', '5: a server killed in mid-mount'),
        ],
      },
    ],
  },
  {
    title: 'Nodes',
    rules: [
      {
        rule: 'Every node says hello before its first command, with incarnation, boot and bases.',
        without: 'A client does not know for which memory a command is.',
        shownBy: [test(NODE, 'says hello, and keeps its incarnation across restarts')],
      },
      {
        rule: 'An event counts only if incarnation, epoch and mount id are those of the row.',
        without: 'News of a former mount make the present one lost.',
        shownBy: [
          model('eventsCompared'),
          test(
            'apps/dms-client/src/events/node-events.spec.ts',
            'count only if they are about what the ledger knows',
          ),
        ],
      },
      {
        rule: 'There is one server for a node: by its run directory and by its queue.',
        without: 'Two memories authorise the same epochs.',
        shownBy: [
          test(NODE, 'refuses to start beside another on the same run directory, at once'),
          test(
            NODE,
            'refuses to start beside another with the same node id, after two heartbeats, and says no hello',
          ),
          test(NODE, 'refuses to start beside another with the same node id while dms.<host> is lost'),
        ],
      },
      {
        rule: 'A reply of another node, or of another memory than the command was for, says nothing.',
        without: 'What stands on one host is written down for another.',
        shownBy: [test(REPLIES, 'of %s says nothing')],
      },
      {
        rule: 'Comparing ledger and node only nominates: each repair takes the lease, fences, and acts on that answer.',
        without: 'A mount that is being made is repaired away.',
        shownBy: [
          test('apps/dms-client/src/nodes/differences.spec.ts', 'leave out what changes at the moment'),
          test(RECONCILE, 'notices a node that has lost its memory, and keeps the mounts that it still has'),
        ],
      },
      {
        rule: 'Ours is what agrees in path and source with the ledger or the node’s memory; all else is reported only.',
        without: 'A stranger’s mount is taken away.',
        shownBy: [
          test(RECONCILE, "reports a stranger's mount below the base and does not touch it"),
          test(UNMOUNTS, "leaves a stranger's mount alone"),
        ],
      },
      {
        rule: 'A node that drains takes no new holds, but a job may ask again for what it has; a forgotten one holds nothing.',
        without:
          'A node cannot be taken out of service; or a job is told that it has nothing, and what it has stays.',
        shownBy: [
          model('drainChecked'),
          model('drainKeepsHolders'),
          test(
            'test/e2e/administration.e2e.ts',
            'drains a node: what is held stays, nothing new is let on, until it is allowed again',
          ),
          model('forgottenWhenOff'),
          test(
            'test/e2e/administration.e2e.ts',
            'forgets a node only with the word that it is off, and when it is silent',
          ),
        ],
      },
    ],
  },
  {
    title: 'Python peers',
    rules: [
      {
        rule: 'What a Python program mounted is BUSY for ours until it lets go, or the ledger shows that it has.',
        without:
          'Its mount is taken away beneath it; or it stays for ever, for a program that counts no more.',
        shownBy: [
          model('peerMakesBusy'),
          model('peerLeavesByLedger'),
          test(UNMOUNTS, 'keeps for them what ours would take away'),
          test(
            UNMOUNTS,
            'says for whom it keeps it, and lets it go when the ledger shows that they have ended',
          ),
          test(PYTHON_FLEET, 'takes the mount of a Python job away that left while a job of ours held it'),
        ],
      },
      {
        rule: 'That is shown by a row of its job that is held no more and was written after the node had answered the mount, by the database’s clock.',
        without: 'A job that mounts again loses its mount, its client being about to write.',
        shownBy: [
          model('peerLeftSince'),
          test(PYTHON_FLEET, 'keeps the mount of a Python job that mounts again and has not written it yet'),
        ],
      },
      {
        rule: 'The unmount names the mounts that have ended: what came since counts.',
        without: 'As above, where it mounts again meanwhile.',
        shownBy: [
          model('peerMountNamed'),
          test(UNMOUNTS, 'keeps it for a mount that came after the one which has ended'),
        ],
      },
      {
        rule: 'What a node saw before a Python client wrote its hold does not make that hold lost.',
        without: 'A hold is told as lost that is good, and counts no more.',
        shownBy: [
          model('laterHoldKept'),
          test(PYTHON_FLEET, 'does not make a hold lost by what the node saw before it was written'),
        ],
      },
      {
        rule: 'A broken mount is kept for nobody.',
        without: 'A dead mount stays, and no job gets a new one.',
        shownBy: [model('peerKeepsGood'), test(UNMOUNTS, 'does not keep a broken mount for them')],
      },
      {
        rule: 'Its unmount leaves what a command with an epoch mounted or a fence found, and is told success.',
        without: 'A job loses its mount to a program that counts for itself.',
        shownBy: [
          model('ownMountKept'),
          model('fenceMakesOwn'),
          test(UNMOUNTS, 'keeps for ours what they would take away, and says to them that it is done'),
        ],
      },
      {
        rule: 'A command that does not expire is obeyed only while its caller waits.',
        without: 'A mount is made for a program that ended hours ago.',
        shownBy: [test('test/e2e/legacy-wire.e2e.ts', 'does nothing for a caller that is gone')],
      },
    ],
  },
  {
    title: 'Other ledgers',
    rules: [
      {
        rule: 'A command names the ledger of the row that it was decided under; while a node has anything of one ledger, mounted or under way, it refuses the mounts, unmounts and fences of another.',
        without: 'A dms-client with a wrong database takes away what its own ledger does not know.',
        shownBy: [
          model('ledgerChecked'),
          test(LEDGERS, 'are refused while the node has mounts of the first one'),
          test(LEDGERS, 'are refused while a command of the first one is under way, of whatever target'),
          test(TWO_LEDGERS, 'leaves what the first one holds as it is, whatever the second one tries'),
        ],
      },
      {
        rule: 'Another ledger takes over a node that has nothing of the former one, and only under a new incarnation.',
        without:
          'A mount that was refused for the other ledger, and told so, is made when it is delivered again after that one has gone.',
        shownBy: [
          model('takeoverRenews'),
          test(LEDGERS, 'let it take the node over after the last unmount'),
          test(TWO_LEDGERS, 'lets the second one use the node after the last unmount of the first'),
        ],
      },
      {
        rule: 'The incarnation of a command is looked at before its ledger: what is refused for the ledger was never obeyed.',
        without:
          'A repeat is refused for good whose first delivery acts still, from before the node lost its memory.',
        shownBy: [test(MEMORY, 'does not let one in by a command that was overtaken')],
      },
      {
        rule: 'A fence that is refused for the other ledger settles nothing; but a mount that is seen to be gone is lost.',
        without: 'Jobs believe in their mounts after a reboot, as long as another ledger has the node.',
        shownBy: [
          test('apps/dms-client/src/mounts/settlement.spec.ts', 'makes them lost where nothing stands'),
        ],
      },
      {
        rule: 'Only at the node itself it can be said that the next ledger takes over what is mounted.',
        without: 'Whoever is refused could let himself in.',
        shownBy: [test(TWO_LEDGERS, 'gives the node to the second one while something is mounted')],
      },
    ],
  },
  {
    title: 'Leases of bindings, and cleaning up',
    rules: [
      {
        rule: 'A lease runs only while renewing is possible.',
        without: 'An outage of the service ends the holds of healthy jobs.',
        shownBy: [
          model('leaseRunsWhileRenewable'),
          test(
            LEASES,
            'Leases do not end because the clock of the database jumped, or because no dms-client ran',
          ),
        ],
      },
      {
        rule: 'After its end there is a grace, then a plain unmount, which a mount in use survives.',
        without: 'A job that was late by a second loses what it writes.',
        shownBy: [
          model('leaseGrace'),
          model('plainUnmount'),
          test(LEASES, 'that nobody renews end, the mount goes, and an operation says why'),
        ],
      },
      {
        rule: 'Cleaning up touches what is held only if told to, and looks again under the lock.',
        without: 'A long job loses its mount to a cron job.',
        shownBy: [
          test(CLEANUP, 'lets what is held be, unless it is asked for'),
          test(CLEANUP, 'looks again under the lock: what was touched or is held now stays'),
        ],
      },
    ],
  },
];
