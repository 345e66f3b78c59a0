const LATE = 'did not answer in time';
const NAMELESS = 'cannot be found by its name';
const CA_FILE_PROBLEM = 'was not asked: the file of DMS_CA_FILE cannot be read';
const UNTRUSTED =
  'was not asked: its certificate is of no authority that is trusted here (DMS_CA_FILE names further ones)';
const CUT = 'closed the connection before it had answered';
const NO_HTTP = 'answered with something that is no HTTP';
const NO_TLS = 'was not asked: it does not speak TLS as it must';

/** The ends of sentences by the code of Node.js, of its TLS, or of the HTTP library. */
const REASONS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: LATE,
  UND_ERR_HEADERS_TIMEOUT: LATE,
  UND_ERR_BODY_TIMEOUT: LATE,
  ETIMEDOUT: LATE,
  ECONNREFUSED: 'refuses the connection',
  UND_ERR_SOCKET: CUT,
  ECONNRESET: CUT,
  UND_ERR_HEADERS_OVERFLOW: 'answered with more headers than are read',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: CUT,
  ENOTFOUND: NAMELESS,
  EAI_AGAIN: NAMELESS,
  ENOENT: CA_FILE_PROBLEM,
  EACCES: CA_FILE_PROBLEM,
  EISDIR: CA_FILE_PROBLEM,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_HAS_EXPIRED: 'was not asked: its certificate has expired',
  CERT_NOT_YET_VALID: 'was not asked: its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'was not asked: its certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  EPROTO: NO_TLS,
};

/** Says by the error's code alone what went wrong, as the end of a sentence: its message could repeat what was sent. */
export function reasonOf(error: unknown, maxBodyBytes: number): string {
  // A time-out is a DOMException, whose code is a number.
  const { code, name } = error as { code?: string | number; name: string };
  if (name === 'TimeoutError') return LATE;
  if (name === 'HTTPParserError') return NO_HTTP;
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return `answered with more than ${maxBodyBytes / 1024} KiB`;
  return REASONS[String(code)] ?? `cannot be reached (${String(code ?? name)})`;
}
