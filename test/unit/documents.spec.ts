import { existsSync, readdirSync, readFileSync } from 'node:fs';
import {
  asHello,
  asNodeEvent,
  asStateEvent,
  ERROR_CODES,
  parseReply,
  parseTargetRequest,
} from '@app/contracts';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CLIENT_README, clientReadme } from '../docs/client-readme';
import { configurationDocument } from '../docs/configuration';
import { blocksOf, documents } from '../docs/document-blocks';
import { failuresDocument } from '../docs/failures';
import { accessLine, routesOf } from '../docs/http';
import { metricsDocument } from '../docs/metrics';
import { openApiDocument } from '../docs/open-api';
import { protocolDocument } from '../docs/protocol';
import { ROOT } from '../fleet/programs';

describe('documents that are made from the code', () => {
  it('docs/CONFIGURATION.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/CONFIGURATION.md'), 'utf8')).toBe(configurationDocument());
  });

  it('docs/PROTOCOL.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/PROTOCOL.md'), 'utf8')).toBe(protocolDocument());
  });

  it('docs/METRICS.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/METRICS.md'), 'utf8')).toBe(metricsDocument());
  });

  it('docs/FAILURES.md is fresh (npm run docs makes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/FAILURES.md'), 'utf8')).toBe(failuresDocument());
  });

  it('the README of the client package shows its examples as they are run (npm run docs makes it)', () => {
    const text = readFileSync(CLIENT_README, 'utf8');
    expect(text).toBe(clientReadme());
    for (const name of readdirSync(join(ROOT, 'libs/client/examples'))) {
      expect(text).toContain(`<!-- examples/${name} -->`);
    }
  });
});

describe('docs/HTTP.md', () => {
  // What comes from comments and types is compared with a running service, in long/documented-commands.
  it('has every call and no other, and who may make it (npm run docs makes it)', async () => {
    const text = readFileSync(join(ROOT, 'docs/HTTP.md'), 'utf8');
    const written = [...text.matchAll(/^### `([A-Z]+ [^`]+)`\n[^]*?^(Who: .*)$/gm)].map(
      ([, name, access]) => `${name} ${access}`,
    );
    const routes = routesOf(await openApiDocument());
    expect(written.sort()).toEqual(
      routes.map(({ name, operation }) => `${name} ${accessLine(operation)}`).sort(),
    );
  });
});

describe('links in the documents', () => {
  const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
  const anchors = (path: string): string[] =>
    [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    );
  const links = [...documents(), 'CONTRIBUTING.md', 'CHANGELOG.md'].flatMap((document) =>
    [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => ({ document, link }))
      .filter(({ link }) => !/^https?:/.test(link)),
  );

  it('are there', () => expect(links.length).toBeGreaterThan(80));

  it('lead to files, and to headings that these have', () => {
    const dead = links.filter(({ document, link }) => {
      const [file, anchor] = link.split('#');
      const path = file === '' ? document : join(dirname(document), file);
      if (!existsSync(join(ROOT, path))) return true;
      return anchor !== undefined && !anchors(path).includes(anchor);
    });
    expect(dead).toEqual([]);
  });
});

describe('docs/TROUBLESHOOTING.md', () => {
  it('has each code of the table of errors, once, in its table by code', () => {
    const [, section] = /\n## By error code\n([^]*?)\n## /.exec(
      readFileSync(join(ROOT, 'docs/TROUBLESHOOTING.md'), 'utf8'),
    ) ?? ['', ''];
    const first = [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) => cell.split(', '));
    expect(first.sort()).toEqual(
      Object.keys(ERROR_CODES)
        .map((code) => `\`${code}\``)
        .sort(),
    );
  });
});

/** Answers in the documents are those of the golden files, with which the programs are tested. */
const GOLDEN = readdirSync(join(ROOT, 'libs/contracts/golden')).map(
  (name) => JSON.parse(readFileSync(join(ROOT, 'libs/contracts/golden', name), 'utf8')) as unknown,
);

/** What a JSON example may be, by a field that only it has, and how the programs read it. */
const MESSAGES: readonly { readonly field: string; readonly read: (value: unknown) => unknown }[] = [
  { field: 'bases', read: asHello },
  { field: 'event', read: asNodeEvent },
  { field: 'kind', read: asStateEvent },
  { field: 'success_msg', read: parseReply },
  { field: 'backup_target', read: (value) => parseTargetRequest(value, 'mount') },
];

describe('JSON in the documents', () => {
  const examples = documents()
    .flatMap(blocksOf)
    .filter(({ language }) => language === 'json')
    .map((block) => ({ ...block, at: `${block.document}:${block.line}` }));

  it('is there', () => expect(examples.length).toBeGreaterThan(3));

  it.each(examples)('$at is what the programs read', ({ text }) => {
    // A key is shortened in the documents.
    const value = JSON.parse(text.replaceAll('"…"', `"${'A'.repeat(43)}"`)) as Record<string, unknown>;
    if (GOLDEN.some((golden) => isDeepStrictEqual(golden, value))) return;
    const [message] = MESSAGES.filter(({ field }) => field in value);
    expect(message).toBeDefined();
    expect(message.read(value)).not.toBeNull();
  });
});
