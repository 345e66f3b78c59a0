import { DmsError, type ErrorCode, type LegacyReply, type TargetAction } from '@app/contracts';

/** What the words of a Python server mean, the first that fits. */
const MEANINGS: Readonly<Record<TargetAction, readonly (readonly [RegExp, ErrorCode])[]>> = {
  mount: [
    [/^Missing required field|^Invalid (JSON|request)/i, 'VALIDATION_FAILED'],
    [/credential|secret|barbican|keystone|\btoken\b/i, 'SECRET_UNAVAILABLE'],
  ],
  unmount: [
    [/^Missing required field|^Invalid (JSON|request)/i, 'VALIDATION_FAILED'],
    [/\b(busy|in use)\b/i, 'BUSY'],
  ],
};
/** Of an error that is about credentials: whose fault it is. */
const TOKEN_EXPIRED = /\b401\b|unauthori[sz]ed|expired|revoked/i;
const TOKEN_FORBIDDEN = /\b403\b|forbidden|not (allowed|authori[sz]ed|permitted)/i;
const OTHERWISE = { mount: 'MOUNT_FAILED', unmount: 'UNMOUNT_FAILED' } as const;

/** The error of a Python server, which sends a sentence and no code. */
export function legacyError(action: TargetAction, message: string | null): DmsError {
  const text = message ?? 'The node gave no reason';
  return new DmsError(codeOf(action, text), text);
}

/** Whether a Python server that reports success found nothing to unmount: somebody else took the mount away before. */
export function foundNothing({ success_msg }: LegacyReply): boolean {
  return /^Target not mounted\b/i.test(success_msg ?? '');
}

function codeOf(action: TargetAction, text: string): ErrorCode {
  const code = MEANINGS[action].find(([words]) => words.test(text))?.[1] ?? OTHERWISE[action];
  if (code !== 'SECRET_UNAVAILABLE') return code;
  if (TOKEN_FORBIDDEN.test(text)) return 'FORBIDDEN';
  return TOKEN_EXPIRED.test(text) ? 'AUTH_EXPIRED' : code;
}
