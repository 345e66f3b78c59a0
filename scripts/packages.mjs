/**
 * What the entry scripts need before anything of the project can be loaded: a Node.js that is new enough, the npm
 * packages, and the Debian packages with the real services that the demo, the tests and the benchmark run.
 *
 * This file is read by whatever Node.js a person has. It therefore keeps to syntax and imports that old ones can
 * parse, so that they get a sentence about their version and not a syntax error.
 */
import { spawn, spawnSync } from 'child_process';
import fs from 'fs';
import path from 'path';
import { fileURLToPath } from 'url';

const PROJECT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE = [20, 19];

/** How long another run of these scripts, or another apt, may keep us waiting. */
const LOCK_WAIT_SECONDS = 900;

/** A person sees that something is going on at least this often. */
const PROGRESS_EVERY_MS = 4000;

/**
 * The parts that can be asked for. In `packages`, 'a | b' is satisfied by either and brings the first.
 * `units` are what Debian would start at the next boot; they are disabled again where this install brought them.
 */
export const FEATURES = {
  database: { title: 'MariaDB', packages: ['mariadb-server'], units: ['mariadb.service'] },
  broker: {
    title: 'RabbitMQ',
    packages: ['rabbitmq-server'],
    units: ['rabbitmq-server.service', 'epmd.service', 'epmd.socket'],
  },
  clusters: {
    title: 'The database cluster (Galera)',
    // The state transfer by mariabackup calls socat and lsof.
    packages: ['galera-4', 'mariadb-backup', 'socat', 'lsof'],
    units: [],
  },
  openstack: {
    title: 'Keystone and Barbican',
    packages: ['python3-keystone', 'python3-barbican', 'uwsgi-core', 'uwsgi-plugin-python3'],
    units: [],
  },
  s3: { title: 'The S3 endpoint (Swift)', packages: ['python3-swift'], units: [] },
  fuse: {
    title: 'Mounting a bucket (s3fs)',
    // Debian lets only one of fuse and fuse3 be installed: whichever a machine has is left as it is.
    packages: ['s3fs', 'fuse3 | fuse'],
    units: [],
    check: whyFuseIsNotUsable,
  },
  documents: { title: 'Running the commands of the documents', packages: ['curl', 'openssl'], units: [] },
  monitoring: { title: 'Prometheus', packages: ['prometheus'], units: ['prometheus.service'] },
  containers: {
    title: 'The container lab',
    packages: ['podman', 'crun', 'debootstrap'],
    units: [
      'podman.service',
      'podman.socket',
      'podman-auto-update.service',
      'podman-auto-update.timer',
      'podman-restart.service',
    ],
  },
  nfs: {
    title: 'The NFS lab',
    packages: [
      'user-mode-linux',
      'slirp',
      'kmod',
      'nfs-common',
      'nfs-ganesha',
      'nfs-ganesha-vfs',
      'gcc',
      'libc6-dev',
    ],
    check: whyNfsIsNotUsable,
    units: [
      'nfs-ganesha.service',
      'nfs-ganesha-lock.service',
      'nfs-client.target',
      'rpcbind.service',
      'rpcbind.socket',
    ],
  },
};

/**
 * Ends the process with one sentence if this Node.js is older than the project needs.
 */
export function requireNodeVersion() {
  const parts = process.versions.node.split('.').map(Number);
  const newEnough = parts[0] > OLDEST_NODE[0] || (parts[0] === OLDEST_NODE[0] && parts[1] >= OLDEST_NODE[1]);
  if (newEnough) return;
  process.stderr.write(
    'Node.js ' +
      OLDEST_NODE.join('.') +
      ' or newer is needed, this is ' +
      process.versions.node +
      ': install a newer one and start again.\n',
  );
  process.exit(1);
}

/**
 * Runs `npm ci` if node_modules is missing or does not hold what package-lock.json asks for. Where that fails the process
 * ends, with the last that npm said.
 *
 * @param {{ log?: (line: string) => void }} [options]
 * @returns {Promise<boolean>} whether something was installed
 */
export async function ensureNodeModules(options) {
  const log = logOf(options);
  if (nodeModulesAreCurrent()) return false;
  log('Installing the npm packages of package-lock.json into node_modules (npm ci)');
  const began = Date.now();
  const ended = await run('npm', ['ci', '--no-audit', '--no-fund'], {
    directory: PROJECT,
    onQuiet: (seconds) => log('  npm ci: ' + seconds + ' s so far'),
  });
  if (ended.status !== 0) {
    process.stderr.write(
      'The npm packages could not be installed: npm ci failed (' +
        describeEnd(ended) +
        '). Mend what it says, and start again:\n' +
        tail(ended.output, 25).replace(/^/gm, '  ') +
        '\n',
    );
    process.exit(1);
  }
  log('  npm packages installed in ' + secondsSince(began));
  return true;
}

