import { type TargetAction, type TargetRequestDto } from '@app/contracts';

/** The values of such keys are not for a database, whoever put them there; a reference to a secret is none. */
const SECRET_KEY =
  /passw|passphrase|token|credential|authorization|secret(?!_?ref)|(private|access|api|encryption)_?key/i;
/** Functions of databases read JSON down to 32 levels only. */
const MAX_LEVELS = 12;

/** A request as its operation keeps it: all that was asked, without the secrets. */
export function recordedRequest(request: TargetRequestDto, action: TargetAction): object {
  return {
    ...request,
    action,
    keystone_token: request.keystone_token ?? null,
    job: withoutSecrets(request.job, MAX_LEVELS),
  };
}

function withoutSecrets(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '…';
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, levels - 1));
  const masked = Object.entries(value).map(([key, item]): [string, unknown] => {
    const secret = SECRET_KEY.test(key) && item !== null && typeof item !== 'boolean';
    return [key, secret ? '***' : withoutSecrets(item, levels - 1)];
  });
  return Object.fromEntries(masked);
}
