/** Loaded only when it is asked for: what else comes with the library takes its time. */
export { programVersion } from '@app/platform';
