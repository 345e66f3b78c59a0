import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLIENT_README, clientReadme } from '../docs/client-readme';
import { configurationDocument } from '../docs/configuration';
import { failuresDocument } from '../docs/failures';
import { metricsDocument } from '../docs/metrics';
import { protocolDocument } from '../docs/protocol';
import { ROOT } from '../fleet/programs';

describe('documents that are made from the code', () => {
  it('docs/CONFIGURATION.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/CONFIGURATION.md'), 'utf8')).toBe(configurationDocument());
  });

  it('docs/PROTOCOL.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/PROTOCOL.md'), 'utf8')).toBe(protocolDocument());
  });

  it('docs/METRICS.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/METRICS.md'), 'utf8')).toBe(metricsDocument());
  });

  it('docs/FAILURES.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/FAILURES.md'), 'utf8')).toBe(failuresDocument());
  });

  it('the README of the client package shows its examples as they are run (npm run docs makes it)', () => {
    const text = readFileSync(CLIENT_README, 'utf8');
    expect(text).toBe(clientReadme());
    for (const name of readdirSync(join(ROOT, 'libs/client/examples'))) {
      expect(text).toContain(`<!-- examples/${name} -->`);
    }
  });
});
