import { isTcp, serverOf } from './nfs-server';

describe('serverOf', () => {
  it.each([
    ['Store.Example:/a', ['rw'], 'store.example:2049'],
    ['10.0.0.1:/a:/b', ['rw', 'port=2050'], '10.0.0.1:2050'],
    ['10.0.0.1:/a', ['port=0'], '10.0.0.1:2049'],
    ['[FE80::1%Eth0]:/a', [], '[fe80::1%Eth0]:2049'],
    ['Store.Example.:/a', [], 'store.example:2049'],
    ['[fe80::1]:/a', ['port=1', 'port=2'], '[fe80::1]:2'],
  ])('of %s with %j is %s', (source, options, name) => {
    expect(serverOf(source, options).name).toBe(name);
  });
});

describe('isTcp', () => {
  it.each([
    [[], true],
    [['proto=tcp6', 'vers=4.2'], true],
    [['proto=rdma'], false],
    [['proto=udp'], false],
    [['vers=3'], false],
    [['nfsvers=3', 'port=2049'], true],
  ])('of %j is %s', (options, expected) => {
    expect(isTcp(options)).toBe(expected);
  });
});
