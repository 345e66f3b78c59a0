import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationDocument } from '../docs/configuration';
import { failuresDocument } from '../docs/failures';
import { protocolDocument } from '../docs/protocol';
import { ROOT } from '../fleet/programs';

describe('documents that are made from the code', () => {
  it('docs/CONFIGURATION.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/CONFIGURATION.md'), 'utf8')).toBe(configurationDocument());
  });

  it('docs/PROTOCOL.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/PROTOCOL.md'), 'utf8')).toBe(protocolDocument());
  });

  it('docs/FAILURES.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/FAILURES.md'), 'utf8')).toBe(failuresDocument());
  });
});
