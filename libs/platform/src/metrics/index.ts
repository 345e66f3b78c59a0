/** Metrics for Prometheus. Apart from the rest of the library, for a command does without. */
export * from './buckets';
export * from './metrics-page';
