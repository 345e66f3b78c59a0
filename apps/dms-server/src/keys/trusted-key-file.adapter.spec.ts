import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { publicKeyOf } from '@app/contracts';
import { TrustedKeyFile } from './trusted-key-file.adapter';

async function madeKey(): Promise<{ pem: string; id: string }> {
  const { publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  return { pem, id: (await publicKeyOf(publicKey, 'Ed25519')).kid };
}

describe('the file of trusted keys', () => {
  let directory: string;
  let warn: jest.SpyInstance;
  let now: number;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dms-trusted-'));
    jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
    warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    now = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(directory, { recursive: true });
  });

  const idsOf = async (file: TrustedKeyFile): Promise<string[]> => {
    now += 2_000;
    return (await file.current()).map(({ kid }) => kid);
  };

  it('is read again when it is replaced, as a mounted Secret is: one symbolic link for another', async () => {
    const [old, young] = [await madeKey(), await madeKey()];
    const publish = (version: string, text: string): void => {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, 'trusted.pem'), text);
      symlinkSync(version, join(directory, '..data_tmp'));
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    publish('..1', old.pem);
    symlinkSync(join('..data', 'trusted.pem'), join(directory, 'trusted.pem'));
    const file = await TrustedKeyFile.open(join(directory, 'trusted.pem'));
    expect(await idsOf(file)).toEqual([old.id]);
    publish('..2', `${old.pem}${young.pem}`);
    expect(await idsOf(file)).toEqual([old.id, young.id]);
    publish('..3', young.pem);
    expect((await file.current()).map(({ kid }) => kid)).toEqual([old.id, young.id]); // it was looked at just now
    expect(await idsOf(file)).toEqual([young.id]);
    expect(warn).not.toHaveBeenCalled();
  });

  it.each<[string, (path: string) => void]>([
    ['is gone', (path) => rmSync(path)],
    ['holds no key', (path) => writeFileSync(path, 'nothing')],
    ['may be written by others', (path) => chmodSync(path, 0o666)],
  ])('keeps its keys while it %s, and says so', async (_, spoil) => {
    const path = join(directory, 'trusted.pem');
    const [old, young] = [await madeKey(), await madeKey()];
    writeFileSync(path, old.pem);
    const file = await TrustedKeyFile.open(path);
    spoil(path);
    expect(await idsOf(file)).toEqual([old.id]);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(path));
    rmSync(path, { force: true });
    writeFileSync(path, young.pem, { mode: 0o644 });
    expect(await idsOf(file)).toEqual([young.id]);
  });

  it('has to be good at the start', async () => {
    const path = join(directory, 'none');
    await expect(TrustedKeyFile.open(path)).rejects.toThrow(`${path}: cannot be read (ENOENT)`);
  });
});
