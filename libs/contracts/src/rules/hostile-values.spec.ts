import { hostProblem, identifierProblem } from './identifiers';
import { defaultMountPath, mountPathProblem } from './mount-path';
import { nfsOptionsFor, nfsOptionsProblem } from './nfs-options';
import {
  exportProblem,
  isSameSource,
  normalizeExport,
  normalizeSecretRef,
  secretIdOf,
  secretRefProblem,
} from './source';

/** Values that try to be more than they are: an option, another path, another line. None gets beyond the rules. */
describe('hostile values', () => {
  it.each([
    'rw,suid', 'rw,dev', 'exec', 'user', 'users', 'owner', 'remount', 'bind', 'rbind', 'move', 'loop', 'defaults=1', 'Defaults',
    'context=system_u:object_r:etc_t:s0', 'fscontext=x', 'x-systemd.automount', 'comment=x', 'bg', 'addr=10.0.0.1',
    'clientaddr=10.0.0.1', 'mountaddr=10.0.0.1', 'mounthost=evil', 'fsc=x', 'migration', 'xprtsec=none', 'nfsvers=2',
    'rw\nsuid', 'rw\rsuid', 'rw\tsuid', 'rw suid', ' suid', 'rw\0suid', String.raw`rw\054suid`, 'rw;suid', 'rw\u2028suid',
    'rw，suid', 'ｓuid', 'SUID', 'ro=1', 'rw=', '=', 'timeo=1,suid=1', 'timeo=-1', 'timeo=1e9', 'timeo=0x10', 'timeo=1\n',
    'timeo=', 'port=1 2', 'vers=4.3', 'sec=sys:none', 'ro,rw', '$(id)', '`id`', '-o suid', '--bind',
    '__proto__', '__proto__=1', 'constructor=1', 'toString',
  ])('the NFS options %j are refused', (options) => {
    expect(nfsOptionsProblem(options)).toEqual(expect.any(String));
    // What is said of them holds nothing that could steer a terminal or a log.
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(nfsOptionsProblem(options)).not.toMatch(/[\u0000-\u001f\u007f]/);
  }); // prettier-ignore

  it.each(['timeo=1,timeo=2', 'hard,soft', 'vers=3,vers=4', 'nosuid,nosuid', 'noexec', 'vers=4,,rw,'])(
    'the NFS options %j lift nothing: nosuid and nodev come last',
    (options) => {
      expect(nfsOptionsProblem(options)).toBeNull();
      expect(nfsOptionsFor(options, true)).toMatch(/(^|,)ro,nosuid,nodev$/);
      expect(nfsOptionsFor(options, true).split(',')).not.toContain('');
    },
  );

  it.each([null, undefined, '', ',', 'defaults', ',defaults,', 'auto,nofail'])(
    'the NFS options %j leave no mount that waits for ever',
    (options) => {
      expect(nfsOptionsProblem(options)).toBeNull();
      expect(nfsOptionsFor(options, false)).toBe('rw,softerr,timeo=100,retrans=3,nosuid,nodev');
    },
  );

  it.each([
    ['defaults,vers=4.2', 'vers=4.2,nosuid,nodev'],
    ['rw,defaults,noauto', 'rw,nosuid,nodev'],
    ['defaults,ro', 'ro,nosuid,nodev'],
  ])('the NFS options %j are those without the words of fstab(5)', (options, expected) => {
    expect(nfsOptionsProblem(options)).toBeNull();
    expect(nfsOptionsFor(options, options.includes('ro'))).toBe(expected);
  });

  it('the refusal of an NFS option names it and where the list is, or what its value may be', () => {
    expect(nfsOptionsProblem('bg')).toBe(
      'option "bg" is not allowed; docs/HTTP.md lists those that are, under "NFS options"',
    );
    expect(nfsOptionsProblem('sec=x')).toBe('option "sec" must be one of sys, none, krb5, krb5i, krb5p');
  });

  it.each([
    '-o:/x', '--bind:/x', '-:/x', ':/x', '/x', 'server', 'server:', 'server:x', 'server:..', 'server:/..', 'server:/a/../b',
    'server:/a/..', 'server:/a b', 'server:/a\tb', 'server:/a\nb', 'server:/a\0b', 'server:/a,suid', 'ser ver:/x',
    'server -o suid:/x', 'server,suid:/x', 'server\n:/x', 'server/x:/y', '$(id):/x', '`id`:/x', 'a;b:/x', 'user@server:/x',
    '[::1:/x', '[::1%eth0,vers=3]:/x', '[::1%]:/x', '[::1%eth 0]:/x', '[%eth0]:/x', '[::1%a%b]:/x', '[$(id)]:/x', 'server:/x\u2028', 'server:/\ud800', '\u0441erver:/x', 'server..:/x', '.:/x',
    `server:/${'x'.repeat(1024)}`,
  ])('the export %j is refused', (source) => {
    expect(exportProblem(source)).toEqual(expect.any(String));
  }); // prettier-ignore

  it.each([
    ['[fe80::1%eth0]:/x', '[fe80::1%eth0]:/x'],
    ['[FE80::1%Bond0.7]:/x/', '[fe80::1%Bond0.7]:/x'],
    ['H.Example.:/x', 'h.example:/x'],
    ['10.0.0.1:/X', '10.0.0.1:/X'],
  ])('the export %s is taken as %s', (given, normal) => {
    expect(exportProblem(given)).toBeNull();
    expect(normalizeExport(given)).toBe(normal);
  });

  it.each([
    ['HTTP://B.Example.:80/v1/secrets/x', 'http://b.example/v1/secrets/x'],
    ['https://b.example:443/key/v1/secrets/x/', 'https://b.example/key/v1/secrets/x'],
  ])('the reference %s is taken as %s', (given, normal) => {
    expect(secretRefProblem(given)).toBeNull();
    expect(normalizeSecretRef(given)).toBe(normal);
  });

  it.each([
    'server:/$(id)',
    'server:/`id`',
    "server:/a'b",
    'server:/a;b|c&d',
    'server:/-o',
    'server:/a\\054suid',
  ])(
    'the export %j is a name as any other: no shell sees it, and mount(8) gets it as one word behind "--"',
    (source) => expect(exportProblem(source)).toBeNull(),
  );

  it.each([
    '../x', 'a/b', '/', '.', '..', '.pid', '-rf', '--', 'a\nb', 'a\0b', 'a\u007fb', 'a\u0085b', 'a\u001b[2Jb', '', '\ud800',
    'x'.repeat(256), 'a ', ' ',
  ])('the id %j is refused', (id) => {
    expect(identifierProblem(id)).toEqual(expect.any(String));
    expect(hostProblem(id)).toEqual(expect.any(String));
  }); // prettier-ignore

  it('ids that look alike are not alike: each has a directory of its own', () => {
    const alike = [
      'café',
      'cafe\u0301',
      'CAFÉ',
      'саfé',
      'caf\u00e9\u200b',
      ' café',
      'café.pid',
      'café.tmp',
      'café.json',
    ];
    const long = 'é'.repeat(101);
    const all = [...alike, long, `${long.slice(0, -1)}e`];
    expect(all.map(identifierProblem)).toEqual(all.map(() => null));
    expect(new Set(all.map((id) => defaultMountPath('/base', id))).size).toBe(all.length);
  });

  it.each([
    '/base/../etc', '/base/./x', '/base//x', '/base/x/', '/', '/base/a\nb', '/base/a\0b', '/base/\u007f', '/base/\ud800', 'base/x',
    `/base/${'x'.repeat(256)}`, `/${'x/'.repeat(600)}x`, '/base/..', '', 7, ['/base/x'], { toString: () => '/base/x' },
  ])('the path %j is refused', (path) => {
    expect(mountPathProblem(path)).toEqual(expect.any(String));
  }); // prettier-ignore

  const ID = '0b54ae6b-91b5-4c3c-a3f1-24f4a8a0c9d5';
  it.each([
    `http://user:password@barbican/v1/secrets/${ID}`, `file:///v1/secrets/${ID}`, `http://barbican/v1/secrets/${ID}?x=1`,
    `http://barbican/v1/secrets/${ID}#x`, `http://barbican/v1/secrets/../${ID}`, `http://barbican/v1/secrets/${ID}/payload`,
    'http://barbican/v1/secrets/', 'http://barbican/v1/secrets/.x', 'http://barbican/v1/secrets/..', 'http://barbican/v1/secrets/-x',
    'http://barbican/v1/secrets/a%2fb', 'http://barbican/v1/secrets/a:b', 'http://barbican/secrets/x', 'http://barbican/v1/secrets/\u0430',
    `http://barbican/v1/secrets/${'x'.repeat(256)}`, `javascript:/v1/secrets/${ID}`,
  ])('the secret %j is refused', (reference) => {
    expect(secretRefProblem(reference)).toEqual(expect.any(String));
    expect(secretRefProblem(reference)).not.toContain('password@');
  }); // prettier-ignore

  it.each(['abc', 'abc-123', 'uuid', ID, ID.toUpperCase()])(
    'the secret id %j is for Barbican to judge',
    (id) => {
      expect(secretRefProblem(`http://barbican:9311/v1/secrets/${id}`)).toBeNull();
    },
  );

  it.each([
    ['server:/a//b', 'server:/a/b'],
    ['server://a', 'server:/a'],
    ['server:/a/./b/.', 'server:/a/b'],
    ['server:/.', 'server:/'],
    ['server:/', 'server:/'],
    ['Server:/A/b///', 'server:/A/b'],
    ['[FE80::1]:/./a', '[fe80::1]:/a'],
    ['server:/.a/b.', 'server:/.a/b.'],
  ])('the export %s is the same as %s', (value, normal) => {
    expect(exportProblem(value)).toBeNull();
    expect(normalizeExport(value)).toBe(normal);
    expect(normalizeExport(normal)).toBe(normal);
  });

  it('only UUIDs are the same in upper and lower case', () => {
    const idOf = (id: string): string => secretIdOf(`http://barbican:9311/v1/secrets/${id}`);
    expect([idOf(ID.toUpperCase()), idOf('Abc')]).toEqual([ID, 'Abc']);
    expect(normalizeSecretRef('HTTP://Barbican:80/v1/secrets/Abc/')).toBe('http://barbican/v1/secrets/Abc');
  });
});

describe('sources that earlier versions have written', () => {
  it.each<['nfs' | 's3', string, string, boolean]>([
    ['nfs', 'h:/a//b', 'h:/a/b', true],
    ['nfs', 'H.:/a/./b/', 'h:/a/b', true],
    ['nfs', 'h:/a', 'h:/b', false],
    ['s3', 'https://barbican.example./v1/secrets/x', 'https://barbican.example/v1/secrets/x', true],
    ['s3', 'https://barbican.example/v1/secrets/x', 'https://barbican.example/v1/secrets/y', false],
    ['s3', 'no url', 'https://barbican.example/v1/secrets/x', false],
  ])('%s: %s and %s are the same: %s', (type, one, other, same) => {
    expect([isSameSource(type, one, other), isSameSource(type, other, one)]).toEqual([same, same]);
  });
});
