import { DmsError } from '@app/contracts';
import { SettingsError } from '@app/platform';
import { describeError } from './error-report';
import { UsageError } from './usage-error';

describe('what is printed of an error', () => {
  it('names the code and the operation', () => {
    const error = new DmsError('MOUNT_FAILED', 'no such export', { operationId: 'o1' });
    expect(describeError(error)).toEqual({
      line: 'MOUNT_FAILED: no such export (operation o1)',
      exitCode: 1,
    });
  });

  it('has the exit code of the table', () => {
    expect(describeError(new DmsError('NODE_UNREACHABLE', 'x')).exitCode).toBe(75);
    expect(describeError(new DmsError('VALIDATION_FAILED', 'x')).exitCode).toBe(2);
    expect(describeError(new DmsError('CONFLICT', 'x')).exitCode).toBe(1);
  });

  it('names the options beside the fields', () => {
    const error = DmsError.validation([
      { field: 'job.jobid', problem: 'is wrong' },
      { field: 'elsewhere', problem: 'too' },
    ]);
    expect(describeError(error).line).toBe('VALIDATION_FAILED: --job-id: is wrong; elsewhere: too');
  });

  it('names the options of a target where a node has named its fields', () => {
    const error = new DmsError('VALIDATION_FAILED', 'backup_target.secret_ref: is not a secret');
    expect(describeError(error).line).toBe('VALIDATION_FAILED: --secret-ref: is not a secret');
  });

  it('is one line that does not steer the terminal', () => {
    const line = describeError(new DmsError('BUSY', 'a\n  b \u001b[2J')).line;
    expect(line).toBe('BUSY: a b ?[2J');
  });

  it('tells all bad settings', () => {
    expect(describeError(new SettingsError(['A: is required', 'B: must be a port']))).toEqual({
      line: 'VALIDATION_FAILED: configuration: A: is required; B: must be a port',
      exitCode: 2,
    });
  });

  it('takes wrong use for what it is', () => {
    expect(describeError(new UsageError('--hours: is required')).exitCode).toBe(2);
    const unknown = Object.assign(new Error("error: unknown option '--x'"), {
      code: 'commander.unknownOption',
    });
    expect(describeError(unknown)).toEqual({ line: "VALIDATION_FAILED: unknown option '--x'", exitCode: 2 });
  });

  it('is nothing where the help was shown', () => {
    const help = Object.assign(new Error('(outputHelp)'), { code: 'commander.helpDisplayed', exitCode: 0 });
    expect(describeError(help)).toEqual({ line: null, exitCode: 0 });
    const noCommand = Object.assign(new Error('(outputHelp)'), { code: 'commander.help', exitCode: 1 });
    expect(describeError(noCommand)).toEqual({ line: null, exitCode: 2 });
    expect(describeError(Object.assign(noCommand, { exitCode: 0 }))).toEqual({ line: null, exitCode: 0 });
  });

  it('is INTERNAL for a defect', () => {
    expect(describeError(new TypeError('defect'))).toEqual({ line: 'INTERNAL: defect', exitCode: 1 });
    expect(describeError('text')).toEqual({ line: 'INTERNAL: text', exitCode: 1 });
  });
});
