import {
  type BindingDto,
  type NodeListDto,
  type ReconcileResponseDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { bindingsView, nodesView, reconcileView, unmountView } from './views';

const BINDING = {
  jobid: 1,
  backup_target_id: 't',
  host: 'h',
  mount_path: '/base/t',
  mount_state: 'MOUNTED',
  updated_at: null,
} as BindingDto;

const UNTROUBLED = { problem: null, refused_key_id: null, other_ledger: null };

describe('what people see', () => {
  it('shows no mount beside a hold that was given back: it is the mount of others', () => {
    const bindings: BindingDto[] = [
      { ...BINDING, state: 'held' },
      { ...BINDING, state: 'released' },
    ];
    const rows = JSON.stringify(bindingsView({ bindings, next_cursor: null }));
    expect(rows).toContain('[1,"t","h","held","/base/t","MOUNTED",null]');
    expect(rows).toContain('[1,"t","h","released",null,null,null]');
  });

  it.each<[string, string[], string]>([
    ['No differences.', [], 'no node is silent'],
    ['No differences on the nodes that answered.', ['b'], 'one is'],
    ['Nothing was compared: no node answered.', ['a', 'b'], 'all are'],
  ])('says "%s" where of two nodes %j cannot be asked', (text, silent) => {
    const unreachable = silent.map((host) => ({ host, error_code: 'NODE_UNREACHABLE', error_msg: 'silent' }));
    const body = { success_msg: '', hosts: ['a', 'b'], differences: [], unreachable };
    expect(JSON.stringify(reconcileView(body as unknown as ReconcileResponseDto))).toContain(
      `"empty":"${text}"`,
    );
  });

  it.each<[string, object[]]>([
    ['Nothing was compared.', [{ host: 'python-1', reason: 'a Python server' }]],
    ['No node is known.', []],
  ])('says "%s" where there is no node that can be asked: %j', (text, not_compared) => {
    const body = { success_msg: '', hosts: [], differences: [], unreachable: [], not_compared };
    expect(JSON.stringify(reconcileView(body as unknown as ReconcileResponseDto))).toContain(text);
  });

  it('shows what concerns all nodes before the nodes, also of a dms-client that does not tell', () => {
    const list = (warning?: string) => nodesView({ nodes: [], warning } as unknown as NodeListDto);
    expect(list('check the message broker first')[0]).toBe('check the message broker first');
    expect(list()).toHaveLength(1);
  });

  it('shows what keeps a node from serving, and a key that was refused', () => {
    const node = {
      ...UNTROUBLED,
      host: 'h',
      state: 'up',
      bases: [],
      problem: 'is full',
      refused_key_id: 'k',
    };
    expect(JSON.stringify(nodesView({ nodes: [node] } as unknown as NodeListDto))).toContain(
      'is full; a hello with another key was refused (k)',
    );
  });

  it('leaves what went wrong with an unmount to the warning', () => {
    const body = { success_msg: 'Released; the mount still stands', error_code: 'BUSY' };
    expect(JSON.stringify(unmountView(body as UnmountResponseDto))).not.toContain('Released');
    const well = { success_msg: 'Target unmounted', error_code: null };
    expect(JSON.stringify(unmountView(well as UnmountResponseDto))).toContain('Target unmounted');
  });
});
