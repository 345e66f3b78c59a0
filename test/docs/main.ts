import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';
import { configurationDocument } from './configuration';

writeFileSync(join(ROOT, 'docs/CONFIGURATION.md'), configurationDocument());
