import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { loadNodeKeys } from './node-keys';

describe("the node's keys", () => {
  const runDir = mkdtempSync(join(tmpdir(), 'dms-node-keys-'));
  const file = join(runDir, 'keys.json');
  beforeAll(() => {
    Logger.overrideLogger(false);
  });
  beforeEach(() => rmSync(file, { force: true }));
  afterAll(() => rmSync(runDir, { recursive: true }));

  const ids = async (incarnation: string): Promise<string[]> => {
    const { encryption, signing } = await loadNodeKeys(runDir, incarnation);
    return [encryption.publicKey.kid, signing.publicKey.kid];
  };

  it('are made once for each memory, in a file for its owner alone', async () => {
    const first = await ids('memory-1');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await ids('memory-1')).toEqual(first);
    const second = await ids('memory-2');
    expect(second).not.toEqual(first);
    expect(await ids('memory-2')).toEqual(second);
  });

  it('are made anew where the file is damaged', async () => {
    const first = await ids('memory-1');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 40));
    expect(await ids('memory-1')).not.toEqual(first);
  });

  it('are read by others never: the mode is set again with each new file', async () => {
    await ids('memory-1');
    chmodSync(file, 0o644);
    await ids('memory-2');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
