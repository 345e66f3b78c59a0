import { render, SettingsError } from '@app/platform';
import { loadServerSettings, type ServerSettings, unknownServerSettings } from '../settings/server.settings';
import { brokerCheck, keystoneChecks, tlsChecks } from './checks/services.checks';
import { accessChecks } from './checks/access.checks';
import { type Finding } from './checks/finding';
import {
  deviceChecks,
  directoryChecks,
  kernelChecks,
  programChecks,
  rightsCheck,
} from './checks/node.checks';
import { type Options } from './options';

export const CHECK_HELP = `Usage: dms-server check [--format table|json]

Looks whether this node and its configuration are fit for dms-server, a line for each thing. Nothing is mounted or
changed, and a running server is not disturbed. Exit status 1 where something is missing.
`;

export async function check({ format }: Options): Promise<number> {
  const findings = await findAll();
  if (format === 'json') process.stdout.write(`${JSON.stringify({ checks: findings })}\n`);
  else {
    const columns = ['RESULT', 'CHECK', 'DETAIL'];
    const rows = findings.map(({ result, name, detail }) => [result, name, detail]);
    process.stdout.write(`${render([{ columns, rows, empty: '' }])}\n`);
  }
  return findings.some(({ result }) => result === 'failed') ? 1 : 0;
}

async function findAll(): Promise<Finding[]> {
  const node = [...deviceChecks(), ...kernelChecks()];
  let settings: ServerSettings;
  try {
    settings = loadServerSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const wrong = error.problems.map((detail): Finding => ({
      name: 'configuration',
      result: 'failed',
      detail,
    }));
    return [...wrong, rightsCheck(), ...(await Promise.all(node))];
  }
  const configuration: Finding = { name: 'configuration', result: 'ok', detail: `node ${settings.nodeId}` };
  const programs = programChecks(settings);
  const rest = [
    ...directoryChecks(settings),
    ...accessChecks(settings),
    brokerCheck(settings),
    ...keystoneChecks(settings),
  ];
  const unknown = unknownServerSettings().map((detail): Finding => ({
    name: 'configuration',
    result: 'warning',
    detail,
  }));
  return [
    configuration,
    ...unknown,
    ...tlsChecks(settings),
    rightsCheck(),
    ...(await Promise.all([...programs, ...node, ...rest])),
  ];
}
