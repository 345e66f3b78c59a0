/** A URL of Keystone's API. `/v3` is put behind an address that has no version, as OpenStack's own programs do. */
export function keystoneUrl(authUrl: string, path: string): string {
  return `${/\/v3$/.test(authUrl) ? authUrl : `${authUrl}/v3`}${path}`;
}
