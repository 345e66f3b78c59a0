import { type TargetAction } from '@app/contracts';
import { legacyError } from './legacy-errors';

describe('the words of a Python server', () => {
  it.each<[string, TargetAction, string]>([
    ['SECRET_UNAVAILABLE', 'mount', 'Failed to fetch credentials: HTTPConnectionPool: Max retries exceeded'],
    ['SECRET_UNAVAILABLE', 'mount', 'Failed to fetch credentials from Barbican: 404 Client Error: Not Found'],
    ['SECRET_UNAVAILABLE', 'mount', 'Mount failed: No credentials in secret'],
    [
      'AUTH_EXPIRED',
      'mount',
      'Failed to fetch credentials: 401 Client Error: Unauthorized for url: http://b/v1',
    ],
    ['AUTH_EXPIRED', 'mount', 'Failed to fetch credentials: the Keystone token has expired'],
    ['FORBIDDEN', 'mount', 'Failed to fetch credentials: 403 Client Error: Forbidden for url: http://b/v1'],
    ['FORBIDDEN', 'mount', 'Failed to fetch credentials: Secret retrieval attempt not allowed'],
    ['VALIDATION_FAILED', 'mount', "Missing required field: 'secret_ref'"],
    ['MOUNT_FAILED', 'mount', 'Mount failed: mount.nfs: access denied by server'],
    ['MOUNT_FAILED', 'mount', 'S3VaultFuse exited with code 403'],
    ['BUSY', 'unmount', 'Unmount failed: umount: /mnt: target is busy.'],
    ['UNMOUNT_FAILED', 'unmount', 'Unmount failed: umount: /mnt: no permission'],
  ])('mean %s: %s, %s', (code, action, text) => {
    expect(legacyError(action, text)).toMatchObject({ code, message: text });
  });

  it('mean a failed mount where there are none', () => {
    expect(legacyError('mount', null)).toMatchObject({ code: 'MOUNT_FAILED' });
  });
});
