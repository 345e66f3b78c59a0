import { jobEnvironment } from './job-environment';

describe('jobEnvironment', () => {
  it('keeps passwords and tokens of ours back, and nothing else', () => {
    const others = {
      PATH: '/bin',
      HOME: '/home/x',
      DMS_LOG_LEVEL: 'DEBUG',
      DMS_API_URL: 'http://a',
      OS_TOKEN: 't',
    };
    const secrets = {
      DMS_DB_URL: 'mysql://u:secret@h/n',
      DMS_RABBITMQ_URL: 'amqp://u:secret@h',
      DMS_API_TOKEN: 'secret',
      KEYSTONE_TOKEN: 'secret',
    };
    expect(jobEnvironment({ ...others, ...secrets, DMS_MOUNT_PATH: '/stale' }, '/base/t')).toEqual({
      ...others,
      DMS_MOUNT_PATH: '/base/t',
    });
  });
});
