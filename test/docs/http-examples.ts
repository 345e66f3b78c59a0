const TARGET = `"host": "compute-01",
  "backup_target": {
    "id": "nightly",
    "type": "s3",
    "secret_ref": "http://barbican.example:9311/v1/secrets/<uuid>"
  }`;

/** How a call is made with curl, and what comes back. */
interface HttpExample {
  /** Behind the address of the service. */
  readonly path: string;
  readonly body?: string;
  /** The file in libs/contracts/golden that holds an answer. */
  readonly answer?: string;
}

/** An example for each call. Tests run them in their order. */
export const HTTP_EXAMPLES: Readonly<Record<string, HttpExample>> = {
  'POST /api/v1/mount': {
    path: '/api/v1/mount',
    body: `{\n  "keystone_token": "'"$KEYSTONE_TOKEN"'",\n  "job": { "jobid": 7 },\n  ${TARGET},\n  "lease_s": 60\n}`,
    answer: 'mount-response',
  },
  'POST /api/v1/unmount': {
    path: '/api/v1/unmount',
    body: `{\n  "job": { "jobid": 7 },\n  ${TARGET}\n}`,
    answer: 'unmount-response',
  },
  'GET /api/v1/bindings': { path: '/api/v1/bindings?host=compute-01&mounted=true' },
  'GET /api/v1/bindings/{jobid}/{backup_target_id}': {
    path: '/api/v1/bindings/1/nightly?host=compute-01&verify=true',
    answer: 'binding-verified',
  },
  'DELETE /api/v1/bindings/{jobid}/{backup_target_id}': {
    path: '/api/v1/bindings/7/nightly?host=compute-01',
  },
  'POST /api/v1/bindings/{jobid}/{backup_target_id}/renew': {
    path: '/api/v1/bindings/1/nightly/renew?host=compute-01',
    body: '{ "lease_s": 60 }',
  },
  'DELETE /api/v1/jobs/{jobid}/bindings': { path: '/api/v1/jobs/7/bindings' },
  'GET /api/v1/operations': { path: '/api/v1/operations?status=error&limit=20' },
  'GET /api/v1/operations/{id}': { path: '/api/v1/operations/$OPERATION_ID', answer: 'operation' },
  'GET /api/v1/targets/{backup_target_id}/history': { path: '/api/v1/targets/nightly/history?limit=5' },
  'GET /api/v1/events': { path: '/api/v1/events?host=compute-01' },
  'GET /api/v1/nodes': { path: '/api/v1/nodes' },
  'GET /api/v1/nodes/{host}': { path: '/api/v1/nodes/compute-01', answer: 'node-detail' },
  'POST /api/v1/nodes/{host}/drain': {
    path: '/api/v1/nodes/compute-01/drain',
    body: '{ "draining": false }',
  },
  'POST /api/v1/nodes/{host}/accept-key': {
    path: '/api/v1/nodes/compute-01/accept-key',
    body: `{ "key_id": "'"$KEY_ID"'" }`,
  },
  'POST /api/v1/nodes/{host}/forget': { path: '/api/v1/nodes/$HOST/forget', body: '{ "fenced": true }' },
  'GET /api/v1/admin/locks': { path: '/api/v1/admin/locks' },
  'DELETE /api/v1/admin/locks/{host}/{backup_target_id}': { path: '/api/v1/admin/locks/compute-01/nightly' },
  'POST /api/v1/admin/cleanup': { path: '/api/v1/admin/cleanup', body: '{ "hours": 24, "dry_run": true }' },
  'POST /api/v1/admin/reconcile': {
    path: '/api/v1/admin/reconcile',
    body: '{ "host": "compute-01", "dry_run": true }',
  },
  'GET /health/live': { path: '/health/live' },
  'GET /health/ready': { path: '/health/ready' },
  'GET /metrics': { path: '/metrics' },
};
