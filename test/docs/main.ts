import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';
import { CLIENT_README, clientReadme } from './client-readme';
import { configurationDocument } from './configuration';
import { failuresDocument } from './failures';
import { httpDocument } from './http';
import { metricsDocument } from './metrics';
import { openApiDocument } from './open-api';
import { protocolDocument } from './protocol';

writeFileSync(join(ROOT, 'docs/CONFIGURATION.md'), configurationDocument());
writeFileSync(join(ROOT, 'docs/PROTOCOL.md'), protocolDocument());
writeFileSync(join(ROOT, 'docs/FAILURES.md'), failuresDocument());
writeFileSync(CLIENT_README, clientReadme());
writeFileSync(join(ROOT, 'docs/METRICS.md'), metricsDocument());

async function writeHttp(): Promise<void> {
  writeFileSync(join(ROOT, 'docs/HTTP.md'), httpDocument(await openApiDocument()));
}

writeHttp().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
