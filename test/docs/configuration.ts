import { CLI_SETTINGS } from '../../apps/dms-client/src/cli/cli.settings';
import { CLIENT_SETTINGS } from '../../apps/dms-client/src/settings/client.settings';
import { SERVER_SETTINGS } from '../../apps/dms-server/src/settings/server.settings';

interface Shown {
  readonly env: string;
  readonly file?: string;
  readonly help: string;
  readonly default?: string | null;
}

const INTRODUCTION = `# Configuration

Made from the tables in the code by \`npm run docs\`.

A setting is read from, in this order: the command line where it has an option, the environment, the configuration file,
the default. A program that finds bad settings names all of them and does not start; it prints no value.

Files are INI: \`/etc/trilio-dms/server.conf\` with a section \`[server]\`; \`/etc/trilio-dms/client.conf\` and, over it,
\`~/.trilio-dms/client.conf\` with a section \`[client]\`. \`DMS_CONFIG_FILE\` names another one instead. A file
that does not exist is passed over: where settings are missing, a wrong \`DMS_CONFIG_FILE\` is named with them. What
stands behind \`;\` or \`#\` at the beginning of a line, or behind a blank, is a comment.

\`\`\`ini
[server]
rabbitmq_url = amqp://user:password@rabbitmq-host:5672
node_id = compute-01
auth_url = http://keystone:5000/v3
mount_base_path = /var/lib/trilio/triliovault-mounts
\`\`\`
`;

/** docs/CONFIGURATION.md, from the tables of settings. */
export function configurationDocument(): string {
  return [
    INTRODUCTION,
    ...section('dms-server', SERVER_SETTINGS),
    ...section('dms-client and dms', CLIENT_SETTINGS),
    ...section('dms alone', CLI_SETTINGS),
  ].join('\n');
}

function section(title: string, settings: Readonly<Record<string, Shown>>): string[] {
  return [
    `## ${title}`,
    '',
    '| environment | in the file | default | meaning |',
    '|---|---|---|---|',
    ...Object.values(settings).map(
      (setting) =>
        `| \`${setting.env}\` | ${setting.file === undefined ? '' : `\`${setting.file}\``} | ${defaultOf(setting)} | ${setting.help} |`,
    ),
    '',
  ];
}

function defaultOf(setting: Shown): string {
  if (setting.env === 'DMS_NODE_ID') return 'the host name';
  if (setting.default === undefined) return '**required**';
  return setting.default === null ? '' : `\`${setting.default}\``;
}
