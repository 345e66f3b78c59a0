/** Loaded only when a table is printed: what else comes with the library takes its time. */
export { render } from '@app/platform';