/**
 * Makes the named features usable: installs the Debian packages that are missing, without starting any daemon and
 * without touching what is installed already.
 *
 * Never throws for a reason that lies in the machine: what cannot be had is returned with a sentence that says which
 * package or right would bring it, so that a test run can skip and a demo can say it.
 *
 * @param {{ features: string[], log?: (line: string) => void, install?: boolean }} options `install: false` only looks
 * @returns {Promise<{ ready: string[], unavailable: { feature: string, reason: string }[], installed: string[] }>}
 */
export async function ensureDebianPackages(options) {
  const log = logOf(options);
  for (const feature of options.features) {
    if (!Object.prototype.hasOwnProperty.call(FEATURES, feature))
      throw new Error('No such feature: ' + feature);
  }
  const result = { ready: [], unavailable: [], installed: [] };
  // What no package can mend is said first: nothing is installed for a feature that stays unusable.
  const possible = options.features.filter((feature) => {
    const reason = FEATURES[feature].check ? FEATURES[feature].check() : null;
    if (reason) result.unavailable.push({ feature, reason });
    return !reason;
  });

  const missing = missingPackages(possible);
  if (missing.length > 0 && options.install !== false) {
    const obstacle = whyNothingCanBeInstalled(missing);
    if (!obstacle) result.installed = await installMissing(possible, log);
  }

  for (const feature of possible) {
    const still = missingPackages([feature]);
    if (still.length === 0) result.ready.push(feature);
    else result.unavailable.push({ feature, reason: whyMissing(feature, still) });
  }
  return result;
}

function logOf(options) {
  return options && options.log ? options.log : (line) => process.stdout.write(line + '\n');
}

// ---------------------------------------------------------------------------------------------------------------------
// npm

