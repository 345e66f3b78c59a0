import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';
import { CLIENT_README, clientReadme } from './client-readme';
import { configurationDocument } from './configuration';
import { failuresDocument } from './failures';
import { metricsDocument } from './metrics';
import { protocolDocument } from './protocol';

writeFileSync(join(ROOT, 'docs/CONFIGURATION.md'), configurationDocument());
writeFileSync(join(ROOT, 'docs/PROTOCOL.md'), protocolDocument());
writeFileSync(join(ROOT, 'docs/FAILURES.md'), failuresDocument());
writeFileSync(CLIENT_README, clientReadme());
writeFileSync(join(ROOT, 'docs/METRICS.md'), metricsDocument());
