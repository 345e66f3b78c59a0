import { type OpenAPIObject } from '@nestjs/swagger';
import { withTypes } from './api-types';

describe('the types in the document', () => {
  it('say what goes over the wire', () => {
    const document = {
      paths: {
        '/open': { get: { 'x-dms-access': 'open' } },
        '/read': {
          get: {
            'x-dms-access': 'read',
            parameters: [
              { name: 'limit', schema: { type: 'number' } },
              { name: 'hours', schema: { type: 'number' } },
            ],
          },
        },
      },
      components: {
        schemas: {
          Secret: { type: 'object', properties: {} },
          Some: {
            properties: {
              epoch: { type: ['number', 'null'] },
              hours: { type: 'number' },
              kind: { enum: ['number'] },
            },
          },
        },
      },
    };
    expect(withTypes(document as unknown as OpenAPIObject)).toEqual({
      paths: {
        '/open': { get: { 'x-dms-access': 'open', security: [] } },
        '/read': {
          get: {
            'x-dms-access': 'read',
            parameters: [
              { name: 'limit', schema: { type: 'integer' } },
              { name: 'hours', schema: { type: 'number' } },
            ],
          },
        },
      },
      components: {
        schemas: {
          Secret: { type: 'string', format: 'password', writeOnly: true },
          Some: {
            properties: {
              epoch: { type: ['integer', 'null'] },
              hours: { type: 'number' },
              kind: { enum: ['number'] },
            },
          },
        },
      },
    });
  });
});
