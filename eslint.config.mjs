import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** What a folder may not import: the libraries know no app, and no app knows the other. */
const layers = [
  { files: ['libs/contracts/**'], forbidden: ['@app/platform', '**/apps/**'] },
  { files: ['libs/platform/**'], forbidden: ['**/apps/**'] },
  // What other people install: it needs no package, and of the contract only what does not either.
  {
    files: ['libs/client/src/**'],
    forbidden: ['@*/**', '**/apps/**', '**/contracts/src/**', '!**/contracts/src/plain'],
  },
  { files: ['apps/dms-server/**'], forbidden: ['**/dms-client/**', '**/libs/**', 'typeorm', 'mysql2'] },
  { files: ['apps/dms-client/**'], forbidden: ['**/dms-server/**', '**/libs/**'] },
];

export default tseslint.config(
  { ignores: ['dist/', 'libs/client/dist/', 'coverage/', 'node_modules/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      eqeqeq: 'error',
    },
  },
  ...layers.map(({ files, forbidden }) => ({
    files: files.map((pattern) => `${pattern}/*.ts`),
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: forbidden, message: 'This import crosses a layer.' }] },
      ],
    },
  })),
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: {
        AbortController: 'readonly',
        AbortSignal: 'readonly',
        __dirname: 'readonly',
        Buffer: 'readonly',
        clearInterval: 'readonly',
        clearTimeout: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        module: 'readonly',
        process: 'readonly',
        require: 'readonly',
        setInterval: 'readonly',
        setTimeout: 'readonly',
        URL: 'readonly',
      },
    },
  },
);
