const swc = {
  sourceMaps: 'inline',
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    target: 'es2023',
    keepClassNames: true,
  },
  module: { type: 'commonjs' },
};

const shared = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: { '^.+\\.[cm]?[tj]s$': ['@swc/jest', swc] },
  // Published as ES modules, which Jest on Node 20 cannot require.
  transformIgnorePatterns: ['/node_modules/(?!(@nestjs|jose)/)'],
  moduleNameMapper: {
    '^@app/(contracts|platform)$': '<rootDir>/libs/$1/src/index.ts',
    '^@dynamic-mount-service/(client)$': '<rootDir>/libs/$1/src/index.ts',
    '^@app/platform/metrics$': '<rootDir>/libs/platform/src/metrics/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};

const rig = {
  globalSetup: '<rootDir>/test/e2e/global-setup.ts',
  globalTeardown: '<rootDir>/test/e2e/global-teardown.ts',
};

module.exports = {
  testTimeout: 180_000,
  testSequencer: '<rootDir>/test/long-files-first.cjs',
  // Both cores. Tests on real services have a rig for each process.
  maxWorkers: '100%',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs}/**/*.spec.ts', '<rootDir>/test/unit/**/*.spec.ts'],
    },
    { ...shared, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.e2e.ts'], ...rig },
    { ...shared, displayName: 'long', testMatch: ['<rootDir>/test/long/**/*.e2e.ts'], ...rig },
  ],
};
