import { errorLinesOf, lastWordsOf } from './daemon-log';

const NOISE =
  '2026-01-01T00:00:00.000Z [CRT] s3fs_logger.cpp:LowSetLogLevel(240): change debug level from [CRT] to [ERR]';
const CRITICAL =
  '2026-01-01T00:00:00.000Z [CRT] s3fs.cpp:s3fs_check_service(4): invalid credentials(host=http://a) - \u001bx';

describe('the log of a daemon', () => {
  it('reports errors, not that s3fs was told how much to log', () => {
    const log = [NOISE, 'all is well', CRITICAL, '[ERR] curl.cpp: no', ''].join('\n');
    expect(errorLinesOf(log)).toEqual([CRITICAL, '[ERR] curl.cpp: no']);
  });

  it('says why it failed by its critical lines, else by its last', () => {
    expect(lastWordsOf([NOISE, 'a', CRITICAL, 'b'].join('\n'))).toBe(
      '[CRT] s3fs.cpp:s3fs_check_service(4): invalid credentials(host=http://a) -  x',
    );
    const repeated = '[ERR] curl.cpp: HTTP 400, Body Text: <Message>[CRT] the bucket is yours</Message>';
    expect(lastWordsOf([CRITICAL, repeated].join('\n'))).not.toContain('yours');
    expect(lastWordsOf('a\nb\nc\nd\n')).toBe('b | c | d');
    expect(lastWordsOf('x'.repeat(10_000))).toHaveLength(500);
  });
});
