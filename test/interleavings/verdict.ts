import { type Request, type Stage } from './stage';

/** I1 at any time: who was told success, and has not asked for the unmount since, has the mount. */
export function wrongNow({ requests, node: { mount } }: Stage): string | null {
  for (const [index, { action, jobid, answer }] of requests.entries()) {
    const asked = requests
      .slice(index + 1)
      .some((later) => later.action === 'unmount' && later.jobid === jobid);
    if (action === 'mount' && answer === 'success' && !asked && (mount === null || mount.broken)) {
      return `I1: job ${jobid} was told success, and nothing is mounted`;
    }
  }
  return null;
}

/** What is wrong where nothing is under way any more; null where nothing is. */
export function wrongAtRest(stage: Stage): string | null {
  const { claimed, held } = stage.database.count();
  const { row, operations } = stage.database.stored;
  const { mount } = stage.node;
  const stands = mount !== null && !mount.broken;
  if (held + claimed === 0 && mount !== null) return 'I2: nobody holds the mount, and it stands';
  if (claimed > 0) return 'I2: a claim stays for ever';
  if (held > 0 && !stands) return 'I1: it is held, and nothing good is mounted';
  if (row.state !== (mount === null ? 'ABSENT' : stands ? 'MOUNTED' : 'BROKEN')) {
    return `I3: the row rests ${row.state}, and the mount is ${mount === null ? 'absent' : 'there'}`;
  }
  for (const { action, status } of operations.values()) {
    if (status === 'executing') return `I3: the operation of a ${action} never ends`;
  }
  const last = new Map(stage.requests.map((request) => [request.jobid, request]));
  for (const request of last.values()) {
    const wrong = wrongBinding(request, stage);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** What a job asked last is what counts, whatever it asked before and got no answer to. */
function wrongBinding({ action, jobid, answer }: Request, { database }: Stage): string | null {
  const state = database.stored.bindings.get(jobid)?.state ?? 'none';
  const text = `the last ${action} of job ${jobid} was answered "${answer}", and its binding is ${state}`;
  if (answer === 'success') {
    if (action === 'mount') return state === 'held' || state === 'lost' ? null : `I1: ${text}`;
    return state === 'held' ? `I2: ${text}` : null;
  }
  if (answer.includes('newer request') || answer.includes('has asked for the unmount')) return `I3: ${text}`;
  const unknown = answer === 'none' || answer.includes('TIMEOUT') || answer.includes('unknown');
  return !unknown && action === 'mount' && state === 'held' ? `I3: ${text}` : null;
}
