import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ModuleKind,
  ModuleResolutionKind,
  ScriptTarget,
  createProgram,
  flattenDiagnosticMessageText,
} from 'typescript';
import { ROOT } from './programs';

/** A manifest as kubectl reads it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** Where the types of an API group stand in the package kubernetes-types, which is made from Kubernetes' own OpenAPI. */
const GROUPS: Readonly<Record<string, string>> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'policy/v1': 'policy/v1',
  'networking.k8s.io/v1': 'networking/v1',
};

/**
 * Checks manifests against Kubernetes' schemas: each becomes a literal of its type, and the compiler names what is of a
 * wrong type, missing, or known to no schema.
 *
 * @param directory gets a file for each; below the checkout, where the types are found
 * @returns a line for each thing that is wrong
 */
export function manifestProblems(manifests: readonly Manifest[], directory: string): string[] {
  mkdirSync(directory, { recursive: true });
  const unknown = manifests.filter(({ apiVersion }) => !(apiVersion in GROUPS));
  const files = manifests
    .filter((manifest) => !unknown.includes(manifest))
    .map((manifest) => {
      const { apiVersion, kind, metadata } = manifest;
      const file = join(directory, `${kind}-${metadata.name}.ts`);
      const type = `import type { ${kind} } from 'kubernetes-types/${GROUPS[apiVersion]}';\n`;
      writeFileSync(file, `${type}export const it: ${kind} = ${JSON.stringify(manifest, null, 2)};\n`);
      return file;
    });
  const program = createProgram(files, {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    module: ModuleKind.NodeNext,
    moduleResolution: ModuleResolutionKind.NodeNext,
    target: ScriptTarget.ES2023,
    rootDir: ROOT,
  });
  const found = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...files.flatMap((file) => {
      const source = program.getSourceFile(file);
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    }),
  ].map(
    ({ file, messageText }) => `${file?.fileName ?? ''}: ${flattenDiagnosticMessageText(messageText, ' ')}`,
  );
  return [
    ...unknown.map(({ apiVersion, kind }) => `${apiVersion} ${kind}: no such type is known here`),
    ...found,
  ];
}