function nodeModulesAreCurrent() {
  const wantedFile = path.join(PROJECT, 'package-lock.json');
  const presentFile = path.join(PROJECT, 'node_modules', '.package-lock.json');
  if (!fs.existsSync(presentFile)) return false;
  if (!fs.existsSync(wantedFile)) return true;
  if (fs.statSync(presentFile).mtimeMs >= fs.statSync(wantedFile).mtimeMs) return true;
  // A fresh checkout, and npm itself, can leave the lock file with the later time though both say the same.
  try {
    const wanted = JSON.parse(fs.readFileSync(wantedFile, 'utf8')).packages;
    const present = JSON.parse(fs.readFileSync(presentFile, 'utf8')).packages;
    return (
      Object.keys(wanted).every(
        (name) =>
          name === '' ||
          (present[name] ? present[name].version === wanted[name].version : wanted[name].optional === true),
      ) && Object.keys(present).every((name) => Boolean(wanted[name]))
    );
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Debian packages: what is there, and what stands in the way

function isInstalled(name) {
  const answer = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status}', name], { encoding: 'utf8' });
  return answer.status === 0 && answer.stdout.trim() === 'installed';
}

/** The first name of each alternative of which none is installed. */
function missingPackages(features) {
  const wanted = [].concat(...features.map((feature) => FEATURES[feature].packages));
  return wanted
    .map((entry) => entry.split('|').map((name) => name.trim()))
    .filter((names) => !names.some(isInstalled))
    .map((names) => names[0]);
}

function commandExists(name) {
  return ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((directory) =>
    fs.existsSync(path.join(directory, name)),
  );
}

function isRoot() {
  return typeof process.getuid === 'function' && process.getuid() === 0;
}

function whyFuseIsNotUsable() {
  if (!isRoot()) return 'Mounting needs root: start this again as root (for example with sudo).';
  if (!fs.existsSync('/dev/fuse')) {
    return (
      'There is no /dev/fuse: load the kernel module "fuse" (modprobe fuse, package kmod), or start the container ' +
      'with --device /dev/fuse --cap-add SYS_ADMIN.'
    );
  }
  try {
    fs.closeSync(fs.openSync('/dev/fuse', 'r+'));
    return null;
  } catch (error) {
    return (
      '/dev/fuse cannot be opened (' +
      error.code +
      '): the right to use it is missing; in a container it comes with --device /dev/fuse --cap-add SYS_ADMIN.'
    );
  }
}

function whyNfsIsNotUsable() {
  if (!isRoot()) return 'Mounting needs root: start this again as root (for example with sudo).';
  // Guests are processes that are traced by another one.
  const scope = '/proc/sys/kernel/yama/ptrace_scope';
  if (fs.existsSync(scope) && fs.readFileSync(scope, 'utf8').trim() === '3') {
    return 'Guests with an NFS client need ptrace, which this machine forbids (' + scope + ' is 3).';
  }
  return null;
}

function whyNothingCanBeInstalled(missing) {
  const names = missing.join(' ');
  if (!commandExists('apt-get') || !commandExists('dpkg-query')) {
    return 'this machine has no apt; install what Debian calls ' + names + ' by other means';
  }
  if (!isRoot()) return 'only root can install packages; run as root: apt-get install ' + names;
  return null;
}

function whyAptFailed(several) {
  if (lastProblem === '') return 'apt-get install was not tried';
  return 'apt-get could not install ' + (several ? 'them' : 'it') + ' (' + lastProblem + ')';
}

function whyMissing(feature, missing) {
  const names = missing.join(' ');
  const several = missing.length > 1;
  return (
    FEATURES[feature].title +
    ' needs the Debian package' +
    (several ? 's ' : ' ') +
    names +
    ', which ' +
    (several ? 'are' : 'is') +
    ' not installed: ' +
    (whyNothingCanBeInstalled(missing) || whyAptFailed(several)) +
    '.'
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// Installing

/** Installs all at once, which is quickest; if that fails, feature by feature, so that one does not take all down. */
async function installMissing(features, log) {
  const missing = missingPackages(features);
  const unitsBefore = presentUnits(features);
  log('Installing Debian packages: ' + missing.join(' '));
  const began = Date.now();
  if (!missing.every(hasCandidate)) await updateLists(log);
  let ended = await aptInstall(missing, log);
  if (ended.status !== 0 && /404 +Not Found|Failed to fetch|Unable to locate package/.test(ended.output)) {
    // The lists were of a day whose package files are gone.
    await updateLists(log);
    ended = await aptInstall(missing, log);
  }
  if (ended.status !== 0 && features.length > 1) {
    log('  Together they did not install (' + describeEnd(ended) + '); trying part by part');
    for (const feature of features) {
      const own = missingPackages([feature]);
      if (own.length > 0) reportFailure(await aptInstall(own, log), own, log);
    }
  } else {
    reportFailure(ended, missing, log);
  }
  disableNewUnits(features, unitsBefore, log);
  const installed = missing.filter(isInstalled);
  if (installed.length > 0) log('  Debian packages installed in ' + secondsSince(began));
  return installed;
}

/** What apt said last, for the sentence about what stays missing. */
let lastProblem = '';

function reportFailure(ended, names, log) {
  if (ended.status === 0) return;
  const said = ended.output.split('\n').filter((line) => line.startsWith('E: '));
  lastProblem = said.length > 0 ? said[said.length - 1].slice(3) : describeEnd(ended);
  log('  apt-get install ' + names.join(' ') + ' failed (' + describeEnd(ended) + '), its last lines:');
  for (const line of tail(ended.output, 12).split('\n')) log('    ' + line);
}

function hasCandidate(name) {
  const answer = spawnSync('apt-cache', ['policy', name], {
    encoding: 'utf8',
    env: Object.assign({}, process.env, { LC_ALL: 'C' }),
  });
  return answer.status === 0 && /Candidate: [^(\s]/.test(answer.stdout);
}

async function updateLists(log) {
  log('  Reading the package lists (apt-get update)');
  const ended = await run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', 'update'], {
    environment: aptEnvironment(),
    onQuiet: (seconds) => log('  apt-get update: ' + seconds + ' s so far'),
  });
  if (ended.status !== 0)
    log('  apt-get update failed (' + describeEnd(ended) + '): ' + tail(ended.output, 3));
}

/**
 * Runs with the lock held. Debian's packages ask /usr/sbin/policy-rc.d before they start a daemon. Where a machine has
 * such a file it is left alone; where it has none, ours says no for as long as this install takes. A file of ours that
 * lies there already was left by a run that was killed: nobody else can hold the lock.
 */
const INSTALL_SCRIPT = `
policy=/usr/sbin/policy-rc.d
mark='# temporary, from the dynamic-mount-service scripts: packages being installed start no daemon'
is_ours() { [ -f "$policy" ] && grep -qxF -- "$mark" "$policy"; }
forget() { if is_ours; then rm -f -- "$policy"; fi; }
trap forget EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
  printf '#!/bin/sh\\n%s\\nexit 101\\n' "$mark" >"$policy" && chmod 755 "$policy" || exit 1
fi
if [ ! -e "$policy" ]; then echo "$policy leads nowhere: mend or remove it" >&2; exit 1; fi
apt-get "$@"
`;

function aptInstall(names, log) {
  let last = Date.now();
  const options = [
    ...['-y', '-q', '--no-install-recommends', '--no-remove', '--no-upgrade'],
    ...['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0', '-o', 'APT::Status-Fd=3'],
    ...['-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold'],
  ];
  const lock = path.join(
    fs.existsSync('/run/lock') ? '/run/lock' : '/tmp',
    'dynamic-mount-service-packages.lock',
  );
  return run(
    'flock',
    [
      ...['-w', String(LOCK_WAIT_SECONDS), lock],
      ...['sh', '-c', INSTALL_SCRIPT, 'sh', ...options, 'install', ...names],
    ],
    {
      environment: aptEnvironment(),
      onStatus: (line) => {
        // dlstatus:<package>:<percent>:<what happens>
        const fields = /^(dl|pm)status:[^:]*(?::[a-z0-9]+)?:([0-9.]+):(.*)$/.exec(line);
        if (!fields || Date.now() - last < PROGRESS_EVERY_MS) return;
        last = Date.now();
        log('  ' + Math.round(Number(fields[2])) + ' % ' + fields[3]);
      },
      onQuiet: (seconds) => log('  apt-get: ' + seconds + ' s so far'),
    },
  );
}

function aptEnvironment() {
  return Object.assign({}, process.env, {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    DEBIAN_FRONTEND: 'noninteractive',
    LC_ALL: 'C',
    // On Ubuntu an install would otherwise restart running services whose libraries changed.
    NEEDRESTART_SUSPEND: '1',
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// systemd: what a package would start at the next boot

function unitsOf(features) {
  return [].concat(...features.map((feature) => FEATURES[feature].units));
}

function presentUnits(features) {
  return unitsOf(features).filter((unit) =>
    ['/lib/systemd/system', '/usr/lib/systemd/system', '/etc/systemd/system'].some((directory) =>
      fs.existsSync(path.join(directory, unit)),
    ),
  );
}

function disableNewUnits(features, before, log) {
  const fresh = presentUnits(features).filter((unit) => before.indexOf(unit) < 0);
  if (fresh.length === 0 || !commandExists('systemctl')) return;
  const answer = spawnSync('systemctl', ['disable', '--quiet', ...fresh], { encoding: 'utf8' });
  if (answer.status === 0) log('  Not started at boot either: ' + fresh.join(' '));
  else log('  Could not disable ' + fresh.join(' ') + ': ' + (answer.stderr || '').trim());
}

// ---------------------------------------------------------------------------------------------------------------------
// Running a command

/**
 * Runs a command without a terminal and collects what it says.
 *
 * @returns {Promise<{ status: number | null, signal: string | null, output: string, problem?: string }>}
 */
function run(command, args, options) {
  return new Promise((resolve) => {
    const began = Date.now();
    const child = spawn(command, args, {
      cwd: options.directory || '/',
      env: options.environment || process.env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    let output = '';
    let heard = Date.now();
    const collect = (chunk) => {
      heard = Date.now();
      output = (output + chunk.toString('utf8')).slice(-200000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    let status = '';
    child.stdio[3].on('data', (chunk) => {
      heard = Date.now();
      const lines = (status + chunk.toString('utf8')).split('\n');
      status = lines.pop();
      if (options.onStatus) lines.forEach(options.onStatus);
    });
    const ticker = setInterval(() => {
      if (options.onQuiet && Date.now() - heard > 3 * PROGRESS_EVERY_MS) {
        heard = Date.now();
        options.onQuiet(Math.round((Date.now() - began) / 1000));
      }
    }, 1000);
    const finish = (ended) => {
      clearInterval(ticker);
      resolve(Object.assign({ status: null, signal: null, output }, ended));
    };
    child.on('error', (error) => finish({ problem: command + ' cannot be started: ' + error.code }));
    child.on('close', (code, signal) => finish({ status: code, signal }));
  });
}

function describeEnd(ended) {
  if (ended.problem) return ended.problem;
  return ended.signal ? 'ended by ' + ended.signal : 'status ' + ended.status;
}

function tail(text, lines) {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

function secondsSince(began) {
  return ((Date.now() - began) / 1000).toFixed(1) + ' s';
}
