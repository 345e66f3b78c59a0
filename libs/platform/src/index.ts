export * from './broker/broker-connection';
export * from './logging/log-levels';
export * from './logging/pino-logger';
export * from './program-version';
export * from './settings/broker.settings';
export * from './settings/broker-url';
export * from './settings/parsers';
export * from './settings/settings';
