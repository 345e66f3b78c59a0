import { type SettingDefinitions } from '@app/platform';
import { CLIENT_SETTINGS } from '../../settings/client.settings';
import { CLI_SETTINGS } from '../cli.settings';

/**
 * The environment of a job's command: `env` without the settings that are secrets (passwords of broker and database,
 * tokens), for a command needs none of them and whoever can look at it could read them; and where the target is mounted.
 */
export function jobEnvironment(env: NodeJS.ProcessEnv, mountPath: string): NodeJS.ProcessEnv {
  const definitions: SettingDefinitions = { ...CLIENT_SETTINGS, ...CLI_SETTINGS };
  const secrets = new Set(
    Object.values(definitions)
      .filter(({ secret }) => secret === true)
      .map((definition) => definition.env),
  );
  const others = Object.entries(env).filter(([name]) => !secrets.has(name));
  return { ...Object.fromEntries(others), DMS_MOUNT_PATH: mountPath };
}
